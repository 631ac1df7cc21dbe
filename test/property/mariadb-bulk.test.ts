/** What reaches MariaDB by the bulk protocol: our shortcuts through its driver write the bytes that the driver would. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { SqlValue } from '../../core/target.ts';
import type { ColumnShape, TableShape } from '../../sinks/dialects/dialect.ts';
import { bulkRows } from '../../sinks/dialects/mariadb/bulk.ts';
import { repairDriver } from '../../sinks/dialects/mariadb/driver-repairs.ts';
import { holds, holdsAsync } from '../support/holds.ts';

type Packet = { buf: Buffer; pos: number; writeLengthEncodedString(text: string): void };
type Packets = { default: new (options: object, info: object) => Packet };

const driverFile = new URL('../../node_modules/mariadb/lib/io/packet-output-stream.js', import.meta.url).href;

async function packet(): Promise<Packet> {
  const { default: PacketOutputStream } = (await import(driverFile)) as Packets;
  return new PacketOutputStream({ collation: { charset: 'utf8' }, on: () => undefined }, {});
}

/** A length in front, of one byte up to 250, else of a mark and two. */
function lengthEncoded(text: string): Buffer {
  const bytes = Buffer.from(text);
  const head = bytes.length < 251 ? [bytes.length] : [252, bytes.length & 255, bytes.length >> 8];
  return Buffer.concat([Buffer.from(head), bytes]);
}

test('the pinned driver takes the repair, and is repaired once', async () => {
  const { default: PacketOutputStream } = (await import(driverFile)) as Packets;
  expect(await repairDriver()).toBe(true);
  const once = Object.getOwnPropertyDescriptor(PacketOutputStream.prototype, 'writeDefaultBufferLengthEncodedString');
  expect(await repairDriver()).toBe(true);
  const twice = Object.getOwnPropertyDescriptor(PacketOutputStream.prototype, 'writeDefaultBufferLengthEncodedString');
  expect(twice?.value).toBe(once?.value);
});

test('any text is written with its length, wherever the packet stands', async () => {
  await repairDriver();
  const ascii = fc.string({ unit: 'grapheme-ascii', maxLength: 70 });
  const any = fc.string({ unit: 'grapheme', maxLength: 300 });
  const texts = fc.array(
    fc.oneof(ascii, any, fc.constantFrom('é', 'x'.repeat(62), 'x'.repeat(63), 'x'.repeat(64), '\u007f', '\u0080')),
  );
  const check = async ([list, free]: [string[], number]) => {
    const out = await packet();
    // as full as a row before it may have left it
    out.pos = Math.max(4, out.buf.length - free);
    const start = out.pos;
    for (const text of list) out.writeLengthEncodedString(text);
    expect(out.buf.subarray(start, out.pos)).toEqual(Buffer.concat(list.map(lengthEncoded)));
  };
  await holdsAsync(fc.tuple(texts, fc.nat(256)), check, 500);
});

const shape = (kind: ColumnShape['kind']): TableShape => ({
  ...{ table: 'a.b', uniqueKeys: [], uniqueIndexes: [], foreignKeys: [], missingPrivileges: [] },
  columns: new Map([
    [
      'c',
      {
        name: 'c',
        kind,
        scale: 0,
        nullable: true,
        hasDefault: false,
        sqlType: '',
        binaryCollation: undefined,
        tellsTextsApart: true,
        keepsTexts: true,
      },
    ],
  ]),
});

/** What the driver tells types by (its batch-bulk.js): a new packet begins where it changes. */
function driverType(value: SqlValue): string {
  if (typeof value !== 'number') return typeof value;
  return Number.isInteger(value) && value >= -2_147_483_648 && value < 2_147_483_647 ? 'int' : 'double';
}

test('whole numbers keep their value, and a column has one type', () => {
  const whole = fc.oneof(
    fc.boolean(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String),
    fc.integer({ min: -999, max: 999 }).map(String),
    fc.constantFrom(2_147_483_646, 2_147_483_647, -2_147_483_648, -2_147_483_649, null),
  );
  const columns = fc.oneof(
    fc.array(whole, { minLength: 1 }),
    fc.array(fc.option(fc.boolean()), { minLength: 1 }),
    fc.array(fc.option(fc.integer({ min: -999, max: 999 }).map(String)), { minLength: 1 }),
  );
  const property = fc.property(columns, (values) => {
    const rows = bulkRows(shape('integer'), [{ column: 'c', values }]);
    const sent = rows.map(([value]) => value as SqlValue);
    const exact = (value: SqlValue) => (value === null ? null : BigInt(value as string));
    expect(sent.map(exact)).toEqual(values.map(exact));
    expect(new Set(sent.filter((value) => value !== null).map(driverType)).size).toBeLessThanOrEqual(1);
  });
  holds(property);
});

test('bytes are of the driver’s kind, and nothing else is touched', () => {
  const value = fc.oneof(
    fc.uint8Array(),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.string(),
    fc.constant(null),
  );
  const property = fc.property(fc.array(value), (values) => {
    const sent = bulkRows(shape('bytes'), [{ column: 'c', values }]).map(([one]) => one as SqlValue);
    for (const [row, one] of sent.entries()) {
      const before = values[row] as SqlValue;
      if (before instanceof Uint8Array) expect(Buffer.isBuffer(one) && one.equals(before)).toBe(true);
      else expect(one).toBe(before);
    }
  });
  holds(property);
});
