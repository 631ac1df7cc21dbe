/**
 * Records set aside by a stage: `dead-letter.<stage>`, compacted, so that nothing is lost by age. The Kafka key is the
 * record's place, the partition its task's number, and the newest record of a place says what became of it:
 *
 * | state       | means                                                          | goes to             |
 * |-------------|----------------------------------------------------------------|---------------------|
 * | `refused`   | a dead letter: waits for an operator                           | landed, discarded   |
 * | `waiting`   | not looked at: an earlier record of its key is set aside       | landed, discarded   |
 * | `discarded` | given up, with who, when and why; contents are gone, this stays | (end)               |
 * | tombstone   | landed                                                         | (end)               |
 */
import { asBuffer } from '../core/bytes.ts';
import { createHash } from 'node:crypto';
import type { RecordError } from '../core/errors.ts';
import type { LogRecord, OutputRecord } from '../core/ports.ts';
import { type Claims, claimsText, readClaims } from './claims.ts';
import { type Asked, headerText, ownHeaders, type Place, placeHeaders, readPlace, textHeaders } from './redrive.ts';
import { deadLetterTopic } from './stage.ts';

/** Headers added to what the record had: why it was set aside, and from where. */
export const DEAD_LETTER_HEADERS = {
  state: 'seam.parked.state',
  at: 'seam.parked.at',
  attempts: 'seam.parked.attempts',
  behind: 'seam.parked.behind',
  claims: 'seam.parked.claims',
  class: 'seam.error.class',
  code: 'seam.error.code',
  reason: 'seam.error.reason',
  where: 'seam.error.where',
  hint: 'seam.error.hint',
  key: 'seam.source.key',
  value: 'seam.source.value',
  triedAt: 'seam.tried.at',
  triedBy: 'seam.tried.by',
  endedAt: 'seam.discarded.at',
  endedBy: 'seam.discarded.by',
  endedReason: 'seam.discarded.reason',
  contents: 'seam.discarded.sha256',
} as const;

export const KEY_PARKED = 'KEY_PARKED';

const STATES = ['refused', 'waiting', 'discarded'] as const;
export type LetterState = (typeof STATES)[number];

/** What a task must know of a record that it set aside. */
export type Parked = {
  readonly place: Place;
  /** undefined: the record has no key, so nothing waits behind it. */
  readonly keyId: string | undefined;
  readonly state: 'refused' | 'waiting';
  readonly code: string;
  readonly attempts: number;
  readonly setAsideAtMs: number;
  /** What is still to be said of it. */
  readonly claims: Claims;
};

export type Letter = Omit<Parked, 'state'> & {
  readonly state: LetterState;
  /** As it came; a discarded letter has neither key nor value. */
  readonly original: Pick<LogRecord, 'key' | 'value' | 'headers'>;
  readonly class: string;
  readonly reason: string;
  readonly where: string | undefined;
  readonly hint: string | undefined;
  readonly behind: string | undefined;
  readonly tried: { readonly by: string; readonly at: string } | undefined;
  readonly discarded: { readonly by: string; readonly at: string; readonly reason: string } | undefined;
};

export function placeText({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}/${offset}`;
}

/** Without the schema's number in front: the same key stays one key when its schema is registered again. */
export function keyIdOf(key: Uint8Array | null): string | undefined {
  if (key === null) return undefined;
  const bytes = asBuffer(key);
  return bytes.subarray(bytes[0] === 0 && bytes.length > WIRE_HEADER_BYTES ? WIRE_HEADER_BYTES : 0).toString('latin1');
}

const WIRE_HEADER_BYTES = 5;

/** A record that was refused. Personal values stay in the value and the key, never in what is added. */
export function deadLetter(
  stage: string,
  parked: Parked,
  record: LogRecord,
  error: RecordError,
  tried?: { readonly by: string; readonly atMs: number },
): OutputRecord {
  const { where, hint } = error;
  return letter(stage, parked, record, {
    [DEAD_LETTER_HEADERS.class]: error.class,
    [DEAD_LETTER_HEADERS.reason]: error.message,
    ...(where === undefined ? {} : { [DEAD_LETTER_HEADERS.where]: where }),
    ...(hint === undefined ? {} : { [DEAD_LETTER_HEADERS.hint]: hint }),
    ...(tried === undefined
      ? {}
      : { [DEAD_LETTER_HEADERS.triedAt]: timeText(tried.atMs), [DEAD_LETTER_HEADERS.triedBy]: tried.by }),
  });
}

/** A record that waits behind another of its key. */
export function waitingLetter(stage: string, parked: Parked, record: LogRecord, behind: Place): OutputRecord {
  return letter(stage, parked, record, {
    [DEAD_LETTER_HEADERS.class]: 'record',
    [DEAD_LETTER_HEADERS.reason]: 'an earlier record of this key is set aside',
    [DEAD_LETTER_HEADERS.behind]: placeText(behind),
  });
}

export function landedLetter(stage: string, place: Place): OutputRecord {
  return { topic: deadLetterTopic(stage), partition: place.partition, key: placeText(place), value: null, headers: {} };
}

/** What was given up, by whom, when and why; a hash in place of the contents. */
export function discardedLetter(
  stage: string,
  { place, code, attempts, setAsideAtMs }: Parked,
  { value }: LogRecord,
  { by, reason }: Asked,
  nowMs: number,
): OutputRecord {
  const headers = {
    ...placeHeaders(place),
    ...textHeaders({
      [DEAD_LETTER_HEADERS.state]: 'discarded',
      [DEAD_LETTER_HEADERS.code]: code,
      [DEAD_LETTER_HEADERS.attempts]: String(attempts),
      [DEAD_LETTER_HEADERS.at]: timeText(setAsideAtMs),
      [DEAD_LETTER_HEADERS.endedAt]: timeText(nowMs),
      [DEAD_LETTER_HEADERS.endedBy]: by,
      [DEAD_LETTER_HEADERS.endedReason]: reason,
      [DEAD_LETTER_HEADERS.contents]: createHash('sha256')
        .update(value ?? '')
        .digest('hex'),
    }),
  };
  const { partition } = place;
  return { topic: deadLetterTopic(stage), partition, key: placeText(place), value: NOTHING, headers };
}

/** undefined: a tombstone, or no letter of ours. */
export function readLetter({ headers, value }: LogRecord): Letter | undefined {
  const text = (name: string) => headerText(headers, name);
  const place = readPlace(headers);
  const state = STATES.find((one) => one === text(DEAD_LETTER_HEADERS.state));
  if (value === null || place === undefined || state === undefined) return undefined;
  const key = headers[DEAD_LETTER_HEADERS.key] ?? null;
  const isNull = text(DEAD_LETTER_HEADERS.value) === NULL_VALUE;
  return {
    place,
    state,
    keyId: keyIdOf(key),
    code: text(DEAD_LETTER_HEADERS.code) ?? '',
    attempts: Number(text(DEAD_LETTER_HEADERS.attempts) ?? 0),
    setAsideAtMs: Date.parse(text(DEAD_LETTER_HEADERS.at) ?? ''),
    claims: readClaims(text(DEAD_LETTER_HEADERS.claims)),
    original: { key, value: isNull || state === 'discarded' ? null : value, headers: ownHeaders(headers) },
    class: text(DEAD_LETTER_HEADERS.class) ?? 'record',
    reason: text(DEAD_LETTER_HEADERS.reason) ?? '',
    where: text(DEAD_LETTER_HEADERS.where),
    hint: text(DEAD_LETTER_HEADERS.hint),
    behind: text(DEAD_LETTER_HEADERS.behind),
    tried: readTried(text),
    discarded: readDiscarded(text),
  };
}

type HeaderText = (name: string) => string | undefined;

function readTried(text: HeaderText): Letter['tried'] {
  const at = text(DEAD_LETTER_HEADERS.triedAt);
  return at === undefined ? undefined : { at, by: text(DEAD_LETTER_HEADERS.triedBy) ?? '' };
}

function readDiscarded(text: HeaderText): Letter['discarded'] {
  const at = text(DEAD_LETTER_HEADERS.endedAt);
  if (at === undefined) return undefined;
  return { at, by: text(DEAD_LETTER_HEADERS.endedBy) ?? '', reason: text(DEAD_LETTER_HEADERS.endedReason) ?? '' };
}

/** Null would be a tombstone here; a record whose value is null (a deletion) says so in a header. */
const NULL_VALUE = 'null';
const NOTHING = Buffer.alloc(0);

function letter(
  stage: string,
  { place, state, code, attempts, setAsideAtMs, claims }: Parked,
  { key, value, headers }: LogRecord,
  added: Readonly<Record<string, string>>,
): OutputRecord {
  return {
    topic: deadLetterTopic(stage),
    partition: place.partition,
    key: placeText(place),
    value: value ?? NOTHING,
    headers: {
      ...ownHeaders(headers),
      ...placeHeaders(place),
      ...(key === null ? {} : { [DEAD_LETTER_HEADERS.key]: key }),
      ...textHeaders({
        ...added,
        ...(value === null ? { [DEAD_LETTER_HEADERS.value]: NULL_VALUE } : {}),
        [DEAD_LETTER_HEADERS.state]: state,
        [DEAD_LETTER_HEADERS.code]: code,
        [DEAD_LETTER_HEADERS.attempts]: String(attempts),
        [DEAD_LETTER_HEADERS.at]: timeText(setAsideAtMs),
        ...(claims.said === undefined ? {} : { [DEAD_LETTER_HEADERS.claims]: claimsText(claims) }),
      }),
    },
  };
}

function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString();
}
