/** The same rows twice: as canonical records for our sink, and flat, as the JDBC sink wants them. */
import avro, { type Type } from 'avsc';
import kafkajs from 'kafkajs';
import { createCanonicalCodec } from '../../adapters/avro/canonical-codec.ts';
import { bigintLong } from '../../adapters/avro/long.ts';
import { createMetaCodec, META_HEADER } from '../../adapters/avro/meta-codec.ts';
import { writeWireHeader } from '../../adapters/avro/wire.ts';
import { partitionOf } from '../../adapters/kafka/partitioner.ts';
import { type CanonicalFields, keyText, type RecordMeta } from '../../core/canonical-record.ts';
import { encodePosition } from '../../core/position.ts';
import type { Servers } from '../support/servers.ts';
import { type Change, fieldsOf, marker } from './changes.ts';
import { type BenchColumn, canonicalSchema, columnsOf, ENTITY, flatSchemas, type Width } from './shape.ts';

export const PARTITIONS = 2;
const CHUNK_RECORDS = 5_000;
const MIB = 1024 ** 2;

type Message = { key: Buffer; value: Buffer | null; partition: number; headers?: Record<string, Buffer> };
type Encode = (change: Change, place: number) => Message;

/** `zoned`: as flat, with times as texts. */
export type Topics = { readonly canonical: string; readonly flat: string; readonly zoned: string };

export type FillOptions = {
  readonly width: Width;
  readonly firstPosition: number;
  readonly partitions?: number;
  readonly kinds?: readonly (keyof Topics)[];
};

/** `firstPosition`: above everything that the target was given before. */
export async function fillTopics(
  servers: Servers,
  name: string,
  changes: readonly Change[],
  { width, firstPosition, partitions = PARTITIONS, kinds = ['canonical', 'flat', 'zoned'] }: FillOptions,
): Promise<Topics> {
  const topics = { canonical: `bench.canonical.${name}`, flat: `bench.flat.${name}`, zoned: `bench.zoned.${name}` };
  const admin = await servers.log.admin();
  await admin.createTopics(Object.values(topics).map((topic) => ({ topic, partitions })));
  await admin.close();
  const numbered = Array.from({ length: partitions }, (_, partition) => partition);
  const first = numbered.map((partition) => ({ change: marker('first', partition), partition }));
  const last = numbered.map((partition) => ({ change: marker('last', partition), partition }));
  const all = [
    ...first,
    ...changes.map((change) => ({ change, partition: partitionOfKey(change, partitions) })),
    ...last,
  ];
  const encoders = {
    canonical: await canonicalEncoder(servers, topics.canonical, width),
    flat: await flatEncoder(servers, topics.flat, width, false),
    zoned: await flatEncoder(servers, topics.zoned, width, true),
  };
  const client = new kafkajs.Kafka({
    brokers: [servers.stack.kafka.bootstrapServers],
    logLevel: kafkajs.logLevel.NOTHING,
  });
  const producer = client.producer({ allowAutoTopicCreation: false });
  await producer.connect();
  for (const kind of kinds) {
    for (let from = 0; from < all.length; from += CHUNK_RECORDS) {
      const messages = all.slice(from, from + CHUNK_RECORDS).map(({ change, partition }, index) => ({
        ...encoders[kind](change, firstPosition + from + index),
        partition,
      }));
      await producer.send({ topic: topics[kind], messages, acks: -1 });
    }
  }
  await producer.disconnect();
  return topics;
}

const keyOf = ({ line }: Change): string => keyText([line.basketId, line.lineNumber]);
const partitionOfKey = (change: Change, partitions: number) => partitionOf(Buffer.from(keyOf(change)), partitions);

async function canonicalEncoder({ registry }: Servers, topic: string, width: Width): Promise<Encode> {
  const schema = canonicalSchema(width);
  const schemaId = await registry.register(`${topic}-value`, schema);
  const codec = createCanonicalCodec(ENTITY, () => undefined, schema);
  const meta = createMetaCodec();
  return (change, place) => ({
    key: Buffer.from(keyOf(change)),
    value: change.gone ? null : Buffer.from(codec.encode(fieldsOf(change, width), schemaId)),
    headers: { [META_HEADER]: Buffer.from(meta.encode(metaOf(change, place))) },
    partition: 0,
  });
}

export function metaOf({ gone }: Pick<Change, 'gone'>, place: number): RecordMeta {
  const position = { epoch: 0, phase: 'stream', major: 1n, minor: BigInt(place) << 20n, isDelete: gone } as const;
  return {
    system: 'pos',
    position: encodePosition(position),
    operation: gone ? 'd' : 'u',
    commitTimeUs: 1_500_000_000_000_000n + BigInt(place),
    hops: 0,
    traceId: place.toString(16).padStart(16, '0'),
    absent: [],
  };
}

async function flatEncoder({ registry }: Servers, topic: string, width: Width, zoned: boolean): Promise<Encode> {
  const columns = columnsOf(width);
  const schemas = flatSchemas(width, zoned);
  const encoderOf = async (part: 'key' | 'value', chosen: readonly BenchColumn[]) => {
    const schemaId = await registry.register(`${topic}-${part}`, schemas[part]);
    const type = flatType(schemas[part]);
    return (fields: CanonicalFields) => framed(schemaId, type.toBuffer(flatRow(chosen, fields, zoned)));
  };
  const key = await encoderOf(
    'key',
    columns.filter(({ isKey }) => isKey),
  );
  const value = await encoderOf('value', columns);
  return (change) => {
    const fields = fieldsOf(change, width);
    return { key: key(fields), value: change.gone ? null : value(fields), partition: 0 };
  };
}

/** Decimals are written as Connect does: the digits as one number in two's complement. */
function flatType(schema: string): Type {
  return avro.Type.forSchema(JSON.parse(schema) as avro.Schema, {
    wrapUnions: 'never',
    typeHook: ((one: unknown) =>
      one === 'long' || (one as { type?: string }).type === 'long' ? bigintLong : undefined) as never,
  });
}

function flatRow(columns: readonly BenchColumn[], fields: CanonicalFields, zoned: boolean): object {
  return Object.fromEntries(
    columns.map(({ name, field, kind }) => {
      const value = fields[field] ?? null;
      if (kind === 'time' && zoned) return [name, new Date(Number((value as bigint) / 1_000n)).toISOString()];
      return [name, kind === 'decimal' ? unscaled(value as string) : value];
    }),
  );
}

function unscaled(decimal: string): Buffer {
  const number = BigInt(decimal.replace('.', ''));
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(number);
  let from = 0;
  // the shortest form that keeps the sign
  while (from < 7 && bytes[from] === (number < 0n ? 0xff : 0) && (bytes[from + 1] as number) >= 0x80 === number < 0n)
    from += 1;
  return bytes.subarray(from);
}

function framed(schemaId: number, body: Buffer): Buffer {
  const bytes = Buffer.alloc(body.length + 5);
  writeWireHeader(bytes, 0, schemaId);
  body.copy(bytes, 5);
  return bytes;
}

/** Enough for the largest batch of any contestant. */
export const FETCH_BYTES_MAX = 8 * MIB;
