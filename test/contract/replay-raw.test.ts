/** Raw records translated again after a mapping was corrected, on a real Kafka and a real registry. */
import avro from 'avsc';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { createMetaCodec } from '../../adapters/avro/meta-codec.ts';
import { writeWireHeader } from '../../adapters/avro/wire.ts';
import { createBatchDecoder } from '../../adapters/canonical-batch.ts';
import { systemClock } from '../../adapters/clock.ts';
import { partitionOf } from '../../adapters/kafka/partitioner.ts';
import { Registry } from '../../adapters/registry.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import pos from '../../connectors/pos/mapping.ts';
import type { CanonicalMapping, SourceMapping } from '../../core/mapping.ts';
import type { Log, OutputRecord } from '../../core/ports.ts';
import { comparePositions } from '../../core/position.ts';
import { applyRaw, type RawApplyOptions } from '../../ops/operations/replay/raw-apply.ts';
import { planRaw, type RawParts, type RawPlanOptions } from '../../ops/operations/replay/raw-plan.ts';
import {
  type ProcessorOptions,
  ProcessorSettings,
  type RunningProcessors,
  runProcessors,
  TopicSettings,
  topicPlan,
} from '../../processors/main.ts';
import { steps } from '../../processors/steps/index.ts';
import { SinkSettings } from '../../sinks/engine/settings.ts';
import {
  quietLogger,
  readAll,
  startKafka,
  type TestKafka,
  testLog,
  uniqueName,
  until,
  writeRecords,
} from '../support/kafka.ts';
import { RawWriter } from '../support/raw-writer.ts';

const LINES = 'raw.pos.pos.tlog_ln';
const PATIENCE_MS = 120_000;
const text = 'string';
const lines = new RawWriter({
  topic: LINES,
  columns: [
    ...['str_cd', 'prod_cd', 'qty', 'net_amt', 'disc_amt', 'typ_cd'].map((name) => ({ name, type: text })),
    { name: 'bskt_no', type: 'long' },
    { name: 'ln_no', type: 'int' },
    { name: 'cust_no', type: ['null', text] },
    { name: 'sold_ts', type: { type: 'long', 'connect.name': 'io.debezium.time.MicroTimestamp' } },
  ],
});
const KEY = {
  type: 'record',
  name: 'Key',
  fields: [
    { name: 'bskt_no', type: 'long' },
    { name: 'ln_no', type: 'int' },
  ],
};
const keyType = avro.Type.forSchema(KEY as avro.Schema);

let kafka: TestKafka;
let log: Log;
let registry: Registry;
let [schemaId, keyId] = [0, 0];
let running: RunningProcessors | undefined;
const groupPrefix = uniqueName('raw');

beforeAll(async () => {
  kafka = await startKafka(['registry']);
  log = testLog(kafka.brokers);
  registry = new Registry({ url: kafka.registryUrl }, systemClock);
  schemaId = await registry.register(`${LINES}-value`, lines.schema);
  keyId = await registry.register(`${LINES}-key`, JSON.stringify(KEY));
  const admin = await log.admin();
  await admin.createTopics(topicPlan([pos], entities, TopicSettings.parse({ partitions: 2 })));
  await admin.close();
}, 240_000);

afterAll(async () => {
  await running?.stop();
  await kafka?.stop();
}, 60_000);

const row = (line: number, quantity: string, typ_cd = 'S') => ({
  ...{ str_cd: '000330', prod_cd: '820165', qty: quantity, net_amt: '9.98', disc_amt: '0.00', typ_cd },
  ...{ bskt_no: 7n, ln_no: line, cust_no: '0000000900', sold_ts: 1_483_267_406_000_000n },
});

function keyOf(line: number): Buffer {
  const body = keyType.toBuffer({ bskt_no: 7, ln_no: line });
  const bytes = Buffer.alloc(5 + body.length);
  writeWireHeader(bytes, 0, keyId);
  body.copy(bytes, 5);
  return bytes;
}

const event = (line: number, value: Buffer | null): OutputRecord => ({
  topic: LINES,
  key: keyOf(line),
  value,
  headers: {},
});
const sold = (line: number, quantity: string, typ?: string) =>
  event(line, lines.write(schemaId, { op: 'c', after: row(line, quantity, typ) }));
const changed = (line: number, quantity: string) =>
  event(line, lines.write(schemaId, { op: 'u', before: row(line, '1.000'), after: row(line, quantity) }));
const voided = (line: number) => [
  event(line, lines.write(schemaId, { op: 'd', before: row(line, '1.000') })),
  event(line, null),
];

/** The till's mapping, of which every quantity comes out wrong. */
function wrong(): SourceMapping {
  const [line] = pos.tables['pos.tlog_ln'] as CanonicalMapping[];
  if (line?.fields.quantity === undefined) throw new Error('no sale line');
  const quantity = { ...line.fields.quantity, read: () => '999.000' };
  return { ...pos, tables: { ...pos.tables, 'pos.tlog_ln': [{ ...line, fields: { ...line.fields, quantity } }] } };
}

function options(mapping: SourceMapping = pos): ProcessorOptions {
  return {
    log,
    registry,
    mappings: [mapping],
    steps,
    entities,
    sideSchemas: { lookup: async () => new Map(), canonicalIds: async () => new Map() },
    bidirectional: new Map(),
    settings: ProcessorSettings.parse({ groupPrefix }),
    clock: systemClock,
    logger: quietLogger,
  };
}

async function run(mapping?: SourceMapping): Promise<void> {
  await stop();
  running = await runProcessors(options(mapping));
}

async function stop(): Promise<void> {
  await running?.stop();
  await running?.done;
  running = undefined;
}

/** Writes raw records and awaits that the processors have answered them. */
async function trade(...records: readonly OutputRecord[]): Promise<void> {
  const count = () => running?.status().counts['canonicalize.received'] ?? 0;
  const before = count();
  await writeRecords(log, records);
  await until(() => count() >= before + records.length, 'what was traded', PATIENCE_MS);
}

const parts = (): RawParts => ({
  replay: {
    targets: [],
    entities,
    log,
    decode: createBatchDecoder(registry),
    settings: SinkSettings.parse({}),
    clock: systemClock,
    logger: quietLogger,
  },
  processors: options(),
});

const plan = (changes: Partial<RawPlanOptions> = {}) =>
  planRaw(parts(), {
    ...{ topic: LINES, fromMs: undefined, toMs: undefined, offsets: new Map(), acceptMissing: false },
    ...{ asked: 'all', reason: 'quantities were wrong', rate: 1_000, batchRecordsMax: 200, by: 'tester' },
    partitionOf: (key, partitions) => partitionOf(Buffer.from(key, 'utf8'), partitions),
    signal: new AbortController().signal,
    ...changes,
  });

const apply = (made: Awaited<ReturnType<typeof plan>>, changes: Partial<RawApplyOptions> = {}) =>
  applyRaw(parts(), made, { by: 'tester', signal: new AbortController().signal, patienceMs: PATIENCE_MS, ...changes });

/** The last record of each key, as compaction leaves it, and the newest by position. */
async function canonical(entity: EntityName) {
  const codec = createCanonicalCodec(entity, registry.lookup);
  const meta = createMetaCodec();
  const last = new Map<string, { quantity: unknown; position: Uint8Array }>();
  const newest = new Map<string, Uint8Array>();
  for (const { key, value, headers } of (await readAll(log, `canonical.${entity}`)).flatMap((batch) => batch.records)) {
    const { position } = meta.decode(headers.seam as Uint8Array);
    const name = String(key);
    last.set(name, { quantity: value === null ? null : codec.decode(value).quantity, position });
    const known = newest.get(name);
    if (known === undefined || comparePositions(position, known) > 0) newest.set(name, position);
  }
  return { last, newest };
}

async function quantities(entity: EntityName): Promise<Record<string, unknown>> {
  const { last, newest } = await canonical(entity);
  for (const [key, { position }] of last)
    expect(Buffer.from(position), key).toEqual(Buffer.from(newest.get(key) ?? []));
  return Object.fromEntries([...last].map(([key, { quantity }]) => [key, quantity]).sort());
}

async function sentByLane(id: string): Promise<number> {
  const records = (await readAll(log, 'redrive.canonicalize')).flatMap((batch) => batch.records);
  return records.filter(({ headers }) => String(headers['seam.redrive.id']) === id).length;
}

describe('a mapping that was wrong', () => {
  it('is tried first: what would change, and nothing does', async () => {
    await run(wrong());
    await trade(sold(1, '1.000'), sold(2, '1.000'), sold(3, '1.000'), sold(4, '4.000'), sold(5, '999.000'));
    await trade(changed(2, '2.000'), ...voided(3), sold(3, '3.000'), ...voided(4));
    await run();
    const before = await quantities('sale-line');
    expect(before).toEqual({ '7|1': '999.000', '7|2': '999.000', '7|3': '999.000', '7|4': null, '7|5': '999.000' });
    const made = await plan();
    expect(made).toMatchObject({ keys: 4, records: 4, refused: {}, dropped: 0 });
    expect(made.outcome['sale-line']).toEqual({ other: 3, same: 1, added: 0, partial: 0 });
    expect(made.outcome['stock-movement']).toEqual({ other: 3, same: 1, added: 0, partial: 0 });
    expect(await quantities('sale-line')).toEqual(before);
  });

  it('is put right, through every stage, and rows deleted since stay deleted', async () => {
    const made = await plan();
    expect(await apply(made)).toMatchObject({ state: 'done', sent: 4 });
    const right = { '7|1': '1.000', '7|2': '2.000', '7|3': '3.000', '7|4': null, '7|5': '999.000' };
    expect(await quantities('sale-line')).toEqual(right);
    const moved = { '7-1': '-1.000', '7-2': '-2.000', '7-3': '-3.000', '7-4': null, '7-5': '-999.000' };
    await until(
      async () => JSON.stringify(await quantities('stock-movement')) === JSON.stringify(moved),
      'stock follows',
      PATIENCE_MS,
    );
    expect((await plan()).outcome['sale-line']).toEqual({ other: 0, same: 4, added: 0, partial: 0 });
    expect(await apply(made)).toMatchObject({ state: 'done', sent: 0 });
  });

  it('picks keys by a range, and sends their newest records wherever they lie', async () => {
    const admin = await log.admin();
    const [first] = (await admin.bounds(LINES)).filter(({ latest, earliest }) => latest > earliest);
    await admin.close();
    const one = await plan({ offsets: new Map([[first?.partition ?? 0, { from: 0n, to: 1n }]]) });
    expect(one).toMatchObject({ keys: 1, records: 1 });
    await expect(plan({ fromMs: Date.now() + 60_000 })).rejects.toMatchObject({ code: 'REPLAY_MATCHES_NOTHING' });
    await expect(plan({ topic: 'raw.pos.pos.none' })).rejects.toMatchObject({ code: 'RAW_TOPIC_UNKNOWN' });
  });

  it('goes on where it stopped, and a later application fences an earlier one', async () => {
    const made = await plan({ batchRecordsMax: 1 });
    const stopping = new AbortController();
    const stopped = await apply(made, { signal: stopping.signal, onProgress: () => stopping.abort() });
    expect(stopped).toMatchObject({ state: 'stopped', sent: 1 });
    expect(await apply(made)).toMatchObject({ state: 'done', sent: 3 });
    expect(await sentByLane(made.id)).toBe(4);

    const again = await plan({ batchRecordsMax: 1, rate: 2 });
    let later: ReturnType<typeof apply> | undefined;
    const first = apply(again, {
      onProgress: () => {
        later ??= apply(again);
      },
    });
    await expect(first).rejects.toMatchObject({ code: 'REPLAY_TAKEN_OVER' });
    expect(await later).toMatchObject({ state: 'done' });
    expect(await sentByLane(again.id)).toBe(4);
  });

  it('never leaves an older record last, whatever the till does meanwhile', async () => {
    const made = await plan({ batchRecordsMax: 1, rate: 4 });
    let sent = 0;
    let trading: Promise<unknown> = Promise.resolve();
    const onProgress = () => {
      sent += 1;
      if (sent === 1) trading = trade(changed(1, '11.000'), changed(2, '12.000'), ...voided(3), changed(5, '15.000'));
    };
    const applied = await apply(made, { onProgress });
    await trading;
    expect(applied.rounds).toBeGreaterThan(1);
    const now = { '7|1': '11.000', '7|2': '12.000', '7|3': null, '7|4': null, '7|5': '15.000' };
    expect(await quantities('sale-line')).toEqual(now);
  });

  it('says what would be refused, and that nobody translates', async () => {
    await trade(sold(9, '1.000', '?'));
    const made = await plan();
    expect(made.refused).toEqual({ CODE_UNKNOWN: 1 });
    await stop();
    const hint = expect.stringContaining('start the processors (seam run processors), then apply the plan again');
    await expect(apply(made, { patienceMs: 500 })).rejects.toMatchObject({ code: 'LANE_NOT_READ', hint });
    await run();
    expect(await apply(made)).toMatchObject({ state: 'done' });
  });
});
