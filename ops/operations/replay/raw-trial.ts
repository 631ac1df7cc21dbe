/** Translates raw records in this process, as the processors would, and writes nothing: what would come of them. */
import { createHash } from 'node:crypto';
import type { CanonicalRecord } from '../../../core/canonical-record.ts';
import { RecordError } from '../../../core/errors.ts';
import type { LogRecord, OutputRecord, TopicPartition } from '../../../core/ports.ts';
import type { Stages } from '../../../processors/main.ts';
import type { RawPlan } from './plan-file.ts';
import { readRanges } from './read-ranges.ts';
import type { ReplayParts } from './target-access.ts';
import type { Trial } from './trial.ts';

type Outcome = RawPlan['outcome'][string];

/** What became of the records; the newest output of each canonical key. */
export class Translation {
  readonly #stages: Stages;
  /** By topic and key. */
  readonly outputs = new Map<string, Map<string, OutputRecord>>();
  readonly refused: Record<string, number> = {};
  dropped = 0;

  constructor(stages: Stages) {
    this.#stages = stages;
  }

  /** Through every stage, to the end. */
  async add(topic: string, partition: number, records: readonly LogRecord[]): Promise<void> {
    let inputs = new Map([[topic, [...records]]]);
    while (inputs.size > 0) {
      const next = new Map<string, LogRecord[]>();
      for (const [from, of] of inputs) await this.#transform({ topic: from, partition }, of, next);
      inputs = next;
    }
  }

  async #transform({ topic, partition }: TopicPartition, records: LogRecord[], next: Map<string, LogRecord[]>) {
    const stage = this.#stages.stages.find(({ inputs }) => inputs.includes(topic));
    if (stage === undefined) return;
    const { outputs, rejected, counts, stop } = await stage.transform({ topic, partition, records });
    if (stop !== undefined) throw stop.reason;
    for (const { error } of rejected) this.refused[error.code] = (this.refused[error.code] ?? 0) + 1;
    for (const name of ['echoesDropped', 'nothingNew', 'unchanged']) this.dropped += counts[name] ?? 0;
    for (const output of outputs) {
      const key = textOf(output.key);
      if (key === undefined) continue;
      const ofTopic = this.outputs.get(output.topic) ?? new Map<string, OutputRecord>();
      this.outputs.set(output.topic, ofTopic.set(key, output));
      const list = next.get(output.topic) ?? [];
      list.push(recordOf(output, BigInt(list.length)));
      next.set(output.topic, list);
    }
  }
}

function textOf(key: OutputRecord['key']): string | undefined {
  if (key === null) return undefined;
  return typeof key === 'string' ? key : Buffer.from(key).toString('utf8');
}

function recordOf({ key, value, headers }: OutputRecord, offset: bigint): LogRecord {
  return { offset, key: Buffer.from(textOf(key) ?? '', 'utf8'), value, headers, timestampMs: 0 };
}

/** Canonical records as they would be, decoded, with the partition in which their key lives. */
export async function decodeOutputs(
  parts: ReplayParts,
  topic: string,
  outputs: readonly OutputRecord[],
  partitionOf: (key: string) => number,
) {
  const records = outputs.map((output, index) => recordOf(output, BigInt(index)));
  const decoded = await parts.decode({ topic, partition: 0, records });
  return decoded.flatMap((record, index) => {
    const output = outputs[index] as OutputRecord;
    if (record instanceof RecordError) return [];
    return [
      { record, raw: rawOf(output), place: { topic, partition: partitionOf(record.key), offset: -1n - BigInt(index) } },
    ];
  });
}

function rawOf({ value, headers }: OutputRecord) {
  return { value, meta: headers.seam ?? null };
}

type Decoded = Awaited<ReturnType<typeof decodeOutputs>>[number];

/** What the target would make of them; counted by a trial, as for canonical records. */
export async function tryInTarget(trial: Trial, decoded: readonly Decoded[]): Promise<void> {
  for (const { record, raw, place } of decoded) {
    const candidate = { record, raw, place, parked: undefined };
    const group = { first: place.offset, items: [{ kind: 'record' as const, candidate }] };
    await trial.add({ ...place, groups: [group], to: 0n, read: 0, selected: 0 });
  }
}

export type Compare = {
  readonly parts: ReplayParts;
  readonly groupId: string;
  readonly topic: string;
  readonly decoded: readonly Decoded[];
  readonly signal: AbortSignal;
};

/** Contents of the newest record of each key, against those in the canonical topic. */
export async function compareWithTopic({ parts, groupId, topic, decoded, signal }: Compare): Promise<Outcome> {
  const wanted = new Map(decoded.map(({ record, raw }) => [record.key, { record, digest: digestOf(raw.value) }]));
  const found = new Map<string, string>();
  const admin = await parts.log.admin();
  const bounds = await admin.bounds(topic).finally(() => admin.close());
  await readRanges({
    log: parts.log,
    groupId,
    topic,
    ranges: bounds
      .filter(({ earliest, latest }) => earliest < latest)
      .map(({ partition, earliest, latest }) => ({ partition, from: earliest, to: latest })),
    ends: new Map(bounds.map(({ partition, latest }) => [partition, latest])),
    signal,
    take: async ({ records }) => {
      for (const { key, value } of records) {
        const text = Buffer.from(key ?? []).toString('utf8');
        if (wanted.has(text)) found.set(text, digestOf(value));
      }
    },
  });
  const outcome = { same: 0, other: 0, added: 0, partial: 0 };
  for (const [key, { record, digest }] of wanted) {
    const known = found.get(key);
    if (known === undefined) outcome.added += 1;
    else if (known === digest) outcome.same += 1;
    else outcome.other += 1;
    if (isPartial(record)) outcome.partial += 1;
  }
  return outcome;
}

function isPartial({ meta }: CanonicalRecord): boolean {
  return meta.absent.length > 0;
}

/** Without the schema's id, which may be another one for the same contents. */
const SCHEMA_BYTES = 5;

function digestOf(value: Uint8Array | null): string {
  return value === null ? '' : createHash('sha256').update(value.subarray(SCHEMA_BYTES)).digest('base64');
}
