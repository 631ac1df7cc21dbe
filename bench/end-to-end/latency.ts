/** From the commit in the source to the commit in the target, row by row, on one machine's clock. */
import type { Connection } from 'mariadb';
import { setTimeout as pause } from 'node:timers/promises';
import { tillRow } from '../support/captured-sales.ts';
import type { BenchDatabase } from '../support/bench-database.ts';
import type { Figures } from '../support/result.ts';
import type { SaleLine } from '../support/sale-lines.ts';
import { percentile } from '../support/stats.ts';
import type { CommitTimes } from './commit-times.ts';

const TICK_MS = 10;
const INSERT = 'INSERT INTO tlog_ln VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';

/** Key → ms since 1970 just before its commit was sent: what a commit itself takes counts too. */
export type Journal = Map<string, number>;

export const keyOf = (basketId: unknown, lineNumber: unknown): string => `${basketId}|${lineNumber}`;
const nowMs = (): number => Date.now();
const steadyMs = (): number => performance.now();

/** Small transactions, as tills write them, at a steady rate; never faster to make up for what a slow moment left out. */
export async function sellSteadily(
  tills: Connection,
  lines: Iterator<SaleLine, never>,
  { perSecond, seconds, signal }: { perSecond: number; seconds: number; signal: AbortSignal },
): Promise<Journal> {
  const journal: Journal = new Map();
  const everyMs = Math.max(TICK_MS, 1_000 / perSecond);
  const beginMs = steadyMs();
  const endMs = beginMs + seconds * 1_000;
  let sold = 0;
  for (let dueMs = beginMs; dueMs < endMs; dueMs += everyMs) {
    signal.throwIfAborted();
    await pause(Math.max(0, dueMs - steadyMs()));
    const due = Math.floor(((dueMs - beginMs) / 1_000) * perSecond) + 1 - sold;
    const rows = Array.from({ length: due }, () => lines.next().value);
    sold += due;
    if (rows.length > 0) await sellTogether(tills, rows, journal);
  }
  return journal;
}

async function sellTogether(tills: Connection, rows: readonly SaleLine[], journal: Journal): Promise<void> {
  await tills.beginTransaction();
  await tills.batch(
    INSERT,
    rows.map((line) => tillRow(line)),
  );
  const atMs = nowMs();
  await tills.commit();
  for (const { basketId, lineNumber } of rows) journal.set(keyOf(basketId, lineNumber), atMs);
}

export type TargetTable = { readonly table: string; readonly basket: string; readonly line: string };

export async function latencies(
  { query }: BenchDatabase,
  commits: CommitTimes,
  { table, basket, line }: TargetTable,
  journal: Journal,
): Promise<number[]> {
  const rows = await query<{ b: string; l: number; xid: string }>(
    `SELECT ${basket}::text AS b, ${line} AS l, xmin::text AS xid FROM ${table}`,
  );
  const found: number[] = [];
  for (const { b, l, xid } of rows) {
    const sentMs = journal.get(keyOf(b, l));
    const atMs = commits.ofTransaction(xid);
    if (sentMs !== undefined && atMs !== undefined) found.push(atMs - sentMs);
  }
  if (found.length !== journal.size) {
    throw new Error(`wrong answer: ${found.length} rows in the target of ${journal.size} sold`);
  }
  return found;
}

export function distribution(values: readonly number[]): Figures {
  const at = (share: number) => percentile(values, share);
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99), p999: at(0.999), max: at(1) };
}
