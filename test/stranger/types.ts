/**
 * Column types of legacy databases: how a person declares, maps and writes each, values at its edges, and the text that
 * both sides are compared by. The text is made by this file's own SQL, never by the engine's.
 */
import { AVRO, type Meaning, MY_CLOCK, MY_TIME, PG_CLOCK, PG_FLAG, PG_INSTANT, PG_TIME } from './meanings.ts';
import type { Kind } from './plan.ts';

export type ColumnType = {
  readonly id: string;
  readonly kind: Kind;
  /** `?` is the schema, for types that are made first. */
  readonly ddl: string;
  /** Statements that make the type itself. */
  readonly before?: readonly string[];
  /** The converter of a mapping, as a person would write it. */
  readonly word: string;
  readonly avro: string;
  readonly target: Meaning;
  /** SQL of the source's text, `?` stands for the column. */
  readonly text: string;
  /** SQL literals. */
  readonly values: readonly string[];
  /** Literals that are refused on the way: set aside, never written as something else. */
  readonly refused?: readonly string[];
  readonly mayBeKey?: boolean;
};

type Given = Omit<ColumnType, 'avro' | 'kind' | 'text' | 'id'> & { text?: string };
const pg = (id: string, given: Given): ColumnType => ({
  id,
  kind: 'postgres',
  avro: AVRO[given.target],
  text: '?::text',
  ...given,
});
const my = (id: string, given: Given): ColumnType => ({
  id,
  kind: 'mariadb',
  avro: AVRO[given.target],
  text: 'CAST(? AS CHAR)',
  ...given,
});
const texts = (values: readonly string[]) => values.map((value) => `'${value.replaceAll("'", "''")}'`);
const myTexts = (values: readonly string[]) => texts(values.map((value) => value.replaceAll('\\', '\\\\')));

const WORDS = [
  '',
  'plain',
  'Ünïcödé ßtraße',
  '訂單 備註',
  '😀 four bytes 𝒳',
  `it's "quoted"`,
  'back\\slash\\n',
  'line\nbreak\ttab',
  ' spaces around ',
  'NULL',
  '{"json": [1, 2]}',
  'مرحبا',
  `%s %d ${'$'}{x}`,
  'x'.repeat(3_000),
];
const SHORT = ['', 'a', 'Zoë', '表', '😀', `o'k`, 'back\\'];
/** The parts of an interval as ISO 8601 has them. */
const INTERVAL = `'P' || extract(year from ?)::int || 'Y' || extract(month from ?)::int || 'M' || extract(day from ?)::int
  || 'DT' || extract(hour from ?)::int || 'H' || extract(minute from ?)::int || 'M' || trim_scale(extract(second from ?)) || 'S'`;

const fromPostgres: readonly ColumnType[] = [
  pg('smallint', { ddl: 'smallint', word: 'integer', target: 'int', values: ['-32768', '32767', '0'] }),
  pg('integer', { ddl: 'integer', word: 'integer', target: 'int', values: ['-2147483648', '2147483647', '0', '42'] }),
  pg('bigint', {
    ddl: 'bigint',
    word: 'bigInteger',
    target: 'long',
    values: ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
  }),
  pg('numeric', {
    ddl: 'numeric(20,5)',
    word: 'decimal(20, 5)',
    target: 'decimal',
    values: ['0.1', '-123456789012345.12345', '999999999999999.99999', '0'],
    refused: [`'NaN'`],
  }),
  pg('money', {
    ddl: 'money',
    word: 'decimal(19, 2)',
    target: 'money',
    text: '?::numeric::text',
    values: ['12.34', '-0.01', '92233720368547758.07'],
  }),
  pg('double', {
    ddl: 'double precision',
    word: 'double',
    target: 'double',
    values: ['0.1::float8 + 0.2', '1e300', '-2.5e-300', '0', '9007199254740994'],
  }),
  pg('boolean', { ddl: 'boolean', word: 'flag', target: 'boolean', text: PG_FLAG, values: ['true', 'false'] }),
  pg('date', {
    ddl: 'date',
    word: 'date',
    target: 'date',
    values: [`'0001-01-01'`, `'1900-03-01'`, `'2024-02-29'`, `'9999-12-31'`],
    refused: [`'infinity'`, `'1582-10-10'`],
  }),
  pg('timestamp', {
    ddl: 'timestamp',
    word: `localTime('UTC')`,
    target: 'clock',
    text: PG_CLOCK,
    values: [`'2024-03-31 02:30:00.123456'`, `'1969-12-31 23:59:59.999999'`, `'0001-01-01 00:00:00'`],
    refused: [`'infinity'`],
  }),
  pg('timestamptz', {
    ddl: 'timestamptz',
    word: 'instant',
    target: 'instant',
    text: PG_INSTANT,
    values: [`'2024-03-31 02:30:00.5+00'`, `'2024-10-27 02:30:00+02'`, `'1950-01-01 00:00:00-08'`],
    refused: [`'-infinity'`],
  }),
  pg('time', {
    ddl: 'time',
    word: 'timeOfDay',
    target: 'time',
    text: PG_TIME,
    values: [`'00:00:00'`, `'23:59:59.999999'`],
    refused: [`'24:00:00'`],
  }),
  pg('interval', {
    ddl: 'interval',
    word: 'text',
    target: 'text',
    text: INTERVAL,
    values: [`'1 year 2 mons 3 days 04:05:06.789'`, `'2 mons 10 days 01:00'`, `'3 days'`],
  }),
  pg('text', { ddl: 'text', word: 'text', target: 'text', values: texts(WORDS) }),
  pg('varchar', { ddl: 'varchar(20)', word: 'text', target: 'text', values: texts(SHORT) }),
  pg('char', { ddl: 'char(8)', word: 'trimmed', target: 'text', text: `rtrim(?::text, ' ')`, values: texts(SHORT) }),
  pg('jsonb', {
    ddl: 'jsonb',
    word: 'text',
    target: 'text',
    values: [`'{"a":[1,2.50,null],"b":"表"}'`, `'null'`, `'[]'`],
  }),
  pg('uuid', {
    ddl: 'uuid',
    word: 'uuid',
    target: 'uuid',
    values: [`'00000000-0000-0000-0000-000000000000'`, `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`],
  }),
  pg('bytea', {
    ddl: 'bytea',
    word: 'bytes',
    target: 'bytes',
    text: `encode(?, 'hex')`,
    values: [`'\\x'`, `'\\x00ff415c'`, `'\\xdeadbeef'`],
  }),
  pg('enum', {
    ddl: 'app.mood',
    before: [
      `DO $$ BEGIN CREATE TYPE app.mood AS ENUM ('glad', 'so, so', 'übel'); EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    ],
    word: 'text',
    target: 'text',
    values: [`'glad'`, `'so, so'`, `'übel'`],
  }),
  pg('domain', {
    ddl: 'app.code',
    before: [
      `DO $$ BEGIN CREATE DOMAIN app.code AS varchar(8) CHECK (value <> 'x'); EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
    ],
    word: 'text',
    target: 'text',
    values: texts(['A1', 'b-2', '']),
  }),
  pg('inet', {
    ddl: 'inet',
    word: 'text',
    target: 'text',
    // a cast to text would add the mask
    text: `CASE WHEN ? IS NOT NULL THEN format('%s', ?) END`,
    values: [`'10.0.0.0/8'`, `'::1'`],
  }),
  pg('range', { ddl: 'int4range', word: 'text', target: 'text', values: [`'[1,5)'`, `'empty'`, `'(,)'`] }),
  pg('integers', {
    ddl: 'integer[]',
    word: 'list(integer)',
    target: 'text',
    text: 'array_to_json(?)::text',
    values: [`'{1,-2,2147483647}'`, `'{}'`],
    refused: [`'{1,NULL}'`],
  }),
  pg('texts', {
    ddl: 'text[]',
    word: 'list(text)',
    target: 'text',
    text: 'array_to_json(?)::text',
    values: [`ARRAY['a','b c','表']`, `ARRAY['','NULL','{x}']`, `'{}'`],
  }),
  pg('bits', { ddl: 'bit(10)', word: 'bits(10)', target: 'text', values: [`B'0000000001'`, `B'1111111111'`] }),
];

const fromMariadb: readonly ColumnType[] = [
  my('tinyint', { ddl: 'TINYINT', word: 'integer', target: 'int', values: ['-128', '127', '0'] }),
  my('int', { ddl: 'INT', word: 'integer', target: 'int', values: ['-2147483648', '2147483647', '0'] }),
  my('int-unsigned', { ddl: 'INT UNSIGNED', word: 'bigInteger', target: 'long', values: ['0', '4294967295'] }),
  my('bigint', {
    ddl: 'BIGINT',
    word: 'bigInteger',
    target: 'long',
    values: ['-9223372036854775808', '9223372036854775807', '9007199254740993'],
  }),
  my('bigint-unsigned', {
    ddl: 'BIGINT UNSIGNED',
    word: 'decimal(20, 0)',
    target: 'whole',
    values: ['18446744073709551615', '9223372036854775808', '0'],
  }),
  my('decimal', {
    ddl: 'DECIMAL(20,5)',
    word: 'decimal(20, 5)',
    target: 'decimal',
    values: ['0.1', '-123456789012345.12345', '0'],
  }),
  my('double', {
    ddl: 'DOUBLE',
    word: 'double',
    target: 'double',
    values: ['0.1e0 + 0.2e0', '1e300', '-2.5e-300', '0'],
  }),
  my('flag', { ddl: 'TINYINT(1)', word: 'flag', target: 'boolean', values: ['0', '1'], refused: ['2'] }),
  my('date', {
    ddl: 'DATE',
    word: 'date',
    target: 'date',
    text: `DATE_FORMAT(?, '%Y-%m-%d')`,
    values: [`'1900-03-01'`, `'2024-02-29'`, `'9999-12-31'`],
  }),
  my('datetime', {
    ddl: 'DATETIME(6)',
    word: `localTime('UTC')`,
    target: 'clock',
    text: MY_CLOCK,
    values: [`'2024-03-31 02:30:00.123456'`, `'1969-12-31 23:59:59.999999'`, `'1000-01-01 00:00:00'`],
  }),
  my('timestamp', {
    ddl: 'TIMESTAMP(6) NULL',
    word: 'instant',
    target: 'instant',
    text: MY_CLOCK,
    values: [`'2024-03-31 02:30:00.5'`, `'2024-10-27 01:30:00.000001'`, `'1999-12-31 23:59:59'`],
  }),
  my('time', {
    ddl: 'TIME(6)',
    word: 'timeOfDay',
    target: 'time',
    text: MY_TIME,
    values: [`'00:00:00'`, `'23:59:59.999999'`],
    refused: [`'-01:00:00'`, `'100:00:00'`],
  }),
  my('year', { ddl: 'YEAR', word: 'integer', target: 'int', values: ['1901', '2155'] }),
  my('text', { ddl: 'TEXT', word: 'text', target: 'text', text: '?', values: myTexts(WORDS) }),
  my('varchar', { ddl: 'VARCHAR(20)', word: 'text', target: 'text', text: '?', values: myTexts(SHORT) }),
  my('char', { ddl: 'CHAR(8)', word: 'trimmed', target: 'text', text: '?', values: myTexts(SHORT) }),
  my('latin', {
    ddl: 'VARCHAR(20) CHARACTER SET latin1',
    word: 'text',
    target: 'text',
    text: 'CONVERT(? USING utf8mb4)',
    values: texts(['Zoë', 'ß', 'plain']),
  }),
  my('json', { ddl: 'JSON', word: 'text', target: 'text', text: '?', values: [`'{"a": [1, 2.50, null]}'`, `'null'`] }),
  my('enum', {
    ddl: `ENUM('glad','so so','übel')`,
    word: 'text',
    target: 'text',
    text: '?',
    values: [`'glad'`, `'so so'`, `'übel'`],
  }),
  my('set', { ddl: `SET('a','b','c')`, word: 'text', target: 'text', text: '?', values: [`'a,c'`, `''`, `'b'`] }),
  my('blob', {
    ddl: 'BLOB',
    word: 'bytes',
    target: 'bytes',
    text: 'LOWER(HEX(?))',
    values: [`''`, `x'00ff415c'`, `x'deadbeef'`],
  }),
  my('uuid', {
    ddl: 'UUID',
    word: 'uuid',
    target: 'uuid',
    values: [`'00000000-0000-0000-0000-000000000000'`, `'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'`],
  }),
  my('bit', {
    ddl: 'BIT(10)',
    word: 'bits(10)',
    target: 'text',
    text: `LPAD(BIN(?), 10, '0')`,
    values: [`b'0000000001'`, `b'1111111111'`],
  }),
];

export const TYPES: readonly ColumnType[] = [...fromPostgres, ...fromMariadb];

export function typeNamed(kind: Kind, id: string): ColumnType {
  const found = TYPES.find((type) => type.kind === kind && type.id === id);
  if (found === undefined) throw new Error(`no column type ${id} of ${kind}`);
  return found;
}
