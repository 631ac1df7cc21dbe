/** SQL texts over any table: sets of rows go in as one array for each column. */
import { quoteName, quoteTable } from '../../../core/databases/postgres.ts';
import { InvariantError } from '../../../core/errors.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { Advance, ColumnShape, TableShape, Values } from '../dialect.ts';

/** One array parameter for each of `values`: columns of `shape`. */
export type Built = { readonly text: string; readonly shape: TableShape; readonly values: readonly Values[] };

export function columnOf(shape: TableShape, column: string): ColumnShape {
  const found = shape.columns.get(column);
  if (found !== undefined) return found;
  throw new InvariantError({ code: 'COLUMN_UNKNOWN', message: `${shape.table} has no column "${column}"` });
}

/**
 * The row's columns are named c0, c1, …: names of the table would be ambiguous. Each array is wrapped in a SELECT, so that
 * the planner can't count its elements: it then takes the index, where a count of 2,000 makes it scan a table of 100,000.
 */
function rows(shape: TableShape, values: readonly Values[], isNumbered = false): string {
  const columns = values.map(({ column }) => columnOf(shape, column));
  const arrays = columns.map(
    ({ isArray, sqlType }, index) => `(SELECT $${index + 1}::${isArray ? 'text' : sqlType}[])`,
  );
  const row = isNumbered ? ', row' : '';
  const from = `unnest(${arrays.join(', ')})${isNumbered ? ' WITH ORDINALITY' : ''}`;
  if (!columns.some(({ isArray }) => isArray)) return `${from} AS u(${names(values)}${row})`;
  const cast = columns.map(({ isArray, sqlType }, index) =>
    isArray ? `c${index}::${sqlType} AS c${index}` : `c${index}`,
  );
  return `(SELECT ${cast.join(', ')}${row} FROM ${from} AS r(${names(values)}${row})) AS u`;
}

function names(values: readonly Values[], first = 0): string {
  return values.map((_, index) => `c${first + index}`).join(', ');
}

function matches(values: readonly Values[], first = 0): string {
  return values.map((one, index) => `t.${quoteName(one.column)} = u.c${first + index}`).join(' AND ');
}

/** `=` of some types doesn't tell all differences, or doesn't exist: those compare as text. */
function differs(shape: TableShape, column: string, right: string): string {
  const asText = columnOf(shape, column).binaryCollation === undefined ? '' : '::text COLLATE "C"';
  return `t.${quoteName(column)}${asText} IS DISTINCT FROM ${right}${asText}`;
}

export function lookupSql(
  shape: TableShape,
  match: readonly Values[],
  columns: readonly string[],
  lock: boolean,
): Built {
  const selected = columns.map((column) => `, t.${quoteName(column)}`).join('');
  const text = `SELECT u.row::int4${selected}
FROM ${rows(shape, match, true)}
JOIN ${quoteTable(shape.table)} AS t ON ${matches(match)}${lock ? '\nORDER BY u.row FOR UPDATE OF t' : ''}`;
  return { text, shape, values: match };
}

/** The asked keys travel as texts: a value that was cast before would have lost its spelling. */
export function storedKeysSql(shape: TableShape, match: readonly Values[], onlyRespelled: boolean): Built {
  const stored = match.map(({ column }) => `t.${quoteName(column)}::text COLLATE "C"`);
  const equal = match.map(
    ({ column }, index) => `t.${quoteName(column)} = u.c${index}::${columnOf(shape, column).sqlType}`,
  );
  const respelled = stored.map((text, index) => `${text} <> u.c${index} COLLATE "C"`).join(' OR ');
  const texts = textShape(shape, match);
  const text = `SELECT u.row::int4, ${stored.join(', ')}
FROM ${rows(texts, match, true)}
JOIN ${quoteTable(shape.table)} AS t ON ${equal.join(' AND ')}${onlyRespelled ? `\nWHERE ${respelled}` : ''}`;
  return { text, shape: texts, values: match.map(({ column, values }) => ({ column, values: values.map(sentText) })) };
}

function textShape(shape: TableShape, columns: readonly Values[]): TableShape {
  const asText = (column: ColumnShape): ColumnShape => ({ ...column, kind: 'text', sqlType: 'text', isArray: false });
  return { ...shape, columns: new Map(columns.map(({ column }) => [column, asText(columnOf(shape, column))])) };
}

function sentText(value: SqlValue): SqlValue {
  if (value === null) return null;
  return value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : String(value);
}

export function insertSql(shape: TableShape, columns: readonly Values[], clock: string | undefined): Built {
  const target = columns.map((one) => quoteName(one.column)).join(', ');
  const text = `INSERT INTO ${quoteTable(shape.table)} AS t (${target}${clock === undefined ? '' : `, ${quoteName(clock)}`})
SELECT ${names(columns)}${clock === undefined ? '' : ', clock_timestamp()'}
FROM ${rows(shape, columns)}`;
  return { text, shape, values: columns };
}

export function upsertSql(
  shape: TableShape,
  request: { key: readonly Values[]; columns: readonly Values[]; onInsert: readonly Values[]; clock?: string },
): Built {
  const { key, columns, onInsert, clock } = request;
  const insert = insertSql(shape, [...key, ...columns, ...onInsert], clock);
  const conflict = key.map((one) => quoteName(one.column)).join(', ');
  if (columns.length === 0) return { ...insert, text: `${insert.text}\nON CONFLICT (${conflict}) DO NOTHING` };
  const assignments = columns.map((one) => `${quoteName(one.column)} = excluded.${quoteName(one.column)}`);
  if (clock !== undefined) assignments.push(`${quoteName(clock)} = excluded.${quoteName(clock)}`);
  const changed = columns.map((one) => differs(shape, one.column, `excluded.${quoteName(one.column)}`)).join(' OR ');
  const text = `${insert.text}
ON CONFLICT (${conflict}) DO UPDATE SET ${assignments.join(', ')}${clock === undefined ? `\nWHERE ${changed}` : ''}`;
  return { text, shape, values: insert.values };
}

/** Counts what it wrote; a row without a deleting transaction (xmax) was not there before. */
export function advanceSql(shape: TableShape, { key, columns, clock, leavesDeleted = false }: Advance): Built {
  const insert = insertSql(shape, [...key, ...columns], clock);
  const conflict = key.map((one) => quoteName(one.column)).join(', ');
  const assignments = [...columns.map((one) => one.column), clock].map(
    (name) => `${quoteName(name)} = excluded.${quoteName(name)}`,
  );
  const text = `WITH written AS (
${insert.text}
ON CONFLICT (${conflict}) DO UPDATE SET ${assignments.join(', ')}
WHERE NOT ${leavesDeleted ? 't.deleted' : '(t.deleted AND excluded.deleted)'} AND (t.position < excluded.position
  OR (t.position = excluded.position AND (t.hash, t.deleted) IS DISTINCT FROM (excluded.hash, excluded.deleted)))
RETURNING t.xmax = 0 AND NOT t.deleted AS is_added)
SELECT count(*)::int4, count(*) FILTER (WHERE is_added)::int4 FROM written`;
  return { text, shape, values: insert.values };
}

export function updateSql(
  shape: TableShape,
  request: { match: readonly Values[]; set: readonly Values[]; onlyIfDifferent: boolean; clock?: string },
): Built {
  const { match, set, onlyIfDifferent, clock } = request;
  const values = [...match, ...set];
  const value = (index: number) => `u.c${match.length + index}`;
  const assignments = set.map((one, index) => `${quoteName(one.column)} = ${value(index)}`);
  if (clock !== undefined) assignments.push(`${quoteName(clock)} = clock_timestamp()`);
  const changed = set.map((one, index) => differs(shape, one.column, value(index))).join(' OR ');
  const text = `UPDATE ${quoteTable(shape.table)} AS t SET ${assignments.join(', ')}
FROM ${rows(shape, values)}
WHERE ${matches(match)}${onlyIfDifferent ? ` AND (${changed})` : ''}`;
  return { text, shape, values };
}

export function addSql(shape: TableShape, key: readonly Values[], delta: Values, insertMissing: boolean): Built {
  const total = quoteName(delta.column);
  const values = [...key, delta];
  if (insertMissing) {
    const insert = insertSql(shape, values, undefined);
    const conflict = key.map((one) => quoteName(one.column)).join(', ');
    return {
      text: `${insert.text}
ON CONFLICT (${conflict}) DO UPDATE SET ${total} = coalesce(t.${total}, 0) + excluded.${total}`,
      shape,
      values,
    };
  }
  const text = `UPDATE ${quoteTable(shape.table)} AS t SET ${total} = coalesce(t.${total}, 0) + u.c${key.length}
FROM ${rows(shape, values)}
WHERE ${matches(key)}`;
  return { text, shape, values };
}

export function removeSql(shape: TableShape, match: readonly Values[]): Built {
  const text = `DELETE FROM ${quoteTable(shape.table)} AS t
USING ${rows(shape, match)}
WHERE ${matches(match)}`;
  return { text, shape, values: match };
}
