/**
 * Reads tables of a source again while it streams, and takes away what the source no longer has: heals whatever the log did
 * not tell. The connector does the reading (a row in `seam.signal` asks it to); what is interrupted goes on when asked again.
 */
import { userInfo } from 'node:os';
import { ConnectClient } from '../../adapters/connect-client.ts';
import { systemClock } from '../../adapters/clock.ts';
import { createLogger } from '../../adapters/logger.ts';
import { Registry } from '../../adapters/registry.ts';
import type { Deployment } from '../../core/deployment.ts';
import { haltOf } from '../../core/condition.ts';
import { ConfigError, ContractError } from '../../core/errors.ts';
import { openLog } from '../log.ts';
import { firstSnapshot, tellsOfReadings, withNotifications } from '../resnapshot/first-snapshot.ts';
import { whyNotReadable } from '../resnapshot/readable.ts';
import { addWholeTables, noteReadingAgain, wholeTables } from '../resnapshot/read-whole.ts';
import { awaitReadingLock } from '../resnapshot/reading-lock.ts';
import { goOnReading, type Reading, type ReadingParts, readAgain, tableNotRead } from '../resnapshot/reading.ts';
import { cleanUp, newRequestId, openRequest, type SnapshotRequest } from '../resnapshot/signals.ts';
import { type GeneratedColumn, generatedAndMapped } from '../sources/generated-columns.ts';
import { openSource, type SourceSession } from '../resnapshot/source-session.ts';
import { noteSwept } from '../resnapshot/unswept.ts';
import type { Watch } from '../resnapshot/watch.ts';
import { isInList } from '../sources/checks/lists.ts';
import { connectorName, lookAt, type Remembered, rememberedOf } from '../sources/look.ts';
import { beginReading } from '../sources/whole-reading.ts';
import { mappedTables, sourceSystem } from '../systems.ts';
import { stopConnector } from './connector-start.ts';
import { waitUntilRunning, whenAvailable } from './connectors.ts';
import { readingStopped } from './failed-task.ts';
import { type SweptEntity, sweepTables, tablesSweptWhole, withheldOf } from './sweep-tables.ts';
import { sourceConnection } from './verify-deployment.ts';

export type ResnapshotChoice = {
  readonly system: string;
  /** All mapped ones when empty. */
  readonly tables: readonly string[];
  readonly where?: string | undefined;
  readonly sweep: boolean;
  readonly reason: string;
  /** Who asks; the user of this process, if nobody is named. */
  readonly by?: string | undefined;
};

export type TableEstimate = { readonly table: string; readonly rows: number };
export type ResnapshotPlan = {
  readonly request: SnapshotRequest;
  /** An earlier request that was not carried out to its end: this one goes on with it. */
  readonly isResumed: boolean;
  readonly tables: readonly TableEstimate[];
};

export type ResnapshotEvent =
  | { readonly kind: 'rows'; readonly table: string; readonly seen: number; readonly estimated: number }
  | { readonly kind: 'table'; readonly table: string; readonly rows: number }
  | { readonly kind: 'waits'; readonly text: string }
  | { readonly kind: 'swept'; readonly swept: SweptEntity };

export type ResnapshotResult = {
  readonly rows: Readonly<Record<string, number>>;
  readonly swept: readonly SweptEntity[];
};

/** Deletions beyond what is free that were confirmed: verdict.ts. */
export type SweepChoice = { readonly deletionsMax?: number | undefined };

type Report = (event: ResnapshotEvent) => void;

/** In a request: Seam itself asks. */
export const HEALER = 'seam';

const RUN_MS_MAX = 120_000;
/** A row that came back while it was swept is rare; that it does so again and again is not a row's doing. */
const ROUNDS_MAX = 3;

export async function planResnapshot(deployment: Deployment, choice: ResnapshotChoice): Promise<ResnapshotPlan> {
  const system = sourceSystem(choice.system);
  const known = mappedTables(system);
  const tables = choice.tables.length === 0 ? known : choice.tables;
  const unknown = tables.filter((table) => !known.includes(table));
  if (unknown.length > 0) throw tableUnknown(choice.system, unknown, known);
  const session = await openSource(await sourceConnection(deployment, choice.system));
  try {
    const { where, reason, by = userInfo().username } = choice;
    const fresh = { id: newRequestId(Date.now()), tables, where, sweep: choice.sweep, by, reason };
    let open = await openRequest(session);
    if (open?.by === HEALER && by !== HEALER && !isSame(open, fresh)) {
      // Seam finishes what it began by itself
      await awaitEnd(deployment, choice.system);
      open = await openRequest(session);
    }
    if (open !== undefined && choice.tables.length > 0 && !isSame(open, fresh)) throw underWay(choice.system, open);
    const request = open ?? fresh;
    if (open === undefined) await refuseUnreadable(deployment, choice.system, session, request);
    const estimates = await Promise.all(request.tables.map((table) => estimate(session, table)));
    return { request, isResumed: open !== undefined, tables: estimates };
  } finally {
    await session.close();
  }
}

/** Of the reading that is under way, if there is one. */
async function awaitEnd(deployment: Deployment, system: string): Promise<void> {
  const lock = await awaitReadingLock(
    await sourceConnection(deployment, system),
    system,
    () => {},
    new AbortController().signal,
  );
  await lock.free();
}

/** Before the connector is asked: it would answer late, and without the database's reason. */
async function refuseUnreadable(
  deployment: Deployment,
  system: string,
  session: SourceSession,
  { tables, where }: SnapshotRequest,
): Promise<void> {
  const remembered = await streaming(deployment, system);
  const isCaptured = isInList(remembered.config['table.include.list']);
  const lacking = tables.filter((table) => !isCaptured(table));
  if (lacking.length > 0) throw notCaptured(system, lacking);
  const { found } = await lookAt(deployment, system, remembered);
  const halt = found.find(({ severity, object, healedBy }) => {
    // what this command heals must not refuse it
    if (severity !== 'halt' || healedBy === 'reading') return false;
    return object.kind === 'source' || (object.kind === 'table' && tables.includes(object.table));
  });
  if (halt !== undefined) throw haltOf(halt);
  const generated = await generatedAndMapped(session, sourceSystem(system).source.mapping, tables);
  if (generated.length > 0) throw generatedNotRead(system, generated);
  const reasons = await Promise.all(tables.map((table) => whyNotReadable(session, table, where)));
  const unreadable = tables.filter((_, index) => reasons[index] !== undefined);
  if (unreadable.length === 0) return;
  const told = tables.flatMap((table, index) => (reasons[index] === undefined ? [] : `${table}: ${reasons[index]}`));
  throw tableNotRead(system, told, unreadable);
}

/** A request that cannot be carried out any more is taken back: it must not stand in the way of other tables. */
async function refuseLeftRequest(
  deployment: Deployment,
  session: SourceSession,
  system: string,
  request: SnapshotRequest,
): Promise<void> {
  try {
    await refuseUnreadable(deployment, system, session, request);
  } catch (error) {
    await cleanUp(session);
    throw error;
  }
}

/** Only a connector that streams can be asked for anything. */
async function streaming(deployment: Deployment, system: string): Promise<Remembered> {
  const remembered = await whenAvailable(() => rememberedOf(deployment, system));
  if (remembered === null) throw connectorMissing(system, connectorName(system));
  if (firstSnapshot(remembered.offset) !== 'finished') throw firstSnapshotRuns(system);
  return remembered;
}

/** Waits for the end of a reading of the same source that is under way. */
export async function resnapshot(
  deployment: Deployment,
  plan: ResnapshotPlan,
  choice: Pick<ResnapshotChoice, 'system'> & SweepChoice,
  report: Report,
  signal: AbortSignal,
): Promise<ResnapshotResult> {
  const connection = await sourceConnection(deployment, choice.system);
  const tell = (text: string) => report({ kind: 'waits', text });
  const lock = await awaitReadingLock(connection, choice.system, tell, signal);
  try {
    return await readAndSweep(deployment, plan, choice, report, AbortSignal.any([signal, lock.lost]));
  } finally {
    await lock.free();
  }
}

/** The caller holds the source's reading lock. */
export async function readAndSweep(
  deployment: Deployment,
  planned: ResnapshotPlan,
  { system, deletionsMax }: Pick<ResnapshotChoice, 'system'> & SweepChoice,
  report: Report,
  signal: AbortSignal,
): Promise<ResnapshotResult> {
  const watch = watchOf(deployment, system, signal);
  await letConnectorTell(deployment, system);
  const session = await openSource(await sourceConnection(deployment, system));
  try {
    const plan = await stillTrue(session, system, planned);
    const { tables, where, sweep } = plan.request;
    const parts = readingParts(deployment, watch, session, plan, report);
    if (plan.isResumed) await refuseLeftRequest(deployment, session, system, plan.request);
    const finishReading = await beginReading(deployment, { session, system, tables, isResumed: plan.isResumed });
    const rows: Record<string, number> = {};
    const swept: SweptEntity[] = [];
    let first: Reading | undefined;
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const reading = await readRound(parts, plan, round);
      first ??= reading;
      Object.assign(rows, reading.rows);
      if (!sweep) break;
      const place = { deployment, watch, session, request: reading.request };
      const found = await sweepTables(place, deletionsMax, (one) => report({ kind: 'swept', swept: one }));
      swept.push(...found);
      if (found.every(({ overtaken }) => overtaken === 0)) break;
    }
    // a part of the rows, or rows without their deletions, heal only what they are
    const whole = where === undefined && sweep ? tablesSweptWhole(tables, swept) : [];
    if (whole.length > 0) await finishReading(whole);
    await noteRead(session, system, first?.request ?? plan.request, whole);
    if (where === undefined && sweep) await noteSwept(session, tables, withheldOf(swept));
    await cleanUp(session);
    return { rows, swept };
  } finally {
    await session.close();
  }
}

/** Another reading may have ended since it was planned, and with it the request that was to be finished. */
async function stillTrue(session: SourceSession, system: string, plan: ResnapshotPlan): Promise<ResnapshotPlan> {
  const open = await openRequest(session);
  if (open !== undefined && open.id !== plan.request.id) throw underWay(system, open);
  if (open !== undefined || !plan.isResumed) return plan;
  return { ...plan, isResumed: false, request: { ...plan.request, id: newRequestId(Date.now()), readFrom: undefined } };
}

function readRound(parts: ReadingParts, { request, isResumed }: ResnapshotPlan, round: number): Promise<Reading> {
  if (round > 0) return readAgain(parts, { ...request, id: `${request.id}-${round}` });
  return isResumed ? goOnReading(parts, request) : readAgain(parts, request);
}

function readingParts(
  deployment: Deployment,
  watch: Watch,
  session: SourceSession,
  plan: ResnapshotPlan,
  report: Report,
): ReadingParts {
  return {
    watch,
    session,
    estimates: new Map(plan.tables.map(({ table, rows }) => [table, rows])),
    running: async () => {
      const remembered = await whenAvailable(() => rememberedOf(deployment, watch.system));
      const id = remembered?.offset?.incremental_snapshot_correlation_id;
      return id === undefined ? undefined : String(id);
    },
    report,
  };
}

/** From the first reading on: before, an error in the first snapshot would pass for its end (first-snapshot.ts). */
async function letConnectorTell(deployment: Deployment, system: string): Promise<void> {
  const { config } = await streaming(deployment, system);
  if (tellsOfReadings(config)) return;
  const client = new ConnectClient(deployment.connect.url);
  const name = connectorName(system);
  // stopped in between: the task of before would carry a request out and tell nobody
  await stopConnector(client, name);
  await whenAvailable(() => client.put(name, withNotifications(config, system)));
  await whenAvailable(() => client.resume(name));
  await waitUntilRunning(client, name, RUN_MS_MAX);
}

/** Of whole tables: their rows of before the log are known now, and what is older is covered. */
async function noteRead(
  session: SourceSession,
  system: string,
  request: SnapshotRequest,
  whole: readonly string[],
): Promise<void> {
  if (request.where !== undefined) return;
  if (request.readFrom !== undefined) {
    for (const table of whole) await noteReadingAgain(session, table, Buffer.from(request.readFrom, 'hex'));
  }
  const known = await wholeTables(session);
  const all = mappedTables(sourceSystem(system));
  // of an older connector the list begins with all tables, or the others would halt
  if (known !== undefined || all.every((table) => request.tables.includes(table))) {
    await addWholeTables(session, request.tables);
  }
}

export function watchOf(deployment: Deployment, system: string, signal: AbortSignal): Watch {
  const log = openLog(deployment, 'seam-resnapshot', createLogger('error'));
  const registry = new Registry({ url: deployment.registry.url }, systemClock);
  const refuse = readingStopped(new ConnectClient(deployment.connect.url), system);
  return { log, registry, clock: systemClock, system, refuse, signal };
}

// ---- what there is ---------------------------------------------------------------------------------------------------

/** As the database itself estimates it: counting would read the table once more. */
async function estimate(session: SourceSession, table: string): Promise<TableEstimate> {
  const [schema = '', name = ''] = table.split('.');
  const sql =
    session.kind === 'postgres'
      ? `SELECT GREATEST(reltuples, 0)::bigint::text AS estimated FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
         WHERE nspname = ? AND relname = ?`
      : `SELECT CAST(table_rows AS CHAR) AS estimated FROM information_schema.tables WHERE table_schema = ? AND table_name = ?`;
  const [row] = await session.query<{ estimated: string | null }>(sql, [schema, name]);
  return { table, rows: Number(row?.estimated ?? 0) };
}

function isSame(left: SnapshotRequest, right: SnapshotRequest): boolean {
  return left.tables.join() === right.tables.join() && left.where === right.where;
}

function tableUnknown(system: string, unknown: readonly string[], known: readonly string[]): ConfigError {
  return new ConfigError({
    code: 'TABLE_UNKNOWN',
    message: `${system} has no mapped table ${unknown.join(', ')}`,
    where: `connectors/${system}/mapping.ts`,
    hint: `known: ${known.join(', ')}`,
  });
}

function underWay(system: string, { tables, by, reason }: SnapshotRequest): ContractError {
  return new ContractError({
    code: 'RESNAPSHOT_UNDER_WAY',
    message: `${by} asked for ${tables.join(', ')} before, and it is not finished${reason === '' ? '' : `: ${reason}`}`,
    where: `seam.signal of ${system}`,
    hint: `finish it first: seam resnapshot --system ${system} --yes`,
  });
}

function notCaptured(system: string, tables: readonly string[]): ContractError {
  return new ContractError({
    code: 'TABLE_NOT_CAPTURED',
    message: `the connector reads no table ${tables.join(', ')}`,
    where: `connector of ${system}`,
    hint: `name it in table.include.list of connectors/${system}/connector.json, then run: seam connectors apply ${system} --yes`,
  });
}

function generatedNotRead(system: string, generated: readonly GeneratedColumn[]): ContractError {
  const named = generated.map(({ table, column }) => `${table}.${column}`).join(', ');
  return new ContractError({
    code: 'GENERATED_NOT_READ',
    message: `the connector reads a table with a generated column in its first snapshot only: ${named}`,
    where: `connectors/${system}/mapping.ts`,
    hint: `derive the field from the columns behind it in the mapping, or read the whole source again: seam connectors recover ${system} --yes`,
  });
}

function connectorMissing(system: string, name: string): ContractError {
  return new ContractError({
    code: 'CONNECTOR_MISSING',
    message: `kafka connect knows no connector ${name}`,
    where: `source ${system}`,
    hint: `run: seam connectors apply ${system} --yes`,
  });
}

function firstSnapshotRuns(system: string): ContractError {
  return new ContractError({
    code: 'FIRST_SNAPSHOT_RUNS',
    message: `the first snapshot of ${system} is not finished: all its tables are read now`,
    where: `connector of ${system}`,
    hint: `wait until it is: seam connectors status ${system}`,
  });
}
