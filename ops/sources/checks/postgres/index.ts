/** Every check of a PostgreSQL source. */
import type { SourceCheck, SourceKind } from '../check.ts';
import { snapshotNotProven, snapshotUnfinished } from '../snapshot-unfinished.ts';
import { limitStatements, postgresIdentity } from './server.ts';
import { sourceLogLost } from './source-log-lost.ts';
import { sourceReplaced } from './source-replaced.ts';
import { sourceWentBack } from './source-went-back.ts';

export const postgresChecks: readonly SourceCheck[] = [
  sourceReplaced,
  sourceWentBack,
  sourceLogLost,
  snapshotUnfinished,
  snapshotNotProven,
];

export const postgresSource: SourceKind = { identityOf: postgresIdentity, limitStatements, checks: postgresChecks };
