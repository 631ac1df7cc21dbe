/** Every source system: one line each. A system is a folder; nothing else in the project names it. */
import type { SourceMapping } from '../core/mapping.ts';
import type { DialectName } from '../core/target.ts';
import crm from './crm/mapping.ts';
import erp from './erp/mapping.ts';
import finance from './finance/mapping.ts';
import logistics from './logistics/mapping.ts';
import pos from './pos/mapping.ts';

export type SourceSystem = {
  readonly system: string;
  readonly database: DialectName;
  readonly mapping: SourceMapping;
  /** Debezium's own form, `{ "name", "config" }`. */
  readonly connectorFile: URL;
  /** The legacy application's own schema, what is asked of the database's owner, and how to take it back. */
  readonly sql: { readonly schema: URL; readonly setup: URL; readonly teardown: URL };
};

export const systems: readonly SourceSystem[] = [
  source('pos', 'mariadb', pos),
  source('erp', 'postgres', erp),
  source('crm', 'postgres', crm),
  source('logistics', 'mariadb', logistics),
  source('finance', 'postgres', finance),
];

function source(system: string, database: DialectName, mapping: SourceMapping): SourceSystem {
  const file = (name: string) => new URL(`${system}/${name}`, import.meta.url);
  return {
    system,
    database,
    mapping,
    connectorFile: file('connector.json'),
    sql: { schema: file('schema.sql'), setup: file('setup.sql'), teardown: file('teardown.sql') },
  };
}
