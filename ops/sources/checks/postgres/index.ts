/** Every check of a PostgreSQL source. */
import type { SourceCheck, SourceKind } from '../check.ts';
import { snapshotNotProven, snapshotUnfinished } from '../snapshot-unfinished.ts';
import { tableNotListed } from '../table-not-listed.ts';
import { columnMissing } from './column-missing.ts';
import { formatsDiffer } from './formats.ts';
import { formatsNotPinned } from './formats-not-pinned.ts';
import { lostChanges, noteLosses, readingBegun, readingDone } from './lost-changes.ts';
import { publicationFilters } from './publication-filters.ts';
import { publicationOperations } from './publication-operations.ts';
import { replicaIdentity } from './replica-identity.ts';
import { replicationNotGranted } from './replication-not-granted.ts';
import { rowsHidden } from './rows-hidden.ts';
import { limitStatements, postgresIdentity, postgresLocks } from './server.ts';
import { signalNotPublished } from './signal-not-published.ts';
import { slotAtRisk } from './slot-at-risk.ts';
import { sourceLogLost } from './source-log-lost.ts';
import { sourceReplaced } from './source-replaced.ts';
import { sourceWentBack } from './source-went-back.ts';
import { tableHasChildren } from './table-has-children.ts';
import { tableMissing } from './table-missing.ts';
import { tableNotLogged } from './table-not-logged.ts';
import { tableNotPublished } from './table-not-published.ts';
import { tableNotReadable } from './table-not-readable.ts';
import { transactionPrepared } from './transaction-prepared.ts';
import { updatesRefused } from './updates-refused.ts';
import { walNotLogical } from './wal-not-logical.ts';

export const postgresChecks: readonly SourceCheck[] = [
  sourceReplaced,
  sourceWentBack,
  sourceLogLost,
  snapshotUnfinished,
  snapshotNotProven,
  walNotLogical,
  replicationNotGranted,
  tableNotListed,
  tableMissing,
  columnMissing,
  tableNotReadable,
  tableNotLogged,
  tableHasChildren,
  tableNotPublished,
  publicationOperations,
  publicationFilters,
  replicaIdentity,
  rowsHidden,
  formatsDiffer,
  formatsNotPinned,
  signalNotPublished,
  slotAtRisk,
  transactionPrepared,
  ...lostChanges,
  updatesRefused,
];

/** A partition is read with the table that it belongs to. */
const TABLES_SQL = `
SELECT n.nspname::text AS place, n.nspname || '.' || c.relname AS name
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
 WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition`;

export const postgresSource: SourceKind = {
  tablesSql: TABLES_SQL,
  identityOf: postgresIdentity,
  limitStatements,
  locks: postgresLocks,
  checks: postgresChecks,
  noteLosses,
  readingBegun,
  readingDone,
};
