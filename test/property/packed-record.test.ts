/** A canonical record as places in a slab is the same as one made of its parts: to whoever asks it, in its partition, on the wire. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { createMetaCodec, META_HEADER } from '../../adapters/avro/meta-codec.ts';
import { RecordPacker } from '../../adapters/avro/record-packer.ts';
import { produceChunks } from '../../adapters/kafka/produce-chunks.ts';
import { ProducedMessage, type WireMessage, writeProduceRequest } from '../../adapters/kafka/produce-request.ts';
import type { PackedRecord } from '../../adapters/packed-record.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { OutputRecord } from '../../core/ports.ts';
import { canonicalFields, recordMeta } from '../support/canonical-values.ts';
import { holds } from '../support/holds.ts';

const SCHEMA_ID = 4_000_000_001;
const PARTITIONS = 7;
const codec = createCanonicalCodec('product');
const metaCodec = createMetaCodec();
const { topic } = entities.product;

const keys = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 80 }),
  fc.constantFrom('', '1', '31198570004|2', 'x'.repeat(64), 'y'.repeat(65), 'ñ', '🎂'),
);
const contents = fc.record({
  key: keys,
  fields: fc.option(canonicalFields(entities.product)),
  meta: recordMeta(),
  /** Some larger than a slab. */
  specification: fc.option(fc.constantFrom(10, 5_000, 200_000, 600_000).map((size) => 'ab'.repeat(size / 2))),
});
type Content = typeof contents extends fc.Arbitrary<infer T> ? T : never;

const fieldsOf = ({ fields, specification }: Content) =>
  fields === null || specification === null ? fields : { ...fields, specification };

function packed(packer: RecordPacker, content: Content): PackedRecord {
  return packer.pack(topic, content.key, { codec, schemaId: SCHEMA_ID }, fieldsOf(content), content.meta);
}

/** In buffers of their own. */
function plain(content: Content): OutputRecord & { readonly value: Buffer | null } {
  const value = fieldsOf(content);
  return {
    ...{ topic, key: content.key },
    value: value === null ? null : Buffer.from(codec.encode(value, SCHEMA_ID)),
    headers: { [META_HEADER]: Buffer.from(metaCodec.encode(content.meta)) },
  };
}

/** But for the time, which every batch carries, and the checksum over it. */
function onTheWire(messages: readonly WireMessage[]): Buffer {
  const request = writeProduceRequest({
    ...{ acks: -1, timeout: 1, transactionalId: 'tx', producerId: 1n, producerEpoch: 3 },
    topicData: [{ topic: 't', partitions: [{ partition: 0, firstSequence: 0, messages }] }],
  });
  const batch = request.subarray(2 + 2 + 2 + 4 + 4 + 2 + 1 + 4 + 4 + 4);
  batch.fill(0, 17, 21);
  batch.fill(0, 27, 43);
  return batch;
}

const batches = fc.array(contents, { minLength: 1, maxLength: 12 });

test('its parts are what was packed, and stay so while others are', () => {
  holds(
    fc.property(batches, (given) => {
      const packer = new RecordPacker();
      const records = given.map((content) => packed(packer, content));
      for (const [index, { key, value, headers }] of records.entries()) {
        const expected = plain(given[index] as Content);
        expect(key).toBe(Buffer.from(expected.key as string).toString('utf8'));
        // Vitest's own comparison takes seconds for these
        expect(value === null ? expected.value === null : value.equals(expected.value as Buffer)).toBe(true);
        expect(headers).toEqual(expected.headers);
      }
    }),
    60,
  );
});

test('it is written as its parts are, to the same partition', () => {
  holds(
    fc.property(batches, (given) => {
      const packer = new RecordPacker();
      const own = dealt(given.map((content) => packed(packer, content)));
      const expected = dealt(given.map(plain));
      expect(own.map(({ place }) => place)).toEqual(expected.map(({ place }) => place));
      expect(expected.every(({ messages }) => messages[0] instanceof ProducedMessage)).toBe(true);
      for (const [index, { messages }] of own.entries())
        expect(onTheWire(messages).equals(onTheWire(expected[index]?.messages ?? []))).toBe(true);
    }),
    60,
  );
});

/** Request, then partition. */
function dealt(records: readonly OutputRecord[]): { place: string; messages: readonly WireMessage[] }[] {
  return [...produceChunks(records, () => PARTITIONS)].flatMap((topics, request) =>
    topics.flatMap(({ messages }) =>
      Object.entries((messages as unknown as { byPartition: Record<number, WireMessage[]> }).byPartition).map(
        ([partition, of]) => ({ place: `${request}/${partition}/${of.length}`, messages: of }),
      ),
    ),
  );
}

test('a value that its type doesn’t hold is refused, and leaves nothing behind', () => {
  const packer = new RecordPacker();
  const [content] = fc.sample(contents, { numRuns: 1, seed: 3 }) as [Content];
  const before = packed(packer, content);
  const wrong = { ...fc.sample(canonicalFields(entities.product), { numRuns: 1, seed: 3 })[0], productId: 1 };
  expect(() => packer.pack(topic, 'k', { codec, schemaId: SCHEMA_ID }, wrong, content.meta)).toThrow(/"productId"/);
  const after = packed(packer, content);
  expect([before.key, before.value, before.headers]).toEqual([after.key, after.value, after.headers]);
});
