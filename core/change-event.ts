import type { Position } from './position.ts';

/** A large column that did not change: keep what you have. Never data. */
export const UNAVAILABLE: unique symbol = Symbol('unavailable');
export type Unavailable = typeof UNAVAILABLE;

/** A value of which the connector lost a part. Whoever reads the column refuses the row for this reason; others don't notice. */
export class Unreadable {
  readonly code: string;
  readonly reason: string;
  constructor(code: string, reason: string) {
    this.code = code;
    this.reason = reason;
  }
}

/**
 * A column's value as every mapping sees it, whichever database it came from:
 *
 * | column type                        | value                                                       |
 * |------------------------------------|-------------------------------------------------------------|
 * | integers up to 32 bits             | number                                                      |
 * | 64-bit integers (also unsigned)    | bigint                                                      |
 * | decimal, numeric, money            | decimal text as the database prints it, e.g. `12.50`        |
 * | date                               | number: days since 1970-01-01                               |
 * | timestamp/datetime without zone    | bigint: µs since 1970-01-01T00:00 of the same wall clock    |
 * | timestamp with zone                | text, ISO 8601 in UTC with `Z`, up to µs                    |
 * | time                               | bigint: µs since midnight                                   |
 * | boolean                            | boolean                                                     |
 * | text, enum, uuid, json             | text                                                        |
 * | bytes                              | Uint8Array                                                  |
 */
export type ColumnValue =
  | string
  | number
  | bigint
  | boolean
  | Uint8Array
  | null
  | Unavailable
  | Unreadable
  | readonly ColumnValue[];
export type Row = Readonly<Record<string, ColumnValue>>;

export type Operation = 'c' | 'u' | 'd' | 'r' | 't';

/** One Debezium record, decoded. A Kafka tombstone (null value) is not an event; it follows a delete and is passed over. */
export type ChangeEvent = {
  readonly system: string;
  /** `<schema or database>.<table>`, as in the raw topic's name. */
  readonly table: string;
  readonly operation: Operation;
  readonly before: Row | null;
  readonly after: Row | null;
  readonly position: Position;
  /** µs since 1970 UTC, from the source's log; MariaDB's log has whole seconds. */
  readonly commitTimeUs: bigint;
  /** When it was committed at the latest, µs since 1970 UTC: what decides among systems that write one shared entity. */
  readonly orderTimeUs: bigint;
  readonly isSnapshot: boolean;
  /** Did a sink of ours write it? PostgreSQL: replication origin `seam_*`; MariaDB: our GTID domain. */
  readonly isTagged: boolean;
};
