/**
 * May this statement have given one of these columns a new value? It is the text that the log notes before its row events
 * (`binlog_annotate_row_events`), so the answer is "yes" wherever the text does not say.
 */

const TEXTS = /'(?:[^'\\]|\\.|'')*'|"(?:[^"\\]|\\.|"")*"/g;
const IN_BRACKETS = /\([^()]*\)/g;
const ASSIGNMENTS = /\b(?:SET|ON\s+DUPLICATE\s+KEY\s+UPDATE)\b([\s\S]*?)(?:\bWHERE\b|$)/gi;
const UPDATE = /\bUPDATE\b/i;

/** `table`: `<database>.<table>`; rows of a table that the text does not name were changed by a trigger. */
export function mayAssign(text: string, table: string, columns: readonly string[]): boolean {
  const plain = withoutBrackets(text.replaceAll(TEXTS, ' ? '));
  const name = table.slice(table.indexOf('.') + 1);
  if (!UPDATE.test(plain) || plain.includes("'") || !hasWord(plain, name)) return true;
  const assigned = [...plain.matchAll(ASSIGNMENTS)].map((match) => match[1] ?? '').join(' ');
  return columns.some((column) => new RegExp(`${wordOf(column)}\\s*:?=`, 'i').test(assigned));
}

function withoutBrackets(text: string): string {
  const next = text.replaceAll(IN_BRACKETS, ' ');
  return next === text ? text : withoutBrackets(next);
}

function hasWord(text: string, word: string): boolean {
  return new RegExp(wordOf(word), 'i').test(text);
}

/** With or without quotes. */
function wordOf(name: string): string {
  const escaped = name.replaceAll('`', '``').replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&');
  return `(?<![\\w$])\`?${escaped}\`?(?![\\w$])`;
}
