/** Tables and columns of a schema.sql, read from its text: enough to hold declarations against, without a database. */
const CREATE_TABLE = /^CREATE TABLE IF NOT EXISTS ([\w.]+) \(\n([\s\S]*?)\n\)/gm;
const NO_COLUMN = new Set(['PRIMARY', 'KEY', 'UNIQUE', 'CONSTRAINT', 'FOREIGN', 'CHECK']);

/** `database` is put before names without a schema: MariaDB's. */
export function tablesOf(sql: string, database: string): Map<string, string[]> {
  const tables = new Map<string, string[]>();
  for (const [, name = '', body = ''] of sql.matchAll(CREATE_TABLE)) {
    const words = body.split('\n').map((line) => line.trim().split(/\s+/)[0] ?? '');
    const table = name.includes('.') ? name : `${database}.${name}`;
    tables.set(
      table,
      words.filter((word) => word !== '' && word !== '--' && !NO_COLUMN.has(word)),
    );
  }
  return tables;
}
