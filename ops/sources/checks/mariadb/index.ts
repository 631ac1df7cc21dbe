/** Every check of a MariaDB source. */
import type { SourceCheck } from '../check.ts';

export const mariadbChecks: readonly SourceCheck[] = [];
