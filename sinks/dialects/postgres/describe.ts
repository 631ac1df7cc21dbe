/** What the database's own catalogue says of the tables. */
import type { ColumnShape, ForeignKey, TableShape, UniqueIndex } from '../dialect.ts';

export const COLUMNS_SQL = `
SELECT u.row::int4, a.attname::text, quote_ident(tn.nspname) || '.' || quote_ident(ty.typname),
       coalesce(base.typname, ty.typname)::text, CASE WHEN ty.typtype = 'd' THEN ty.typtypmod ELSE a.atttypmod END,
       a.attnotnull, a.atthasdef OR a.attidentity <> '',
       coalesce(NOT co.collisdeterministic, false), ty.typarray = 0
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(schema_name, table_name, row)
JOIN pg_namespace n ON n.nspname = u.schema_name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = u.table_name AND c.relkind IN ('r', 'p', 'v')
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN pg_type ty ON ty.oid = a.atttypid
JOIN pg_namespace tn ON tn.oid = ty.typnamespace
LEFT JOIN pg_type base ON ty.typtype = 'd' AND base.oid = ty.typbasetype
LEFT JOIN pg_collation co ON co.oid = a.attcollation
ORDER BY u.row, a.attnum`;

export const TABLES_SQL = `
SELECT u.row::int4,
       has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'SELECT'),
       has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'INSERT'),
       has_schema_privilege(n.oid, 'USAGE') AND has_any_column_privilege(c.oid, 'UPDATE'),
       has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'DELETE'),
       coalesce((SELECT json_agg((SELECT json_agg(a.attname ORDER BY k.place)
                                  FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(number, place)
                                  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
                                  WHERE k.place <= i.indnkeyatts))
                 FROM pg_index i
                 WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid AND i.indimmediate
                   AND i.indpred IS NULL AND i.indexprs IS NULL), '[]')::text,
       coalesce((SELECT json_agg(json_build_object(
                   'name', ic.relname,
                   'isPlain', i.indpred IS NULL AND i.indexprs IS NULL AND coalesce(to_jsonb(i) ->> 'indnullsnotdistinct', 'false') = 'false',
                   'columns', (SELECT json_agg(DISTINCT a.attname) FROM pg_attribute a
                               WHERE a.attrelid = c.oid AND a.attnum > 0
                                 AND (a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
                                   OR EXISTS (SELECT FROM pg_depend d WHERE d.classid = 'pg_class'::regclass
                                     AND d.objid = i.indexrelid AND d.refclassid = 'pg_class'::regclass
                                     AND d.refobjid = c.oid AND d.refobjsubid = a.attnum
                                     AND (i.indpred IS NOT NULL OR i.indexprs IS NOT NULL)))))
                   ORDER BY i.indisprimary DESC, ic.relname)
                 FROM pg_index i JOIN pg_class ic ON ic.oid = i.indexrelid
                 WHERE i.indrelid = c.oid AND i.indisunique AND i.indisvalid), '[]')::text,
       coalesce((SELECT json_agg(json_build_object(
                   'name', f.conname, 'parent', pn.nspname || '.' || pc.relname,
                   'columns', (SELECT json_agg(a.attname ORDER BY k.place)
                               FROM unnest(f.conkey) WITH ORDINALITY AS k(number, place)
                               JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = k.number),
                   'parentColumns', (SELECT json_agg(a.attname ORDER BY k.place)
                                     FROM unnest(f.confkey) WITH ORDINALITY AS k(number, place)
                                     JOIN pg_attribute a ON a.attrelid = f.confrelid AND a.attnum = k.number))
                   ORDER BY f.conname)
                 FROM pg_constraint f JOIN pg_class pc ON pc.oid = f.confrelid
                 JOIN pg_namespace pn ON pn.oid = pc.relnamespace
                 WHERE f.conrelid = c.oid AND f.contype = 'f'), '[]')::text
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS u(schema_name, table_name, row)
JOIN pg_namespace n ON n.nspname = u.schema_name
JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = u.table_name AND c.relkind IN ('r', 'p', 'v')`;

export type ColumnRow = readonly [number, string, string, string, number, boolean, boolean, boolean, boolean];
export type TableRow = readonly [number, boolean, boolean, boolean, boolean, string, string, string];

export function tableShape(table: string, row: TableRow, columnRows: readonly ColumnRow[]): TableShape {
  const [, select, insert, update, remove, uniqueKeys, uniqueIndexes, foreignKeys] = row;
  const allowed = { SELECT: select, INSERT: insert, UPDATE: update, DELETE: remove };
  return {
    table,
    columns: new Map(columnRows.map((column) => [column[1], columnShape(column)])),
    uniqueKeys: JSON.parse(uniqueKeys) as string[][],
    uniqueIndexes: JSON.parse(uniqueIndexes) as UniqueIndex[],
    foreignKeys: JSON.parse(foreignKeys) as ForeignKey[],
    missingPrivileges: Object.entries(allowed)
      .filter(([, isAllowed]) => !isAllowed)
      .map(([name]) => name),
  };
}

const KINDS: Readonly<Record<string, ColumnShape['kind']>> = {
  int2: 'integer',
  int4: 'integer',
  int8: 'integer',
  numeric: 'decimal',
  text: 'text',
  varchar: 'text',
  bpchar: 'text',
  citext: 'text',
  bytea: 'bytes',
  bool: 'boolean',
  date: 'date',
  timestamp: 'timestamp',
  timestamptz: 'timestamp',
  time: 'time',
  float4: 'real',
  float8: 'double',
};

/** Types whose `=` is missing or takes different contents for equal. */
const COMPARED_AS_TEXT = new Set([
  'json',
  'xml',
  'citext',
  'point',
  'box',
  'polygon',
  'circle',
  'path',
  'lseg',
  'line',
]);

/** Types that store a text byte by byte, and compare it so where their collation does: bpchar pads, citext folds, numeric and uuid rewrite. */
const KEPT_AS_SENT = new Set(['text', 'varchar', 'bytea']);

function columnShape(row: ColumnRow): ColumnShape {
  const [, name, sqlType, baseType, typeModifier, isNotNull, hasDefault, isNondeterministic, isArray] = row;
  return {
    name,
    kind: KINDS[baseType] ?? 'other',
    scale: scaleOf(baseType, typeModifier),
    nullable: !isNotNull,
    hasDefault,
    sqlType,
    isArray,
    binaryCollation: isNondeterministic || COMPARED_AS_TEXT.has(baseType) ? 'C' : undefined,
    lengthMax: LENGTH_TYPES.has(baseType) && typeModifier >= 4 ? typeModifier - 4 : undefined,
    tellsTextsApart: !isNondeterministic && KEPT_AS_SENT.has(baseType),
    keepsTexts: KEPT_AS_SENT.has(baseType),
  };
}

/** Their type modifier is the length, plus 4. */
const LENGTH_TYPES = new Set(['varchar', 'bpchar']);

/** A type modifier of numeric holds precision << 16 | scale, plus 4; the scale has 11 bits and a sign. */
function scaleOf(baseType: string, typeModifier: number): number | undefined {
  switch (baseType) {
    case 'int2':
    case 'int4':
    case 'int8':
      return 0;
    case 'numeric':
      return typeModifier < 0 ? undefined : (((typeModifier - 4) & 2047) ^ 1024) - 1024;
    case 'time':
    case 'timestamp':
    case 'timestamptz':
      return typeModifier < 0 ? 6 : typeModifier;
    default:
      return undefined;
  }
}
