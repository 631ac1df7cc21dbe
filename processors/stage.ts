/**
 * A stage: topics in, topics out, exactly once. The runtime owns offsets, transactions and faults; a stage only says what
 * follows from records.
 */
import type { ContractError, RecordError, SeamError } from '../core/errors.ts';
import type { LogRecord, LogSlice, OutputRecord } from '../core/ports.ts';
import type { RecordClaims } from './claims.ts';

export type Transformed = {
  /** In the order of the records they follow from. */
  readonly outputs: readonly OutputRecord[];
  /** Set aside in `dead-letter.<stage>`; the others flow. */
  readonly rejected: readonly Rejected[];
  /** A broken contract: the record at this index and all behind it stay in the log, and their topic stops. */
  readonly stop?: { readonly at: number; readonly reason: ContractError };
  readonly counts: Counts;
};

export type Rejected = { readonly record: LogRecord; readonly error: RecordError };
export type Counts = Readonly<Record<string, number>>;

export type Stage = {
  readonly name: string;
  readonly groupId: string;
  /** Without the redrive lane, which every stage has. */
  readonly inputs: readonly string[];
  /**
   * Called again with the same records after a failure, and must answer the same. Rejects with a TransientError where
   * something beside Kafka is away: this topic waits, the others flow. A ContractError stops the topic.
   */
  transform(slice: LogSlice): Promise<Transformed>;
  /** What each of these says, for records that were refused and corrected: claims.ts. Left out: nothing is known of any. */
  claims?(slice: LogSlice): Promise<readonly RecordClaims[]>;
  /** The canonical tombstone that a `delete` on the redrive lane asks for; RecordError where the request is none. */
  sweep?(request: LogRecord): OutputRecord;
};

/** Named places where a fault test lets the process die. */
export type CrashPoint = 'before-produce' | 'before-commit' | 'after-commit';
export type CrashHooks = { at(point: CrashPoint): void | Promise<void> };
export const noHooks: CrashHooks = { at: () => {} };

export type WorkState = 'running' | 'degraded' | 'failed' | 'paused';

/** What a person reads of a fault; no value of any record is in it. */
export type Reason = {
  readonly code: string;
  readonly message: string;
  readonly where?: string;
  readonly hint?: string;
};

export type TopicStatus = {
  readonly topic: string;
  readonly state: WorkState;
  readonly reason: Reason | undefined;
  readonly counts: Counts;
};

export type StageStatus = {
  readonly stage: string;
  readonly state: WorkState;
  readonly reason: Reason | undefined;
  /** Numbers of the partitions held. */
  readonly tasks: readonly number[];
  readonly topics: readonly TopicStatus[];
  /** Set aside now, in the partitions held: refused, and waiting behind those. */
  readonly deadLetters: number;
  readonly waiting: number;
};

export function reasonOf(error: SeamError): Reason {
  return {
    code: error.code,
    message: error.message,
    ...(error.where === undefined ? {} : { where: error.where }),
    ...(error.hint === undefined ? {} : { hint: error.hint }),
  };
}

/** What an operator asks of records that were read before: redrive.ts. */
export function redriveTopic(stage: string): string {
  return `redrive.${stage}`;
}

export function deadLetterTopic(stage: string): string {
  return `dead-letter.${stage}`;
}
