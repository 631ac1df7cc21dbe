/**
 * A slice of the redrive lane → outputs and what becomes of records set aside. Requests are carried out one after the other,
 * each seeing what those before it changed; a run of records to be translated goes through the stage together.
 *
 * In order: with `laterRecords: wait` only the oldest record set aside of a key is tried; one behind it is passed over until
 * that has landed or is discarded. Nothing is tried twice by itself: a request is one attempt.
 */
import { ContractError, RecordError } from '../core/errors.ts';
import type { LogRecord, LogSlice, OutputRecord } from '../core/ports.ts';
import { UNKNOWN } from './claims.ts';
import { Counter } from './counter.ts';
import { deadLetter, discardedLetter, keyIdOf, landedLetter, type Parked } from './dead-letter.ts';
import { ParkedOverlay } from './parked-keys.ts';
import { type Place, type Redrive, readRedrive, refused } from './redrive.ts';
import { parkedFull, type SliceContext, type SliceDone } from './slice-work.ts';
import type { Transformed } from './stage.ts';

/** Rejects with a TransientError where something beside Kafka is away: the lane waits. */
export async function workLane(context: SliceContext, lane: LogSlice): Promise<SliceDone> {
  const work = new LaneWork(context, lane);
  return work.run();
}

type Request = { readonly index: number; readonly redrive: Redrive };

class LaneWork {
  readonly #context: SliceContext;
  readonly #lane: LogSlice;
  readonly #overlay: ParkedOverlay;
  readonly #outputs: OutputRecord[] = [];
  readonly #counter = new Counter();
  /** To be translated, not set aside, of one topic, offsets rising. */
  #run: Request[] = [];
  #stop: Transformed['stop'];

  constructor(context: SliceContext, lane: LogSlice) {
    this.#context = context;
    this.#lane = lane;
    this.#overlay = new ParkedOverlay(context.parked);
  }

  async run(): Promise<SliceDone> {
    for (let index = 0; index < this.#lane.records.length && this.#stop === undefined; index += 1) {
      await this.#take(index, this.#lane.records[index] as LogRecord);
    }
    await this.#flush();
    const done = { outputs: this.#outputs, changes: this.#overlay.changes, counts: this.#counter.counts };
    return this.#stop === undefined ? done : { ...done, stop: this.#stop };
  }

  async #take(index: number, record: LogRecord): Promise<void> {
    const { topic, partition } = this.#lane;
    const place = { topic, partition, offset: record.offset };
    let redrive: Redrive;
    try {
      redrive = readRedrive(place, record);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      await this.#flush();
      this.#setAside(index, { place, record, error });
      return;
    }
    const parked = this.#overlay.at(redrive.place);
    if (redrive.action === 'translate' && parked === undefined) {
      if (!continues(this.#run.at(-1)?.redrive, redrive)) await this.#flush();
      if (this.#stop === undefined) this.#run.push({ index, redrive });
      return;
    }
    await this.#flush();
    if (this.#stop === undefined) await this.#single({ index, redrive }, parked);
  }

  async #single({ index, redrive }: Request, parked: Parked | undefined): Promise<void> {
    const { place, record } = redrive;
    if (redrive.action === 'delete') return this.#sweep(index, redrive);
    // landed or discarded since it was asked for, or asked for twice
    if (parked === undefined) this.#counter.add('passedOver', 1);
    else if (redrive.action === 'discard') this.#discard(parked, redrive);
    else if (this.#isBehind(parked)) this.#counter.add('stillBehind', 1);
    else await this.#transform([{ index, redrive: { ...redrive, place, record } }], parked);
  }

  #isBehind({ place, keyId }: Parked): boolean {
    if (this.#context.settings.laterRecords === 'take-over') return false;
    const oldest = this.#overlay.oldest(place.topic, keyId);
    return oldest !== undefined && oldest.place.offset < place.offset;
  }

  #discard(parked: Parked, redrive: Redrive): void {
    const { stage, nowMs } = this.#context;
    this.#outputs.push(discardedLetter(stage.name, parked, redrive.record, redrive, nowMs));
    this.#overlay.release(parked.place);
    this.#counter.add('discarded', 1);
  }

  #sweep(index: number, { place, record }: Redrive): void {
    const { stage } = this.#context;
    try {
      if (stage.sweep === undefined) throw refused('this stage sweeps nothing');
      this.#outputs.push(stage.sweep(record));
      this.#counter.add('swept', 1);
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      this.#setAside(index, { place, record, error });
    }
  }

  async #flush(): Promise<void> {
    const run = this.#run;
    this.#run = [];
    if (run.length > 0) await this.#transform(run, undefined);
  }

  /** `parked`: what is known of the one record, where it was set aside. */
  async #transform(run: readonly Request[], parked: Parked | undefined): Promise<void> {
    const { stage } = this.#context;
    const [{ redrive: first }] = run as readonly [Request];
    const { topic, partition } = first.place;
    if (!stage.inputs.includes(topic)) {
      for (const { index, redrive } of run)
        this.#setAside(index, { ...redrive, error: refused(`no stage reads ${topic}`) });
      return;
    }
    const records = run.map(({ redrive }) => redrive.record);
    const { outputs, rejected, counts, stop } = await this.#ask({ topic, partition, records });
    const errors = new Map(rejected.map(({ record, error }) => [record, error]));
    const full = this.#withoutRoom(run.slice(0, stop?.at), errors);
    if (full !== undefined) {
      const before = run.slice(0, full);
      if (before.length > 0) await this.#transform(before, parked);
      this.#stop ??= { at: (run[full] as Request).index, reason: parkedFull(this.#context, { topic, partition }) };
      return;
    }
    for (const output of outputs) this.#outputs.push(output);
    this.#counter.addAll(counts);
    for (const { index, redrive } of run.slice(0, stop?.at)) {
      const error = errors.get(redrive.record);
      if (error !== undefined) this.#setAside(index, { ...redrive, error });
      else if (parked !== undefined) this.#landed(redrive.place);
      else this.#counter.add('redriven', 1);
    }
    if (stop !== undefined) this.#stop ??= { at: (run[stop.at] as Request).index, reason: stop.reason };
  }

  /** Which of the refused is the first that may not be set aside any more. */
  #withoutRoom(run: readonly Request[], errors: ReadonlyMap<LogRecord, RecordError>): number | undefined {
    const topic = run[0]?.redrive.place.topic ?? '';
    let room = this.#context.settings.parkedRecordsMax - this.#overlay.count(topic);
    const at = run.findIndex(({ redrive: { record, place } }) => {
      if (errors.has(record) && this.#overlay.at(place) === undefined) room -= 1;
      return room < 0;
    });
    return at < 0 ? undefined : at;
  }

  /** A contract that is broken from the first record on is told by an error. */
  async #ask(slice: LogSlice): Promise<Transformed> {
    try {
      return await this.#context.stage.transform(slice);
    } catch (error) {
      if (!(error instanceof ContractError)) throw error;
      return { outputs: [], rejected: [], counts: {}, stop: { at: 0, reason: error } };
    }
  }

  #landed(place: Place): void {
    this.#outputs.push(landedLetter(this.#context.stage.name, place));
    this.#overlay.release(place);
    this.#counter.add('redriven', 1);
  }

  #setAside(index: number, one: { place: Place; record: LogRecord; error: RecordError; by?: string }): void {
    const { stage, settings, nowMs } = this.#context;
    const { place, record, error, by } = one;
    const known = this.#overlay.at(place);
    if (known === undefined && this.#overlay.count(place.topic) >= settings.parkedRecordsMax) {
      this.#stop ??= { at: index, reason: parkedFull(this.#context, place) };
      return;
    }
    const parked: Parked = {
      place,
      keyId: keyIdOf(record.key),
      state: 'refused',
      code: error.code,
      attempts: known === undefined ? 0 : known.attempts + 1,
      setAsideAtMs: known?.setAsideAtMs ?? nowMs,
      claims: known?.claims ?? UNKNOWN,
    };
    const tried = by === undefined ? undefined : { by, atMs: nowMs };
    this.#outputs.push(deadLetter(stage.name, parked, record, error, tried));
    this.#overlay.park(parked);
    this.#counter.add(known === undefined ? 'deadLetters' : 'refusedAgain', 1);
  }
}

/** One slice for the stage: of one topic, offsets rising as they do in the log. */
function continues(last: Redrive | undefined, next: Redrive): boolean {
  return last === undefined || (last.place.topic === next.place.topic && last.place.offset < next.place.offset);
}
