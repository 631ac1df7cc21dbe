/** Connectors as data: plan the difference between connectors/<system>/connector.json and Kafka Connect, then apply it. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { ConnectClient, type ConnectorConfig, type ConnectorStatus } from '../../adapters/connect-client.ts';
import type { Deployment } from '../../core/deployment.ts';
import { ContractError, TransientError } from '../../core/errors.ts';

export const SECRETS_PREFIX = '/run/seam/secrets';
const BOOTSTRAP_PLACEHOLDER = '${seam:kafka.bootstrap.servers}';
const ATTEMPTS_MAX = 30;
const ATTEMPT_PAUSE_MS = 1000;
const POLL_MS = 250;

export type ConnectorFile = { readonly system: string; readonly file: URL };
export type SettingChange = { readonly setting: string; readonly from: string | null; readonly to: string | null };
export type ConnectorPlan = {
  readonly system: string;
  readonly name: string;
  readonly action: 'create' | 'change' | 'unchanged';
  readonly changes: readonly SettingChange[];
  readonly config: ConnectorConfig;
};

export async function planConnectors(
  deployment: Deployment,
  files: readonly ConnectorFile[],
): Promise<readonly ConnectorPlan[]> {
  const client = new ConnectClient(deployment.connect.url);
  const plans: ConnectorPlan[] = [];
  for (const { system, file } of files) {
    const wanted = await readConnector(file, deployment);
    const present = await whenAvailable(() => client.config(wanted.name));
    const changes = difference(present ?? {}, wanted.config);
    const action = present === null ? 'create' : changes.length === 0 ? 'unchanged' : 'change';
    plans.push({ system, name: wanted.name, action, changes, config: wanted.config });
  }
  return plans;
}

/** Applies and waits until every connector and task runs. A failed task is an error with its first line of cause. */
export async function applyConnectors(
  deployment: Deployment,
  plans: readonly ConnectorPlan[],
  timeoutMs = 120_000,
): Promise<void> {
  const client = new ConnectClient(deployment.connect.url);
  for (const plan of plans) {
    if (plan.action === 'unchanged') continue;
    const faults = await whenAvailable(() => client.validate({ ...plan.config, name: plan.name }));
    if (faults.length > 0) {
      throw new ContractError({
        code: 'CONNECTOR_INVALID',
        message: `connector ${plan.name} refused\n${faults.map((f) => `    - ${f.setting}: ${f.errors.join('; ')}`).join('\n')}`,
        where: `connectors/${plan.system}/connector.json`,
        hint: 'correct the settings, then run: seam connectors apply',
      });
    }
    await whenAvailable(() => client.put(plan.name, plan.config));
  }
  for (const plan of plans) await waitUntilRunning(client, plan.name, timeoutMs);
}

async function waitUntilRunning(client: ConnectClient, name: string, timeoutMs: number): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  let status: ConnectorStatus | null = null;
  while (Date.now() < deadlineMs) {
    status = await whenAvailable(() => client.status(name));
    const failed = status?.tasks.find((task) => task.state === 'FAILED');
    if (failed !== undefined) throw taskFailed(name, failed.trace);
    const running = status?.connector.state === 'RUNNING' && status.tasks.length > 0;
    if (running && status?.tasks.every((task) => task.state === 'RUNNING')) return;
    await pause(POLL_MS);
  }
  throw new TransientError({
    code: 'CONNECTOR_NOT_RUNNING',
    message: `connector ${name} is not running after ${timeoutMs / 1000} s: ${status?.connector.state ?? 'unknown'}`,
    hint: 'seam stack logs connect',
  });
}

export function taskFailed(name: string, trace: string | undefined): ContractError {
  const causes = (trace ?? '').split('\n').filter((line) => line.startsWith('Caused by') || !line.startsWith('\t'));
  return new ContractError({
    code: 'CONNECTOR_TASK_FAILED',
    message: `connector ${name} failed: ${causes.slice(-2).join(' / ').slice(0, 500)}`,
    where: `kafka connect, connector ${name}`,
    hint: 'correct the cause, then run: seam connectors restart',
  });
}

/** Connect answers 409 while its workers rebalance and nothing while it starts: both pass. */
export async function whenAvailable<T>(call: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (attempt < ATTEMPTS_MAX) await pause(ATTEMPT_PAUSE_MS);
      else {
        throw new TransientError({
          code: error.code,
          message: `${error.message} (${ATTEMPTS_MAX} attempts, ${ATTEMPT_PAUSE_MS} ms apart)`,
          ...(error.where === undefined ? {} : { where: error.where }),
          ...(error.hint === undefined ? {} : { hint: error.hint }),
          cause: error,
        });
      }
    }
  }
}

async function readConnector(file: URL, deployment: Deployment): Promise<{ name: string; config: ConnectorConfig }> {
  const text = (await readFile(file, 'utf8'))
    .replaceAll(`\${dir:${SECRETS_PREFIX}`, `\${dir:${deployment.connect.secretsDirectory}`)
    .replaceAll(BOOTSTRAP_PLACEHOLDER, deployment.kafka.connectBootstrapServers ?? deployment.kafka.bootstrapServers);
  return JSON.parse(text) as { name: string; config: ConnectorConfig };
}

function difference(present: ConnectorConfig, wanted: ConnectorConfig): SettingChange[] {
  const settings = new Set([...Object.keys(present), ...Object.keys(wanted)]);
  settings.delete('name');
  return [...settings]
    .sort()
    .filter((setting) => present[setting] !== wanted[setting])
    .map((setting) => ({ setting, from: present[setting] ?? null, to: wanted[setting] ?? null }));
}
