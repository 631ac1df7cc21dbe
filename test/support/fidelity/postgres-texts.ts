/** PostgreSQL's texts, bytes, structured types and arrays. */
import {
  bigInteger,
  bytes,
  date,
  decimal,
  double,
  flag,
  instant,
  integer,
  list,
  localTime,
  text,
  trimmed,
  uuid,
} from '../../../core/converters.ts';
import { converted, refused, type TypeCase, value } from './words.ts';

const mangled = refused('COLUMN_MANGLED');
/** The connector leaves the column out. */
const undelivered = refused('COLUMN_MISSING');
const NINES = `${'9'.repeat(35)}.${'9'.repeat(30)}`;
const asBytes = (column: string): Partial<TypeCase> => ({
  text: `${column}::text`,
  kind: 'bytes',
  field: 'bytes',
  convert: bytes,
  word: 'bytes',
});
const wkb = (hex: string) => converted('WKB', hex);

const any = (column: string, type: string, values: TypeCase['values'], more: Partial<TypeCase> = {}): TypeCase => ({
  column,
  type,
  kind: 'text',
  field: 'text',
  convert: text,
  word: 'text',
  values,
  ...more,
});
const array = (
  column: string,
  type: string,
  item: Parameters<typeof list>[0],
  word: string,
  values: TypeCase['values'],
): TypeCase => ({
  column,
  type,
  text: `array_to_json(${column})::text`,
  kind: 'text',
  field: 'json',
  convert: list(item),
  word: `list(${word})`,
  values,
});

const texts: readonly TypeCase[] = [
  any('c_text', 'text', [
    value('empty', `''`),
    value('4-byte characters', `'🧾👩‍👩‍👧龘'`),
    value('combining characters', `U&'e\\0301 Z\\0351\\036b'`),
    value('the same, composed', `'é'`),
    value('right to left', `'עברית العربية'`),
    value('controls', `E'\\t\\n\\r\\x01\\x7f'`),
    value('quotes and backslashes', `'O''Hara "the \\ boss"; {NULL,}'`),
    value('spaces around', `'  a  '`),
    value('last code point', `U&'\\+10FFFF\\FFFD'`),
    value('the word NULL', `'NULL'`),
  ]),
  any('c_varchar', 'varchar(10)', [
    value('empty', `''`),
    value('10 characters of 4 bytes', `'${'🎂'.repeat(10)}'`),
    value('spaces at the end', `'a  '`),
  ]),
  any(
    'c_char',
    'char(6)',
    [
      value('padded', `'ab'`, converted('padding taken off', 'ab')),
      value('blank', `''`, converted('padding taken off', '')),
      value('full', `'abcdef'`),
    ],
    { text: `encode(bpcharsend(c_char), 'escape')`, convert: trimmed, word: 'trimmed' },
  ),
  any('c_char_kept', 'char(6), padding kept', [value('padded', `'ab'`), value('full', `'abcdef'`)], {
    ddl: 'char(6)',
    text: `encode(bpcharsend(c_char_kept), 'escape')`,
  }),
  any('c_name', 'name', [value('63 bytes', `'${'n'.repeat(63)}'`, mangled)]),
  any('c_onechar', '"char"', [value('letter', `'x'`)]),
  any('c_citext', 'citext', [value('both cases', `'MiXed Straße'`)]),
  any('c_xml', 'xml', [value('document', `'<a b="1">x &amp; y</a>'`)]),
  any(
    'c_json',
    'json',
    [
      value('order, blanks and doubles kept', `'{"b": 1,  "a": 2, "b": 3}'`),
      value('big numbers', `'{"n": 9007199254740993, "d": 0.1000000000000000055511151231257827, "e": 1e400}'`),
      value('the JSON null', `'null'`),
    ],
    { kind: 'json', field: 'json' },
  ),
  any(
    'c_jsonb',
    'jsonb',
    [
      value('big numbers', `'{"n": 9007199254740993, "d": 0.1000000000000000055511151231257827, "e": 1e40}'`),
      value('4-byte characters', `'{"a": "🧾\\u0001"}'`),
      value('the JSON null', `'null'`),
    ],
    { kind: 'json', field: 'json' },
  ),
  {
    column: 'c_uuid',
    type: 'uuid',
    kind: 'uuid',
    field: 'uuid',
    convert: uuid,
    word: 'uuid',
    values: [
      value('upper case', `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`),
      value('zero', `'00000000-0000-0000-0000-000000000000'`),
    ],
  },
  {
    column: 'c_bytea',
    type: 'bytea',
    kind: 'bytes',
    field: 'bytes',
    convert: bytes,
    word: 'bytes',
    values: [
      value('empty', `''`),
      value(
        'bytes 0 to 255',
        `decode('${Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('hex')}', 'hex')`,
      ),
      value('NUL', `'\\x00'`),
    ],
  },
  any('c_enum', 'enum', [value('word', `'happy 🎉'`), value('word with comma', `'a,b'`)], { ddl: 'fid.mood' }),
  any('c_domain', 'domain over varchar(8)', [value('word', `'AB-12'`)], { ddl: 'fid.code' }),
  {
    column: 'c_domain_numeric',
    type: 'domain over numeric(12,2)',
    ddl: 'fid.amount',
    kind: 'number',
    field: 'decimal',
    convert: decimal(65, 30),
    word: 'decimal(65, 30)',
    values: [value('largest', '9999999999.99')],
  },
];

const structured: readonly TypeCase[] = [
  any(
    'c_inet',
    'inet',
    [value('network', `'10.0.0.1/8'`), value('host', `'10.0.0.1'`), value('IPv6', `'2001:db8::1/64'`)],
    { text: `format('%s', c_inet)` },
  ),
  any('c_cidr', 'cidr', [value('network', `'10.0.0.0/8'`)]),
  any('c_macaddr', 'macaddr', [value('address', `'08:00:2b:01:02:03'`)]),
  any('c_macaddr8', 'macaddr8', [value('address', `'08:00:2b:01:02:03:04:05'`)]),
  any('c_ltree', 'ltree', [value('path', `'Top.Science.Astronomy'`)]),
  any('c_hstore', 'hstore', [
    value(
      'pairs',
      `'"a"=>"1", "b"=>NULL, "c\\"d"=>"é"'`,
      converted('JSON, keys in order', '{"a":"1","b":null,"c\\"d":"é"}'),
    ),
  ]),
  any('c_int4range', 'int4range', [
    value('half open', `'[1,5)'`),
    value('empty', `'empty'`),
    value('no bounds', `'(,)'`),
  ]),
  any('c_int8range', 'int8range', [value('wide', `'[-9223372036854775808,9223372036854775807)'`)]),
  any('c_numrange', 'numrange', [value('fine', `'[0.1000000000000000055511151231257827,1e30]'`)]),
  any('c_tsrange', 'tsrange', [value('day', `'[2017-01-01 00:00:00.000001,2017-01-02)'`)]),
  any('c_tstzrange', 'tstzrange', [value('day', `'[2017-01-01 00:00:00.000001+05:45,2017-01-02)'`)]),
  any('c_daterange', 'daterange', [
    value('days', `'[2017-01-01,2017-01-02]'`),
    value('infinite', `'[-infinity,infinity]'`),
  ]),
  any('c_int4multirange', 'int4multirange', [value('two', `'{[1,3),[5,8)}'`, undelivered)]),
  any('c_point', 'point', [value('fractions', `'(0.1,-0)'`, wkb('01010000009a9999999999b93f0000000000000080'))], {
    text: 'c_point::text',
    kind: 'bytes',
    field: 'bytes',
    convert: bytes,
    word: 'bytes',
  }),
  any('c_line', 'line', [value('line', `'{1,2,3}'`, refused('VALUE_TYPE'))]),
  any('c_lseg', 'lseg', [value('segment', `'[(0,0),(1,1)]'`, refused('SHAPE_AMBIGUOUS'))], asBytes('c_lseg')),
  any(
    'c_box',
    'box',
    [
      value(
        'box',
        `'(1,1),(0,0)'`,
        wkb(
          '01030000000100000005000000000000000000f03f000000000000f03f000000000000f03f0000000000000000000000000000000000000000000000000000000000000000000000000000f03f000000000000f03f000000000000f03f',
        ),
      ),
    ],
    asBytes('c_box'),
  ),
  any(
    'c_path',
    'path',
    [
      value('open', `'[(0,0),(1,1)]'`, refused('SHAPE_AMBIGUOUS')),
      value('closed', `'((0,0),(1,1))'`, refused('SHAPE_AMBIGUOUS')),
    ],
    asBytes('c_path'),
  ),
  any(
    'c_polygon',
    'polygon',
    [
      value(
        'polygon',
        `'((0,0),(1,1),(1,0))'`,
        wkb(
          '0103000000010000000400000000000000000000000000000000000000000000000000f03f000000000000f03f000000000000f03f000000000000000000000000000000000000000000000000',
        ),
      ),
    ],
    asBytes('c_polygon'),
  ),
  any('c_circle', 'circle', [value('circle', `'<(0,0),1>'`, refused('VALUE_TYPE'))]),
  any('c_tsvector', 'tsvector', [value('words', `'a:1A fat:2B,4C'`)]),
  any('c_tsquery', 'tsquery', [value('query', `'fat & rat'`, undelivered)]),
  any('c_pg_lsn', 'pg_lsn', [value('position', `'16/B374D848'`, undelivered)]),
  any('c_jsonpath', 'jsonpath', [value('path', `'$.a[*]'`, undelivered)]),
  any('c_composite', 'composite', [value('pair', `ROW(1,'x')`, undelivered)], { ddl: 'fid.pair' }),
];

const arrays: readonly TypeCase[] = [
  array('c_int_array', 'integer[]', integer, 'integer', [
    value('extremes', `'{2147483647,-2147483648}'`),
    value('with NULL', `'{1,NULL}'`, refused('LIST_NULL')),
    value('empty', `'{}'`),
    value('two dimensions', `'{{1,2},{3,4}}'`, refused('LIST_NULL')),
  ]),
  array('c_smallint_array', 'smallint[]', integer, 'integer', [value('extremes', `'{-32768,32767}'`)]),
  array('c_bigint_array', 'bigint[]', bigInteger, 'bigInteger', [
    value('extremes', `'{-9223372036854775808,9223372036854775807}'`),
  ]),
  array('c_text_array', 'text[]', text, 'text', [
    value('hard ones', `ARRAY['', 'NULL', 'a,b', '{}', '"', '\\', '🧾']`),
  ]),
  {
    ...array('c_text_grid', 'text[], two dimensions', text, 'text', [
      value('grid', `ARRAY[['a','b'],['c','d']]`, refused('LIST_NESTED')),
    ]),
    ddl: 'text[]',
  },
  array('c_varchar_array', 'varchar(5)[]', text, 'text', [value('words', `ARRAY['ab', 'cd ']`)]),
  array('c_char_array', 'char(3)[]', trimmed, 'trimmed', [
    value('padded', `ARRAY['ab']`, converted('padding taken off', '["ab"]')),
  ]),
  array('c_bool_array', 'boolean[]', flag, 'flag', [value('all', `'{t,f}'`)]),
  array('c_numeric_array', 'numeric(65,30)[]', decimal(65, 30), 'decimal(65, 30)', [
    value('65 digits', `ARRAY[${NINES}]`, converted('JSON, decimals as text', `["${NINES}"]`)),
  ]),
  array('c_real_array', 'real[]', double, 'double', [
    value('fractions', `'{0.5,1e-45}'`, converted('JSON, as double precision', '[0.5,1.401298464324817e-45]')),
  ]),
  array('c_double_array', 'double precision[]', double, 'double', [value('fractions', `'{0.1,1e-300}'`)]),
  array('c_date_array', 'date[]', date, 'date', [
    value('days', `'{0001-01-01,1582-10-04,9999-12-31}'`),
    value('in the gap of 1582', `'{1582-10-10}'`, refused('DATE_AMBIGUOUS')),
  ]),
  array('c_timestamp_array', 'timestamp[]', localTime('UTC'), `localTime('UTC')`, [
    value('microseconds', `'{2017-03-12 02:30:00.123456}'`, converted('JSON, µs since 1970', '[1489285800123456]')),
  ]),
  array('c_timestamptz_array', 'timestamptz[]', instant, 'instant', [
    value('microseconds', `'{2017-03-12 02:30:00.123456+05}'`, converted('JSON, µs since 1970', '[1489267800123456]')),
  ]),
  array('c_time_array', 'time[]', text, 'text', [value('microseconds', `'{02:30:00.123456}'`, mangled)]),
  array('c_uuid_array', 'uuid[]', uuid, 'uuid', [value('one', `'{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'`)]),
  array('c_json_array', 'json[]', text, 'text', [
    value('one', `ARRAY['{"a": 1}']::json[]`, converted('JSON, items as text', '["{\\"a\\": 1}"]')),
  ]),
  array('c_jsonb_array', 'jsonb[]', text, 'text', [
    value('one', `ARRAY['{"a": 1}']::jsonb[]`, converted('JSON, items as text', '["{\\"a\\": 1}"]')),
  ]),
  array('c_bytea_array', 'bytea[]', text, 'text', [value('one', `ARRAY['\\x00ff']::bytea[]`, refused('VALUE_TYPE'))]),
  array('c_inet_array', 'inet[]', text, 'text', [value('one', `'{10.0.0.1/8}'`)]),
  {
    ...array('c_enum_array', 'enum[]', text, 'text', [value('one', `ARRAY['happy 🎉']::fid.mood[]`)]),
    ddl: 'fid.mood[]',
  },
  array('c_int4range_array', 'int4range[]', text, 'text', [value('one', `ARRAY['[1,5)']::int4range[]`)]),
  array('c_interval_array', 'interval[]', text, 'text', [value('one', `ARRAY['1 month']::interval[]`, undelivered)]),
  array('c_money_array', 'money[]', decimal(65, 2), 'decimal(65, 2)', [
    value('one', `ARRAY['1.50']::money[]`, undelivered),
  ]),
  array('c_oid_array', 'oid[]', bigInteger, 'bigInteger', [
    value('largest', `'{4294967295}'`, converted('JSON numbers', '[4294967295]')),
  ]),
];

const generated: readonly TypeCase[] = [
  {
    column: 'c_stored',
    type: 'generated column, stored',
    ddl: 'bigint GENERATED ALWAYS AS (c_base * 2) STORED',
    writeTo: 'c_base',
    kind: 'number',
    field: 'long',
    convert: bigInteger,
    word: 'bigInteger',
    values: [value('twice', '21', { stream: undelivered })],
  },
  {
    column: 'c_virtual',
    type: 'generated column, virtual',
    ddl: 'bigint GENERATED ALWAYS AS (c_base * 3) VIRTUAL',
    writeTo: 'c_base',
    kind: 'number',
    field: 'long',
    convert: bigInteger,
    word: 'bigInteger',
    values: [value('thrice', '21', { stream: undelivered })],
  },
];

export const others: readonly TypeCase[] = [...texts, ...structured, ...arrays, ...generated];
