/** Every comparison: one line each. */
import { clients } from './clients/compare.ts';
import { endToEnd } from './end-to-end/compare.ts';
import { memory } from './memory/compare.ts';
import { scale } from './scale/compare.ts';
import { sinkComparison } from './sink/compare.ts';
import type { Comparison } from './support/context.ts';
import { translate } from './translate/compare.ts';

export const comparisons: readonly Comparison[] = [
  sinkComparison('postgres', 'PostgreSQL'),
  sinkComparison('mariadb', 'MariaDB'),
  translate,
  clients,
  endToEnd,
  scale,
  memory,
];
