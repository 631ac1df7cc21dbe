/**
 * Which keys a source's tables hold of one entity, as the pipeline would name them; and which rows do not say their key. A sweep
 * deletes what is held and not present, so a row that was passed over here would be a row deleted by mistake.
 *
 * | row                                          | its key                                                            |
 * |----------------------------------------------|--------------------------------------------------------------------|
 * | makes a record                               | `told`                                                             |
 * | of a shared entity, and all its fields are null | `quiet`: it may never have been said                            |
 * | the mapping's `where` leaves it out          | `excluded`: only a change event may say that it went away          |
 * | left out, and its key is null                | none: no record can ever have had it                               |
 * | anything else                                | unknown: counted with its code                                     |
 */
import type { CanonicalValue, EntityDescription } from '../../core/canonical-record.ts';
import { keyText } from '../../core/canonical-record.ts';
import type { Row } from '../../core/change-event.ts';
import { ABSENT, type CanonicalMapping, type Lookups, Refusal } from '../../core/mapping.ts';

/** One table's way into the entity. A table may have several. */
export type Feed = { readonly table: string; readonly mapping: CanonicalMapping; readonly lookups: Lookups };

export type PresentKind = 'told' | 'quiet' | 'excluded';
export type Unread = { readonly table: string; readonly code: string; readonly rows: number };
export type Present = { readonly keys: ReadonlyMap<string, PresentKind>; readonly unread: readonly Unread[] };

export async function readPresent(
  feeds: readonly Feed[],
  description: EntityDescription,
  rowsOf: (table: string) => AsyncIterable<readonly Row[]>,
): Promise<Present> {
  const keys = new Map<string, PresentKind>();
  const unread = new Map<string, Unread>();
  for (const [table, ofTable] of Map.groupBy(feeds, (feed) => feed.table)) {
    for await (const rows of rowsOf(table)) {
      for (const row of rows) {
        for (const feed of ofTable) note(presentKey(row, feed, description), table, keys, unread);
      }
    }
  }
  return { keys, unread: [...unread.values()] };
}

type PresentKey = { readonly key: string; readonly kind: PresentKind } | { readonly code: string } | undefined;

/** Throws nothing: a mapping that fails on a row leaves its key unknown. */
export function presentKey(row: Row, { mapping, lookups }: Feed, description: EntityDescription): PresentKey {
  let isExcluded = false;
  try {
    isExcluded = mapping.where !== undefined && !mapping.where(row);
    const key = keyOf(row, mapping, lookups, description);
    if (isExcluded) return { key, kind: 'excluded' };
    return { key, kind: description.owner === 'shared' && isQuiet(row, mapping, lookups) ? 'quiet' : 'told' };
  } catch (error) {
    const code = error instanceof Refusal ? error.code : 'MAPPING_FAILED';
    return isExcluded && KEY_IS_NULL.has(code) ? undefined : { code };
  }
}

const NULL_NOT_ALLOWED = 'NULL_NOT_ALLOWED';
/** As the pipeline says it, and as converters do. */
const KEY_IS_NULL: ReadonlySet<string> = new Set([NULL_NOT_ALLOWED, 'VALUE_MISSING']);

function keyOf(row: Row, mapping: CanonicalMapping, lookups: Lookups, description: EntityDescription): string {
  const values = description.key.map((name) => {
    const value = mapping.key[name]?.read(row, lookups) ?? null;
    if (value === null) throw new Refusal(NULL_NOT_ALLOWED, `"${name}" is null`);
    if (value === ABSENT) throw new Refusal('KEY_ABSENT', `"${name}" belongs to the key and was not read`);
    return value as CanonicalValue;
  });
  return keyText(values);
}

function isQuiet(row: Row, { fields }: CanonicalMapping, lookups: Lookups): boolean {
  try {
    return Object.values(fields).every((field) => (field.read(row, lookups) ?? null) === null);
  } catch {
    // it says something, though nobody can take it
    return false;
  }
}

function note(found: PresentKey, table: string, keys: Map<string, PresentKind>, unread: Map<string, Unread>): void {
  if (found === undefined) return;
  if ('code' in found) {
    const name = `${table} ${found.code}`;
    unread.set(name, { table, code: found.code, rows: (unread.get(name)?.rows ?? 0) + 1 });
    return;
  }
  const known = keys.get(found.key);
  if (known === undefined || found.kind === 'told') keys.set(found.key, found.kind);
}
