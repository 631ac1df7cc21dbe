/** Every comparison: one line each. */
import { sinkComparison } from './sink/compare.ts';
import type { Comparison } from './support/context.ts';

export const comparisons: readonly Comparison[] = [
  sinkComparison('postgres', 'PostgreSQL'),
  sinkComparison('mariadb', 'MariaDB'),
];
