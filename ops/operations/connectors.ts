/** Connectors as data: plan the difference between connectors/<system>/connector.json and Kafka Connect, then apply it. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { ConnectClient, type ConnectorConfig, type ConnectorStatus } from '../../adapters/connect-client.ts';
import { haltOf, placeOf, type Sighting } from '../../core/condition.ts';
import { EPOCH_HEADER } from '../../core/debezium.ts';
import type { SourceMapping } from '../../core/mapping.ts';
import type { Deployment } from '../../core/deployment.ts';
import { ContractError, SeamError, TransientError } from '../../core/errors.ts';
import { tellsOfReadings, withNotifications, withoutNotifications } from '../resnapshot/first-snapshot.ts';
import { capturedColumns } from '../sources/captured-columns.ts';
import { IDENTITY_SETTING } from '../sources/checks/identity-setting.ts';
import { withoutGenerated } from '../sources/generated-columns.ts';
import { knownFailure } from '../sources/connector-failure.ts';
import { refuseAddedTables } from './added-tables.ts';
import { lookAt, passedAtApply } from '../sources/look.ts';
import { notChecked } from '../sources/not-checked.ts';
import { systemNamed } from '../systems.ts';
import { collide, withDerived, withUnicodeFields } from './connector-settings.ts';
import { withSource } from '../sources/with-source.ts';
import { putConnector, storedRecord } from './connector-start.ts';

export const SECRETS_PREFIX = '/run/seam/secrets';
// biome-ignore lint/suspicious/noTemplateCurlyInString: a place holder of connector.json, not of TypeScript
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

/** What a connector's settings hold beside its file: since when its log is this one, whose it is, and whether it tells of readings. */
export type Origin = {
  readonly epoch: number;
  readonly identity: string | undefined;
  readonly tells?: boolean;
};

const EPOCH_TRANSFORM = 'seamEpoch';
const COLUMNS_LEFT_OUT = 'column.exclude.list';
const HISTORY_TOPIC = 'schema.history.internal.kafka.topic';

/** `restart`: for a connector that reads everything again; otherwise what runs is kept. */
export async function planConnectors(
  deployment: Deployment,
  files: readonly ConnectorFile[],
  restart?: Origin,
): Promise<readonly ConnectorPlan[]> {
  const client = new ConnectClient(deployment.connect.url);
  const plans: ConnectorPlan[] = [];
  for (const { system, file } of files) {
    const read = await readConnector(file, deployment);
    const present = await whenAvailable(() => client.config(read.name));
    const kept = {
      epoch: await epochOf(deployment, system, present),
      identity: present?.[IDENTITY_SETTING],
      tells: tellsOfReadings(present ?? {}),
    };
    const mapping = systemNamed(system)?.source?.mapping;
    const left =
      mapping === undefined ? read.config : await leavingGenerated(deployment, mapping, read.config, present);
    const named = withDerived(left, mapping, present);
    const wanted = { ...read, config: withOrigin(system, named, restart ?? kept) };
    const changes = difference(present ?? {}, wanted.config);
    const isHalted = present !== null && haltedState(await whenAvailable(() => client.status(read.name))) !== undefined;
    const isAsWanted = changes.length === 0 && !isHalted;
    const action = present === null ? 'create' : isAsWanted ? 'unchanged' : 'change';
    plans.push({ system, name: wanted.name, action, changes, config: wanted.config });
  }
  return plans;
}

/** A source that cannot be asked keeps what runs: a later look says that it does not answer. */
async function leavingGenerated(
  deployment: Deployment,
  mapping: SourceMapping,
  config: ConnectorConfig,
  present: ConnectorConfig | null,
): Promise<ConnectorConfig> {
  try {
    return await withSource(deployment, mapping.system, (session) => withoutGenerated(session, mapping, config));
  } catch (error) {
    if (!(error instanceof SeamError)) throw error;
    const kept = present?.[COLUMNS_LEFT_OUT];
    return kept === undefined ? config : { ...config, [COLUMNS_LEFT_OUT]: kept };
  }
}

/** Somebody stopped or paused it, and only `resume` starts it again. */
function haltedState(status: ConnectorStatus | null): 'STOPPED' | 'PAUSED' | undefined {
  const state = status?.connector.state;
  return state === 'STOPPED' || state === 'PAUSED' ? state : undefined;
}

/** What such a connector has not read stays in the source's log, as long as that is kept. */
export function haltedFault(system: string, status: ConnectorStatus | null): ContractError | undefined {
  const state = haltedState(status);
  if (state === undefined) return undefined;
  return new ContractError({
    code: 'CONNECTOR_NOT_RUNNING',
    message: `connector ${status?.name} is ${state.toLowerCase()}, and nothing of ${system} is read`,
    where: `source ${system}`,
    hint: `run: seam connectors apply ${system} --yes`,
  });
}

/** NaN where somebody has changed the setting by hand. */
export function epochOfConfig(config: ConnectorConfig): number {
  return Number(config[`transforms.${EPOCH_TRANSFORM}.value.literal`] ?? 0);
}

async function epochOf(deployment: Deployment, system: string, present: ConnectorConfig | null): Promise<number> {
  const running = epochOfConfig(present ?? {});
  if (present !== null && Number.isInteger(running)) return running;
  return (await storedRecord(deployment, system))?.epoch ?? 0;
}

/** From epoch 1 on every record says it in a header; a history of tables before it is none of the new log. */
function withOrigin(system: string, read: ConnectorConfig, { epoch, identity, tells }: Origin): ConnectorConfig {
  const config = tells === true ? withNotifications(read, system) : withoutNotifications(read);
  const known = identity === undefined ? config : { ...config, [IDENTITY_SETTING]: identity };
  if (epoch === 0) return known;
  const transforms = [config.transforms, EPOCH_TRANSFORM].filter((name) => name !== undefined && name !== '');
  const history = config[HISTORY_TOPIC];
  return {
    ...known,
    transforms: transforms.join(','),
    [`transforms.${EPOCH_TRANSFORM}.type`]: 'org.apache.kafka.connect.transforms.InsertHeader',
    [`transforms.${EPOCH_TRANSFORM}.header`]: EPOCH_HEADER,
    [`transforms.${EPOCH_TRANSFORM}.value.literal`]: String(epoch),
    ...(history === undefined ? {} : { [HISTORY_TOPIC]: `${history}.${epoch}` }),
  };
}

/** Applies and waits until every connector and task runs. A failed task is an error with its first line of cause. */
export async function applyConnectors(
  deployment: Deployment,
  plans: readonly ConnectorPlan[],
  timeoutMs = 120_000,
): Promise<void> {
  const client = new ConnectClient(deployment.connect.url);
  const changed = plans.filter(({ action }) => action !== 'unchanged');
  for (const plan of changed) await validate(client, plan);
  const looks = await Promise.all(changed.map((plan) => lookBefore(deployment, client, plan)));
  const refused = looks.flatMap(({ halts }) => halts);
  if (refused.length > 0) throw notWhole(refused);
  for (const { plan, identity } of looks) {
    const config = { ...(await spelled(deployment, plan)), [IDENTITY_SETTING]: identity };
    await putConnector(deployment, client, plan, config);
  }
  for (const plan of plans) await waitUntilRunning(client, plan.name, timeoutMs);
}

/** Where two columns of a table would become one field, the connector could not start. */
async function spelled(deployment: Deployment, { system, config }: ConnectorPlan): Promise<ConnectorConfig> {
  const columns = await withSource(deployment, system, (session) => capturedColumns(session, config));
  return [...columns.values()].some(collide) ? withUnicodeFields(config) : config;
}

async function validate(client: ConnectClient, { system, name, config }: ConnectorPlan): Promise<void> {
  const faults = await whenAvailable(() => client.validate({ ...config, name }));
  if (faults.length === 0) return;
  throw new ContractError({
    code: 'CONNECTOR_INVALID',
    message: `connector ${name} refused\n${faults.map((f) => `    - ${f.setting}: ${f.errors.join('; ')}`).join('\n')}`,
    where: `connectors/${system}/connector.json`,
    hint: 'correct the settings, then run: seam connectors apply --yes',
  });
}

/** Could the source be read whole with the settings that are about to be applied? */
async function lookBefore(deployment: Deployment, client: ConnectClient, plan: ConnectorPlan) {
  const { system, name, config } = plan;
  const offset = (await whenAvailable(() => client.offsets(name)))[0];
  refuseAddedTables(plan, offset);
  const { identity, found, failed } = await lookAt(deployment, system, { config, offset });
  const passes = new Set(passedAtApply(system));
  const unchecked = notChecked(system, failed);
  const halts = found.filter(({ id, severity }) => severity === 'halt' && !passes.has(id));
  return { plan, identity, halts: unchecked === undefined ? halts : [...halts, unchecked] };
}

/** One as it is, several at once: the owner of a database corrects them in one go. */
function notWhole(halts: readonly Sighting[]): ContractError {
  const [only] = halts;
  if (only !== undefined && halts.length === 1) return haltOf(only);
  const lines = halts.map(
    ({ id, object, text, next }) => `    - ${text} [${id}]\n      where: ${placeOf(object)}\n      next:  ${next}`,
  );
  return new ContractError({
    code: 'SOURCE_NOT_WHOLE',
    message: `${halts.length} reasons why a source could not be read whole\n${lines.join('\n')}`,
    hint: 'correct each of them, then run: seam connectors apply --yes',
  });
}

export async function waitUntilRunning(client: ConnectClient, name: string, timeoutMs: number): Promise<void> {
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
  const known = knownFailure(name, trace ?? '');
  if (known !== undefined) return known;
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
    .replaceAll(`\${dir:${SECRETS_PREFIX}`, () => `\${dir:${deployment.connect.secretsDirectory}`)
    .replaceAll(
      BOOTSTRAP_PLACEHOLDER,
      () => deployment.kafka.connectBootstrapServers ?? deployment.kafka.bootstrapServers,
    );
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
