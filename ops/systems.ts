/** All systems, joined from both declarations: what is read from them, what is written into them, and their SQL. */
import { ownedStores, targets } from '../sinks/index.ts';
import { systems as sources } from '../connectors/index.ts';
import { ConfigError } from '../core/errors.ts';
import type { SourceMapping } from '../core/mapping.ts';
import type { DialectName, Target } from '../core/target.ts';

export type SystemFiles = { readonly schema: URL; readonly setup: URL; readonly teardown: URL };

export type System = {
  readonly system: string;
  readonly database: DialectName;
  readonly sql: SystemFiles;
  readonly source: { readonly mapping: SourceMapping; readonly connectorFile: URL } | null;
  readonly target: Target | null;
};

export const systems: readonly System[] = joinSystems();

function joinSystems(): System[] {
  const joined: System[] = sources.map(({ system, database, sql, mapping, connectorFile }) => ({
    system,
    database,
    sql,
    source: { mapping, connectorFile },
    target: targets.find((target) => target.system === system) ?? null,
  }));
  for (const store of ownedStores) {
    const target = targets.find((candidate) => candidate.system === store.system) ?? null;
    joined.push({
      system: store.system,
      database: target?.dialect ?? 'postgres',
      sql: store.sql,
      source: null,
      target,
    });
  }
  return joined;
}

export function systemNamed(name: string): System | undefined {
  return systems.find((candidate) => candidate.system === name);
}

export type SourceOfRecords = System & { readonly source: NonNullable<System['source']> };

export function sourceSystem(name: string): SourceOfRecords {
  const system = systemNamed(name);
  if (system?.source != null) return system as SourceOfRecords;
  throw new ConfigError({
    code: 'SYSTEM_UNKNOWN',
    message: `no source ${name}`,
    hint: `known: ${systems.flatMap((known) => (known.source === null ? [] : known.system)).join(', ')}`,
  });
}

export function mappedTables({ source }: System): string[] {
  return Object.entries(source?.mapping.tables ?? {}).flatMap(([table, mapping]) => ('kind' in mapping ? [] : table));
}
