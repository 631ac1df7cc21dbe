/** A fault as data: what is done, how it is proved that it happened, how soon all must flow again. */
import type { Random } from '../../demo/random.ts';
import type { Criterion } from './checker.ts';
import type { FaultChain } from './chain.ts';
import type { Fired } from './crash.ts';
import type { Expected } from './checker.ts';

export type FaultContext = {
  readonly chain: FaultChain;
  /** From the seed and the row's name: a row run alone chooses as it did among all. */
  readonly random: Random;
  readonly expected: Expected;
  readonly signal: AbortSignal;
  /** What was seen from outside. A row that proves nothing fails. */
  prove(what: string, holds?: boolean): void;
  /** Checks something of this row alone; a failure is a finding. */
  require(criterion: Criterion, what: string, holds: boolean): void;
  /** Changes made now arrive everywhere within the row's limit; the longest time counts. */
  flows(): Promise<void>;
  /** Waits until this many canonical records were written since the last call: there is progress between faults. */
  progress(records: number): Promise<void>;
  crashAt(worker: string, order: string): Promise<Fired>;
  /** The people stop, and everything comes to rest; then they go on. */
  whileQuiet(work: () => Promise<void>): Promise<void>;
};

export type Row = {
  readonly id: string;
  readonly title: string;
  /** One sentence each, for the page: what is done, and what has to be seen for the fault to count. */
  readonly does: string;
  readonly proof: string;
  /** From the moment the cause is gone (a killed worker: from its death) until changes arrive everywhere. */
  readonly recoversWithinMs: number;
  /** Old versions are fed again on purpose: the canonical topics hold them twice. */
  readonly feedsOldVersions?: boolean;
  /** Ends producers in the middle of a transaction: Kafka's own tool is asked afterwards whether one is open. */
  readonly leavesTransactions?: boolean;
  /** Leaves the chain in a state that no later row should start from. */
  readonly isLasting?: boolean;
  /** Part of the short selection. */
  readonly isShort?: boolean;
  impossible?(chain: FaultChain): string | undefined;
  /** Resolves when the cause is gone. */
  run(context: FaultContext): Promise<void>;
};

export const WORKER_LIMIT_MS = 15_000;
export const BROKER_LIMIT_MS = 30_000;
export const DATABASE_LIMIT_MS = 10_000;
