/**
 * A slice of one of the stage's topics → outputs and what is set aside. Pure but for what the stage asks.
 *
 * With `laterRecords: wait` a record whose key has something set aside is not looked at: it is set aside behind it. So is one
 * that follows, in the same slice, a record which the stage refuses. The stage is then asked again without it: it answers
 * the same for the others. With `heal` a record that leaves nothing of them to be said takes their place: heal-slice.ts.
 */
import { ContractError, type RecordError } from '../core/errors.ts';
import type { LogRecord, LogSlice, OutputRecord, TopicPartition } from '../core/ports.ts';
import { NOTHING_KNOWN } from './claims.ts';
import { deadLetter, KEY_PARKED, keyIdOf, landedLetter, type Parked, waitingLetter } from './dead-letter.ts';
import { type Healed, transformHealing } from './heal-slice.ts';
import type { ParkedChange, ParkedView } from './parked-keys.ts';
import { ParkedOverlay } from './parked-keys.ts';
import type { Place } from './redrive.ts';
import type { ProcessorSettings } from './settings.ts';
import type { Counts, Stage, Transformed } from './stage.ts';

export type SliceSettings = Pick<ProcessorSettings, 'laterRecords' | 'parkedRecordsMax'>;

/** What a slice puts into a transaction, and what the transaction's commit changes in the task's memory. */
export type SliceDone = {
  readonly outputs: readonly OutputRecord[];
  readonly changes: readonly ParkedChange[];
  readonly counts: Counts;
  readonly stop?: Transformed['stop'];
};

export type SliceContext = {
  readonly stage: Stage;
  readonly parked: ParkedView;
  readonly settings: SliceSettings;
  readonly nowMs: number;
};

export async function workSlice(context: SliceContext, slice: LogSlice): Promise<SliceDone> {
  const isHealing = context.settings.laterRecords === 'heal';
  const worked = isHealing
    ? await transformHealing(context.stage, context.parked, slice)
    : { ...(await transformKept(context, slice)), healers: NO_HEALERS, claims: NO_CLAIMS };
  const { kept, transformed } = worked;
  const setAside = new SetAside(context, slice, worked);
  const full = setAside.fill(transformed.stop === undefined ? undefined : kept[transformed.stop.at]);
  if (full !== undefined) {
    const at = slice.records.indexOf(full);
    const records = slice.records.slice(0, at);
    const before = at === 0 ? NOTHING : await workSlice(context, { ...slice, records });
    return before.stop === undefined ? { ...before, stop: { at, reason: parkedFull(context, slice) } } : before;
  }
  const { outputs, counts, stop } = transformed;
  return {
    outputs: [...outputs, ...setAside.letters],
    changes: setAside.overlay.changes,
    counts: { ...counts, ...setAside.counts },
    ...(stop === undefined
      ? {}
      : { stop: { at: slice.records.indexOf(kept[stop.at] as LogRecord), reason: stop.reason } }),
  };
}

const NO_HEALERS: Healed['healers'] = new Set();
const NO_CLAIMS: Healed['claims'] = new Map();
const NOTHING: SliceDone = { outputs: [], changes: [], counts: {} };

type Kept = { readonly kept: readonly LogRecord[]; readonly transformed: Transformed };

async function transformKept({ stage, parked, settings }: SliceContext, slice: LogSlice): Promise<Kept> {
  const isWaiting = settings.laterRecords === 'wait';
  let kept = slice.records;
  if (isWaiting && parked.count(slice.topic) > 0) {
    kept = kept.filter(({ key }) => parked.oldest(slice.topic, keyIdOf(key)) === undefined);
  }
  for (;;) {
    if (kept.length === 0) return { kept, transformed: { outputs: [], rejected: [], counts: {} } };
    const transformed = await stage.transform({ ...slice, records: kept });
    const stay = isWaiting ? withoutFollowers(kept, transformed.rejected) : kept;
    if (stay.length === kept.length) return { kept, transformed };
    kept = stay;
  }
}

/** Less those that come after a refused record of their key. */
function withoutFollowers(records: readonly LogRecord[], rejected: Transformed['rejected']): readonly LogRecord[] {
  if (rejected.length === 0) return records;
  const refusedAt = new Map<string, bigint>();
  for (const { record } of rejected) {
    const keyId = keyIdOf(record.key);
    if (keyId !== undefined && !refusedAt.has(keyId)) refusedAt.set(keyId, record.offset);
  }
  return records.filter(({ key, offset }) => {
    const first = refusedAt.get(keyIdOf(key) ?? '');
    return key === null || first === undefined || offset <= first;
  });
}

/** In the order of the records, so that each finds what it waits behind. */
class SetAside {
  readonly overlay: ParkedOverlay;
  readonly letters: OutputRecord[] = [];
  readonly #context: SliceContext;
  readonly #slice: LogSlice;
  readonly #errors: ReadonlyMap<LogRecord, RecordError>;
  readonly #kept: ReadonlySet<LogRecord>;
  readonly #healed: Healed;
  #refused = 0;
  #waiting = 0;
  #replaced = 0;

  constructor(context: SliceContext, slice: LogSlice, healed: Healed) {
    const { kept, transformed } = healed;
    this.#context = context;
    this.#slice = slice;
    this.#healed = healed;
    this.#errors = new Map(transformed.rejected.map(({ record, error }) => [record, error]));
    this.#kept = new Set(kept.length === slice.records.length ? [] : kept);
    this.overlay = new ParkedOverlay(context.parked);
  }

  get counts(): Counts {
    return {
      ...(this.#refused === 0 ? {} : { deadLetters: this.#refused }),
      ...(this.#waiting === 0 ? {} : { waitingBehind: this.#waiting }),
      ...(this.#replaced === 0 ? {} : { healed: this.#replaced }),
    };
  }

  /** Up to the record at which the stage stopped. Returns the first record that found no room. */
  fill(end: LogRecord | undefined): LogRecord | undefined {
    const isAllKept = this.#kept.size === 0 && this.#errors.size === 0;
    if (isAllKept && !this.#isAnyParked()) return undefined;
    for (const record of this.#slice.records) {
      if (record === end) return undefined;
      if (!this.#take(record)) return record;
    }
    return undefined;
  }

  #isAnyParked(): boolean {
    return this.#context.settings.laterRecords !== 'take-over' && this.#context.parked.count(this.#slice.topic) > 0;
  }

  #take(record: LogRecord): boolean {
    const { topic, partition } = this.#slice;
    const { stage, settings, nowMs } = this.#context;
    const error = this.#errors.get(record);
    const place: Place = { topic, partition, offset: record.offset };
    const keyId = keyIdOf(record.key);
    if (this.#healed.healers.has(record)) this.#takePlace(keyId);
    const behind = settings.laterRecords !== 'take-over' ? this.overlay.oldest(topic, keyId) : undefined;
    if (error === undefined && behind === undefined) return true;
    // read again after its offsets were moved back: what is known of it stays
    if (this.overlay.at(place) !== undefined) return true;
    if (this.overlay.count(topic) >= settings.parkedRecordsMax) return false;
    const { unsaid, refused } = this.#healed.claims.get(record) ?? NOTHING_KNOWN;
    const base = { place, keyId, attempts: 0, setAsideAtMs: nowMs, claims: behind === undefined ? refused : unsaid };
    if (behind !== undefined) {
      const parked: Parked = { ...base, state: 'waiting', code: KEY_PARKED };
      this.letters.push(waitingLetter(stage.name, parked, record, behind.place));
      this.overlay.park(parked);
      this.#waiting += 1;
    } else if (error !== undefined) {
      const parked: Parked = { ...base, state: 'refused', code: error.code };
      this.letters.push(deadLetter(stage.name, parked, record, error));
      this.overlay.park(parked);
      this.#refused += 1;
    }
    return true;
  }

  /** A newer record says all of it. */
  #takePlace(keyId: string | undefined): void {
    for (const { place } of this.overlay.ofKey(this.#slice.topic, keyId)) {
      this.letters.push(landedLetter(this.#context.stage.name, place));
      this.overlay.release(place);
      this.#replaced += 1;
    }
  }
}

export function parkedFull({ stage, settings }: SliceContext, { topic, partition }: TopicPartition): ContractError {
  return new ContractError({
    code: 'PARKED_FULL',
    message: `${settings.parkedRecordsMax} records of this partition are set aside, and no more may be`,
    where: `${topic} partition ${partition}`,
    hint: `look at them with: seam dead-letter list --stage ${stage.name}; it goes on when some have landed or are discarded, or with a larger parkedRecordsMax`,
  });
}
