/** `verify` over the matrix: both sources read by plain SQL, both targets compared with what they say. */
import type { Row } from '../../../core/change-event.ts';
import { from, type SourceMapping } from '../../../core/mapping.ts';
import { prefixed, text } from '../../../core/converters.ts';
import type { DialectName } from '../../../core/target.ts';
import { verify } from '../../../ops/operations/verify.ts';
import { sourceRows } from '../../../ops/verify/source-rows.ts';
import type { StackDescription } from '../../../stack/stack.ts';
import { ENTITY, entity } from './entity.ts';
import { adminOf, SYSTEM } from './sources.ts';
import { targetOf } from './targets.ts';
import { mappingOf } from './translate.ts';
import type { SourceCases } from './words.ts';

/**
 * By row as its record names it: what verify says of it, over both targets. A row that it has nothing to say of is left out. `null`: it refuses
 * to compare a table for such a column, so the column is left out of the mapping here.
 */
export type Reported = ReadonlyMap<string, readonly string[] | null>;

const DIALECTS: readonly DialectName[] = ['postgres', 'mariadb'];

export async function verified(stack: StackDescription, all: readonly SourceCases[]): Promise<Reported> {
  const known = new Map<DialectName, Row>();
  for (const { dialect } of all) known.set(dialect, await firstRow(stack, dialect));
  const isRead = (dialect: DialectName, column: string) => Object.hasOwn(known.get(dialect) ?? {}, column);
  const sources = all.map(({ dialect, types }): SourceMapping => {
    const id = from('id', prefixed(`${dialect}/`, text));
    const compared = types.filter(({ column }) => isRead(dialect, column));
    return { system: SYSTEM[dialect], tables: { 'fid.types': compared.map((type) => mappingOf(type, id)) } };
  });
  const targets = DIALECTS.map((dialect) => targetOf(dialect, `shop-${dialect}`));
  const result = await verify({
    sources,
    targets,
    steps: [],
    entities: { [ENTITY]: entity },
    sourceConnections: new Map(all.map(({ dialect }) => [SYSTEM[dialect], adminOf(stack, dialect)])),
    targetConnections: new Map(DIALECTS.map((dialect) => [`shop-${dialect}`, adminOf(stack, dialect)])),
    patienceMs: 0,
  });
  const reported = new Map<string, string[] | null>();
  for (const { dialect, types } of all) {
    for (const { column } of types) if (!isRead(dialect, column)) reported.set(`${dialect}/${column}`, null);
  }
  for (const table of result.tables) {
    if (table.notCompared !== undefined) throw new Error(`${table.system}: ${table.notCompared}`);
    for (const { key, kind, columns } of table.differences) {
      reported.set(key, [...(reported.get(key) ?? []), `${kind} in ${table.system} ${columns.join(', ')}`.trim()]);
    }
  }
  return reported;
}

async function firstRow(stack: StackDescription, dialect: DialectName): Promise<Row> {
  for await (const [row] of sourceRows(adminOf(stack, dialect), 'fid.types')) return row as Row;
  throw new Error('no row');
}
