/** What is no table with a log of its own changes: the publication never tells of it, whatever it lists. */
import type { Finding, SourceCheck } from '../check.ts';
import { byOwner, MAPPED_TABLES, readAgain, STORED_TABLES, wanted } from './captured.ts';

type Row = {
  readonly table: string;
  /** The table itself, or one of its partitions. */
  readonly place: string;
  readonly kind: string;
  readonly persistence: string;
};

const KINDS: Readonly<Record<string, string>> = { v: 'a view', m: 'a materialized view', f: 'a foreign table' };

export const tableNotLogged: SourceCheck = {
  id: 'TABLE_NOT_LOGGED',
  severity: 'halt',
  losesChanges: true,
  async find(source) {
    const { system, session } = source;
    const rows = await session.query<Row>(
      `SELECT w.name AS "table", format('%I.%I', sn.nspname, stored.relname) AS place, stored.relkind AS kind, stored.relpersistence AS persistence
         FROM ${MAPPED_TABLES} ${STORED_TABLES}
        WHERE stored.relkind IN ('v', 'm', 'f') OR stored.relpersistence <> 'p'`,
      [wanted(source)],
    );
    const byTable = Map.groupBy(rows, ({ table }) => table);
    return [...byTable].map(([table, parts]) => finding(system, table, parts[0] as Row));
  },
};

function finding(system: string, table: string, { place, kind, persistence }: Row): Finding {
  const what = KINDS[kind] ?? (persistence === 'u' ? 'unlogged' : 'temporary');
  const text = `the log tells no change of ${table}: ${place} is ${what}`;
  if (kind !== 'r' || persistence !== 'u') {
    return { table, text, next: `capture the tables behind it, or ignore ${table} in connectors/${system}/mapping.ts` };
  }
  return { table, text, next: `${byOwner(`ALTER TABLE ${place} SET LOGGED`)}; then: ${readAgain(system, table)}` };
}
