/** How every session of Seam speaks with PostgreSQL: the settings that decide a value's text, and the spelling of names. */

/**
 * A database or a role may set each of these, and the same value then has another text. So every session pins them when it
 * connects, and the capture user, whose sessions the connector opens, has them as `ALTER ROLE … IN DATABASE …` (setup apply), which
 * beats what the database and the role say. `row_security = off`: a read whose rows a policy hides fails instead of answering less.
 */
export const PINNED_SETTINGS: Readonly<Record<string, string>> = {
  timezone: 'UTC',
  datestyle: 'ISO, MDY',
  intervalstyle: 'postgres',
  extra_float_digits: '3',
  bytea_output: 'hex',
  lc_monetary: 'C',
  search_path: '"$user", public',
  standard_conforming_strings: 'on',
  quote_all_identifiers: 'off',
  client_encoding: 'UTF8',
  row_security: 'off',
};

/** For sessions in which others' code runs too, such as a target's triggers: it finds its tables by the database's own search path. */
export const SHARED_SESSION_SETTINGS = without(PINNED_SETTINGS, 'search_path');

/** `found`: `pg_db_role_setting.setconfig` of the capture user in its database. Names of settings that do not stand there as pinned. */
export function notPinned(found: readonly string[]): string[] {
  const entries = found.map((entry) => {
    const end = entry.indexOf('=');
    return [entry.slice(0, end).toLowerCase(), entry.slice(end + 1)] as const;
  });
  const known = new Map(entries);
  return Object.entries(PINNED_SETTINGS).flatMap(([name, value]) => (known.get(name) === value ? [] : [name]));
}

/** For `ALTER ROLE … SET`: a list of names is no text. */
export function settingAssignments(): string[] {
  return Object.entries(PINNED_SETTINGS).map(([name, value]) =>
    name === 'search_path' ? `${name} = ${value}` : `${name} = '${value}'`,
  );
}

/** What the driver sends when it connects: `-c timezone=UTC -c …`. */
export function startOptions(settings: Readonly<Record<string, string>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `-c ${name}=${value.replaceAll(/[\\ ]/g, '\\$&')}`)
    .join(' ');
}

/** Any name as an identifier of SQL. */
export function quoteName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** Any text as a literal, whatever `standard_conforming_strings` says. */
export function quoteText(text: string): string {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return text.includes('\\') ? ` E${quoted.replaceAll('\\', '\\\\')}` : quoted;
}

/** `<schema>.<table>`: a schema has no dot in its name, a table may have some. */
export function quoteTable(table: string): string {
  const [schema, name] = partsOf(table, undefined);
  return schema === undefined ? quoteName(name) : `${quoteName(schema)}.${quoteName(name)}`;
}

export function partsOf<T>(table: string, schema: T): [string | T, string] {
  const dot = table.indexOf('.');
  return dot < 0 ? [schema, table] : [table.slice(0, dot), table.slice(dot + 1)];
}

function without(settings: Readonly<Record<string, string>>, name: string): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(settings).filter(([one]) => one !== name));
}
