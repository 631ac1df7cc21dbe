/**
 * What one statement in the log did to the captured tables that no row event tells. The log says it as the client sent it, so the
 * text is read defensively: a table counts as named wherever its name stands in the text, also within a value, and a
 * statement of an unknown kind may have changed any table. No part of the text leaves this file.
 */

export type StatementEffect =
  | { readonly kind: 'none' }
  /** Rows changed; no row event says which. Without a table: it names none that is captured. */
  | { readonly kind: 'rows'; readonly tables: readonly string[] }
  /** Rows came or went with their partition or file. */
  | { readonly kind: 'partition'; readonly tables: readonly string[] }
  /** Under this name there is another table now, or none. */
  | { readonly kind: 'replaced'; readonly tables: readonly string[] }
  | { readonly kind: 'unknown' };

const NONE: StatementEffect = { kind: 'none' };

const ROWS = /^(?:INSERT|REPLACE|UPDATE|DELETE|LOAD|WITH)\b/i;
const ANALYZED_ROWS = /^ANALYZE\s+(?:FORMAT\b\S*\s+)?(?:INSERT|REPLACE|UPDATE|DELETE|WITH|SELECT)\b/i;
/** These change no row, or say each in row events, or (TRUNCATE) the connector tells them. */
const HARMLESS =
  /^(?:CREATE|ALTER|DROP|RENAME|TRUNCATE|GRANT|REVOKE|SET|FLUSH|ANALYZE|OPTIMIZE|REPAIR|CHECK|CACHE|RESET|PURGE|CHANGE|START|STOP|BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|XA|INSTALL|UNINSTALL|KILL|LOCK|UNLOCK|USE|SHOW|BACKUP|SHUTDOWN)\b/i;
const SET_FOR = /^SET\s+STATEMENT\s[\s\S]*?\sFOR\s+(?=[A-Z(])/i;
const COMMENTS_BEFORE = /^(?:\s|\(|\/\*[\s\S]*?\*\/|--[^\n]*(?:\n|$)|#[^\n]*(?:\n|$))+/;
/** `/*!40101 …` and `/*M!100100 …` are carried out. */
const CARRIED_OUT = /\/\*M?!\d*/g;

const IDENTIFIER = '(?:`(?:[^`]|``)+`|"(?:[^"]|"")+"|[^\\s`".,;()=]+)';
const TABLE_NAME = `(${IDENTIFIER})(?:\\s*\\.\\s*(${IDENTIFIER}))?`;
const ALTER_TABLE = /^ALTER\s+(?:ONLINE\s+)?(IGNORE\s+)?TABLE\b/i;
const PARTITION_CHANGED =
  /\b(?:TRUNCATE|DROP|EXCHANGE)\s+PARTITION\b|\bCONVERT\s+(?:PARTITION|TABLE)\b|\b(?:IMPORT|DISCARD)\s+(?:PARTITION\b[\s\S]*)?TABLESPACE\b/i;
const RENAMED = /\bRENAME\s+(?!COLUMN\b|INDEX\b|KEY\b)/i;
const CREATE_TABLE = new RegExp(
  `^CREATE\\s+(OR\\s+REPLACE\\s+)?TABLE\\s+(?:IF\\s+NOT\\s+EXISTS\\s+)?${TABLE_NAME}([\\s\\S]*)$`,
  'i',
);
const DROP_DATABASE = new RegExp(`^DROP\\s+(?:DATABASE|SCHEMA)\\s+(?:IF\\s+EXISTS\\s+)?(${IDENTIFIER})`, 'i');

/** `captured`: `<database>.<table>`. `database`: the default one of the session, where it had one. */
export function effectOf(sql: string, database: string, captured: readonly string[]): StatementEffect {
  const text = withoutLead(sql);
  const named = () => captured.filter((table) => names(text, database, table));
  if (ROWS.test(text) || ANALYZED_ROWS.test(text)) return { kind: 'rows', tables: named() };
  if (!HARMLESS.test(text)) return text === '' ? NONE : { kind: 'unknown' };
  const alter = ALTER_TABLE.exec(text);
  if (alter !== null) return alterEffect(text, alter[1] !== undefined, named);
  if (/^(?:RENAME|DROP)\s+TABLES?\b/i.test(text)) return of('replaced', named());
  const dropped = DROP_DATABASE.exec(text)?.[1];
  if (dropped !== undefined) {
    return of(
      'replaced',
      captured.filter((table) => isSameName(unquoted(dropped), databaseOf(table))),
    );
  }
  return createEffect(text, database, captured);
}

function alterEffect(text: string, isIgnoring: boolean, named: () => readonly string[]): StatementEffect {
  if (PARTITION_CHANGED.test(text)) return of('partition', named());
  // IGNORE deletes rows that a new unique key would refuse
  return isIgnoring || RENAMED.test(text) ? of('replaced', named()) : NONE;
}

/** A table made from a query has rows at once; by the row format each of them is told, and the text holds no query. */
function createEffect(text: string, database: string, captured: readonly string[]): StatementEffect {
  const [, replaces, first = '', second, rest = ''] = CREATE_TABLE.exec(text) ?? [];
  if (first === '') return NONE;
  const made = second === undefined ? `${database}.${unquoted(first)}` : `${unquoted(first)}.${unquoted(second)}`;
  const tables = captured.filter((table) => isSameName(made, table));
  if (replaces !== undefined) return of('replaced', tables);
  return /\bSELECT\b/i.test(rest) ? of('rows', tables) : NONE;
}

function of(kind: 'rows' | 'partition' | 'replaced', tables: readonly string[]): StatementEffect {
  return tables.length === 0 ? NONE : { kind, tables };
}

function withoutLead(sql: string): string {
  const text = sql.replace(CARRIED_OUT, ' ').replace(COMMENTS_BEFORE, '');
  const carried = text.replace(SET_FOR, '');
  return carried === text ? text : withoutLead(carried);
}

function names(text: string, database: string, table: string): boolean {
  if (!isSameName(database, databaseOf(table)) && !hasName(text, databaseOf(table))) return false;
  return hasName(text, table.slice(table.indexOf('.') + 1));
}

/** A name beyond ASCII may come in the character set of a client: any such text may hold it. */
function hasName(text: string, name: string): boolean {
  if (!isAscii(name)) return !isAscii(text);
  const quoted = name.replaceAll('`', '``').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  const isWord = /^[\w$]+$/.test(name);
  return new RegExp(isWord ? `(?<![\\w$])${quoted}(?![\\w$])` : quoted, 'i').test(text);
}

function isAscii(text: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the range of ASCII
  return /^[\u0000-\u007f]*$/.test(text);
}

/** Whether names differ by case depends on the server; here a name too many does less harm than one missed. */
function isSameName(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

function databaseOf(table: string): string {
  return table.slice(0, table.indexOf('.'));
}

function unquoted(identifier: string): string {
  const quote = identifier[0];
  if (quote !== '`' && quote !== '"') return identifier;
  return identifier.slice(1, -1).replaceAll(quote + quote, quote);
}
