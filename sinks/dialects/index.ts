import type { DialectName } from '../../core/target.ts';
import type { Dialect } from './dialect.ts';
import { mariadb } from './mariadb/index.ts';
import { postgres } from './postgres/index.ts';

/** Every kind of target database: one line each. The contract suite runs for all of them. */
export const dialects: Readonly<Record<DialectName, Dialect>> = { postgres, mariadb };
