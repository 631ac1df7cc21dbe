/**
 * The redrive lane: what an operator asks of records that were read before. One more input topic for each stage,
 * `redrive.<stage>`; a request lies in the partition of the record it is about, so the task that owns the key carries it
 * out, in one transaction with its outputs.
 *
 * | action      | what becomes of it                                                                                  |
 * |-------------|-----------------------------------------------------------------------------------------------------|
 * | `translate` | the record is mapped again, as if it had come from its topic                                         |
 * | `retry`     | a record set aside is tried again: landed, or set aside with one attempt more                        |
 * | `discard`   | a record set aside is given up: who, when and why stay on record                                     |
 * | `delete`    | a canonical tombstone, for a key whose source has no row any more: the value is a `Sweep` as JSON     |
 *
 * All may be asked twice: what is done already is passed over.
 */
import { asBuffer } from '../core/bytes.ts';
import { RecordError } from '../core/errors.ts';
import type { LogRecord, OutputRecord } from '../core/ports.ts';
import { redriveTopic } from './stage.ts';

export const REDRIVE_HEADERS = {
  action: 'seam.redrive.action',
  id: 'seam.redrive.id',
  by: 'seam.redrive.by',
  reason: 'seam.redrive.reason',
} as const;

export const PLACE_HEADERS = {
  topic: 'seam.source.topic',
  partition: 'seam.source.partition',
  offset: 'seam.source.offset',
} as const;

/** Headers that the lane and the dead letters add. `seam` and `seam.epoch` are none of them: they belong to the record. */
const ADDED = /^seam\.(redrive|source|parked|error|tried|discarded)\./;

const ACTIONS = ['translate', 'retry', 'discard', 'delete'] as const;
export type RedriveAction = (typeof ACTIONS)[number];

export type Place = { readonly topic: string; readonly partition: number; readonly offset: bigint };

/** Who asks, and why. */
export type Asked = { readonly by: string; readonly reason: string; readonly id?: string };

export type Redrive = Asked & {
  readonly action: RedriveAction;
  readonly place: Place;
  /** As it came from its topic. */
  readonly record: LogRecord;
};

/** The value of a `delete`. `position`: 20 bytes as hexadecimal digits, taken from the source before its keys were read. */
export type Sweep = {
  readonly entity: string;
  readonly key: string;
  readonly position: string;
  readonly commitTimeUs: string;
  readonly system: string;
};

type Original = Pick<LogRecord, 'key' | 'value' | 'headers'>;

/** One request, to be appended to the lane of the stage. `original` as its topic or its dead letter holds it. */
export function redriveRecord(
  stage: string,
  action: 'translate' | 'retry' | 'discard',
  place: Place,
  original: Original,
  asked: Asked,
): OutputRecord {
  const headers = { ...ownHeaders(original.headers), ...askedHeaders(action, asked), ...placeHeaders(place) };
  const { key, value } = original;
  return { topic: redriveTopic(stage), partition: place.partition, key, value, headers };
}

/** A sweep's tombstone. Any partition will do: positions guard the key. */
export function sweepRecord(stage: string, sweep: Sweep, partition: number, asked: Asked): OutputRecord {
  return {
    topic: redriveTopic(stage),
    partition,
    key: sweep.key,
    value: Buffer.from(JSON.stringify(sweep), 'utf8'),
    headers: askedHeaders('delete', asked),
  };
}

export function placeHeaders({ topic, partition, offset }: Place): Record<string, Uint8Array> {
  return textHeaders({
    [PLACE_HEADERS.topic]: topic,
    [PLACE_HEADERS.partition]: String(partition),
    [PLACE_HEADERS.offset]: String(offset),
  });
}

function askedHeaders(action: RedriveAction, { by, reason, id = '' }: Asked): Record<string, Uint8Array> {
  return textHeaders({
    [REDRIVE_HEADERS.action]: action,
    [REDRIVE_HEADERS.id]: id,
    [REDRIVE_HEADERS.by]: by,
    [REDRIVE_HEADERS.reason]: reason,
  });
}

/** Of a record on the lane. RecordError REDRIVE_REFUSED where it is none of ours. */
export function readRedrive(lane: Place, record: LogRecord): Redrive {
  const text = (name: string) => headerText(record.headers, name);
  const action = ACTIONS.find((one) => one === text(REDRIVE_HEADERS.action));
  if (action === undefined) throw refused('its action is not known');
  const asked = {
    by: text(REDRIVE_HEADERS.by) ?? '',
    reason: text(REDRIVE_HEADERS.reason) ?? '',
    id: text(REDRIVE_HEADERS.id) ?? '',
  };
  if (action === 'delete') return { action, ...asked, place: lane, record };
  const place = readPlace(record.headers);
  if (place === undefined) throw refused('it does not say which record it is about');
  if (place.partition !== lane.partition) throw refused(`it is about a record of partition ${place.partition}`);
  const { key, value, timestampMs } = record;
  return {
    action,
    ...asked,
    place,
    record: { key, value, timestampMs, offset: place.offset, headers: ownHeaders(record.headers) },
  };
}

export function readPlace(headers: LogRecord['headers']): Place | undefined {
  const topic = headerText(headers, PLACE_HEADERS.topic);
  const partition = Number(headerText(headers, PLACE_HEADERS.partition) ?? Number.NaN);
  const offset = headerText(headers, PLACE_HEADERS.offset);
  if (topic === undefined || !Number.isInteger(partition) || offset === undefined || !/^\d+$/.test(offset))
    return undefined;
  return { topic, partition, offset: BigInt(offset) };
}

/** A request that can't be carried out is set aside itself, to be looked at and discarded. */
export function refused(reason: string): RecordError {
  return new RecordError({
    code: 'REDRIVE_REFUSED',
    message: `a request on the redrive lane can't be carried out: ${reason}`,
    hint: 'only Seam itself writes to this topic: find what else does, then run: seam dead-letter discard --code REDRIVE_REFUSED --reason REASON --yes',
  });
}

export function ownHeaders(headers: LogRecord['headers']): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ADDED.test(name)));
}

export function textHeaders(texts: Readonly<Record<string, string>>): Record<string, Uint8Array> {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, Buffer.from(text, 'utf8')]));
}

export function headerText(headers: LogRecord['headers'], name: string): string | undefined {
  const bytes = headers[name];
  if (bytes === undefined) return undefined;
  return asBuffer(bytes).toString('utf8');
}
