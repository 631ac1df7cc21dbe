/** Batches → items to be written. A registry that is away delays a batch; it sets no record aside. */
import type { CanonicalRecord } from '../../core/canonical-record.ts';
import { RecordError, type SeamError, TransientError } from '../../core/errors.ts';
import type { Clock, LogRecord, LogSlice, TopicPartition } from '../../core/ports.ts';
import { type DecodeBatch, META_HEADER } from './record.ts';
import type { SinkSettings } from './settings.ts';
import type { Item } from './transaction.ts';

/** `offset` of the record from which the item was made. */
export type DecodedItem = { readonly offset: bigint; readonly item: Item };

/** One answer for each record of a batch. */
export type Decoded = readonly (CanonicalRecord | RecordError)[];

export type DecoderOptions = {
  readonly decode: DecodeBatch;
  /** Entity by topic. */
  readonly entities: ReadonlyMap<string, string>;
  readonly settings: SinkSettings;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** undefined: decoding goes well again. */
  readonly onTrouble: (error: SeamError | undefined) => void;
  readonly onFailure: (error: unknown) => void;
};

const FIRST_PAUSE_MS = 20;

export class Decoder {
  readonly #options: DecoderOptions;

  constructor(options: DecoderOptions) {
    this.#options = options;
  }

  async decode(batch: LogSlice): Promise<DecodedItem[]> {
    return this.itemsOf(batch, await this.records(batch));
  }

  /** `decoded`: what `records` answered. */
  itemsOf(batch: LogSlice, decoded: Decoded): DecodedItem[] {
    return batch.records.map((record, index) => this.#item(batch, record, decoded[index]));
  }

  #item(
    { topic, partition }: TopicPartition,
    record: LogRecord,
    answer: CanonicalRecord | RecordError | undefined,
  ): DecodedItem {
    const { offset } = record;
    const place = { topic, partition, offset };
    const raw = { value: record.value, meta: record.headers[META_HEADER] ?? null };
    if (answer !== undefined && !(answer instanceof RecordError)) {
      return { offset, item: { kind: 'record', candidate: { record: answer, place, raw, parked: undefined } } };
    }
    const error = answer ?? new RecordError({ code: 'DECODE_FAILED', message: 'the decoder gave no answer' });
    const entity = this.#options.entities.get(topic) ?? topic;
    const key = Buffer.from(record.key ?? []).toString('utf8');
    return {
      offset,
      item: { kind: 'undecodable', undecodable: { entity, key, place, raw, error, parked: undefined } },
    };
  }

  /** Without what it takes to set them aside, which most never need. */
  async records(batch: LogSlice): Promise<Decoded> {
    const { clock, settings, signal, decode, onTrouble, onFailure } = this.#options;
    for (let attempt = 1; ; attempt += 1) {
      try {
        const decoded = await decode(batch);
        if (attempt > 1) onTrouble(undefined);
        return decoded;
      } catch (error) {
        if (!(error instanceof TransientError) || attempt >= settings.retryAttemptsMax || signal.aborted) {
          onFailure(error);
          throw error;
        }
        onTrouble(error);
        await clock.pause(Math.min(FIRST_PAUSE_MS * 2 ** (attempt - 1), settings.retryDelayMsMax), signal);
      }
    }
  }
}
