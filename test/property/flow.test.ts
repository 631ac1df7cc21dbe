/** The steps between systems as a stage: outputs order as their inputs do, and one bad record keeps back no other. */
import { describe, expect, it } from 'vitest';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { createMetaCodec } from '../../adapters/avro/meta-codec.ts';
import { RecordPacker } from '../../adapters/avro/record-packer.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { schemaOf } from '../../avro/index.ts';
import type { CanonicalFields, EntityDescription, RecordMeta } from '../../core/canonical-record.ts';
import type { LogRecord } from '../../core/ports.ts';
import { encodePosition } from '../../core/position.ts';
import { defineStep, emit, type Step } from '../../core/step.ts';
import type { Codecs } from '../../processors/codecs.ts';
import { flowStage } from '../../processors/flow.ts';
import { steps } from '../../processors/steps/index.ts';

const PARTITIONS = 2;
const codecOf = (entity: string) => createCanonicalCodec(entity as EntityName, () => schemaOf(entity as EntityName));
const metaCodec = createMetaCodec();
const packer = new RecordPacker();
const codecs = {
  loadSchemas: async () => {},
  output: ({ entity, topic }: EntityDescription, key: string, value: CanonicalFields | null, about: RecordMeta) =>
    packer.pack(topic, key, { codec: codecOf(entity), schemaId: 1 }, value, about),
  decode: (entity: string, bytes: Uint8Array) => codecOf(entity).decode(bytes),
  decodeMeta: (bytes: Uint8Array) => metaCodec.decode(bytes),
} as unknown as Codecs;

const meta = (changes: Partial<RecordMeta> = {}): RecordMeta => ({
  system: 'pos',
  position: Buffer.from(encodePosition({ epoch: 0, phase: 'stream', major: 3n, minor: 4n, isDelete: false })),
  operation: 'c',
  commitTimeUs: 5n,
  hops: 2,
  traceId: '0123456789abcdef',
  absent: [],
  ...changes,
});

const line = (changes: CanonicalFields = {}): CanonicalFields => ({
  ...{ saleId: '1', lineNumber: 2, productId: '7', locationId: '330', memberId: null, quantity: '2.000' },
  ...{ amount: '9.99', discount: '0.00', kind: 'SALE', soldAt: 1n, ...changes },
});

function record(key: string, value: CanonicalFields | null, about: RecordMeta | null = meta()): LogRecord {
  return {
    offset: 0n,
    key: Buffer.from(key),
    value: value === null ? null : codecOf('sale-line').encode(value, 1),
    headers: about === null ? {} : { seam: metaCodec.encode(about) },
    timestampMs: 0,
  };
}

function stageOf(list: readonly Step[] = steps) {
  return flowStage({ groupId: 'test', steps: list, entities, codecs, partitionCount: () => PARTITIONS });
}

async function run(records: readonly LogRecord[], list?: readonly Step[]) {
  const { outputs, rejected } = await stageOf(list).transform({ topic: 'canonical.sale-line', partition: 0, records });
  const read = outputs.map(({ topic, key, value, headers, partition }) => ({
    topic,
    key,
    partition,
    value: value === null ? null : codecs.decode(topic.slice('canonical.'.length), value),
    meta: metaCodec.decode(headers.seam as Uint8Array),
  }));
  return { read, rejected };
}

describe('a step in the flow', () => {
  it('gives its outputs the position, time, trace and hops of their input', async () => {
    const { read } = await run([record('1|2', line())]);
    expect(read[0]).toMatchObject({ topic: 'canonical.stock-movement', key: '1-2', value: { quantity: '-2.000' } });
    expect(read[0]?.meta).toEqual(meta());
  });

  it('passes on that a record is gone', async () => {
    const { read } = await run([record('1|2', null, meta({ operation: 'd' }))]);
    expect(read.map(({ value, meta: { operation } }) => [value, operation])).toEqual(read.map(() => [null, 'd']));
    expect(read.map(({ topic }) => topic)).toContain('canonical.stock-movement');
  });

  it('passes a truncation on to every partition of what it feeds', async () => {
    const { read } = await run([record('\\truncate', null, meta({ operation: 't' }))]);
    const stock = read.filter(({ topic }) => topic === 'canonical.stock-movement');
    expect(stock.map(({ key, partition, meta: { operation } }) => [key, partition, operation])).toEqual([
      ['\\truncate', 0, 't'],
      ['\\truncate', 1, 't'],
    ]);
  });

  it('keeps all of a refused record back, and nothing of the others', async () => {
    const half = defineStep({
      name: 'stock',
      from: 'sale-line',
      to: ['stock-movement'],
      run: ({ saleId, lineNumber }, fields) => {
        if (saleId === 'bad') throw new TypeError('amount 9.99 is odd');
        return [
          emit('stock-movement', { movementId: `${saleId}-${lineNumber}` }, fields === null ? null : (fields as never)),
        ];
      },
    });
    const { read, rejected } = await run(
      [record('bad|1', null), record('1|2', null), record('1|3', line(), null)],
      [half],
    );
    expect(read.map(({ key }) => key)).toEqual(['1-2']);
    expect(rejected.map(({ error }) => [error.code, error.message])).toEqual([
      ['STEP_FAILED', 'sale-line rejected by step stock: the step failed with TypeError'],
      ['RECORD_INCOMPLETE', 'sale-line record without its metadata header'],
    ]);
  });

  it('refuses a record that leaves out a field', async () => {
    const { rejected } = await run([record('1|2', line(), meta({ absent: ['amount'] }))]);
    expect(rejected[0]?.error.code).toBe('STEP_INPUT_PARTIAL');
  });
});

describe('steps', () => {
  const step = (name: string, to: EntityName): Step => ({ name, from: 'sale-line', to: [to], run: () => [] });

  it('that feed one entity together, or one that isn’t theirs, refuse the start', () => {
    expect(() => stageOf([step('stock', 'stock-movement'), step('other', 'stock-movement')])).toThrow(/2 faults/);
    expect(() => stageOf([step('stock', 'sale-line')])).toThrow(/feeds what it reads/);
    expect(() => stageOf(steps)).not.toThrow();
  });
});
