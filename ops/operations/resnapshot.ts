/**
 * Reads tables of a source again while it streams, and takes away what the source no longer has: heals whatever the log did
 * not tell. The connector does the reading (a row in `seam.signal` asks it to); what is interrupted goes on when asked again.
 */
import { userInfo } from 'node:os';
import { systemClock } from '../../adapters/clock.ts';
import { createLogger } from '../../adapters/logger.ts';
import { Registry } from '../../adapters/registry.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityDescription } from '../../core/canonical-record.ts';
import type { Deployment } from '../../core/deployment.ts';
import { ConfigError, ContractError } from '../../core/errors.ts';
import type { CanonicalMapping } from '../../core/mapping.ts';
import { CANONICALIZE } from '../../processors/canonicalize.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import { notificationTopic } from '../../processors/topics.ts';
import { openLog } from '../log.ts';
import {
  cleanUp,
  leaveMark,
  newRequestId,
  openRequest,
  requestSnapshot,
  type SnapshotRequest,
} from '../resnapshot/signals.ts';
import { openSource, type SourceSession } from '../resnapshot/source-session.ts';
import { type Swept, sweep } from '../resnapshot/sweep.ts';
import {
  awaitMark,
  endOf,
  followNotifications,
  markTopic,
  type Notification,
  type Watch,
} from '../resnapshot/watch.ts';
import { mappedTables, type System, sourceSystem, systemNamed, systems } from '../systems.ts';
import { endOfLog } from '../sources/checks/mariadb/log/events.ts';
import { noteReadAgain } from '../sources/checks/mariadb/log/state.ts';
import type { ReadConnection } from '../verify/source-rows.ts';
import { lookupsOf } from './verify.ts';
import { openTargetReader } from '../verify/actual.ts';
import { sinkConnection, sourceConnection } from './verify-deployment.ts';

export type ResnapshotChoice = {
  readonly system: string;
  /** All mapped ones when empty. */
  readonly tables: readonly string[];
  readonly where?: string | undefined;
  readonly sweep: boolean;
  readonly reason: string;
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
  | { readonly kind: 'swept'; readonly table: string; readonly swept: Swept };

export type ResnapshotResult = {
  readonly rows: Readonly<Record<string, number>>;
  readonly swept: readonly (Swept & { readonly table: string })[];
};

type Report = (event: ResnapshotEvent) => void;

/** Rows that the connector reads at once, as its documentation says. */
const CHUNK_ROWS = 1_024;
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
    const open = await openRequest(session);
    const { where, reason } = choice;
    const by = userInfo().username;
    const fresh = { id: newRequestId(Date.now()), tables, where, sweep: choice.sweep, by, reason };
    if (open !== undefined && choice.tables.length > 0 && !isSame(open, fresh)) throw underWay(choice.system, open);
    const request = open ?? fresh;
    const estimates = await Promise.all(request.tables.map((table) => estimate(session, table)));
    return { request, isResumed: open !== undefined, tables: estimates };
  } finally {
    await session.close();
  }
}

export async function resnapshot(
  deployment: Deployment,
  plan: ResnapshotPlan,
  choice: Pick<ResnapshotChoice, 'system'>,
  report: Report,
  signal: AbortSignal,
): Promise<ResnapshotResult> {
  const watch = watchOf(deployment, choice.system, signal);
  const session = await openSource(await sourceConnection(deployment, choice.system));
  const { request } = plan;
  const rows: Record<string, number> = {};
  const swept: (Swept & { table: string })[] = [];
  const place = plan.isResumed || session.kind !== 'mariadb' ? undefined : await endOfLog(session);
  try {
    for (let round = 0; round < ROUNDS_MAX; round += 1) {
      const isFresh = round > 0 || !plan.isResumed;
      const id = round === 0 ? request.id : `${request.id}-${round}`;
      const from = isFresh ? await endOf(watch.log, notificationTopic(choice.system)) : 0n;
      if (isFresh) await requestSnapshot(session, { ...request, id });
      Object.assign(rows, await awaitSnapshot(watch, from, id, plan.tables, report));
      if (!request.sweep) break;
      const found = await sweepTables(deployment, watch, session, { ...request, id }, report);
      swept.push(...found);
      if (found.every(({ overtaken }) => overtaken === 0)) break;
    }
    const isWhole = request.sweep && request.where === undefined;
    if (place !== undefined && isWhole) await noteReadAgain(session, request.tables, place);
    await cleanUp(session);
    return { rows, swept };
  } finally {
    await session.close();
  }
}

export function watchOf(deployment: Deployment, system: string, signal: AbortSignal): Watch {
  const log = openLog(deployment, 'seam-resnapshot', createLogger('error'));
  const registry = new Registry({ url: deployment.registry.url }, systemClock);
  return { log, registry, clock: systemClock, system, signal };
}

// ---- reading ---------------------------------------------------------------------------------------------------------

/** Rows read, by table. */
async function awaitSnapshot(
  watch: Watch,
  from: bigint,
  id: string,
  tables: readonly TableEstimate[],
  report: Report,
): Promise<Record<string, number>> {
  const estimates = new Map(tables.map(({ table, rows }) => [table, rows]));
  const rows: Record<string, number> = {};
  let chunks = 0;
  const failed = await followNotifications(watch, from, (notification) => {
    if (notification.id !== id) return undefined;
    const table = notification.facts.current_collection_in_progress ?? notification.facts.scanned_collection ?? '';
    switch (notification.type) {
      case 'IN_PROGRESS': {
        chunks += 1;
        const estimated = Number(notification.facts.total_rows ?? estimates.get(table) ?? 0);
        report({ kind: 'rows', table, seen: chunks * CHUNK_ROWS, estimated });
        return undefined;
      }
      case 'TABLE_SCAN_COMPLETED':
        chunks = 0;
        if (!isRead(notification)) return notification;
        rows[table] = Number(notification.facts.total_rows_scanned ?? 0);
        report({ kind: 'table', table, rows: rows[table] as number });
        return undefined;
      case 'ABORTED':
        return notification;
      case 'COMPLETED':
        return null;
      default:
        return undefined;
    }
  });
  if (failed !== null) throw notRead(watch.system, failed);
  const lacking = tables.filter(({ table }) => rows[table] === undefined).map(({ table }) => table);
  if (lacking.length > 0) throw notCaptured(watch.system, lacking);
  return rows;
}

function isRead({ facts }: Notification): boolean {
  return facts.status === 'SUCCEEDED' || facts.status === 'EMPTY';
}

// ---- sweeping --------------------------------------------------------------------------------------------------------

export async function sweepTables(
  deployment: Deployment,
  watch: Watch,
  session: SourceSession,
  request: SnapshotRequest,
  report: Report,
): Promise<(Swept & { table: string })[]> {
  const found: (Swept & { table: string })[] = [];
  for (const table of request.tables) {
    for (const mapping of canonicalMappings(sourceSystem(watch.system), table)) {
      if (mapping.onDelete === 'keep') continue;
      const swept = await sweepEntity(deployment, watch, session, { request, table, mapping });
      report({ kind: 'swept', table, swept });
      found.push({ ...swept, table });
    }
  }
  return found;
}

type Part = { readonly request: SnapshotRequest; readonly table: string; readonly mapping: CanonicalMapping };

async function sweepEntity(
  deployment: Deployment,
  watch: Watch,
  session: SourceSession,
  { request, table, mapping }: Part,
): Promise<Swept> {
  const { log, system, signal } = watch;
  const from = await endOf(log, markTopic(system));
  const markId = `${request.id}-${mapping.entity}-${Date.now()}`.slice(0, 64);
  await leaveMark(session, markId);
  const mark = await awaitMark(watch, from, markId);
  const settings = ProcessorSettings.parse(deployment.processors);
  return sweep({
    log,
    groupId: `${settings.groupPrefix}-${CANONICALIZE}`,
    system,
    table,
    mapping,
    description: entities[mapping.entity] as EntityDescription,
    lookups: await identityLookups(deployment, system, table, mapping),
    source: await sourceConnection(deployment, system),
    targets: await ledgersOf(deployment, mapping.entity),
    mark,
    asked: { by: request.by, reason: request.reason, id: request.id },
    signal,
  });
}

async function ledgersOf(deployment: Deployment, entity: string): Promise<ReadConnection[]> {
  const holders = systems.filter(({ target }) => target?.tables.some((table) => table.entity === entity));
  return Promise.all(holders.map(({ system }) => sinkConnection(deployment, system)));
}

async function identityLookups(deployment: Deployment, system: string, table: string, mapping: CanonicalMapping) {
  if (systemNamed(system)?.target == null) return { canonicalId: () => undefined };
  const reader = await openTargetReader(await sinkConnection(deployment, system));
  try {
    return await lookupsOf({ system, table, mappings: [mapping] }, new Map([[system, reader]]));
  } finally {
    await reader.close();
  }
}

// ---- what there is ---------------------------------------------------------------------------------------------------

function canonicalMappings({ source }: System, table: string): readonly CanonicalMapping[] {
  const mapping = source?.mapping.tables[table];
  return mapping === undefined || 'kind' in mapping ? [] : mapping;
}

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

function notRead(system: string, { type, facts }: Notification): ContractError {
  const table = facts.scanned_collection ?? facts.data_collections ?? '';
  return new ContractError({
    code: 'TABLE_NOT_READ',
    message: `the connector could not read ${table} again: ${facts.status ?? type}`,
    where: `connector of ${system}`,
    hint: 'a condition must be valid SQL for every table named; a table needs a key; its log: seam stack logs connect',
  });
}

function notCaptured(system: string, tables: readonly string[]): ContractError {
  return new ContractError({
    code: 'TABLE_NOT_CAPTURED',
    message: `the connector reads no table ${tables.join(', ')}`,
    where: `connector of ${system}`,
    hint: `compare table.include.list with what runs: seam connectors apply ${system}`,
  });
}
