/** Goes through the ranges of one target, topic by topic, parents first, and hands on what decides, window by window. */
import type { LogRecord } from '../../../core/ports.ts';
import { Decoder } from '../../../sinks/engine/decoder.ts';
import { takesOf } from './filter.ts';
import type { Filter } from './plan-file.ts';
import { type RangePart, readRanges } from './read-ranges.ts';
import type { TopicRanges } from './scope.ts';
import type { OpenTarget, ReplayParts } from './target-access.ts';
import { type Group, Window, type WindowLimits } from './window.ts';

export type Portion = {
  readonly topic: string;
  readonly partition: number;
  readonly groups: readonly Group[];
  /** Everything before this offset, from where the last portion of the partition ended. */
  readonly to: bigint;
  readonly read: number;
  readonly selected: number;
};

export type WalkOptions = {
  readonly groupId: string;
  readonly topics: readonly TopicRanges[];
  readonly filter: Filter;
  readonly limits: WindowLimits;
  readonly signal: AbortSignal;
  /** Every record read, before it is decoded. Throws to end the walk. */
  readonly onRecord?: (topic: string, partition: number, record: LogRecord) => void;
  /** One at a time. */
  readonly onPortion: (portion: Portion) => Promise<void>;
};

export async function walk(parts: ReplayParts, open: OpenTarget, options: WalkOptions): Promise<void> {
  const decoder = new Decoder({
    decode: parts.decode,
    entities: open.topics,
    settings: parts.settings,
    clock: parts.clock,
    signal: options.signal,
    onTrouble: () => undefined,
    onFailure: () => undefined,
  });
  const admin = await parts.log.admin();
  try {
    for (const { topic, ranges } of options.topics) {
      if (options.signal.aborted) return;
      const ends = new Map((await admin.bounds(topic)).map(({ partition, latest }) => [partition, latest]));
      const { groupId, signal } = options;
      const topicWalk = new TopicWalk(
        decoder,
        topic,
        new Map(ranges.map((range) => [range.partition, range.to])),
        options,
      );
      await readRanges({
        log: parts.log,
        groupId,
        topic,
        ranges,
        ends,
        signal,
        take: (batch) => topicWalk.take(batch),
      });
    }
  } finally {
    await admin.close();
  }
}

type Pending = { readonly window: Window; read: number; selected: number };

class TopicWalk {
  readonly #decoder: Decoder;
  readonly #topic: string;
  readonly #ends: ReadonlyMap<number, bigint>;
  readonly #options: WalkOptions;
  readonly #takes: ReturnType<typeof takesOf>;
  readonly #pending = new Map<number, Pending>();
  #turn: Promise<void> = Promise.resolve();

  constructor(decoder: Decoder, topic: string, ends: ReadonlyMap<number, bigint>, options: WalkOptions) {
    this.#decoder = decoder;
    this.#topic = topic;
    this.#ends = ends;
    this.#options = options;
    this.#takes = takesOf(options.filter);
  }

  async take(part: RangePart): Promise<void> {
    const { partition, nextOffset } = part;
    const pending = this.#pendingOf(partition);
    for (const record of part.records) this.#options.onRecord?.(this.#topic, partition, record);
    const items = part.records.length === 0 ? [] : await this.#decoder.decode(part);
    for (const [index, queued] of items.entries()) {
      pending.read += 1;
      if (this.#takes(queued)) {
        pending.selected += 1;
        pending.window.add(queued);
      }
      const isLast = index === items.length - 1;
      if (pending.window.isFull && !isLast) await this.#handOn(partition, pending, queued.offset + 1n);
    }
    if (pending.window.isFull || nextOffset === this.#ends.get(partition)) {
      await this.#handOn(partition, pending, nextOffset);
    }
  }

  #pendingOf(partition: number): Pending {
    const known = this.#pending.get(partition);
    if (known !== undefined) return known;
    const { keysMax, bytesMax } = this.#options.limits;
    const share = (whole: number) => Math.max(1, Math.floor(whole / this.#ends.size));
    const window = new Window({ keysMax: share(keysMax), bytesMax: share(bytesMax) });
    const pending = { window, read: 0, selected: 0 };
    this.#pending.set(partition, pending);
    return pending;
  }

  #handOn(partition: number, pending: Pending, to: bigint): Promise<void> {
    const { read, selected, window } = pending;
    const portion = { topic: this.#topic, partition, groups: window.take(), to, read, selected };
    pending.read = 0;
    pending.selected = 0;
    const handed = this.#turn.then(() => this.#options.onPortion(portion));
    this.#turn = handed.catch(() => undefined);
    return handed;
  }
}
