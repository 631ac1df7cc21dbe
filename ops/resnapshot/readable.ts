/** Can the capture user read these rows of a table? Asked before the connector is, whose own answer is only that it could not. */
import { quoteTable as quoteMariadb } from '../../core/databases/mariadb.ts';
import { quoteTable as quotePostgres } from '../../core/databases/postgres.ts';
import type { SourceSession } from './source-session.ts';

/** By SQLSTATE. The server's own text is never passed on: it may quote a value of the condition. */
const REASONS: Readonly<Record<string, string>> = {
  '42501': 'SELECT on it is not granted',
  '42P01': 'it does not exist',
  '42S02': 'it does not exist',
  '3F000': 'its schema does not exist',
  '42703': 'the condition names a column that it does not have',
  '42S22': 'the condition names a column that it does not have',
  '42601': 'the condition is not valid SQL',
  '22P02': 'the condition compares a column with a value of another type',
  '42883': 'the condition compares a column with a value of another type',
};

/** MariaDB answers several faults with one SQLSTATE. */
const MARIADB_REASONS: Readonly<Record<number, string>> = {
  1044: 'SELECT on it is not granted',
  1142: 'SELECT on it is not granted',
  1143: 'SELECT on one of its columns is not granted',
  1064: 'the condition is not valid SQL',
  1146: 'it does not exist',
};

/** undefined: it can be read. No text of the server and no value is in the answer. */
export async function whyNotReadable(
  session: SourceSession,
  table: string,
  where: string | undefined,
): Promise<string | undefined> {
  try {
    await firstRow(session, table, where);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

/** 1 or 0 rows; rejects with the server's error. */
export async function firstRow(session: SourceSession, table: string, where?: string): Promise<number> {
  const name = session.kind === 'postgres' ? quotePostgres(table) : quoteMariadb(table);
  const condition = where === undefined ? '' : ` WHERE (${where})`;
  return (await session.query(`SELECT * FROM ${name}${condition} LIMIT 1`)).length;
}

function reasonOf(error: unknown): string {
  const { code, sqlState, errno } = error as { code?: unknown; sqlState?: unknown; errno?: unknown };
  const state = String(sqlState ?? code ?? 'unknown');
  return MARIADB_REASONS[Number(errno)] ?? REASONS[state] ?? `the database refuses to read it (SQLSTATE ${state})`;
}
