/** Every kind of source. */
import type { DialectName } from '../../../core/target.ts';
import type { SourceKind } from './check.ts';
import { mariadbSource } from './mariadb/index.ts';
import { postgresSource } from './postgres/index.ts';

export const sourceKinds: Readonly<Record<DialectName, SourceKind>> = {
  postgres: postgresSource,
  mariadb: mariadbSource,
};
