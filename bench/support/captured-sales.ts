/** Real change events: sale lines written into the tills' database and read from its log by Debezium. */
import mariadb, { type Connection } from 'mariadb';
import type { Deployment } from '../../core/deployment.ts';
import { writeLocalDeployment } from '../../ops/local-deployment.ts';
import { applyConnectors, planConnectors } from '../../ops/operations/connectors.ts';
import { applySetup, planSetup } from '../../ops/operations/setup.ts';
import { createTopics } from '../../ops/operations/topics.ts';
import { systemNamed } from '../../ops/systems.ts';
import { rawTopic } from '../../processors/main.ts';
import type { SaleLine } from './sale-lines.ts';
import type { Servers } from './servers.ts';
import { until } from './until.ts';

export const RAW_TOPIC = rawTopic('pos', 'pos.tlog_ln');
const ROWS_PER_TRANSACTION = 2_000;
const CAPTURE_LIMIT_MS = 900_000;

export async function setUpSystems(servers: Servers, names: readonly string[]): Promise<Deployment> {
  const { deployment } = await writeLocalDeployment(servers.stack);
  for (const name of names) {
    const system = systemNamed(name);
    if (system === undefined) throw new Error(`no system ${name}`);
    await applySetup(deployment, system, await planSetup(deployment, system, true));
  }
  await createTopics(deployment);
  return deployment;
}

export async function startCapture(deployment: Deployment): Promise<void> {
  const pos = systemNamed('pos');
  if (pos?.source == null) throw new Error('pos is no source');
  await applyConnectors(
    deployment,
    await planConnectors(deployment, [{ system: 'pos', file: pos.source.connectorFile }]),
  );
}

export async function openTills({ stack }: Servers): Promise<Connection> {
  const found = stack.databases.pos;
  if (found === undefined) throw new Error('the stack has no database pos');
  const { host, port, adminUser: user, adminPassword: password } = found;
  return mariadb.createConnection({ host, port, user, password, database: 'pos', timezone: 'Z', dateStrings: true });
}

const INSERT = 'INSERT INTO tlog_ln VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)';

export function tillRow(line: SaleLine, kind = 'S'): unknown[] {
  const { basketId, lineNumber, storeId, householdId, productId, quantity, amount, discount, soldAt } = line;
  const card = householdId === '' ? null : householdId.padStart(10, '0');
  return [basketId, lineNumber, storeId.padStart(6, '0'), card, productId, quantity, amount, discount, kind, soldAt];
}

export async function sell(tills: Connection, lines: readonly SaleLine[]): Promise<void> {
  for (let from = 0; from < lines.length; from += ROWS_PER_TRANSACTION) {
    await tills.beginTransaction();
    await tills.batch(
      INSERT,
      lines.slice(from, from + ROWS_PER_TRANSACTION).map((line) => tillRow(line)),
    );
    await tills.commit();
  }
}

/** Until all of them are in the raw topic and its end rests: the broker writes a commit's marker after it has answered. */
export async function captured(servers: Servers, records: number, signal: AbortSignal): Promise<void> {
  const admin = await servers.log.admin();
  let before = -1n;
  const rests = async () => {
    const end = (await admin.bounds(RAW_TOPIC)).reduce((sum, { latest }) => sum + latest, 0n);
    const isAtRest = end === before && end >= BigInt(records);
    before = end;
    return isAtRest ? true : undefined;
  };
  await until(rests, `${records} change events in ${RAW_TOPIC}`, { limitMs: CAPTURE_LIMIT_MS, signal, everyMs: 2_000 });
  await admin.close();
}
