/**
 * What a change event costs the translation, as a ratio to a floor measured in the same moment: reading the same bytes whole
 * and writing a record of the same size, with the same Avro library. Processor time, not clock time, and of this thread's
 * own work only: a busy machine slows both. The bound is generous: it is there for the day when a record costs twice.
 */
import avro, { type Schema } from 'avsc';
import { expect, test } from 'vitest';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { bigintLong } from '../../adapters/avro/long.ts';
import { createMetaCodec } from '../../adapters/avro/meta-codec.ts';
import { createRawDecoder } from '../../adapters/avro/raw-codec.ts';
import { RecordPacker } from '../../adapters/avro/record-packer.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { schemaOf } from '../../avro/index.ts';
import pos from '../../connectors/pos/mapping.ts';
import type { LogRecord } from '../../core/ports.ts';
import { canonicalizeStage } from '../../processors/canonicalize.ts';
import type { Codecs } from '../../processors/codecs.ts';
import { compileSource } from '../../processors/compile-mapping.ts';
import { rawTopic } from '../../processors/topics.ts';
import { RawWriter } from '../support/raw-writer.ts';

/** Translation to floor. The failure says what it is by then. */
const RATIO_MAX = 6;
const RECORDS = 2_000;
const ROUNDS = 15;
const WARM_UPS = 10;
const SCHEMA_ID = 7;
const TABLE = 'pos.tlog_ln';
const topic = rawTopic('pos', TABLE);

const text = (nullable: boolean) => (nullable ? ['null', 'string'] : 'string');
const wallTime = { type: 'long', 'connect.version': 1, 'connect.name': 'io.debezium.time.Timestamp' };
const writer = new RawWriter({
  topic,
  columns: [
    { name: 'bskt_no', type: 'long' },
    { name: 'ln_no', type: { type: 'int', 'connect.type': 'int16' } },
    ...['str_cd', 'cust_no', 'prod_cd', 'qty', 'net_amt', 'disc_amt', 'typ_cd'].map((name) => ({
      name,
      type: text(name === 'cust_no'),
    })),
    { name: 'sold_ts', type: wallTime },
  ],
});

function saleLine(index: number): object {
  return {
    ...{ bskt_no: 31_198_570_000n + BigInt(index), ln_no: index % 30, str_cd: '000330', cust_no: '0000001234' },
    ...{ prod_cd: String(800_000 + index), qty: '1.000', net_amt: '12.49', disc_amt: '0.50', typ_cd: 'S' },
    sold_ts: 1_483_271_606_000n + BigInt(index) * 1_000n,
  };
}

const records = Array.from(
  { length: RECORDS },
  (_, index): LogRecord => ({
    offset: BigInt(index),
    key: Buffer.from(String(index)),
    value: writer.write(SCHEMA_ID, { op: 'c', after: saleLine(index) }),
    ...{ headers: {}, timestampMs: 0 },
  }),
);

function stage() {
  const raw = createRawDecoder(() => writer.schema);
  const meta = createMetaCodec();
  const packer = new RecordPacker();
  const canonical = new Map<string, ReturnType<typeof createCanonicalCodec>>();
  const of = (entity: string) => {
    const name = entity as EntityName;
    const codec = canonical.get(entity) ?? createCanonicalCodec(name, () => schemaOf(name));
    canonical.set(entity, codec);
    return codec;
  };
  const codecs: Codecs = {
    loadSchemas: async () => {},
    rawValue: (bytes) => raw.value(bytes),
    rawKey: (bytes) => raw.key(bytes),
    valueColumns: () => raw.columns(SCHEMA_ID),
    keyColumns: () => ['bskt_no', 'ln_no'].map((name) => ({ name, type: 'any', kind: undefined })),
    schemaTopic: () => raw.namespace(SCHEMA_ID),
    nullHidingColumns: () => [],
    mangledColumns: () => new Map(),
    output: ({ entity, topic }, key, value, about) =>
      packer.pack(topic, key, { codec: of(entity), schemaId: SCHEMA_ID }, value, about),
    decode: (entity, bytes) => of(entity).decode(bytes),
    decodeMeta: (bytes) => meta.decode(bytes),
  };
  const compiled = [...compileSource(pos, entities)].map(([name, table]) => [rawTopic('pos', name), table] as const);
  return canonicalizeStage({
    ...{ groupId: 'test', tables: new Map(compiled), topics: [topic], codecs, bidirectional: new Map() },
    ...{ epochs: {}, hopsMax: 5, partitionCount: () => 4 },
    ledger: { lookup: async () => new Map() },
    identities: { canonicalIds: async () => new Map() },
  });
}

function floor(): () => void {
  const type = avro.Type.forSchema(JSON.parse(writer.schema) as Schema, {
    wrapUnions: 'never',
    typeHook: ((schema: unknown) =>
      schema === 'long' || (schema as { type?: string }).type === 'long' ? bigintLong : undefined) as never,
  });
  const envelope = type as unknown as { fields: { name: string; type: { types: avro.Type[] } }[] };
  const row = envelope.fields.find(({ name }) => name === 'after')?.type.types[1] as avro.Type;
  return () => {
    for (const { value } of records) {
      const event = type.decode(value as Buffer, 5).value as { after: object };
      row.toBuffer(event.after);
    }
  };
}

async function cpuUs(work: () => unknown): Promise<number> {
  const before = process.cpuUsage();
  await work();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

const middle = (values: readonly number[]) => [...values].sort((left, right) => left - right)[values.length >> 1] ?? 0;

test('translating a change event costs no multiple of reading and writing it', async () => {
  const translation = stage();
  const least = floor();
  const ratios: number[] = [];
  const costs: number[] = [];
  for (let round = -WARM_UPS; round < ROUNDS; round += 1) {
    const floorUs = await cpuUs(least);
    const ownUs = await cpuUs(async () => {
      const { outputs, rejected } = await translation.transform({ topic, partition: 0, records });
      expect([outputs.length, rejected.length]).toEqual([RECORDS, 0]);
    });
    if (round < 0) continue;
    ratios.push(ownUs / floorUs);
    costs.push(ownUs / RECORDS);
  }
  const said = `${middle(costs).toFixed(1)} µs a record, ${middle(ratios).toFixed(2)} times the floor`;
  expect(middle(ratios), said).toBeLessThan(RATIO_MAX);
  // a translation that does nothing would be the fastest
  expect(middle(ratios), said).toBeGreaterThan(1);
});
