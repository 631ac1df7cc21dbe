/**
 * Spelling of names on the wire. A mapping says names as the database does. Avro and Kafka take few characters, so the connector spells
 * others differently, and says which (`adapters/avro/raw-schema.ts`).
 */
const PLAIN = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** What a topic's name may hold besides: a table of such a name has a topic of that name. */
const TOPIC_PART = /^[A-Za-z0-9._-]+$/;

/** A name that no part of the way has to spell differently. */
export function isPlainName(name: string): boolean {
  return PLAIN.test(name);
}

/**
 * The name as versions before this one had to write it in a mapping, and as their records hold it: each character that Avro does not take
 * became `_`. Both spellings are read, so that neither those mappings nor those records are lost.
 */
export function formerName(name: string): string {
  if (isPlainName(name)) return name;
  const kept = name.replaceAll(/[^A-Za-z0-9_]/g, '_');
  return /^[0-9]/.test(kept) ? `_${kept}` : kept;
}

export function isPlainTable(table: string): boolean {
  return TOPIC_PART.test(table);
}

/** A table's name in its topic: as Debezium's naming strategy for Unicode spells it, with `_` left as it is. */
export function topicPart(table: string): string {
  return table.replaceAll(/[^A-Za-z0-9._-]/g, (character) => {
    const number = character.charCodeAt(0).toString(16);
    return `_u${number.length <= 2 ? `00${number}` : number}`;
  });
}

/** As `formerName`, for tables. */
export function formerTable(table: string): string {
  return table.replaceAll(/[^A-Za-z0-9._-]/g, '_');
}

/** Former name → name, of columns that have one; a name that two columns would share is none. */
export function formerNames(columns: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(columns);
  const found = new Map<string, string>();
  for (const column of columns) {
    const former = formerName(column);
    if (former === column) continue;
    if (taken.has(former)) found.delete(former);
    else found.set(former, column);
    taken.add(former);
  }
  return found;
}

/** Is one of these names, as a mapping says them, the name of this column by either spelling? */
export function isNamed(names: Iterable<string>, column: string): boolean {
  const former = formerName(column);
  for (const name of names) if (name === column || name === former || formerName(name) === column) return true;
  return false;
}

/** What may have been meant by a name that no column has, for the text of an error. */
export function meantBy(name: string, columns: readonly string[]): string[] {
  const plain = (text: string) => formerName(text).toLowerCase();
  return columns.filter((column) => column !== name && plain(column) === plain(name));
}
