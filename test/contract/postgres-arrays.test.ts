/**
 * Arrays in PostgreSQL's binary format mean what the same arrays mean as text, and what isn't written in it goes as text: one
 * wrong bit would be another value in somebody's table.
 */
import fc from 'fast-check';
import { Client } from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { daysToText } from '../../core/calendar-date.ts';
import type { SqlValue } from '../../core/target.ts';
import { formatTimeUs } from '../../core/local-time.ts';
import { binaryArray } from '../../sinks/dialects/postgres/array-binary.ts';
import { arrayText } from '../../sinks/dialects/postgres/array-text.ts';
import { startDatabases, type TestDatabases } from '../support/databases.ts';
import { holdsAsync } from '../support/holds.ts';

let databases: TestDatabases;
let client: Client;

beforeAll(async () => {
  databases = await startDatabases();
  const found = databases.all.find(({ dialect }) => dialect === 'postgres');
  if (found === undefined) throw new Error('no postgres');
  client = new Client(found.sink);
  await client.connect();
}, 240_000);
afterAll(async () => {
  await client?.end();
  await databases?.stop();
}, 60_000);

const decimal = fc
  .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 40n }), fc.integer({ min: 0, max: 45 }))
  .map(([isNegative, digits, scale]) => {
    const text = digits.toString().padStart(scale + 1, '0');
    const point = text.length - scale;
    return `${isNegative ? '-' : ''}${text.slice(0, point)}${scale === 0 ? '' : `.${text.slice(point)}`}`;
  });
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 60 }), fc.string({ unit: 'grapheme-ascii' }));
const timeUs = fc.bigInt({ min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n });
const nearTimeUs = fc.bigInt({ min: 0n, max: 4_000_000_000_000_000n });

const values: Readonly<Record<string, fc.Arbitrary<SqlValue>>> = {
  bool: fc.boolean(),
  bytea: fc.uint8Array({ maxLength: 300 }),
  int2: fc.integer({ min: -32_768, max: 32_767 }),
  int4: fc.oneof(fc.integer(), fc.integer().map(BigInt)),
  int8: fc.oneof(fc.maxSafeInteger(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  text,
  bpchar: text,
  '"varchar"': text,
  date: fc.integer({ min: -719_162, max: 2_932_896 }).map((days) => daysToText(days) as string),
  '"timestamp"': fc.oneof(timeUs, nearTimeUs).map(formatTimeUs),
  timestamptz: fc.oneof(timeUs, nearTimeUs).map((us) => `${formatTimeUs(us)}+00`),
  '"numeric"': decimal,
};

/** False: it goes as text. */
async function isEqual(type: string, column: readonly SqlValue[]): Promise<boolean> {
  const bytes = binaryArray(`pg_catalog.${type}`, column);
  if (bytes === undefined) return false;
  const sql = `SELECT $1::pg_catalog.${type}[]::text[] AS one, $2::pg_catalog.${type}[]::text[] AS other`;
  const { rows } = await client.query(sql, [bytes, arrayText(column)]);
  expect(rows[0].one).toEqual(rows[0].other);
  return true;
}

describe('binary arrays', () => {
  it.each(Object.keys(values))('of %s mean what their texts mean', async (type) => {
    const value = fc.option(values[type] as fc.Arbitrary<SqlValue>, { nil: null, freq: 8 });
    let compared = 0;
    await holdsAsync(
      fc.array(value, { maxLength: 40 }),
      async (column) => {
        if (await isEqual(type, column)) compared += 1;
      },
      150,
    );
    expect(compared).toBeGreaterThan(10);
  });

  it.each<[string, SqlValue]>([
    ['int2', 40_000],
    ['int4', 2n ** 31n],
    ['int4', '7'],
    ['int8', 2n ** 63n],
    ['int4', 1.5],
    ['bool', 1],
    ['text', 5],
    ['date', '2017-02-29'],
    ['date', 'infinity'],
    ['"timestamp"', '2017-01-31 08:15:30'],
    ['"timestamp"', '2017-01-31 24:15:30.000000'],
    ['timestamptz', '2017-01-31 08:15:30.000000+02'],
    ['"numeric"', 'NaN'],
    ['"numeric"', '1e5'],
    ['"numeric"', '.5'],
    ['"numeric"', '5.'],
    ['"numeric"', '--5'],
    ['"numeric"', '1.2.3'],
    ['"numeric"', ''],
  ])('of %s are left to the text for %s', (type, value) => {
    expect(binaryArray(`pg_catalog.${type}`, [value])).toBeUndefined();
  });

  it('are made for the system’s own types only', () => {
    expect(binaryArray('public.text', ['a'])).toBeUndefined();
    expect(binaryArray('pg_catalog.json', ['{}'])).toBeUndefined();
  });
});
