/** MariaDB's texts, bytes and geometries. */
import { bytes, text, trimmed, uuid } from '../../../core/converters.ts';
import { converted, refused, type TypeCase, value } from './words.ts';

const HEX_0_TO_255 = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte)).toString('hex');
const nul = { postgres: refused('TEXT_NUL') };

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

const texts: readonly TypeCase[] = [
  any(
    'c_varchar',
    'VARCHAR utf8mb4',
    [
      value('empty', `''`),
      value('4-byte characters', `'🧾👩‍👩‍👧龘'`),
      value('combining characters', `CONVERT(x'65CC815ACD91CDAB' USING utf8mb4)`),
      value('NUL', `CONVERT(x'610062' USING utf8mb4)`, nul),
      value('controls', `'\\t\\n\\r\\Z'`),
      value('quotes and backslashes', `'O''Hara "the \\\\ boss"; {NULL,}'`),
      value('spaces around', `'  a  '`),
      value('the word NULL', `'NULL'`),
    ],
    { ddl: 'VARCHAR(100) CHARACTER SET utf8mb4' },
  ),
  any('c_char', 'CHAR utf8mb4', [value('short', `'ab'`), value('spaces in front', `'  ab'`), value('empty', `''`)], {
    ddl: 'CHAR(6) CHARACTER SET utf8mb4',
    // the server pads what this test itself reads
    text: 'RTRIM(c_char)',
    convert: trimmed,
    word: 'trimmed',
  }),
  any('c_char_latin1', 'CHAR latin1', [value('euro and umlauts', `'€äß'`)], {
    ddl: 'CHAR(6) CHARACTER SET latin1',
    text: 'RTRIM(c_char_latin1)',
  }),
  any(
    'c_varchar_latin1',
    'VARCHAR latin1',
    [
      value('euro and umlauts', `'€äß'`),
      value('bytes 81 and 8D', `CONVERT(x'818D' USING latin1)`, { stream: refused('TEXT_UNDECODABLE') }),
    ],
    { ddl: 'VARCHAR(20) CHARACTER SET latin1' },
  ),
  any('c_varchar_ucs2', 'VARCHAR ucs2', [value('CJK', `'王小明'`), value('empty', `''`)], {
    ddl: 'VARCHAR(20) CHARACTER SET ucs2',
  }),
  any('c_varchar_utf16', 'VARCHAR utf16', [value('emoji', `'🧾'`)], { ddl: 'VARCHAR(20) CHARACTER SET utf16' }),
  any('c_varchar_utf32', 'VARCHAR utf32', [value('emoji', `'🧾'`)], { ddl: 'VARCHAR(20) CHARACTER SET utf32' }),
  any('c_varchar_utf8', 'VARCHAR utf8mb3', [value('CJK', `'王小明'`)], { ddl: 'VARCHAR(20) CHARACTER SET utf8mb3' }),
  any('c_varchar_gbk', 'VARCHAR gbk', [value('CJK', `'王小明'`)], { ddl: 'VARCHAR(20) CHARACTER SET gbk' }),
  any('c_varchar_sjis', 'VARCHAR sjis', [value('kana', `'カナ表'`)], {
    ddl: 'VARCHAR(20) CHARACTER SET sjis',
  }),
  any('c_varchar_cp1251', 'VARCHAR cp1251', [value('Cyrillic', `'Привет'`)], {
    ddl: 'VARCHAR(20) CHARACTER SET cp1251',
  }),
  any('c_varchar_latin2', 'VARCHAR latin2', [value('Czech', `'žluťoučký'`)], {
    ddl: 'VARCHAR(20) CHARACTER SET latin2',
  }),
  any('c_tinytext', 'TINYTEXT', [value('empty', `''`), value('emoji', `'🎂'`)], {
    ddl: 'TINYTEXT CHARACTER SET utf8mb4',
  }),
  any('c_text', 'TEXT', [value('emoji', `'🎂'`), value('65,535 bytes', `REPEAT('x', 65535)`)], {
    ddl: 'TEXT CHARACTER SET utf8mb4',
  }),
  any('c_text_latin1', 'TEXT latin1', [value('euro and umlauts', `'€äß'`)], { ddl: 'TEXT CHARACTER SET latin1' }),
  any('c_mediumtext', 'MEDIUMTEXT', [value('emoji', `'🎂'`)], { ddl: 'MEDIUMTEXT CHARACTER SET utf8mb4' }),
  any('c_longtext', 'LONGTEXT', [value('300,000 characters', `REPEAT('é🎂x', 100000)`)], {
    ddl: 'LONGTEXT CHARACTER SET utf8mb4',
  }),
  any('c_enum', 'ENUM', [value('word', `'b c'`), value('invalid, stored as empty', `'none of these'`)], {
    ddl: `ENUM('a','b c','é王')`,
  }),
  any(
    'c_enum_odd',
    'ENUM with a comma, a question mark or a 4-byte character in a label',
    [value('any', `'a'`, refused('COLUMN_MANGLED')), value('4-byte character', `'🎉'`, refused('COLUMN_MANGLED'))],
    { ddl: `ENUM('a','d,''e','🎉')` },
  ),
  any('c_set', 'SET', [value('two', `'x,z'`), value('none', `''`), value('all', `'x,y,z'`)], {
    ddl: `SET('x','y','z')`,
  }),
  any(
    'c_json',
    'JSON',
    [
      value('big numbers', `'{"n": 9007199254740993, "d": 0.10000000000000000555, "b": 1,  "a": 2}'`),
      value('4-byte characters', `'{"a": "🧾"}'`),
      value('the JSON null', `'null'`),
    ],
    { kind: 'json', field: 'json' },
  ),
];

const binaries: readonly TypeCase[] = [
  {
    column: 'c_binary',
    type: 'BINARY(4)',
    kind: 'bytes',
    field: 'bytes',
    convert: bytes,
    word: 'bytes',
    values: [
      value('padded by the database', `x'6162'`),
      value('zeros', `x'00000000'`),
      value('ending in 00', `x'61626300'`),
    ],
  },
  {
    column: 'c_varbinary',
    type: 'VARBINARY(300)',
    kind: 'bytes',
    field: 'bytes',
    convert: bytes,
    word: 'bytes',
    values: [value('empty', `''`), value('bytes 0 to 255', `x'${HEX_0_TO_255}'`), value('ending in 00', `x'6100'`)],
  },
  ...(['TINYBLOB', 'BLOB', 'MEDIUMBLOB', 'LONGBLOB'] as const).map(
    (type): TypeCase => ({
      column: `c_${type.toLowerCase()}`,
      type,
      kind: 'bytes',
      field: 'bytes',
      convert: bytes,
      word: 'bytes',
      values: [value('bytes 0 to 250', `x'${HEX_0_TO_255.slice(0, 500)}'`), value('empty', `''`)],
    }),
  ),
  {
    column: 'c_uuid',
    type: 'UUID',
    kind: 'uuid',
    field: 'uuid',
    convert: uuid,
    word: 'uuid',
    values: [value('one', `'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'`)],
  },
];

const wkb = (column: string) => `LOWER(HEX(ST_AsBinary(${column})))`;
const geometry = (column: string, type: string, sql: string): TypeCase => ({
  column,
  type,
  text: wkb(column),
  kind: 'bytes',
  field: 'bytes',
  convert: bytes,
  word: 'bytes',
  values: [value('shape', sql)],
});

const geometries: readonly TypeCase[] = [
  geometry('c_point', 'POINT', 'POINT(0.1, 2)'),
  {
    ...geometry('c_point_srid', 'POINT with a reference system', ''),
    ddl: 'POINT',
    values: [
      value(
        '4326',
        `ST_GeomFromText('POINT(1.5 2)', 4326)`,
        converted('EWKB: the reference system inside', '0101000020e6100000000000000000f83f0000000000000040'),
      ),
    ],
  },
  geometry('c_linestring', 'LINESTRING', `ST_GeomFromText('LINESTRING(0 0, 1 1)')`),
  geometry('c_polygon', 'POLYGON', `ST_GeomFromText('POLYGON((0 0, 1 1, 1 0, 0 0))')`),
  geometry('c_multipoint', 'MULTIPOINT', `ST_GeomFromText('MULTIPOINT(0 0, 1 1)')`),
  geometry('c_multilinestring', 'MULTILINESTRING', `ST_GeomFromText('MULTILINESTRING((0 0, 1 1))')`),
  geometry('c_multipolygon', 'MULTIPOLYGON', `ST_GeomFromText('MULTIPOLYGON(((0 0, 1 1, 1 0, 0 0)))')`),
  geometry('c_collection', 'GEOMETRYCOLLECTION', `ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1))')`),
  geometry('c_geometry', 'GEOMETRY', `ST_GeomFromText('POINT(3 4)')`),
];

export const others: readonly TypeCase[] = [...texts, ...binaries, ...geometries];
