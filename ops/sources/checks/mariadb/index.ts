/** Every check of a MariaDB source. */
import type { SourceCheck, SourceKind } from '../check.ts';
import { cascadeRules } from './cascade-rules.ts';
import { columnNotSafe } from './column-not-safe.ts';
import type { LogAddress } from './log/address.ts';
import { endOfLog } from './log/events.ts';
import { noteReadAgain } from './log/state.ts';
import { logKept, logSettings } from './log-settings.ts';
import { lostChanges } from './lost-changes.ts';
import { snapshotNotProven, snapshotUnfinished } from '../snapshot-unfinished.ts';
import { limitStatements, mariadbIdentity, mariadbLocks } from './server.ts';
import { sourceLogLost } from './source-log-lost.ts';
import { sourceReplaced } from './source-replaced.ts';
import { sourceWentBack } from './source-went-back.ts';
import { tableShapes } from './table-shapes.ts';

export const mariadbChecks: readonly SourceCheck[] = [
  sourceReplaced,
  sourceWentBack,
  sourceLogLost,
  logSettings,
  logKept,
  tableShapes,
  columnNotSafe,
  cascadeRules,
  ...lostChanges,
  snapshotUnfinished,
  snapshotNotProven,
];

const TABLES_SQL = `
SELECT table_schema AS place, CONCAT(table_schema, '.', table_name) AS name FROM information_schema.tables
 WHERE table_type = 'BASE TABLE'`;

export const mariadbSource: SourceKind = {
  tablesSql: TABLES_SQL,
  identityOf: mariadbIdentity,
  limitStatements,
  locks: mariadbLocks,
  checks: mariadbChecks,
  readingBegun: async ({ session }, isResumed) => (isResumed ? undefined : endOfLog(session)),
  async readingDone({ session, tables }, begun) {
    if (begun !== undefined) await noteReadAgain(session, tables, begun as LogAddress);
  },
};
