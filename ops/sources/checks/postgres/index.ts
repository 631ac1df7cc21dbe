/** Every check of a PostgreSQL source. */
import type { SourceCheck } from '../check.ts';

export const postgresChecks: readonly SourceCheck[] = [];
