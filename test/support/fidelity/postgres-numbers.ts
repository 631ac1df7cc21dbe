/** PostgreSQL's numbers, booleans and bits. */
import { bigInteger, bits, decimal, double, flag, integer, text } from '../../../core/converters.ts';
import { converted, refused, type TypeCase, value } from './words.ts';

/** Refused by its type, whatever the value. */
const mangled = refused('COLUMN_MANGLED');
const NINES = (digits: number) => '9'.repeat(digits);

const integers: readonly TypeCase[] = [
  {
    column: 'c_smallint',
    type: 'smallint, smallserial',
    ddl: 'smallint',
    kind: 'number',
    field: 'integer',
    convert: integer,
    word: 'integer',
    values: [value('smallest', '-32768'), value('largest', '32767'), value('zero', '0')],
  },
  {
    column: 'c_integer',
    type: 'integer, serial',
    ddl: 'integer',
    kind: 'number',
    field: 'integer',
    convert: integer,
    word: 'integer',
    values: [value('smallest', '-2147483648'), value('largest', '2147483647')],
  },
  {
    column: 'c_bigint',
    type: 'bigint, bigserial',
    ddl: 'bigint',
    kind: 'number',
    field: 'long',
    convert: bigInteger,
    word: 'bigInteger',
    values: [
      value('smallest', '-9223372036854775808'),
      value('largest', '9223372036854775807'),
      value('above 2^53', '9007199254740993'),
    ],
  },
  {
    column: 'c_oid',
    type: 'oid',
    kind: 'number',
    field: 'long',
    convert: bigInteger,
    word: 'bigInteger',
    values: [value('largest', '4294967295'), value('zero', '0')],
  },
];

const decimals: readonly TypeCase[] = [
  {
    column: 'c_numeric_65_30',
    type: 'numeric(65,30)',
    kind: 'number',
    field: 'decimal',
    convert: decimal(65, 30),
    word: 'decimal(65, 30)',
    values: [
      value('65 digits', `${NINES(35)}.${NINES(30)}`),
      value('65 digits, negative', `-${NINES(35)}.${NINES(30)}`),
      value('smallest step', `0.${'0'.repeat(29)}1`),
      value('zero', '0'),
      value('0.1 + 0.2', '0.1 + 0.2'),
      value('NaN', `'NaN'`, refused('DECIMAL_INVALID')),
    ],
  },
  {
    column: 'c_numeric_65_0',
    type: 'numeric(65)',
    kind: 'number',
    field: 'whole',
    convert: decimal(65, 0),
    word: 'decimal(65, 0)',
    values: [
      value('65 digits', NINES(65)),
      value('unsigned 64-bit', '18446744073709551615'),
      value('2^53 + 1', '9007199254740993'),
    ],
  },
  {
    column: 'c_numeric_20_0',
    type: 'numeric(20)',
    kind: 'number',
    field: 'whole',
    convert: decimal(65, 0),
    word: 'decimal(65, 0)',
    values: [value('20 digits', NINES(20)), value('negative', `-${NINES(20)}`)],
  },
  {
    column: 'c_numeric',
    type: 'numeric',
    kind: 'number',
    field: 'decimal',
    convert: decimal(65, 30),
    word: 'decimal(65, 30)',
    values: [
      value('own scale', '1.10'),
      value('very small', '1e-30'),
      value('large with fraction', '123456789012345678901234567890.123456789'),
      value('finer than the field', '1e-31', refused('DECIMAL_SCALE')),
      value('larger than the field', '1e35', refused('DECIMAL_PRECISION')),
      value('NaN', `'NaN'`, refused('DECIMAL_INVALID')),
      value('infinity', `'infinity'`, refused('DECIMAL_INVALID')),
      value('minus infinity', `'-infinity'`, refused('DECIMAL_INVALID')),
    ],
  },
  {
    column: 'c_numeric_neg',
    type: 'numeric(5,-2)',
    kind: 'number',
    field: 'decimal',
    convert: decimal(65, 30),
    word: 'decimal(65, 30)',
    values: [value('hundreds', '9999900')],
  },
  {
    column: 'c_money',
    type: 'money',
    text: 'c_money::numeric::text',
    kind: 'number',
    field: 'money',
    convert: decimal(19, 2),
    word: 'decimal(19, 2)',
    values: [
      value('cents', `'-12.34'`),
      value('thousands', `'1234567.89'`),
      value('largest', `'92233720368547758.07'`),
      value('smallest', `'-92233720368547758.08'`),
      value('above 2^53 cents', `'90071992547409.93'`),
    ],
  },
];

const floats: readonly TypeCase[] = [
  {
    column: 'c_real',
    type: 'real',
    kind: 'real',
    field: 'double',
    convert: double,
    word: 'double',
    values: [
      value('one tenth', '0.1'),
      value('largest', '3.4028235e38'),
      value('smallest', '1e-45'),
      value('2^24 + 1', '16777217'),
      value('NaN', `'NaN'`, { mariadb: refused('NUMBER_NOT_FINITE') }),
      value('infinity', `'infinity'`, { mariadb: refused('NUMBER_NOT_FINITE') }),
      value('minus zero', `'-0'`, { mariadb: converted('zero loses its sign', '0') }),
    ],
  },
  {
    column: 'c_double',
    type: 'double precision',
    kind: 'double',
    field: 'double',
    convert: double,
    word: 'double',
    values: [
      value('0.1 + 0.2', '0.1::float8 + 0.2::float8'),
      value('largest', '1.7976931348623157e308'),
      value('smallest', '5e-324'),
      value('2^53 + 2', '9007199254740994'),
      value('NaN', `'NaN'`, { mariadb: refused('NUMBER_NOT_FINITE') }),
      value('infinity', `'infinity'`, { mariadb: refused('NUMBER_NOT_FINITE') }),
      value('minus infinity', `'-infinity'`, { mariadb: refused('NUMBER_NOT_FINITE') }),
      value('minus zero', `'-0'`, { mariadb: converted('zero loses its sign', '0') }),
    ],
  },
];

const booleansAndBits: readonly TypeCase[] = [
  {
    column: 'c_boolean',
    type: 'boolean',
    kind: 'boolean',
    field: 'boolean',
    convert: flag,
    word: 'flag',
    values: [value('true', 'true'), value('false', 'false')],
  },
  {
    column: 'c_bit',
    type: 'bit(1)',
    kind: 'text',
    field: 'text',
    convert: bits(1),
    word: 'bits(1)',
    values: [value('one', `B'1'`), value('zero', `B'0'`)],
  },
  {
    column: 'c_bit_10',
    type: 'bit(10)',
    kind: 'text',
    field: 'text',
    convert: bits(10),
    word: 'bits(10)',
    values: [
      value('lowest', `B'0000000001'`),
      value('highest', `B'1000000000'`),
      value('none', `B'0000000000'`),
      value('all', `B'1111111111'`),
    ],
  },
  {
    column: 'c_bit_64',
    type: 'bit(64)',
    kind: 'text',
    field: 'text',
    convert: bits(64),
    word: 'bits(64)',
    values: [value('all', `B'${'1'.repeat(64)}'`), value('mixed', `B'${'10'.repeat(31)}01'`)],
  },
  {
    column: 'c_varbit',
    type: 'bit varying(10)',
    kind: 'text',
    field: 'text',
    convert: text,
    word: 'none',
    values: [
      value('leading zeros', `B'0001'`, mangled),
      value('full', `B'1111111111'`, mangled),
      value('empty', `B''`, mangled),
    ],
  },
];

export const numbers: readonly TypeCase[] = [...integers, ...decimals, ...floats, ...booleansAndBits];
