/** The systems of the retail chain that ships with Seam, each with a database server of its own. */
import type { DatabaseSpec } from './state.ts';

export const localSystems: readonly DatabaseSpec[] = [
  { name: 'pos', kind: 'mariadb' },
  { name: 'erp', kind: 'postgres' },
  { name: 'crm', kind: 'postgres' },
  { name: 'logistics', kind: 'mariadb' },
  { name: 'finance', kind: 'postgres' },
  { name: 'reporting', kind: 'postgres' },
];
