/** A mapped table that the running connector is not told to capture. */
import { isInList } from './lists.ts';
import type { SourceCheck } from './check.ts';

export const tableNotListed: SourceCheck = {
  id: 'TABLE_NOT_LISTED',
  severity: 'halt',
  async find({ system, config, tables }) {
    const list = config['table.include.list'];
    if (list === undefined) return [];
    const isListed = isInList(list);
    return tables
      .filter((table) => !isListed(table))
      .map((table) => ({
        table,
        text: `the connector does not read ${table}: it is not in table.include.list`,
        next: `add it in connectors/${system}/connector.json, then: seam connectors apply ${system} --yes; seam resnapshot --system ${system} --table ${table} --yes`,
      }));
  },
};
