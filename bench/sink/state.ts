/** The state of a target before a round: kept once as copies of its tables, put back before every round. */
import type { BenchDatabase } from '../support/bench-database.ts';
import { cents, type Expected } from './changes.ts';
import { columnsOf, TABLE, tableSql, type Width } from './shape.ts';

const SCHEMAS = ['seam', 'shop'];
const COPY_PREFIX = 'copy_';

export async function makeTable(database: BenchDatabase, width: Width): Promise<void> {
  await database.query(`DROP TABLE IF EXISTS ${TABLE}`);
  await database.query(tableSql(database.dialect, width, TABLE));
}

/** All of Seam's own tables, whatever they are by then, and the target's. */
async function tables({ query }: BenchDatabase): Promise<{ full: string; copy: string }[]> {
  const rows = await query<{ s: string; t: string }>(
    `SELECT table_schema AS s, table_name AS t FROM information_schema.tables
     WHERE table_type = 'BASE TABLE' AND table_schema IN (${SCHEMAS.map((name) => `'${name}'`).join(', ')})`,
  );
  return rows.map(({ s, t }) => ({ full: `${s}.${t}`, copy: `bench.${COPY_PREFIX}${s}_${t}` }));
}

export async function clear(database: BenchDatabase): Promise<void> {
  for (const { full } of await tables(database)) await database.query(`TRUNCATE TABLE ${full}`);
}

export async function rowsIn({ query }: BenchDatabase, tables: Iterable<string>): Promise<number> {
  let found = 0;
  for (const table of tables) {
    const [row] = await query<{ n: string }>(`SELECT count(*) AS n FROM ${table}`);
    found += Number(row?.n);
  }
  return found;
}

export async function keep(database: BenchDatabase): Promise<void> {
  for (const { full, copy } of await tables(database)) {
    await database.query(`DROP TABLE IF EXISTS ${copy}`);
    await database.query(`CREATE TABLE ${copy} AS SELECT * FROM ${full}`);
  }
}

export async function putBack(database: BenchDatabase): Promise<void> {
  const { dialect, query } = database;
  const overriding = dialect === 'postgres' ? ' OVERRIDING SYSTEM VALUE' : '';
  if (dialect === 'mariadb') {
    // a round that failed may have left its transaction open
    await query('ROLLBACK');
    await query('SET SESSION sql_log_bin = 0');
  }
  for (const { full, copy } of await tables(database)) {
    await query(`TRUNCATE TABLE ${full}`);
    await query(`INSERT INTO ${full}${overriding} SELECT * FROM ${copy}`);
  }
  if (dialect === 'mariadb') {
    await query('SET SESSION sql_log_bin = 1');
    return;
  }
  // what a checkpoint or a vacuum costs belongs to the round that made the rows, not to the next one
  for (const { full } of await tables(database)) await query(`VACUUM (ANALYZE) ${full}`);
  await query('CHECKPOINT');
}

const LIST = (place: string, partitions: number) =>
  Array.from({ length: partitions }, (_, partition) => `'${place}-${partition}'`).join(', ');

export async function hasBegun({ query }: BenchDatabase, partitions: number, table = TABLE): Promise<boolean> {
  return (await query(`SELECT 1 FROM ${table} WHERE sale_id IN (${LIST('first', partitions)}) LIMIT 1`)).length > 0;
}

/** One of the partitions. */
export async function hasEnded({ query }: BenchDatabase, partitions: number, table = TABLE): Promise<boolean> {
  return (await query(`SELECT 1 FROM ${table} WHERE sale_id IN (${LIST('last', partitions)}) LIMIT 1`)).length > 0;
}

/** All of them. */
export async function isThrough({ query }: BenchDatabase, partitions: number, table = TABLE): Promise<boolean> {
  return (await query(`SELECT 1 FROM ${table} WHERE sale_id IN (${LIST('last', partitions)})`)).length === partitions;
}

/** By content: every column of every row goes in. Markers are left out, since a ceiling needs none. */
export async function digest(
  database: BenchDatabase,
  width: Width,
): Promise<{ rows: number; amountCents: number; hash: string }> {
  const names = columnsOf(width).map(({ name }) => name);
  const text =
    database.dialect === 'postgres'
      ? `('x' || substr(md5(concat_ws('|', ${names.map((name) => `coalesce(${name}::text, '~')`).join(', ')})), 1, 15))::bit(60)::bigint`
      : `CAST(CONV(SUBSTR(MD5(CONCAT_WS('|', ${names.map((name) => `COALESCE(${name}, '~')`).join(', ')})), 1, 15), 16, 10) AS UNSIGNED)`;
  const [row] = await database.query<{ n: unknown; a: unknown; h: unknown }>(
    `SELECT COUNT(*) AS n, COALESCE(SUM(amount), 0) AS a, COALESCE(SUM(${text}), 0) AS h
     FROM ${TABLE} WHERE sale_id NOT LIKE 'first-%' AND sale_id NOT LIKE 'last-%'`,
  );
  return { rows: Number(row?.n), amountCents: cents(String(row?.a)), hash: String(row?.h) };
}

/** One for all contestants of a case: the first right answer is what the others are compared with. */
export class Answers {
  readonly #expected: Expected;
  #hash: string | undefined;

  constructor(expected: Expected) {
    this.#expected = expected;
  }

  async check(database: BenchDatabase, width: Width): Promise<void> {
    const found = await digest(database, width);
    const { rows, amountCents } = this.#expected;
    if (found.rows !== rows || found.amountCents !== amountCents) {
      throw new Error(`wrong answer: ${found.rows} rows of ${rows}, amount ${found.amountCents} of ${amountCents}`);
    }
    this.#hash ??= found.hash;
    if (found.hash !== this.#hash) throw new Error('wrong answer: columns differ from those that others wrote');
  }
}
