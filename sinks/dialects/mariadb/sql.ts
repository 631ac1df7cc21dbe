/** SQL texts over any table: one `?` for each value of a row, run for all rows by the bulk protocol. */
import { quoteName, quoteTable } from '../../../core/databases/mariadb.ts';
import { InvariantError } from '../../../core/errors.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { Advance, ColumnShape, TableShape, Values } from '../dialect.ts';

/** `columns`: which column each `?` stands for. */
export type Built = { readonly text: string; readonly columns: readonly Values[] };

export function columnOf(shape: TableShape, column: string): ColumnShape {
  const found = shape.columns.get(column);
  if (found !== undefined) return found;
  throw new InvariantError({ code: 'COLUMN_UNKNOWN', message: `${shape.table} has no column "${column}"` });
}

/** A text is compared with a number as two doubles, so that 9007199254740993 equals …992: the text is cast first. */
function compared(shape: TableShape, column: string): string {
  const { kind, sqlType } = columnOf(shape, column);
  return kind === 'decimal' || kind === 'date' || kind === 'timestamp' ? `CAST(? AS ${sqlType})` : '?';
}

function matches(shape: TableShape, values: readonly Values[]): string {
  return values.map(({ column }) => `t.${quoteName(column)} = ${compared(shape, column)}`).join(' AND ');
}

/** The usual collations take `a` for `A` and for `a `. */
function differs(shape: TableShape, column: string): string {
  const { binaryCollation } = columnOf(shape, column);
  const name = `t.${quoteName(column)}`;
  const left = binaryCollation === undefined ? name : `CONVERT(${name} USING utf8mb4) COLLATE ${binaryCollation}`;
  return `NOT (${left} <=> ${compared(shape, column)})`;
}

export function insertSql(shape: TableShape, columns: readonly Values[], clock: string | undefined): Built {
  const names = columns.map((one) => quoteName(one.column));
  const marks = columns.map(() => '?');
  if (clock !== undefined) {
    names.push(quoteName(clock));
    marks.push('NOW(6)');
  }
  return {
    text: `INSERT INTO ${quoteTable(shape.table)} (${names.join(', ')}) VALUES (${marks.join(', ')})`,
    columns,
  };
}

/** Only where no other unique index could be hit: see `upsertIsSafe`. InnoDB writes no row that stays the same. */
export function upsertSql(
  shape: TableShape,
  request: { key: readonly Values[]; columns: readonly Values[]; onInsert: readonly Values[]; clock?: string },
): Built {
  const { key, columns, onInsert, clock } = request;
  const insert = insertSql(shape, [...key, ...columns, ...onInsert], clock);
  const assignments = columns.map(({ column }) => `${quoteName(column)} = VALUES(${quoteName(column)})`);
  if (clock !== undefined) assignments.push(`${quoteName(clock)} = NOW(6)`);
  const first = quoteName((key[0] as Values).column);
  const change = assignments.length === 0 ? `${first} = ${first}` : assignments.join(', ');
  return { text: `${insert.text}\nON DUPLICATE KEY UPDATE ${change}`, columns: insert.columns };
}

/**
 * An upsert has no condition here, so a row that is no news makes the whole statement fail: NULL for a column that has none.
 * The position comes first, since assignments are done in order and the guard needs what was there.
 */
export function advanceSql(shape: TableShape, { key, columns, clock, leavesDeleted = false }: Advance): Built {
  const insert = insertSql(shape, [...key, ...columns], clock);
  const t = quoteTable(shape.table);
  const others = columns.filter(({ column }) => column !== 'position').map(({ column }) => quoteName(column));
  const assignments = [
    `position = IF(NOT ${leavesDeleted ? `${t}.deleted` : `(${t}.deleted AND VALUES(deleted))`} AND (${t}.position < VALUES(position)
  OR (${t}.position = VALUES(position) AND NOT ((${t}.hash, ${t}.deleted) = (VALUES(hash), VALUES(deleted))))), VALUES(position), NULL)`,
    ...others.map((name) => `${name} = VALUES(${name})`),
    `${quoteName(clock)} = NOW(6)`,
  ];
  return { text: `${insert.text}\nON DUPLICATE KEY UPDATE ${assignments.join(', ')}`, columns: insert.columns };
}

export function updateSql(
  shape: TableShape,
  request: { match: readonly Values[]; set: readonly Values[]; onlyIfDifferent: boolean; clock?: string },
): Built {
  const { match, set, onlyIfDifferent, clock } = request;
  const assignments = set.map(({ column }) => `${quoteName(column)} = ?`);
  if (clock !== undefined) assignments.push(`${quoteName(clock)} = NOW(6)`);
  const changed = onlyIfDifferent ? ` AND (${set.map(({ column }) => differs(shape, column)).join(' OR ')})` : '';
  return {
    text: `UPDATE ${quoteTable(shape.table)} AS t SET ${assignments.join(', ')}\nWHERE ${matches(shape, match)}${changed}`,
    columns: [...set, ...match, ...(onlyIfDifferent ? set : [])],
  };
}

/** Amounts are cast: a text would be added as a double. */
export function addSql(shape: TableShape, key: readonly Values[], delta: Values, insertMissing: boolean): Built {
  const total = quoteName(delta.column);
  if (insertMissing) {
    const insert = insertSql(shape, [...key, delta], undefined);
    const text = `${insert.text}\nON DUPLICATE KEY UPDATE ${total} = COALESCE(${total}, 0) + VALUES(${total})`;
    return { text, columns: insert.columns };
  }
  const text = `UPDATE ${quoteTable(shape.table)} AS t
SET ${total} = COALESCE(t.${total}, 0) + CAST(? AS DECIMAL(65, 20))
WHERE ${matches(shape, key)}`;
  return { text, columns: [delta, ...key] };
}

export function removeSql(shape: TableShape, match: readonly Values[]): Built {
  const where = match.map(({ column }) => `${quoteName(column)} = ${compared(shape, column)}`).join(' AND ');
  return { text: `DELETE FROM ${quoteTable(shape.table)} WHERE ${where}`, columns: match };
}

/**
 * The asked keys go in as one JSON text and come out as a table. The index is named: a scan would wait for rows that other
 * workers have locked.
 */
export function lookupSql(
  shape: TableShape,
  match: readonly Values[],
  columns: readonly string[],
  options: { readonly lock: boolean; readonly index: string | undefined },
): string {
  const asked = match.map(
    ({ column }, index) => `c${index} ${askedType(columnOf(shape, column))} PATH '$[${index}]' ERROR ON ERROR`,
  );
  const equal = match.map(
    ({ column }, index) => `t.${quoteName(column)} = ${askedValue(columnOf(shape, column), index)}`,
  );
  const selected = columns.map((column) => `, t.${quoteName(column)}`).join('');
  const force = options.index === undefined ? '' : ` FORCE INDEX (${quoteName(options.index)})`;
  return `SELECT u.n${selected}
FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY, ${asked.join(', ')})) AS u
STRAIGHT_JOIN ${quoteTable(shape.table)} AS t${force} ON ${equal.join(' AND ')}${options.lock ? '\nFOR UPDATE' : ''}`;
}

const SPELLING = 'CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin';

/** Each asked key goes in once for the column's own comparison, and once as the text that it is. */
export function storedKeysSql(
  shape: TableShape,
  match: readonly Values[],
  options: { readonly onlyRespelled: boolean; readonly index: string | undefined },
): string {
  const asked = match.flatMap(({ column }, index) => [
    `c${index} ${askedType(columnOf(shape, column))} PATH '$[${index}]' ERROR ON ERROR`,
    `s${index} VARCHAR(4000) ${SPELLING} PATH '$[${index}]' ERROR ON ERROR`,
  ]);
  const equal = match.map(
    ({ column }, index) => `t.${quoteName(column)} = ${askedValue(columnOf(shape, column), index)}`,
  );
  const stored = match.map(({ column }) => storedText(columnOf(shape, column)));
  const respelled = stored.map((text, index) => `NOT (${text} COLLATE utf8mb4_nopad_bin <=> u.s${index})`).join(' OR ');
  const force = options.index === undefined ? '' : ` FORCE INDEX (${quoteName(options.index)})`;
  return `SELECT u.n, ${stored.join(', ')}
FROM JSON_TABLE(?, '$[*]' COLUMNS (n FOR ORDINALITY, ${asked.join(', ')})) AS u
STRAIGHT_JOIN ${quoteTable(shape.table)} AS t${force} ON ${equal.join(' AND ')}${options.onlyRespelled ? `\nWHERE ${respelled}` : ''}`;
}

/** Bytes as the hexadecimal digits in which they were asked for. */
function storedText({ name, kind }: ColumnShape): string {
  const column = `t.${quoteName(name)}`;
  return kind === 'bytes' ? `CONVERT(LOWER(HEX(${column})) USING utf8mb4)` : `CONVERT(${column} USING utf8mb4)`;
}

/** Types that MariaDB has as plugins: JSON_TABLE does not parse their names. */
const PLUGIN_TYPE = /^(uuid|inet4|inet6)$/i;

function askedType({ kind, sqlType }: ColumnShape): string {
  return kind === 'bytes' || PLUGIN_TYPE.test(sqlType) ? 'VARCHAR(4000) CHARACTER SET ascii' : sqlType;
}

function askedValue({ kind, sqlType }: ColumnShape, index: number): string {
  if (kind === 'bytes') return `UNHEX(u.c${index})`;
  return PLUGIN_TYPE.test(sqlType) ? `CAST(u.c${index} AS ${sqlType})` : `u.c${index}`;
}

/** JSON has no 64-bit integers and no bytes: both travel as text. */
export function askedJson(match: readonly Values[]): string {
  const rows = (match[0]?.values ?? []).map((_, row) => match.map(({ values }) => jsonValue(values[row] as SqlValue)));
  return JSON.stringify(rows);
}

function jsonValue(value: SqlValue): string | number | null {
  if (value === null || typeof value === 'number') return value;
  if (typeof value === 'boolean') return value ? 1 : 0;
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value.toString();
}
