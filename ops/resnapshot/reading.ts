/**
 * Has the connector read tables again. The request is a row in `seam.signal`, which stays until all of it is done:
 *
 *   asked ──every table read──> read           a sweep may follow, then the row goes
 *   asked ──one table not read──> failed       the row goes at once: nothing waits for a request that cannot succeed
 *   asked ──interrupted──> asked               the same command goes on, or asks again where the connector knows nothing of it
 */
import { ContractError } from '../../core/errors.ts';
import { readRange } from '../../core/log-range.ts';
import { notificationTopic } from '../../processors/topics.ts';
import { whyNotReadable } from './readable.ts';
import { cleanUp, newRequestId, requestSnapshot, type SnapshotRequest } from './signals.ts';
import type { SourceSession } from './source-session.ts';
import { endOf, followNotifications, type Notification, notificationDecoder, passMark, type Watch } from './watch.ts';

export type ReadingProgress =
  | { readonly kind: 'rows'; readonly table: string; readonly seen: number; readonly estimated: number }
  | { readonly kind: 'table'; readonly table: string; readonly rows: number };

export type ReadingParts = {
  readonly watch: Watch;
  readonly session: SourceSession;
  /** Rows by table, as the database estimates them. */
  readonly estimates: ReadonlyMap<string, number>;
  /** The request that the connector carries out now, as its offset says; undefined: none. */
  readonly running: () => Promise<string | undefined>;
  readonly report: (progress: ReadingProgress) => void;
};

/** Rows read, by table. */
export type RowsRead = Readonly<Record<string, number>>;
export type Reading = { readonly request: SnapshotRequest; readonly rows: RowsRead };

type TableFailure = { readonly table: string; readonly status: string };
type Outcome = { readonly rows: RowsRead; readonly failures: readonly TableFailure[] };

/** Rows that the connector reads at once, as its documentation says. */
const CHUNK_ROWS = 1_024;

/** What each status of the connector means to a person. */
const STATUS_TEXTS: Readonly<Record<string, string>> = {
  UNKNOWN_SCHEMA: 'the connector does not know its columns',
  NO_PRIMARY_KEY: 'it has no key by which it could be read in chunks',
  SQL_EXCEPTION: "the database refused the connector's query",
  SKIPPED: 'the connector skipped it',
  ABORTED: 'the reading was stopped',
};

export async function readAgain(parts: ReadingParts, asked: SnapshotRequest): Promise<Reading> {
  const { watch, session } = parts;
  const from = await endOf(watch.log, notificationTopic(watch.system));
  const request = { ...asked, readFrom: await beginning(parts, asked) };
  await requestSnapshot(session, request);
  return { request, rows: await outcomeOf(parts, request, from) };
}

/** Of a request that an earlier command left. */
export async function goOnReading(parts: ReadingParts, left: SnapshotRequest): Promise<Reading> {
  const { watch, session } = parts;
  const past = await pastOutcome(watch, left.id);
  const isRunning = (await parts.running()) === left.id;
  if (past.state === 'read') return { request: left, rows: past.rows };
  if (past.state === 'open' && isRunning) return { request: left, rows: await outcomeOf(parts, left, 0n) };
  // it failed before, or the connector never heard of it or forgot it
  await cleanUp(session);
  return readAgain(parts, { ...left, id: newRequestId(watch.clock.nowMs()) });
}

/** What is older than this place is covered by a reading of whole tables that deletes what is gone. */
async function beginning({ watch, session }: ReadingParts, request: SnapshotRequest): Promise<string | undefined> {
  if (request.where !== undefined || !request.sweep) return undefined;
  const { position } = await passMark(watch, session, 'seam-from');
  return Buffer.from(position).toString('hex');
}

async function outcomeOf(parts: ReadingParts, request: SnapshotRequest, from: bigint): Promise<RowsRead> {
  const { watch, session } = parts;
  const outcome = new OutcomeReader(request.id, parts);
  const { rows, failures } = await followNotifications(watch, from, (notification) => outcome.take(notification));
  const lacking = request.tables.filter((table) => rows[table] === undefined);
  if (lacking.length === 0) return rows;
  await cleanUp(session);
  const status = new Map(failures.map((failure) => [failure.table, failure.status]));
  const told = lacking.map((table) => ({ table, status: status.get(table) ?? 'SKIPPED' }));
  throw await tablesNotRead(watch.system, session, told, request.where);
}

/** Collects until the end, so that one table's failure is told with all others and leaves nothing under way. */
class OutcomeReader {
  readonly #id: string;
  readonly #parts: Pick<ReadingParts, 'estimates' | 'report'>;
  readonly #rows: Record<string, number> = {};
  readonly #failures: TableFailure[] = [];
  #chunks = 0;

  constructor(id: string, parts: Pick<ReadingParts, 'estimates' | 'report'>) {
    this.#id = id;
    this.#parts = parts;
  }

  take({ id, type, facts }: Notification): Outcome | undefined {
    if (id !== this.#id) return undefined;
    const table = facts.current_collection_in_progress ?? facts.scanned_collection ?? '';
    switch (type) {
      case 'IN_PROGRESS':
        this.#chunks += 1;
        this.#report(table);
        return undefined;
      case 'TABLE_SCAN_COMPLETED':
        this.#chunks = 0;
        this.#end(table, facts);
        return undefined;
      case 'ABORTED':
        this.#failures.push({ table, status: type });
        return { rows: this.#rows, failures: this.#failures };
      case 'COMPLETED':
        return { rows: this.#rows, failures: this.#failures };
      default:
        return undefined;
    }
  }

  #report(table: string): void {
    const { estimates, report } = this.#parts;
    report({ kind: 'rows', table, seen: this.#chunks * CHUNK_ROWS, estimated: estimates.get(table) ?? 0 });
  }

  #end(table: string, { status = '', total_rows_scanned: rows }: Notification['facts']): void {
    if (status !== 'SUCCEEDED' && status !== 'EMPTY') {
      this.#failures.push({ table, status });
      return;
    }
    this.#rows[table] = Number(rows ?? 0);
    this.#parts.report({ kind: 'table', table, rows: Number(rows ?? 0) });
  }
}

type Past = { readonly state: 'read' | 'failed' | 'open'; readonly rows: RowsRead };

/** What the notifications of before say about a request; those of long ago are gone. */
async function pastOutcome(watch: Watch, id: string): Promise<Past> {
  const topic = notificationTopic(watch.system);
  const reader = new OutcomeReader(id, { estimates: new Map(), report: () => {} });
  const decode = notificationDecoder(watch.registry);
  let past: Past = { state: 'open', rows: {} };
  await readRange(watch.log, {
    groupId: `seam-watch-${watch.system}-${Math.random().toString(36).slice(2)}`,
    stretches: await stretchesOf(watch, topic),
    signal: watch.signal,
    records: async (_, records) => {
      for (const notification of await decode(records)) {
        const outcome = reader.take(notification);
        if (outcome === undefined) continue;
        past = { state: outcome.failures.length === 0 ? 'read' : 'failed', rows: outcome.rows };
      }
    },
  });
  return past;
}

async function stretchesOf({ log }: Watch, topic: string) {
  const admin = await log.admin();
  try {
    if (!(await admin.listTopics()).includes(topic)) return [];
    const bounds = await admin.bounds(topic);
    return bounds.map(({ partition, earliest, latest }) => ({ topic, partition, from: earliest, to: latest }));
  } finally {
    await admin.close();
  }
}

/** Names every table, with the database's own reason where it still has one. */
export async function tablesNotRead(
  system: string,
  session: SourceSession,
  failures: readonly TableFailure[],
  where: string | undefined,
): Promise<ContractError> {
  const told: string[] = [];
  for (const { table, status } of failures) {
    const reason = await whyNotReadable(session, table, where);
    told.push(`${table}: ${reason ?? STATUS_TEXTS[status] ?? status}`);
  }
  return tableNotRead(
    system,
    told,
    failures.map(({ table }) => table),
  );
}

export function tableNotRead(system: string, told: readonly string[], tables: readonly string[]): ContractError {
  return new ContractError({
    code: 'TABLE_NOT_READ',
    message: `not read again: ${told.join('; ')}`,
    where: `source ${system}, ${tables.length === 1 ? 'table' : 'tables'} ${tables.join(', ')}`,
    hint: `correct it in the database, then run: seam resnapshot --system ${system} ${tables.map((table) => `--table ${table}`).join(' ')} --yes`,
  });
}
