/**
 * A source whose log was lost, reset or replaced: its connector starts again, at a new epoch of positions. Its first snapshot
 * reads every table; what the source no longer has is swept. May be run again at any time: the outcome is the same.
 */
import { userInfo } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import { ConnectClient } from '../../adapters/connect-client.ts';
import { haltOf } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import { ContractError, type SeamError } from '../../core/errors.ts';
import { encodePosition } from '../../core/position.ts';
import { whyNotReadable } from '../resnapshot/readable.ts';
import { noteReadingAgain } from '../resnapshot/read-whole.ts';
import { seizeReadingLock } from '../resnapshot/reading-lock.ts';
import { cleanUp, newRequestId, noteRecovery } from '../resnapshot/signals.ts';
import { openSource, type SourceSession } from '../resnapshot/source-session.ts';
import { forgetLosses } from '../sources/checks/mariadb/log/look.ts';
import { connectorName, lookAt, rememberedOf } from '../sources/look.ts';
import { beginFirstSnapshot, notStopped, stopConnector, storedRecord } from './connector-start.ts';
import { type ConnectorPlan, epochOfConfig, planConnectors, taskFailed, whenAvailable } from './connectors.ts';
import { proveFirstSnapshot } from './first-snapshot-proof.ts';
import { FirstSnapshotWait } from './first-snapshot-wait.ts';
import { beginReading } from '../sources/whole-reading.ts';
import { mappedTables, sourceSystem } from '../systems.ts';
import { type ResnapshotEvent, type ResnapshotResult, type SweepChoice, watchOf } from './resnapshot.ts';
import { noteSwept } from '../resnapshot/unswept.ts';
import { isSweptWhole, sweepTables, withheldOf } from './sweep-tables.ts';
import { sourceConnection } from './verify-deployment.ts';

export type RecoveryPlan = {
  readonly system: string;
  /** Why; undefined: the source has nothing that is known of. */
  readonly fault: SeamError | undefined;
  /** Everything that is known to be wrong, what its connector failed of included. */
  readonly reasons: readonly string[];
  readonly identity: string;
  readonly epoch: number;
  readonly tables: readonly string[];
  readonly connector: ConnectorPlan;
};

const STOP_MS_MAX = 60_000;
const POLL_MS = 250;

export async function planRecovery(deployment: Deployment, name: string): Promise<RecoveryPlan> {
  const system = sourceSystem(name);
  const remembered = (await whenAvailable(() => rememberedOf(deployment, name))) ?? { config: {}, offset: undefined };
  const { identity, found } = await lookAt(deployment, name, remembered);
  // a setting that was changed by hand is no number
  const running = epochOfConfig(remembered.config) || 0;
  const epoch = Math.max(running, (await storedRecord(deployment, name))?.epoch ?? 0) + 1;
  const file = { system: name, file: (system.source as { connectorFile: URL }).connectorFile };
  const [connector] = await planConnectors(deployment, [file], { epoch, identity });
  const tables = mappedTables(system);
  const failed = await failureOf(deployment, name);
  const halt = found.find(({ severity }) => severity === 'halt');
  const fault = halt === undefined ? failed : haltOf(halt);
  const reasons = found.map(({ text, id }) => `${text} [${id}]`);
  if (failed !== undefined) reasons.push(`${failed.message} [${failed.code}]`);
  return { system: name, fault, reasons, identity, epoch, tables, connector: connector as ConnectorPlan };
}

async function failureOf(deployment: Deployment, system: string): Promise<SeamError | undefined> {
  const client = new ConnectClient(deployment.connect.url);
  const status = await whenAvailable(() => client.status(connectorName(system)));
  const failed = status?.tasks.find(({ state }) => state === 'FAILED');
  return failed === undefined ? undefined : taskFailed(connectorName(system), failed.trace);
}

export async function recover(
  deployment: Deployment,
  plan: RecoveryPlan,
  reason: string,
  report: (event: ResnapshotEvent) => void,
  signal: AbortSignal,
  { deletionsMax }: SweepChoice = {},
): Promise<ResnapshotResult> {
  const connection = await sourceConnection(deployment, plan.system);
  // what others read of this source is read here too, and their connector is about to stop
  const lock = await seizeReadingLock(connection, plan.system, signal);
  try {
    return await recoverLocked(deployment, plan, reason, report, AbortSignal.any([signal, lock.lost]), deletionsMax);
  } finally {
    await lock.free();
  }
}

async function recoverLocked(
  deployment: Deployment,
  plan: RecoveryPlan,
  reason: string,
  report: (event: ResnapshotEvent) => void,
  signal: AbortSignal,
  deletionsMax: number | undefined,
): Promise<ResnapshotResult> {
  const { system, tables } = plan;
  const client = new ConnectClient(deployment.connect.url);
  const watch = watchOf(deployment, system, signal);
  const session = await openSource(await sourceConnection(deployment, system));
  try {
    await refuseUnreadable(session, system);
    let finishReading = async (_tables: readonly string[]) => {};
    await startAnew(client, plan, async () => {
      if (session.kind === 'postgres') {
        finishReading = await beginReading(deployment, { session, system, tables, isResumed: false });
        await dropSlot(session, plan.connector.config['slot.name'] ?? '');
      }
      await cleanUp(session);
      // what halts a table until it was read again must let the rows of this reading through
      await noteRecovery(session, tables, Date.now());
      await forgetLosses(session, plan.epoch);
      // before the offsets go: a connector without them that was read to its end counts as one that forgot
      await beginFirstSnapshot(deployment, session, system, plan.epoch);
    });
    const refuse = () => refuseUnreadable(session, system);
    const wait = new FirstSnapshotWait({ deployment, client, log: watch.log, system, tables, report, refuse, signal });
    await wait.begin();
    await whenAvailable(() => client.resume(plan.connector.name));
    const rows = await wait.finished();
    await proveFirstSnapshot(deployment, system, (text) => report({ kind: 'waits', text }), signal);
    const asked = { by: userInfo().username, reason, where: undefined, sweep: true };
    const request = { ...asked, id: newRequestId(Date.now()), tables };
    const swept = await sweepTables({ deployment, watch, session, request }, deletionsMax, (one) =>
      report({ kind: 'swept', swept: one }),
    );
    if (isSweptWhole(swept)) {
      await finishReading(tables);
      await noteAllReadAgain(session, plan);
    }
    await noteSwept(session, tables, withheldOf(swept));
    await cleanUp(session);
    return { rows, swept };
  } finally {
    await session.close();
  }
}

/** Before anything is stopped: a snapshot that lacks a right would never end. */
export async function refuseUnreadable(session: SourceSession, system: string): Promise<void> {
  const told: string[] = [];
  for (const table of Object.keys(sourceSystem(system).source.mapping.tables)) {
    const reason = await whyNotReadable(session, table, undefined);
    if (reason !== undefined) told.push(`${table}: ${reason}`);
  }
  if (told.length === 0) return;
  throw new ContractError({
    code: 'TABLE_NOT_READ',
    message: `the capture user cannot read every table: ${told.join('; ')}`,
    where: `source ${system}`,
    hint: `correct it in the database, then run: seam connectors recover ${system} --yes`,
  });
}

/** Stopped, forgotten, changed: in this order nothing is read by the old settings from a new beginning, or the other way round. */
async function startAnew(
  client: ConnectClient,
  { connector: { name, config, action } }: RecoveryPlan,
  whileStopped: () => Promise<void>,
): Promise<void> {
  if (action === 'create') await whenAvailable(() => client.createStopped(name, config));
  else await stopConnector(client, name);
  await whileStopped();
  const known = await whenAvailable(() => client.offsets(name));
  if (known.length > 0) await whenAvailable(() => client.forgetOffsets(name));
  await whenAvailable(() => client.put(name, config));
}

/** What the old log said is covered by the snapshot, whose records are of the new epoch. */
async function noteAllReadAgain(session: SourceSession, { tables, epoch }: RecoveryPlan): Promise<void> {
  const beginning = encodePosition({ epoch, phase: 'snapshot', major: 0n, minor: 0n, isDelete: true });
  for (const table of tables) await noteReadingAgain(session, table, beginning);
}

/** The server needs a moment to see that the connector has gone. */
async function dropSlot(session: SourceSession, slot: string): Promise<void> {
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
