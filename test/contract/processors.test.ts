/** Both stages in one worker, on a real Kafka and a real registry: raw bytes in, canonical bytes out. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { createMetaCodec } from '../../adapters/avro/meta-codec.ts';
import { systemClock } from '../../adapters/clock.ts';
import { Registry } from '../../adapters/registry.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import pos from '../../connectors/pos/mapping.ts';
import type { Log, OutputRecord } from '../../core/ports.ts';
import {
  type ProcessorOptions,
  ProcessorSettings,
  type RunningProcessors,
  runProcessors,
  TopicSettings,
  topicPlan,
} from '../../processors/main.ts';
import { steps } from '../../processors/steps/index.ts';
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
  key: ['bskt_no', 'ln_no'],
});
const line = (changes: object = {}) => ({
  ...{ str_cd: '000330', prod_cd: '820165', qty: '2.000', net_amt: '9.98', disc_amt: '0.00', typ_cd: 'S' },
  ...{ bskt_no: 31198570044n, ln_no: 1, cust_no: '0000000900', sold_ts: 1_483_267_406_000_000n, ...changes },
});

let kafka: TestKafka;
let log: Log;
let registry: Registry;
let schemaId: number;
let keySchemaId: number;
let running: RunningProcessors | undefined;

beforeAll(async () => {
  kafka = await startKafka(['registry']);
  log = testLog(kafka.brokers);
  registry = new Registry({ url: kafka.registryUrl }, systemClock);
  schemaId = await registry.register(`${LINES}-value`, lines.schema);
  keySchemaId = await registry.register(`${LINES}-key`, lines.keySchema);
  const admin = await log.admin();
  const plan = topicPlan([pos], entities, TopicSettings.parse({ partitions: 2 }));
  await admin.createTopics([
    ...plan,
    { topic: 'raw.pos.pos.forgotten', partitions: 1 },
    { topic: 'raw.pos', partitions: 1 },
  ]);
  await admin.close();
}, 180_000);

afterAll(async () => {
  await running?.stop();
  await kafka?.stop();
});

function options(changes: Partial<ProcessorOptions> = {}): ProcessorOptions {
  return {
    log,
    registry,
    mappings: [pos],
    steps,
    entities,
    sideSchemas: { lookup: async () => new Map(), canonicalIds: async () => new Map() },
    bidirectional: new Map(),
    settings: ProcessorSettings.parse({ groupPrefix: uniqueName('processors') }),
    clock: systemClock,
    logger: quietLogger,
    ...changes,
  };
}

const raw = (topic: string, key: Buffer | null, value: Buffer | null): OutputRecord => ({
  topic,
  key,
  value,
  headers: {},
});

async function read(entity: EntityName) {
  const codec = createCanonicalCodec(entity, registry.lookup);
  const meta = createMetaCodec();
  const records = (await readAll(log, `canonical.${entity}`)).flatMap((batch) => batch.records);
  return records.map(({ key, value, headers }) => ({
    key: String(key),
    value: value === null ? null : codec.decode(value),
    meta: meta.decode(headers.seam as Uint8Array),
  }));
}

describe('the processors', () => {
  it('refuse the start while all topics lack, and name them', async () => {
    const settings = ProcessorSettings.parse({ topicWaitMsMax: 0 });
    const mappings = [{ ...pos, tables: { 'pos.new': pos.tables['pos.cust'] as never } }];
    await expect(runProcessors(options({ settings, mappings }))).rejects.toMatchObject({
      class: 'config',
      code: 'TOPICS_MISSING',
      message: expect.stringContaining('raw.pos.pos.new'),
    });
  });

  it('leave out a table whose topic lacks, say so, and start again when it has come', async () => {
    const topic = `raw.pos.pos.${uniqueName('late').replaceAll('-', '_')}`;
    const mappings = [
      { ...pos, tables: { ...pos.tables, [topic.slice('raw.pos.'.length)]: pos.tables['pos.cust'] as never } },
    ];
    const late = await runProcessors(options({ mappings }));
    const stage = () => late.status().stages.find(({ stage: name }) => name === 'canonicalize');
    expect(stage()?.topics.find((one) => one.topic === topic)).toMatchObject({
      state: 'failed',
      reason: { code: 'TOPICS_MISSING', where: topic, hint: expect.stringContaining('seam connectors apply --yes') },
    });
    await until(() => stage()?.topics.find((one) => one.topic === LINES)?.state === 'running', 'the others run');
    const admin = await log.admin();
    await admin.createTopics([{ topic, partitions: 2 }]);
    await admin.close();
    await expect(late.done).rejects.toMatchObject({ class: 'transient', code: 'TOPICS_CAME' });
    await late.stop();
  });

  it('carry a sale from the till to stock and points, and what can’t be read beside it', async () => {
    const events = [
      { op: 'c', after: line() },
      { op: 'u', before: line(), after: line({ qty: '3.000', net_amt: '14.97' }) },
      { op: 'c', after: line({ ln_no: 2, typ_cd: '?' }) },
      { op: 'c', after: line({ ln_no: 3 }) },
      { op: 'd', before: line({ ln_no: 3 }) },
    ];
    const records = events.map((event) => {
      const key = lines.writeKey(keySchemaId, event.after ?? event.before ?? {});
      return raw(LINES, key, lines.write(schemaId, event));
    });
    await writeRecords(log, [
      ...records,
      raw(LINES, null, null),
      raw(LINES, null, Buffer.from('no Avro')),
      raw('raw.pos.pos.forgotten', null, Buffer.from('x')),
    ]);
    running = await runProcessors(options());
    const count = (name: string) => running?.status().counts[name] ?? 0;
    await until(() => count('flow.received') >= 4 && count('canonicalize.received') >= 7, 'all of it', 60_000);

    expect(await read('sale-line')).toMatchObject([
      {
        key: '31198570044|1',
        value: { quantity: '2.000', memberId: '900', locationId: '330' },
        meta: { operation: 'c', system: 'pos' },
      },
      { key: '31198570044|1', value: { quantity: '3.000' }, meta: { operation: 'u' } },
      { key: '31198570044|3' },
      { key: '31198570044|3', value: null, meta: { operation: 'd' } },
    ]);
    const movements = await read('stock-movement');
    expect(movements.map(({ key, value }) => [key, value?.quantity ?? null])).toEqual([
      ['31198570044-1', '-2.000'],
      ['31198570044-1', '-3.000'],
      ['31198570044-3', '-2.000'],
      ['31198570044-3', null],
    ]);
    const lineMetas = (await read('sale-line')).map(({ meta }) => meta);
    expect(movements.map(({ meta }) => meta)).toEqual(lineMetas);
    expect((await read('points-entry')).at(-1)).toMatchObject({ key: '31198570044-3', value: null });
    const letters = (await readAll(log, 'dead-letter.canonicalize')).flatMap((batch) => batch.records);
    expect(letters.map(({ headers }) => String(headers['seam.error.code']))).toEqual([
      'CODE_UNKNOWN',
      'AVRO_DECODE_FAILED',
    ]);
    expect(String(letters[1]?.value)).toBe('no Avro');
    expect(count('canonicalize.deadLetters')).toBe(2);
    expect(count('canonicalize.passedOver')).toBe(1);
  });

  it('show a captured table that nobody mapped, while all others flow', () => {
    expect(running?.status()).toMatchObject({
      state: 'degraded',
      reason: { code: 'TABLE_UNMAPPED', where: expect.stringContaining('raw.pos.pos.forgotten') },
    });
    const [canonicalize, flow] = running?.status().stages ?? [];
    expect(canonicalize?.tasks).toEqual([0, 1]);
    expect(canonicalize?.topics.filter(({ state }) => state !== 'running').map(({ topic }) => topic)).toEqual([
      'raw.pos.pos.forgotten',
    ]);
    expect(flow?.state).toBe('running');
  });

  it('stop in order', async () => {
    await running?.stop();
    await running?.done;
    running = undefined;
  });
});
