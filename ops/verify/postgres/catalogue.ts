/** Columns of one table, with their types: domains are followed to what they stand for. */
import type pg from 'pg';
import { partsOf } from '../../../core/databases/postgres.ts';
import type { ColumnType } from './values.ts';

export type CatalogueColumn = {
  readonly name: string;
  readonly type: ColumnType;
  /** As SQL names it, without length or precision. */
  readonly sqlType: string;
};

/** In their order; empty where the table is not there, or not to be seen. */
export async function columnsOf(client: pg.Client, table: string): Promise<CatalogueColumn[]> {
  const { rows } = await client.query(COLUMNS, partsOf(table, 'public') as string[]);
  return rows.map((row) => {
    const item =
      row.item_name === null ? undefined : typeOf(row.item_schema, row.item_name, row.item_kind, -1, undefined);
    return {
      name: row.name,
      type: typeOf(row.schema, row.type_name, row.kind, row.modifier, item),
      sqlType: row.sql_type,
    };
  });
}

function typeOf(
  schema: string,
  name: string,
  kind: string,
  modifier: number,
  item: ColumnType | undefined,
): ColumnType {
  return { schema, name, kind, modifier, item };
}

/** Names of the tables of a schema. */
export async function tablesOf(client: pg.Client, schema: string): Promise<string[]> {
  const { rows } = await client.query(
    'SELECT c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1',
    [schema],
  );
  return rows.map(({ name }) => name as string);
}

const BASE = (oid: string, modifier: string) => `(
    WITH RECURSIVE base(oid, modifier) AS (
      SELECT ${oid}, ${modifier}
      UNION ALL SELECT t.typbasetype, t.typtypmod FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid WHERE t.typtype = 'd')
    SELECT t.oid, n.nspname, t.typname, t.typtype::text, t.typcategory::text, t.typelem, b.modifier
      FROM base b JOIN pg_catalog.pg_type t ON t.oid = b.oid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
     WHERE t.typtype <> 'd')`;

const COLUMNS = `
SELECT a.attname AS name, b.nspname AS schema, b.typname AS type_name, b.typtype AS kind, b.modifier,
       format_type(a.atttypid, -1) AS sql_type, e.nspname AS item_schema, e.typname AS item_name, e.typtype AS item_kind
  FROM pg_catalog.pg_attribute a
  JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
 CROSS JOIN LATERAL ${BASE('a.atttypid', 'a.atttypmod')} b
  LEFT JOIN LATERAL ${BASE('b.typelem', '-1')} e ON b.typcategory = 'A'
 WHERE n.nspname = $1 AND c.relname = $2 AND a.attnum > 0 AND NOT a.attisdropped
 ORDER BY a.attnum`;
