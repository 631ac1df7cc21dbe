/**
 * A source whose log was lost, reset or replaced: its connector starts anew, at a new epoch of positions. Its first snapshot
 * reads every table; what the source no longer has is swept. May be run again at any time: the outcome is the same.
 */
import { userInfo } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { ConnectClient } from '../../adapters/connect-client.ts';
import { haltOf } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import { type SeamError, TransientError } from '../../core/errors.ts';
import { notificationTopic } from '../../processors/topics.ts';
import { cleanUp, newRequestId } from '../resnapshot/signals.ts';
import { openSource } from '../resnapshot/source-session.ts';
import { endOf, followNotifications, type Watch } from '../resnapshot/watch.ts';
import { forgetLosses } from '../sources/checks/mariadb/log/look.ts';
import { lookAt, rememberedOf } from '../sources/look.ts';
import { type ConnectorPlan, epochOfConfig, planConnectors, waitUntilRunning, whenAvailable } from './connectors.ts';
import { mappedTables, sourceSystem } from '../systems.ts';
import { type ResnapshotEvent, type ResnapshotResult, sweepTables, watchOf } from './resnapshot.ts';
import { sourceConnection } from './verify-deployment.ts';

export type RecoveryPlan = {
  readonly system: string;
  /** Why; undefined: the source has nothing that is known of. */
  readonly fault: SeamError | undefined;
  readonly identity: string;
  readonly epoch: number;
  readonly tables: readonly string[];
  readonly connector: ConnectorPlan;
};

const STOP_MS_MAX = 60_000;
const RUN_MS_MAX = 120_000;
const POLL_MS = 250;

export async function planRecovery(deployment: Deployment, name: string): Promise<RecoveryPlan> {
  const system = sourceSystem(name);
  const remembered = (await whenAvailable(() => rememberedOf(deployment, name))) ?? { config: {}, offset: undefined };
  const { identity, found } = await lookAt(deployment, name, remembered);
  const epoch = epochOfConfig(remembered.config) + 1;
  const file = { system: name, file: (system.source as { connectorFile: URL }).connectorFile };
  const [connector] = await planConnectors(deployment, [file], { epoch, identity });
  const tables = mappedTables(system);
  const halt = found.find(({ severity }) => severity === 'halt');
  const fault = halt === undefined ? undefined : haltOf(halt);
  return { system: name, fault, identity, epoch, tables, connector: connector as ConnectorPlan };
}

export async function recover(
  deployment: Deployment,
  plan: RecoveryPlan,
  reason: string,
  report: (event: ResnapshotEvent) => void,
  signal: AbortSignal,
): Promise<ResnapshotResult> {
  const { system, tables } = plan;
  const client = new ConnectClient(deployment.connect.url);
  const watch = watchOf(deployment, system, signal);
  const session = await openSource(await sourceConnection(deployment, system));
  try {
    await startAnew(client, plan, async () => {
      if (session.kind === 'postgres') await dropSlot(session, plan.connector.config['slot.name'] ?? '');
      await cleanUp(session);
      await forgetLosses(session, plan.epoch);
    });
    const from = await endOf(watch.log, notificationTopic(system));
    await whenAvailable(() => client.resume(plan.connector.name));
    await waitUntilRunning(client, plan.connector.name, RUN_MS_MAX);
    const rows = await awaitFirstSnapshot(watch, from, report);
    const asked = { by: userInfo().username, reason, where: undefined, sweep: true };
    const request = { ...asked, id: newRequestId(Date.now()), tables };
    const swept = await sweepTables(deployment, watch, session, request, report);
    await cleanUp(session);
    return { rows, swept };
  } finally {
    await session.close();
  }
}

/** Stopped, forgotten, changed: in this order nothing is read by the old settings from a new beginning, or the other way round. */
async function startAnew(
  client: ConnectClient,
  { connector: { name, config, action } }: RecoveryPlan,
  whileStopped: () => Promise<void>,
): Promise<void> {
  if (action !== 'create') {
    await whenAvailable(() => client.stop(name));
    const deadlineMs = Date.now() + STOP_MS_MAX;
    for (;;) {
      const status = await whenAvailable(() => client.status(name));
      if (status?.connector.state === 'STOPPED' && status.tasks.length === 0) break;
      if (Date.now() > deadlineMs) throw notStopped(name);
      await pause(POLL_MS);
    }
    await whenAvailable(() => client.forgetOffsets(name));
  }
  await whileStopped();
  await whenAvailable(() => client.put(name, config));
}

/** The server needs a moment to see that the connector has gone. */
async function dropSlot(session: Awaited<ReturnType<typeof openSource>>, slot: string): Promise<void> {
  const deadlineMs = Date.now() + STOP_MS_MAX;
  for (;;) {
    const [found] = await session.query<{ active: boolean }>(
      'SELECT active FROM pg_replication_slots WHERE slot_name = ? AND database = current_database()',
      [slot],
    );
    if (found === undefined) return;
    if (!found.active) {
      await session.query('SELECT pg_drop_replication_slot(?)', [slot]);
      return;
    }
    if (Date.now() > deadlineMs) throw notStopped(`slot ${slot}`);
    await pause(POLL_MS);
  }
}

async function awaitFirstSnapshot(
  watch: Watch,
  from: bigint,
  report: (event: ResnapshotEvent) => void,
): Promise<Record<string, number>> {
  const rows: Record<string, number> = {};
  await followNotifications(watch, from, ({ aggregate, type, facts }) => {
    if (aggregate !== 'Initial Snapshot') return undefined;
    if (type === 'TABLE_SCAN_COMPLETED') {
      const table = (facts.scanned_collection ?? '').split('.').slice(-2).join('.');
      rows[table] = Number(facts.total_rows_scanned ?? 0);
      report({ kind: 'table', table, rows: rows[table] as number });
    }
    return type === 'COMPLETED' ? true : undefined;
  });
  return rows;
}

function notStopped(name: string): TransientError {
  return new TransientError({
    code: 'CONNECTOR_NOT_STOPPED',
    message: `${name} has not stopped after ${STOP_MS_MAX / 1_000} s`,
    hint: 'run the same command again; its log: seam stack logs connect',
  });
}
