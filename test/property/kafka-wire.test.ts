/** Kafka's record batches as we write and read them: what goes in comes out, and nothing that was aborted. */
import { createRequire } from 'node:module';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { repairClient } from '../../adapters/kafka/client-repairs.ts';
import { crc32c } from '../../adapters/kafka/crc32c.ts';
import { FetchedBatch, partsOf } from '../../adapters/kafka/fetched-batch.ts';
import { type FetchedEntry, readFetchResponse } from '../../adapters/kafka/fetch-response.ts';
import { ProducedMessage, writeProduceRequest } from '../../adapters/kafka/produce-request.ts';
import { WholeRequest } from '../../adapters/kafka/whole-request.ts';
import type { LogBatch, LogRecord } from '../../core/ports.ts';
import { holds, holdsAsync } from '../support/holds.ts';

const bytes = (max: number) => fc.uint8Array({ maxLength: max }).map((array) => Buffer.from(array));
const values = fc.oneof(
  bytes(70),
  fc.constantFrom(63, 64, 8_191, 8_192, 20_000).map((size) => Buffer.alloc(size, 7)),
);
const headers = fc.dictionary(
  // the characters of some are the bytes of others
  fc.oneof(
    fc.string({ maxLength: 5 }).filter((name) => name !== '__proto__'),
    fc.constantFrom('seam', 'é', 'Ã©'),
  ),
  bytes(200),
  { maxKeys: 3 },
);
const message = fc
  .tuple(fc.option(bytes(70)), fc.option(values), headers)
  .map(([key, value, named]) => new ProducedMessage(key, value, named));

const HEADER_BYTES = 61;

/** The one batch of a produce request, as a log would hold it from this offset. */
function batchOf(messages: readonly ProducedMessage[], offset: bigint, producerId = 1n): Buffer {
  const request = writeProduceRequest({
    ...{ acks: -1, timeout: 1, transactionalId: 'tx', producerId, producerEpoch: 3 },
    topicData: [{ topic: 't', partitions: [{ partition: 0, firstSequence: 0, messages }] }],
  });
  const prefix = 2 + 2 + 2 + 4 + 4 + 2 + 1 + 4 + 4 + 4;
  const batch = Buffer.from(request.subarray(prefix));
  batch.writeBigInt64BE(offset, 0);
  return batch;
}

const codecs = { gzip: 1, zstd: 4 };

/** As a producer with this `compression.type` writes it. */
function compressed(batch: Buffer, codec: keyof typeof codecs): Buffer {
  const body = batch.subarray(HEADER_BYTES);
  const packed = Buffer.concat([
    batch.subarray(0, HEADER_BYTES),
    codec === 'gzip' ? gzipSync(body) : zstdCompressSync(body),
  ]);
  packed.writeInt16BE(batch.readInt16BE(21) | codecs[codec], 21);
  return sized(packed);
}

function sized(batch: Buffer): Buffer {
  batch.writeInt32BE(batch.length - 12, 8);
  return batch;
}

type Aborted = { readonly producerId: bigint; readonly firstOffset: bigint };

function fetchResponse(batches: readonly Buffer[], aborted: readonly Aborted[] = []): Buffer {
  const records = Buffer.concat(batches);
  const head = Buffer.alloc(10 + 4 + 3 + 4 + 4 + 2 + 8 + 8 + 8 + 4 + 16 * aborted.length + 4 + 4);
  let at = 10; // throttle time, error, session
  at = head.writeInt32BE(1, at);
  at = head.writeInt16BE(1, at);
  at += head.write('t', at);
  at = head.writeInt32BE(1, at);
  at = head.writeInt32BE(0, at);
  at = head.writeInt16BE(0, at);
  at = head.writeBigInt64BE(1_000n, at) + 16;
  at = head.writeInt32BE(aborted.length, at);
  for (const { producerId, firstOffset } of aborted) {
    at = head.writeBigInt64BE(producerId, at);
    at = head.writeBigInt64BE(firstOffset, at);
  }
  at = head.writeInt32BE(-1, at);
  head.writeInt32BE(records.length, at);
  return Buffer.concat([head, records]);
}

function entriesOf(response: Buffer): readonly FetchedEntry[] {
  return readFetchResponse(response).responses[0]?.partitions[0]?.messages ?? [];
}

function batchesOf(response: Buffer): FetchedBatch[] {
  return entriesOf(response).filter((entry) => entry instanceof FetchedBatch);
}

function partsFrom(response: Buffer, from: bigint): LogBatch[] {
  const nextOffset = (entriesOf(response).at(-1)?.offset ?? -1n) + 1n;
  return partsOf(batchesOf(response), { topic: 't', partition: 0, from, nextOffset, highWatermark: 1_000n });
}

function read(response: Buffer): LogRecord[] {
  return partsFrom(response, 0n).flatMap(({ records }) => records);
}

describe('record batches', () => {
  it('come back as they were written', () => {
    holds(
      fc.property(
        fc.array(message, { minLength: 1, maxLength: 80 }),
        fc.bigInt({ min: 0n, max: 2n ** 60n }),
        (messages, offset) => {
          const found = read(fetchResponse([batchOf(messages, offset)]));
          expect(
            found.map((one) => new ProducedMessage(one.key as Buffer, one.value as Buffer, one.headers as never)),
          ).toEqual(messages);
          expect(found.map((record) => record.offset)).toEqual(messages.map((_, index) => offset + BigInt(index)));
        },
      ),
      100,
    );
  });

  it('come back from compression, one after another with whatever codec', () => {
    const packed = fc.tuple(fc.array(message, { minLength: 1, maxLength: 20 }), fc.constantFrom('gzip', 'zstd'));
    holds(
      fc.property(fc.array(packed, { minLength: 1, maxLength: 6 }), (batches) => {
        const bytes = batches.map(([messages, codec], index) =>
          compressed(batchOf(messages, BigInt(index * 100)), codec),
        );
        const found = read(fetchResponse(bytes));
        expect(
          found.map((one) => new ProducedMessage(one.key as Buffer, one.value as Buffer, one.headers as never)),
        ).toEqual(batches.flatMap(([messages]) => messages));
      }),
      50,
    );
  });

  it('whose compressed bytes are damaged or too short are refused when they are read, and the next are read as if nothing had been', () => {
    const text = 'a text of some length that repeats itself, a text of some length that repeats itself';
    const whole = compressed(batchOf([new ProducedMessage(null, Buffer.from(text), {})], 0n), 'zstd');
    for (let size = HEADER_BYTES; size < whole.length; size += 1) {
      const short = sized(Buffer.from(whole.subarray(0, size)));
      const damaged = Buffer.from(whole).fill(0xff, HEADER_BYTES, size + 1);
      for (const broken of [short, damaged]) {
        const [part] = partsFrom(fetchResponse([broken]), 0n);
        expect(() => part?.records).toThrow("records of the log can't be read");
        expect(() => part?.records).toThrow("records of the log can't be read");
      }
      expect(read(fetchResponse([whole])).map(({ value }) => String(value))).toEqual([text]);
    }
  });

  it('that were cut off by the fetch’s limit are left for the next fetch', () => {
    const first = batchOf([new ProducedMessage(null, Buffer.from('a'), {})], 0n);
    const second = batchOf([new ProducedMessage(null, Buffer.from('b'), {})], 1n);
    for (let size = 0; size < second.length; size += 1) {
      expect(read(fetchResponse([first, second.subarray(0, size)])).map(({ value }) => String(value))).toEqual(['a']);
    }
  });

  it('that compaction emptied, or robbed of their end, still tell where to go on', () => {
    const empty = Buffer.alloc(HEADER_BYTES);
    batchOf([new ProducedMessage(null, null, {})], 5n).copy(empty, 0, 0, HEADER_BYTES);
    empty.writeInt32BE(HEADER_BYTES - 12, 8);
    empty.writeInt32BE(9, 23); // last offset delta
    empty.writeInt32BE(0, 57);
    expect(entriesOf(fetchResponse([empty]))).toEqual([{ offset: 14n, isControlRecord: true }]);
    const robbed = batchOf([new ProducedMessage(Buffer.from('k'), null, {})], 20n);
    robbed.writeInt32BE(4, 23);
    expect(partsFrom(fetchResponse([robbed]), 20n)).toMatchObject([{ count: 1, nextOffset: 25n }]);
    expect(partsFrom(fetchResponse([robbed]), 21n)).toEqual([]);
  });

  it('are handed over in parts that tell their count and where each ends, from whatever offset', () => {
    const sizes = fc.array(fc.constantFrom(1, 2, 30, 700, 1_999, 2_000, 2_001), { minLength: 1, maxLength: 6 });
    holds(
      fc.property(sizes, fc.nat(100), fc.boolean(), (counts, percent, isPacked) => {
        const starts = counts.map((_, index) => counts.slice(0, index).reduce((sum, count) => sum + count, 0));
        const end = (starts.at(-1) as number) + (counts.at(-1) as number);
        const bytes = counts.map((count, index) => {
          const messages = Array.from({ length: count }, () => new ProducedMessage(null, null, {}));
          const batch = batchOf(messages, BigInt(starts[index] as number));
          return isPacked ? compressed(batch, 'zstd') : batch;
        });
        const from = Math.floor((percent / 100) * (end - 1));
        // a broker leaves out the batches that lie before it
        const first = starts.findLastIndex((start) => start <= from);
        let next = BigInt(from);
        const parts = partsFrom(fetchResponse(bytes.slice(first)), next);
        for (const { count, records, nextOffset } of parts) {
          expect(count).toBe(records.length);
          expect(records.map(({ offset }) => offset)).toEqual(records.map((_, index) => next + BigInt(index)));
          next = nextOffset;
        }
        expect(next).toBe(BigInt(end));
        // the first may have lost some in front, the last is what is left
        for (const { count } of parts.slice(1, -1)) expect(count).toBeGreaterThanOrEqual(2_000);
      }),
      60,
    );
  });

  it('are checked by CRC-32C', () => {
    expect(crc32c(Buffer.from('123456789'), 0, 9)).toBe(0xe3069283);
    holds(
      fc.property(fc.uint8Array({ maxLength: 100 }), (array) => {
        let crc = -1;
        for (const byte of array) {
          crc ^= byte;
          for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ 0x82f63b78;
        }
        expect(crc32c(array, 0, array.length)).toBe((crc ^ -1) >>> 0);
      }),
    );
  });
});

describe('a request that is written already', () => {
  repairClient();
  const load = createRequire(import.meta.url);
  const createRequest: CreateRequest = load('kafkajs/src/protocol/request.js');
  const Encoder: new () => { writeBufferInternal(bytes: Buffer): void; buffer: Buffer } = load(
    'kafkajs/src/protocol/encoder.js',
  );

  it('is sent as kafkajs would send it, and from where it was written', async () => {
    const names = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom(230, 242, 243, 246, 247, 300).map(nameOf));
    await holdsAsync(fc.tuple(names, bytes(3_000), fc.nat(2 ** 31 - 1)), async ([clientId, body, correlationId]) => {
      const copied = new Encoder();
      copied.writeBufferInternal(body);
      let written = Buffer.alloc(0);
      const whole = new WholeRequest((room) => {
        written = Buffer.alloc(room + body.length);
        body.copy(written, room);
        return written;
      });
      const send = (encoder: object) =>
        createRequest({ correlationId, clientId, request: { apiKey: 0, apiVersion: 7, encode: async () => encoder } });
      const sent = await send(whole);
      expect(sent.buffer).toEqual((await send(copied)).buffer);
      expect(sent.size()).toBe(sent.buffer.length);
      // no room for the length, the header and a name beyond this
      const hasRoom = Buffer.byteLength(clientId) <= 242;
      expect(sent.buffer.buffer === written.buffer).toBe(hasRoom);
    });
  });

  type CreateRequest = (of: {
    readonly correlationId: number;
    readonly clientId: string;
    readonly request: { readonly apiKey: number; readonly apiVersion: number; encode(): Promise<object> };
  }) => Promise<{ readonly buffer: Buffer; size(): number }>;

  const nameOf = (length: number) => 'x'.repeat(length);
});

describe('aborted transactions', () => {
  /** Producers take turns; each ends its transaction with a marker, committed or aborted, and begins the next. */
  const turns = fc.array(fc.record({ producer: fc.integer({ min: 1, max: 4 }), end: fc.option(fc.boolean()) }), {
    maxLength: 40,
  });

  it('show no record, however they overlap and wherever the reader starts', () => {
    holds(
      fc.property(turns, fc.nat(50), (made, start) => {
        const batches: { offset: bigint; bytes: Buffer; text: string | null }[] = [];
        const begun = new Map<number, bigint[]>();
        const visible = new Set<string>();
        const aborted: (Aborted & { end: bigint })[] = [];
        for (const [index, { producer, end }] of [
          ...made,
          ...[1, 2, 3, 4].map((producer) => ({ producer, end: true })),
        ].entries()) {
          const offset = BigInt(index);
          const producerId = BigInt(producer);
          const open = begun.get(producer) ?? [];
          if (end === null) {
            batches.push({
              offset,
              bytes: batchOf([new ProducedMessage(null, Buffer.from(`${index}`), {})], offset, producerId),
              text: `${index}`,
            });
            begun.set(producer, [...open, offset]);
            continue;
          }
          batches.push({ offset, bytes: markerOf(offset, producerId, end), text: null });
          begun.delete(producer);
          if (end) for (const one of open) visible.add(String(one));
          else if (open[0] !== undefined) aborted.push({ producerId, firstOffset: open[0], end: offset });
        }
        const from = batches.filter(({ offset }) => offset >= BigInt(start));
        // as the broker lists them: in the order in which they ended, those that end behind the start
        const listed = aborted.filter(({ end }) => end >= BigInt(start));
        const found = read(
          fetchResponse(
            from.map(({ bytes: one }) => one),
            listed,
          ),
        );
        const texts = found.map(({ value }) => String(value));
        expect(texts).toEqual(from.flatMap(({ text }) => (text !== null && visible.has(text) ? [text] : [])));
      }),
    );
  });

  function markerOf(offset: bigint, producerId: bigint, isCommit: boolean): Buffer {
    const key = Buffer.from([0, 0, 0, isCommit ? 1 : 0]);
    const batch = batchOf([new ProducedMessage(key, Buffer.alloc(6), {})], offset, producerId);
    batch.writeInt16BE(0x30, 21);
    return batch;
  }
});
