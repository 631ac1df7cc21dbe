/** Rows that are there already, with the ledger that our sink would have left: laid by the database itself, since ten million take long otherwise. */
import { TABLE } from '../sink/shape.ts';
import type { BenchDatabase } from '../support/bench-database.ts';

const ROWS_PER_STATEMENT = 1_000_000;

export async function layRows({ query }: BenchDatabase, rows: number): Promise<void> {
  for (let from = 0; from < rows; from += ROWS_PER_STATEMENT) {
    const series = `generate_series(${from}, ${Math.min(rows, from + ROWS_PER_STATEMENT) - 1}) AS i`;
    await query(
      `INSERT INTO ${TABLE} SELECT 'row-' || i, 1, '1000', '330', NULL, 1, 1, 0, 'SALE', '2017-01-01' FROM ${series}`,
    );
    // older than anything that comes, with a hash that equals none
    await query(`INSERT INTO seam.applied (entity, key, position, hash, deleted, hops, seam_wrote, commit_time_us, applied_at)
      SELECT 'sale-line', 'row-' || i || '|1', decode(repeat('00', 20), 'hex'), decode(md5(i::text), 'hex'), false, 0, true, 0, now() FROM ${series}`);
  }
  for (const table of [TABLE, 'seam.applied']) await query(`VACUUM (ANALYZE) ${table}`);
}
