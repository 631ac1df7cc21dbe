/**
 * Which raw records are translated again. A range picks keys: those with a record in it. Of each the newest record is sent, up to
 * where the processors have come by then, wherever it lies: an older one, sent alone, would be the last of its key in the
 * canonical topic, which keeps the last. Keys that are deleted are left out: a deletion has no contents to correct.
 */
import { asBuffer } from '../../../core/bytes.ts';
import { ConfigError } from '../../../core/errors.ts';
import type { LogAdmin, LogRecord } from '../../../core/ports.ts';
import { canonicalizeGroup, type ProcessorSettings, rawTopic } from '../../../processors/main.ts';
import { type OffsetRange, type RangePart, readRanges } from './read-ranges.ts';
import { type Asked, selectionOf } from './selection.ts';
import type { ReplayParts } from './target-access.ts';

/** Bytes of a key as text. */
type KeyId = string;

const KEYS_MAX = 1_000_000;
const GONE = -1n;

export class KeyIndex {
  readonly #keepsDeleted: boolean;
  /** Offset of the newest record; GONE where the key is deleted. */
  readonly #newest = new Map<KeyId, bigint>();

  /** `keepsDeleted`: the newest of a deleted key is its deletion. */
  constructor(keepsDeleted = false) {
    this.#keepsDeleted = keepsDeleted;
  }

  see({ key, value, offset }: LogRecord, isPicked: boolean): void {
    if (key === null || (value === null && this.#keepsDeleted)) return;
    const id = keyIdOf(key);
    if (!isPicked && !this.#newest.has(id)) return;
    // a tombstone follows the deletion of its key
    this.#newest.set(id, value === null ? GONE : offset);
    if (this.#newest.size > KEYS_MAX) throw tooManyKeys();
  }

  isNewest({ key, offset }: LogRecord): boolean {
    return key !== null && this.#newest.get(keyIdOf(key)) === offset;
  }

  isAlive({ key, value }: LogRecord): boolean {
    if (key === null || value === null) return false;
    const newest = this.#newest.get(keyIdOf(key));
    return newest !== undefined && newest !== GONE;
  }

  get keys(): number {
    let keys = 0;
    for (const newest of this.#newest.values()) if (newest !== GONE) keys += 1;
    return keys;
  }
}

export function keyIdOf(key: Uint8Array): KeyId {
  return asBuffer(key).toString('latin1');
}

export type RawRange = OffsetRange & { readonly end: bigint };

/** Offsets up to which the processors have translated the topic, by partition. */
export async function translatedTo(admin: LogAdmin, settings: ProcessorSettings, topic: string) {
  const committed = await admin.committedOffsets(canonicalizeGroup(settings), [topic]);
  return new Map(committed.map(({ partition, offset }) => [partition, offset]));
}

export type ReadRaw = {
  readonly parts: ReplayParts;
  readonly groupId: string;
  readonly topic: string;
  readonly ranges: readonly OffsetRange[];
  readonly signal: AbortSignal;
  readonly take: (part: RangePart) => Promise<void> | void;
};

export async function readRaw({ parts, groupId, topic, ranges, signal, take }: ReadRaw): Promise<void> {
  const admin = await parts.log.admin();
  const bounds = await admin.bounds(topic).finally(() => admin.close());
  const ends = new Map(bounds.map(({ partition, latest }) => [partition, latest]));
  let turn = Promise.resolve();
  // one at a time, over all partitions
  const inTurn = (part: RangePart): Promise<void> => {
    const taken = turn.then(() => take(part));
    turn = taken.catch(() => undefined);
    return taken;
  };
  await readRanges({
    log: parts.log,
    groupId,
    topic,
    ranges: ranges.filter(({ from, to }) => from < to),
    ends,
    signal,
    take: inTurn,
  });
}

/** Keys with a record in a range, and where the newest of each lies, up to the range's `end`. */
export async function indexKeys(
  read: Omit<ReadRaw, 'ranges' | 'take'>,
  ranges: readonly RawRange[],
): Promise<KeyIndex> {
  const index = new KeyIndex();
  const picked = new Map(ranges.map(({ partition, to }) => [partition, to]));
  await readRaw({
    ...read,
    ranges: ranges.map(({ partition, from, end }) => ({ partition, from, to: end })),
    take: ({ partition, records }) => {
      const to = picked.get(partition) ?? 0n;
      for (const record of records) index.see(record, record.offset < to);
    },
  });
  return index;
}

/** Words of the command line → a raw topic and its ranges. */
export function rawSelectionOf(asked: Asked, named: { raw?: string; table?: string }, nowMs: number) {
  const topic = rawTopicOf(asked, named);
  const others = [asked.targets, asked.topics, asked.keys].flat().length > 0;
  if (others || asked.positionFrom !== undefined || asked.positionTo !== undefined) {
    throw wrong(
      'targets, canonical topics, keys and positions choose canonical records',
      'leave them out with --raw or --table',
    );
  }
  const { system: _system, ...rest } = asked;
  const selection = selectionOf({ ...rest, topics: [topic] }, nowMs);
  const { fromMs, toMs, offsets } = selection;
  return {
    topic,
    fromMs,
    toMs,
    offsets,
    asked: `${selection.inWords
      .split(', ')
      .filter((part) => !part.startsWith('into '))
      .join(', ')}, translated again`,
  };
}

function rawTopicOf({ system }: Asked, { raw, table }: { raw?: string; table?: string }): string {
  if (raw !== undefined) return raw;
  if (system !== undefined && table !== undefined) return rawTopic(system, table);
  throw wrong('no raw topic is chosen', 'pass --raw raw.pos.pos.cust, or --system pos --table pos.cust');
}

function wrong(message: string, hint: string): ConfigError {
  return new ConfigError({ code: 'SELECTION_WRONG', message, hint });
}

function tooManyKeys(): ConfigError {
  return new ConfigError({
    code: 'RANGE_TOO_WIDE',
    message: `the range holds more than ${KEYS_MAX} keys`,
    hint: 'take it in parts: --offsets of one partition after the other',
  });
}
