/**
 * The ceiling: the same rows under the same guard, taken from a table in the database itself. No client, no network, no
 * Avro: what the database alone can do with these statements.
 */
import type { DialectName } from '../../core/target.ts';
import type { BenchDatabase } from '../support/bench-database.ts';
import type { Figures } from '../support/result.ts';
import { type Change, fieldsOf } from './changes.ts';
import { metaOf } from './fill.ts';
import { measured } from './round.ts';
import { columnsOf, KEY, sqlType, TABLE, tableSql, type Width } from './shape.ts';

const STAGED_ROWS_PER_STATEMENT = 500;
/** Rows of one transaction: as many as our sink writes in one. */
const BATCH_ROWS = 2_000;
const LEDGER = 'bench.ledger';
const STAGE = 'bench.stage';

export async function stage(database: BenchDatabase, changes: readonly Change[], width: Width): Promise<void> {
  const { dialect, query } = database;
  const bytes = dialect === 'postgres' ? 'bytea' : 'VARBINARY(64)';
  const columns = columnsOf(width);
  const described = columns.map((one) => `${one.name} ${sqlType(dialect, one)}`);
  const keyColumn =
    dialect === 'postgres' ? 'k text COLLATE "C"' : 'k VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin';
  await query(`DROP TABLE IF EXISTS ${STAGE}`);
  await query(
    `CREATE TABLE ${STAGE} (n bigint PRIMARY KEY, ${keyColumn}, position ${bytes}, hash ${bytes}, gone boolean, ${described.join(', ')})`,
  );
  for (let from = 0; from < changes.length; from += STAGED_ROWS_PER_STATEMENT) {
    const part = changes.slice(from, from + STAGED_ROWS_PER_STATEMENT);
    const rows = part.map((change, index) => stagedRow(change, from + index, width, dialect));
    await query(`INSERT INTO ${STAGE} VALUES ${rows.join(', ')}`);
  }
  if (dialect === 'postgres') await query(`VACUUM (ANALYZE) ${STAGE}`);
}

function stagedRow(change: Change, index: number, width: Width, dialect: DialectName): string {
  const fields = fieldsOf(change, width);
  const position = Buffer.from(metaOf(change, index + 1).position).toString('hex');
  const hash = position.slice(-32).padStart(32, 'a');
  const bytes = (hex: string) => (dialect === 'postgres' ? `'\\x${hex}'` : `x'${hex}'`);
  const cells = columnsOf(width).map(({ field, kind }) => {
    const value = fields[field] ?? null;
    if (value === null) return 'NULL';
    if (kind === 'time')
      return `'${new Date(Number((value as bigint) / 1_000n)).toISOString().replace('Z', '').replace('T', ' ')}'`;
    return kind === 'int' ? String(value) : `'${String(value)}'`;
  });
  const key = `${change.line.basketId}|${change.line.lineNumber}`;
  return `(${[index + 1, `'${key}'`, bytes(position), bytes(hash), String(change.gone), ...cells].join(', ')})`;
}

/** The ledger as our sink had it after the base; `guarded` has its guard in the row instead. */
export async function makeCeilingTables(database: BenchDatabase, base: readonly Change[], width: Width): Promise<void> {
  const { dialect, query } = database;
  for (const table of [LEDGER, GUARDED]) await query(`DROP TABLE IF EXISTS ${table}`);
  await query(dialect === 'postgres' ? LEDGER_POSTGRES : LEDGER_MARIADB);
  await query(tableSql(dialect, width, GUARDED, true));
  for (const copy of [LEDGER_COPY, GUARDED_COPY]) await query(`DROP TABLE IF EXISTS ${copy}`);
  await stage(database, base, width);
  const names = columnsOf(width).map(({ name }) => name);
  const old = dialect === 'postgres' ? `'\\x00'::bytea` : `x'00'`;
  const nil = dialect === 'postgres' ? 'clock_timestamp()' : 'NOW(6)';
  await query(
    `CREATE TABLE ${LEDGER_COPY} AS SELECT 'sale-line' AS entity, k, ${old} AS position, hash, false AS deleted, 0 AS hops, true AS seam_wrote, 0 AS commit_time_us, ${nil} AS applied_at FROM ${STAGE}`,
  );
  await query(`CREATE TABLE ${GUARDED_COPY} AS SELECT ${names.join(', ')}, ${old} AS position FROM ${STAGE}`);
}

const GUARDED = 'bench.sale_line_guarded';
const LEDGER_COPY = 'bench.ledger_copy';
const GUARDED_COPY = 'bench.guarded_copy';

const LEDGER_POSTGRES = `CREATE TABLE ${LEDGER} (
  entity text COLLATE "C" NOT NULL, k text COLLATE "C" NOT NULL, position bytea NOT NULL, hash bytea NOT NULL, deleted boolean NOT NULL,
  hops integer NOT NULL, seam_wrote boolean NOT NULL, commit_time_us bigint NOT NULL, applied_at timestamptz NOT NULL, PRIMARY KEY (entity, k)
) WITH (fillfactor = 90)`;
const LEDGER_MARIADB = `CREATE TABLE ${LEDGER} (
  entity VARCHAR(60) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL, k VARCHAR(500) CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin NOT NULL,
  position VARBINARY(64) NOT NULL, hash VARBINARY(64) NOT NULL, deleted TINYINT NOT NULL, hops INT NOT NULL, seam_wrote TINYINT NOT NULL,
  commit_time_us BIGINT NOT NULL, applied_at DATETIME(6) NOT NULL, PRIMARY KEY (entity, k)) ENGINE = InnoDB`;

async function putCeilingBack({ dialect, query }: BenchDatabase): Promise<void> {
  if (dialect === 'mariadb') {
    // a round that failed may have left its transaction open
    await query('ROLLBACK');
    await query('SET SESSION sql_log_bin = 0');
  }
  for (const [table, copy] of [
    [LEDGER, LEDGER_COPY],
    [GUARDED, GUARDED_COPY],
  ] as const) {
    await query(`TRUNCATE TABLE ${table}`);
    await query(`INSERT INTO ${table} SELECT * FROM ${copy}`);
    if (dialect === 'postgres') await query(`VACUUM (ANALYZE) ${table}`);
  }
  if (dialect === 'mariadb') await query('SET SESSION sql_log_bin = 1');
}

/** Ledger beside the rows, one transaction for each batch. */
export async function ledgerCeiling(database: BenchDatabase, records: number, width: Width): Promise<Figures> {
  await putCeilingBack(database);
  const apply = database.dialect === 'postgres' ? applyPostgres : applyMariadb;
  return measured(database, records, () => apply(database, records, width));
}

async function applyPostgres({ query }: BenchDatabase, records: number, width: Width): Promise<void> {
  const names = columnsOf(width).map(({ name }) => name);
  const set = names.filter((name) => !KEY.includes(name)).map((name) => `${name} = excluded.${name}`);
  await query(`DO $$ DECLARE b bigint := 0; BEGIN WHILE b < ${records} LOOP
    WITH batch AS MATERIALIZED (SELECT DISTINCT ON (k) * FROM ${STAGE} WHERE n > b AND n <= b + ${BATCH_ROWS} ORDER BY k, n DESC),
    newer AS (INSERT INTO ${LEDGER} AS l
      SELECT 'sale-line', k, position, hash, gone, 0, true, 0, clock_timestamp() FROM batch
      ON CONFLICT (entity, k) DO UPDATE SET position = excluded.position, hash = excluded.hash, deleted = excluded.deleted, applied_at = excluded.applied_at
      WHERE l.position < excluded.position RETURNING k),
    removed AS (DELETE FROM ${TABLE} t USING batch, newer WHERE batch.k = newer.k AND batch.gone
      AND t.sale_id = batch.sale_id AND t.line_number = batch.line_number)
    INSERT INTO ${TABLE} (${names.join(', ')}) SELECT ${names.join(', ')} FROM batch WHERE NOT gone AND k IN (SELECT k FROM newer)
      ON CONFLICT (${KEY.join(', ')}) DO UPDATE SET ${set.join(', ')};
    b := b + ${BATCH_ROWS}; COMMIT; END LOOP; END $$`);
}

/** As our sink does it: what is no news makes the statement fail, which no change of this comparison is. */
async function applyMariadb({ query }: BenchDatabase, records: number, width: Width): Promise<void> {
  const names = columnsOf(width).map(({ name }) => name);
  const set = names.filter((name) => !KEY.includes(name)).map((name) => `${name} = VALUES(${name})`);
  for (let from = 0; from < records; from += BATCH_ROWS) {
    const range = `s.n > ${from} AND s.n <= ${from + BATCH_ROWS}`;
    await query('START TRANSACTION');
    await query(`INSERT INTO ${LEDGER} SELECT 'sale-line', s.k, s.position, s.hash, s.gone, 0, 1, 0, NOW(6) FROM ${STAGE} s WHERE ${range} ORDER BY s.n
      ON DUPLICATE KEY UPDATE position = IF(ledger.position < VALUES(position), VALUES(position), NULL), hash = VALUES(hash), deleted = VALUES(deleted),
      applied_at = VALUES(applied_at)`);
    await query(
      `DELETE t FROM ${STAGE} s JOIN ${TABLE} t ON t.sale_id = s.sale_id AND t.line_number = s.line_number WHERE ${range} AND s.gone`,
    );
    await query(`INSERT INTO ${TABLE} (${names.join(', ')}) SELECT ${names.join(', ')} FROM ${STAGE} s WHERE ${range} AND NOT s.gone ORDER BY s.n
      ON DUPLICATE KEY UPDATE ${set.join(', ')}`);
    await query('COMMIT');
  }
}

/** Guard in the row: what a store of our own could do. Not for deletes, which need a place to keep their position. */
export async function rowGuardCeiling(database: BenchDatabase, records: number, width: Width): Promise<Figures> {
  await putCeilingBack(database);
  const { dialect, query } = database;
  const names = [...columnsOf(width).map(({ name }) => name), 'position'];
  const columns = names.filter((name) => !KEY.includes(name));
  if (dialect === 'postgres') {
    const set = columns.map((name) => `${name} = excluded.${name}`);
    return measured(database, records, async () => {
      await query(`DO $$ DECLARE b bigint := 0; BEGIN WHILE b < ${records} LOOP
        INSERT INTO ${GUARDED} AS t (${names.join(', ')})
        SELECT ${names.join(', ')} FROM (SELECT DISTINCT ON (k) * FROM ${STAGE} WHERE n > b AND n <= b + ${BATCH_ROWS} ORDER BY k, n DESC) s
        ON CONFLICT (${KEY.join(', ')}) DO UPDATE SET ${set.join(', ')} WHERE t.position < excluded.position;
        b := b + ${BATCH_ROWS}; COMMIT; END LOOP; END $$`);
    });
  }
  const isNewer = 'VALUES(position) > sale_line_guarded.position';
  // in this order: the guard's own column last, since MariaDB assigns from left to right
  const set = columns.map((name) => `${name} = IF(${isNewer}, VALUES(${name}), sale_line_guarded.${name})`);
  return measured(database, records, async () => {
    for (let from = 0; from < records; from += BATCH_ROWS) {
      await query(`INSERT INTO ${GUARDED} (${names.join(', ')}) SELECT ${names.join(', ')} FROM ${STAGE} WHERE n > ${from} AND n <= ${from + BATCH_ROWS} ORDER BY n
        ON DUPLICATE KEY UPDATE ${set.join(', ')}`);
    }
  });
}
