/** What the database's own catalogue says of the tables. */
import { partsOf } from '../../../core/databases/mariadb.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { ColumnShape, ForeignKey, TableShape, UniqueIndex } from '../dialect.ts';

/** One `?` for each table. */
export const columnsSql = (tables: number) => `
SELECT CONCAT(table_schema, '.', table_name), column_name, data_type, column_type, is_nullable = 'YES',
       column_default IS NOT NULL OR extra <> '', numeric_precision, numeric_scale, datetime_precision,
       character_set_name, collation_name, character_maximum_length
FROM information_schema.columns
WHERE CONCAT(table_schema, '.', table_name) IN (${marks(tables)})
ORDER BY 1, ordinal_position`;

/** Indexes of a part of a text are no keys: the last column says whether it is of whole columns. */
export const indexesSql = (tables: number) => `
SELECT CONCAT(table_schema, '.', table_name), index_name,
       GROUP_CONCAT(column_name ORDER BY seq_in_index SEPARATOR '\\n'), MAX(sub_part) IS NULL
FROM information_schema.statistics
WHERE CONCAT(table_schema, '.', table_name) IN (${marks(tables)}) AND non_unique = 0
GROUP BY 1, 2
ORDER BY 1, index_name <> 'PRIMARY', index_name`;

export const foreignKeysSql = (tables: number) => `
SELECT CONCAT(table_schema, '.', table_name), constraint_name,
       CONCAT(referenced_table_schema, '.', referenced_table_name),
       GROUP_CONCAT(column_name ORDER BY ordinal_position SEPARATOR '\\n'),
       GROUP_CONCAT(referenced_column_name ORDER BY ordinal_position SEPARATOR '\\n')
FROM information_schema.key_column_usage
WHERE CONCAT(table_schema, '.', table_name) IN (${marks(tables)}) AND referenced_table_name IS NOT NULL
GROUP BY 1, 2, 3
ORDER BY 1, 2`;

/** Rights of this user and its roles, wherever they were granted; a schema's name may be a pattern there. */
export const PRIVILEGES_SQL = `
SELECT '%', '%', privilege_type FROM information_schema.user_privileges
UNION SELECT table_schema, '%', privilege_type FROM information_schema.schema_privileges
UNION SELECT table_schema, table_name, privilege_type FROM information_schema.table_privileges
UNION SELECT table_schema, table_name, privilege_type FROM information_schema.column_privileges`;

export type MariadbShape = TableShape & {
  /** Unique indexes by name; the primary key is `PRIMARY`. */
  readonly indexes: ReadonlyMap<string, readonly string[]>;
};

type Row = readonly SqlValue[];

function marks(count: number): string {
  return Array(count).fill('?').join(', ');
}
const PRIVILEGES = ['SELECT', 'INSERT', 'UPDATE', 'DELETE'];

export function shapesOf(
  tables: readonly string[],
  found: {
    readonly columns: readonly Row[];
    readonly indexes: readonly Row[];
    readonly foreignKeys: readonly Row[];
    readonly privileges: readonly Row[];
  },
): ReadonlyMap<string, MariadbShape> {
  const shapes = new Map<string, MariadbShape>();
  for (const table of tables) {
    const columns = found.columns.filter(([name]) => name === table);
    if (columns.length === 0) continue;
    const uniqueIndexes = found.indexes.filter(([name]) => name === table).map(uniqueIndex);
    const plain = uniqueIndexes.filter(({ isPlain }) => isPlain);
    const indexes = new Map(plain.map(({ name, columns: list }) => [name, list]));
    shapes.set(table, {
      table,
      columns: new Map(columns.map((row) => [row[1] as string, columnShape(row)])),
      uniqueKeys: [...indexes.values()],
      indexes,
      uniqueIndexes,
      foreignKeys: found.foreignKeys.filter(([name]) => name === table).map(foreignKey),
      missingPrivileges: PRIVILEGES.filter((privilege) => !isGranted(found.privileges, table, privilege)),
    });
  }
  return shapes;
}

function uniqueIndex([, name, columns, isWhole]: Row): UniqueIndex {
  return { name: name as string, columns: (columns as string).split('\n'), isPlain: Boolean(isWhole) };
}

function foreignKey([, name, parent, columns, parentColumns]: Row): ForeignKey {
  return {
    name: name as string,
    parent: parent as string,
    columns: (columns as string).split('\n'),
    parentColumns: (parentColumns as string).split('\n'),
  };
}

function isGranted(rows: readonly Row[], table: string, privilege: string): boolean {
  const [schema, name] = partsOf(table, '');
  return rows.some(
    ([schemaPattern, tableName, type]) =>
      type === privilege && isLike(schema, schemaPattern as string) && (tableName === '%' || tableName === name),
  );
}

/** MariaDB's LIKE: `%`, `_` and a backslash before either. */
function isLike(text: string, pattern: string): boolean {
  const source = pattern.replaceAll(/\\?[\s\S]/g, (part) => {
    if (part === '%') return '.*';
    if (part === '_') return '.';
    return (part.length > 1 ? part.slice(1) : part).replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  });
  return new RegExp(`^${source}$`, 'i').test(text);
}

const KINDS: Readonly<Record<string, ColumnShape['kind']>> = {
  tinyint: 'integer',
  smallint: 'integer',
  mediumint: 'integer',
  int: 'integer',
  bigint: 'integer',
  decimal: 'decimal',
  char: 'text',
  varchar: 'text',
  tinytext: 'text',
  text: 'text',
  mediumtext: 'text',
  longtext: 'text',
  enum: 'text',
  set: 'text',
  binary: 'bytes',
  varbinary: 'bytes',
  tinyblob: 'bytes',
  blob: 'bytes',
  mediumblob: 'bytes',
  longblob: 'bytes',
  date: 'date',
  datetime: 'timestamp',
  timestamp: 'timestamp',
  time: 'time',
  float: 'real',
  double: 'double',
};

/** Types that store a text byte by byte: CHAR loses trailing spaces, BINARY adds zeros, ENUM and SET spell as they were declared. */
const KEPT_AS_SENT = new Set(
  'varchar tinytext text mediumtext longtext varbinary tinyblob blob mediumblob longblob'.split(' '),
);

function columnShape(row: Row): ColumnShape {
  const [
    ,
    name,
    dataType,
    columnType,
    nullable,
    hasDefault,
    precision,
    scale,
    secondDigits,
    charset,
    collation,
    length,
  ] = row;
  const kind = KINDS[dataType as string] ?? 'other';
  const keepsTexts = KEPT_AS_SENT.has(dataType as string);
  return {
    name: name as string,
    kind,
    scale:
      kind === 'timestamp' || kind === 'time'
        ? Number(secondDigits)
        : kind === 'integer'
          ? 0
          : kind === 'decimal'
            ? Number(scale)
            : undefined,
    nullable: Boolean(nullable),
    hasDefault: Boolean(hasDefault),
    sqlType: sqlTypeOf(kind, columnType as string, { precision, scale, secondDigits, charset, collation }),
    binaryCollation: kind === 'text' ? 'utf8mb4_nopad_bin' : undefined,
    lengthMax: length === null || length === undefined ? undefined : Number(length),
    tellsTextsApart: keepsTexts && (kind === 'bytes' || String(collation).endsWith('nopad_bin')),
    keepsTexts,
  };
}

/** The type in CAST and for asked keys: wide enough that nothing is cut, and with the column's collation, so that its index serves. */
function sqlTypeOf(
  kind: ColumnShape['kind'],
  columnType: string,
  parts: Readonly<Record<string, SqlValue | undefined>>,
): string {
  switch (kind) {
    case 'integer':
      return columnType.includes('unsigned') ? 'BIGINT UNSIGNED' : 'BIGINT';
    case 'decimal':
      return `DECIMAL(${parts.precision}, ${parts.scale})`;
    case 'text':
      return `VARCHAR(1000) CHARACTER SET ${parts.charset} COLLATE ${parts.collation}`;
    case 'date':
      return 'DATE';
    case 'timestamp':
      return `DATETIME(${parts.secondDigits})`;
    case 'time':
    case 'real':
    case 'double':
    case 'bytes':
    case 'boolean':
    case 'other':
      return columnType;
  }
}
