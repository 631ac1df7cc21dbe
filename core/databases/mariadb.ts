/** How every session of Seam speaks with MariaDB: the settings that decide what is read, and the spelling of names and texts. */
import { createHash } from 'node:crypto';

/**
 * The server's global variables and `init_connect` may set each of these for us, and the same row then reads differently, or is not
 * read at all (`sql_select_limit`). So every session sets them after it has connected; the connector's get
 * theirs from `ops/operations/connector-settings.ts`.
 */
export const PINNED_SETTINGS: Readonly<Record<string, string>> = {
  time_zone: `'+00:00'`,
  sql_mode: `'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'`,
  character_set_client: 'utf8mb4',
  character_set_connection: 'utf8mb4',
  character_set_results: 'utf8mb4',
  collation_connection: 'utf8mb4_unicode_ci',
  sql_select_limit: '18446744073709551615',
  sql_big_selects: '1',
  sql_safe_updates: '0',
  sql_quote_show_create: '1',
  group_concat_max_len: '1048576',
  autocommit: '1',
};

export function setStatement(settings: Readonly<Record<string, string>>): string {
  const assignments = Object.entries(settings).map(([name, value]) => `SESSION ${name} = ${value}`);
  return `SET ${assignments.join(', ')}`;
}

/** Any name as an identifier of SQL. */
export function quoteName(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}

/** Any text as a literal. Whether a backslash escapes depends on `sql_mode`, so a text with one goes by its bytes. */
export function quoteText(text: string): string {
  if (text.includes('\\')) return `_utf8mb4 X'${Buffer.from(text, 'utf8').toString('hex')}'`;
  return `'${text.replaceAll("'", "''")}'`;
}

/** For `IDENTIFIED BY PASSWORD`: the server writes the statement into its binary log, which replicas and the capture user read. */
export function passwordHash(password: string): string {
  const once = createHash('sha1').update(password, 'utf8').digest();
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`;
}

/** `<database>.<table>`: a table may have dots in its name, a captured database has none. */
export function quoteTable(table: string): string {
  const [schema, name] = partsOf(table, undefined);
  return schema === undefined ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`;
}

export function partsOf<T>(table: string, schema: T): [string | T, string] {
  const dot = table.indexOf('.');
  return dot < 0 ? [schema, table] : [table.slice(0, dot), table.slice(dot + 1)];
}
