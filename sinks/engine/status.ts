/** How a sink stands, for every display. */
import type { SeamError } from '../../core/errors.ts';
import type { TopicPartition } from '../../core/ports.ts';
import type { Counts } from './counts.ts';
import type { HaltedTable } from './halted-tables.ts';

export type SinkState = 'running' | 'degraded' | 'failed' | 'paused';

export type SinkStatus = {
  readonly system: string;
  readonly state: SinkState;
  readonly reason: string | undefined;
  /** The error behind `reason`; undefined while nothing is wrong. */
  readonly fault: SeamError | undefined;
  readonly echoTag: string | undefined;
  readonly counts: Readonly<Counts>;
  /** Records set aside in this target, by all its workers. */
  readonly waiting: number;
  readonly deadLetters: number;
  /** Of keys with a dead letter: not looked at yet. */
  readonly behind: number;
  readonly partitions: readonly (TopicPartition & { readonly nextOffset: bigint; readonly lag: bigint })[];
  /** Tables that stand still; all others are written. */
  readonly halted: readonly HaltedTable[];
};
