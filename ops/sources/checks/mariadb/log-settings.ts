/** Does the server write all changes into its log, row by row and whole? Sessions may differ: `lost-changes.ts` reads the log itself. */
import { partsOf } from '../../../../core/databases/mariadb.ts';
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';

const WANTED: Readonly<Record<string, string>> = { log_bin: 'ON', binlog_format: 'ROW', binlog_row_image: 'FULL' };
const DAY_SECONDS = 86_400;

export const logSettings: SourceCheck = {
  id: 'LOG_NOT_BY_ROW',
  severity: 'halt',
  find: async (source) => {
    const actual = await globals(source, Object.keys(WANTED));
    const wrong = Object.entries(WANTED).filter(([name, value]) => actual[name] !== value);
    const filters = actual.log_bin === 'ON' ? await databasesLeftOut(source) : [];
    return [
      ...wrong.map(([name, value]) => ({
        text: `the server runs with ${name} = ${actual[name]}: changes of rows do not all come into its log whole`,
        next: `the database's owner sets ${name} = ${value} for the server (and ends sessions that are open); then seam verify`,
      })),
      ...filters,
    ];
  },
};

export const logKept: SourceCheck = {
  id: 'LOG_KEPT_SHORTLY',
  severity: 'warning',
  find: async (source) => {
    const actual = await globals(source, ['binlog_expire_logs_seconds', 'max_binlog_total_size']);
    const seconds = Number(actual.binlog_expire_logs_seconds ?? 0);
    const findings: Finding[] = [];
    if (seconds > 0 && seconds < DAY_SECONDS) {
      findings.push({
        text: `the server purges its log after ${seconds} s: a longer stop of Seam loses changes`,
        next: `the database's owner sets binlog_expire_logs_seconds to the longest stop, a week for example`,
      });
    }
    if (Number(actual.max_binlog_total_size ?? 0) > 0) {
      findings.push({
        text: 'the server purges its log by size (max_binlog_total_size): much work while Seam is stopped loses changes',
        next: `the database's owner sets max_binlog_total_size = 0, or far above what is written in the longest stop`,
      });
    }
    return findings;
  },
};

async function globals({ session }: CheckedSource, names: readonly string[]): Promise<Record<string, string>> {
  const rows = await session.query<{ Variable_name: string; Value: string }>(
    `SHOW GLOBAL VARIABLES WHERE Variable_name IN (${names.map(() => '?').join(', ')})`,
    names,
  );
  return Object.fromEntries(rows.map((row) => [row.Variable_name.toLowerCase(), row.Value]));
}

/** `binlog_do_db` and `binlog_ignore_db` of the server. */
async function databasesLeftOut({ session, tables }: CheckedSource): Promise<Finding[]> {
  const [row] = await session.query<{ Binlog_Do_DB: string; Binlog_Ignore_DB: string }>('SHOW MASTER STATUS');
  const listed = (text = '') => text.split(',').filter((name) => name !== '');
  const [only, never] = [listed(row?.Binlog_Do_DB), listed(row?.Binlog_Ignore_DB)];
  const isLeftOut = (database: string) => never.includes(database) || (only.length > 0 && !only.includes(database));
  return tables
    .filter((table) => isLeftOut(partsOf(table, '')[0]))
    .map((table) => ({
      table,
      text: 'the server leaves the changes of this database out of its log (binlog_do_db, binlog_ignore_db)',
      next: `the database's owner takes the filter away; then read it again with seam resnapshot`,
    }));
}
