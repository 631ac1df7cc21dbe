/** A mapped table that is not there: dropped, renamed, or misspelt in the mapping. */
import type { SourceCheck } from '../check.ts';
import { MAPPED_TABLES, readAgain, wanted } from './captured.ts';

export const tableMissing: SourceCheck = {
  id: 'TABLE_MISSING_IN_SOURCE',
  severity: 'halt',
  losesChanges: true,
  async find(source) {
    const { system, session, tables } = source;
    const rows = await session.query<{ table: string }>(`SELECT w.name AS "table" FROM ${MAPPED_TABLES}`, [
      wanted(source),
    ]);
    const present = new Set(rows.map(({ table }) => table));
    return tables
      .filter((table) => !present.has(table))
      .map((table) => ({
        table,
        text: `${table} is not there: it was dropped or renamed, or the mapping spells it otherwise`,
        next: `bring it back or correct connectors/${system}/mapping.ts; then: ${readAgain(system, table)}`,
      }));
  },
};
