import type { CanonicalRecord } from '../../core/canonical-record.ts';
import type { RecordError } from '../../core/errors.ts';
import type { LogSlice } from '../../core/ports.ts';

export type Place = { readonly topic: string; readonly partition: number; readonly offset: bigint };

/** The record as Kafka holds it: what is kept when it is set aside, so that it can be decoded again. */
export type RawRecord = { readonly value: Uint8Array | null; readonly meta: Uint8Array | null };

/** What is known of a record that was set aside before. */
export type ParkedState = {
  readonly id: bigint;
  readonly attempts: number;
  /** Tried again by itself; false: a dead letter. */
  readonly isWaiting: boolean;
  readonly reasonCode: string;
  /** An operator has asked for it: this time counts as an attempt, whenever it is. */
  readonly isAsked: boolean;
};

/** A record that may decide what becomes of its key: new in this batch, or parked before. */
export type Candidate = {
  readonly record: CanonicalRecord;
  readonly place: Place;
  readonly raw: RawRecord;
  readonly parked: ParkedState | undefined;
};

/** Of a record that only the ledger holds: no partition has it, so it can't be set aside and read again. */
const OF_LEDGER = -1;

export function placeInLedger(topic: string): Place {
  return { topic, partition: OF_LEDGER, offset: BigInt(OF_LEDGER) };
}

export function isOfLedger({ place }: Candidate): boolean {
  return place.partition === OF_LEDGER;
}

/** A record whose bytes can't be read: its position and contents are unknown. */
export type Undecodable = {
  readonly entity: string;
  readonly key: string;
  readonly place: Place;
  readonly raw: RawRecord;
  readonly error: RecordError;
  readonly parked: ParkedState | undefined;
};

/** Why a record is set aside that nobody has looked at: an earlier one of its key is. It is tried when that one has gone. */
export const KEY_PARKED = 'KEY_PARKED';

/** Why a record waits that lacks fields: one before it can't be read. Only where later records take over. */
export const BEHIND_DEAD_LETTER = 'BEHIND_DEAD_LETTER';

/** Kafka header that carries `RecordMeta`. */
export const META_HEADER = 'seam';

/**
 * Decodes a batch, one answer for each record in its order. A record that can't be read is answered by its RecordError; a
 * TransientError (registry away) is thrown, and the batch is tried again.
 */
export type DecodeBatch = (slice: LogSlice) => Promise<readonly (CanonicalRecord | RecordError)[]>;

/** The same record of the log, read once more: it keeps its parked row. */
export function samePlace(left: Place, right: Place): boolean {
  return left.offset === right.offset && left.partition === right.partition && left.topic === right.topic;
}
