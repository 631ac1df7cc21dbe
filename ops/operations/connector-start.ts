/**
 * Starts connectors so that a first snapshot is whole or goes on. Nothing is changed under a snapshot that runs: the connector is
 * stopped first, and what its offset says then decides.
 *
 *   no offset, or one in the middle of a snapshot   the snapshot begins again with the new settings, and covers every table that they name
 *   an empty offset                                 no row was read, and the connector would take it for finished: forgotten
 *   an offset behind the snapshot                   the connector goes on there; tables that are new are not read by it
 *   no offset, but a snapshot that was whole before refused: its rows would count as older than what was streamed since
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { ConnectClient, ConnectorConfig } from '../../adapters/connect-client.ts';
import { createLogger } from '../../adapters/logger.ts';
import type { Deployment } from '../../core/deployment.ts';
import { ContractError, TransientError } from '../../core/errors.ts';
import { openLog } from '../log.ts';
import { type FirstSnapshot, firstSnapshot, withoutNotifications } from '../resnapshot/first-snapshot.ts';
import { rawEnds } from '../resnapshot/raw-ends.ts';
import { noteFirstSnapshot, type WholeRecord, wholeRecord } from '../resnapshot/read-whole.ts';
import type { SourceSession } from '../resnapshot/source-session.ts';
import { sourceSystem } from '../systems.ts';
import { type ConnectorPlan, epochOfConfig, whenAvailable } from './connectors.ts';
import { withSource } from '../sources/with-source.ts';

const STOP_MS_MAX = 60_000;
const POLL_MS = 250;

export async function putConnector(
  deployment: Deployment,
  client: ConnectClient,
  { system, name, action }: ConnectorPlan,
  config: ConnectorConfig,
): Promise<void> {
  const isNew = action === 'create';
  if (isNew) await whenAvailable(() => client.createStopped(name, withoutNotifications(config)));
  else if ((await snapshotOf(client, name)) !== 'finished') await stopConnector(client, name);
  const snapshot = await snapshotOf(client, name);
  if (snapshot !== 'finished') await refuseForgotten(deployment, client, { system, name, isNew });
  if (snapshot === 'skipped') await whenAvailable(() => client.forgetOffsets(name));
  if (snapshot !== 'finished') await coverAllTables(deployment, system, epochOfConfig(config));
  const wanted = snapshot === 'finished' ? config : withoutNotifications(config);
  if (!isNew) await whenAvailable(() => client.put(name, wanted));
  await whenAvailable(() => client.resume(name));
}

type Forgotten = { readonly system: string; readonly name: string; readonly isNew: boolean };

/** Kafka Connect has lost the offsets of a connector that had streamed: only a new epoch makes what is read now newer. */
async function refuseForgotten(
  deployment: Deployment,
  client: ConnectClient,
  { system, name, isNew }: Forgotten,
): Promise<void> {
  const record = await storedRecord(deployment, system);
  if (record === undefined || record.before !== undefined) return;
  if (isNew) await whenAvailable(() => client.remove(name));
  throw new ContractError({
    code: 'CONNECTOR_FORGOT',
    message: `kafka connect has forgotten how far ${name} had read`,
    where: `source ${system}`,
    hint: `read all of it again: seam connectors recover ${system} --yes`,
  });
}

/** undefined also where the side schema is not there yet; what else lacks, the checks say before anything is applied. */
export async function storedRecord(deployment: Deployment, system: string): Promise<WholeRecord | undefined> {
  return withSource(deployment, system, wholeRecord).catch(() => undefined);
}

function coverAllTables(deployment: Deployment, system: string, epoch: number): Promise<void> {
  return withSource(deployment, system, (session) => beginFirstSnapshot(deployment, session, system, epoch));
}

/** The snapshot that begins now reads them all, or is not finished; whether it saw them all is looked at when it is. */
export async function beginFirstSnapshot(
  deployment: Deployment,
  session: SourceSession,
  system: string,
  epoch: number,
): Promise<void> {
  const tables = Object.keys(sourceSystem(system).source.mapping.tables);
  const log = openLog(deployment, 'seam-connectors', createLogger('error'));
  await noteFirstSnapshot(session, tables, await rawEnds(log, system, tables), epoch);
}

async function snapshotOf(client: ConnectClient, name: string): Promise<FirstSnapshot> {
  return firstSnapshot((await whenAvailable(() => client.offsets(name)))[0]);
}

/** Ends its tasks and waits until they are gone; the connector and its offsets stay. */
export async function stopConnector(client: ConnectClient, name: string): Promise<void> {
  await whenAvailable(() => client.stop(name));
  const deadlineMs = Date.now() + STOP_MS_MAX;
  for (;;) {
    const status = await whenAvailable(() => client.status(name));
    if (status?.connector.state === 'STOPPED' && status.tasks.length === 0) return;
    if (Date.now() > deadlineMs) throw notStopped(name);
    await pause(POLL_MS);
  }
}

export function notStopped(name: string): TransientError {
  return new TransientError({
    code: 'CONNECTOR_NOT_STOPPED',
    message: `${name} has not stopped after ${STOP_MS_MAX / 1_000} s`,
    hint: 'run the same command again; its log: seam stack logs connect',
  });
}
