/** Every connector as it is: does it run, can its source still be read to the end, and what in the source does nobody read. */
import { ConnectClient } from '../../adapters/connect-client.ts';
import { queryRows } from '../../adapters/sql-script.ts';
import { haltOf, type Sighting } from '../../core/condition.ts';
import type { Deployment } from '../../core/deployment.ts';
import { ContractError, SeamError } from '../../core/errors.ts';
import { sourceKinds } from '../sources/checks/index.ts';
import { connectorName, lookAt, rememberedOf } from '../sources/look.ts';
import { notChecked } from '../sources/not-checked.ts';
import type { System } from '../systems.ts';
import { haltedFault, taskFailed, whenAvailable } from './connectors.ts';
import { accessOf, adminConnection } from './setup.ts';

export type ConnectorView = {
  readonly system: string;
  readonly name: string;
  /** As Kafka Connect says it; `MISSING` where it knows none of this name. */
  readonly state: string;
  readonly tasks: readonly string[];
  /** What stops all of it, with what to run; undefined: nothing. */
  readonly fault: SeamError | undefined;
  /** Everything that is wrong with the source and its tables. */
  readonly conditions: readonly Sighting[];
  /** Tables beside the captured ones; undefined: this user may not see them. */
  readonly notCaptured: readonly string[] | undefined;
};

export async function connectorViews(deployment: Deployment, systems: readonly System[]): Promise<ConnectorView[]> {
  const client = new ConnectClient(deployment.connect.url);
  const sources = systems.filter(({ source }) => source !== null);
  return Promise.all(sources.map((system) => viewOf(deployment, client, system)));
}

async function viewOf(deployment: Deployment, client: ConnectClient, system: System): Promise<ConnectorView> {
  const name = connectorName(system.system);
  const status = await whenAvailable(() => client.status(name));
  const tasks = status?.tasks ?? [];
  const failed = tasks.find(({ state }) => state === 'FAILED');
  const { conditions, error } = await lookNow(deployment, system.system);
  const halt = conditions.find(({ severity, object }) => severity === 'halt' && object.kind === 'source');
  let fault = error ?? (halt === undefined ? undefined : haltOf(halt));
  if (fault === undefined && status === null) fault = missing(system.system, name);
  if (failed !== undefined && (fault === undefined || isOfConnect(fault))) fault = taskFailed(name, failed.trace);
  fault ??= haltedFault(system.system, status);
  return {
    system: system.system,
    name,
    state: status?.connector.state ?? 'MISSING',
    tasks: tasks.map(({ state }) => state),
    fault,
    conditions,
    notCaptured: await tablesNotCaptured(deployment, system).catch(() => undefined),
  };
}

/** While transactions of a failed task are open, Connect tells its state at once, and how far it has read only after a minute. */
function isOfConnect({ code }: SeamError): boolean {
  return code === 'CONNECT_UNREACHABLE' || code === 'CONNECT_UNAVAILABLE';
}

async function lookNow(
  deployment: Deployment,
  system: string,
): Promise<{ conditions: readonly Sighting[]; error?: SeamError }> {
  try {
    const remembered = await rememberedOf(deployment, system);
    if (remembered === null) return { conditions: [] };
    const { found, failed } = await lookAt(deployment, system, remembered);
    const unchecked = notChecked(system, failed);
    return { conditions: unchecked === undefined ? found : [...found, unchecked] };
  } catch (error) {
    if (error instanceof SeamError) return { conditions: [], error };
    const unchecked = notChecked(system, new Map([['all checks', { error, severity: 'halt' as const }]]));
    return { conditions: unchecked === undefined ? [] : [unchecked] };
  }
}

/** In the schemas of captured tables; those that Seam itself writes are none of them. */
async function tablesNotCaptured(
  deployment: Deployment,
  { system, database, source, target }: System,
): Promise<string[]> {
  if (accessOf(deployment, system).adminUser === undefined) throw new Error('only an administrator sees all tables');
  const known = new Set([
    ...Object.keys(source?.mapping.tables ?? {}),
    ...(target?.tables ?? []).flatMap(({ table, effects }) => [table, ...effects.map((effect) => effect.table)]),
  ]);
  const admin = await adminConnection(deployment, system);
  // a target in MariaDB names its tables without the database
  const inDatabase = (table: string) => (table.includes('.') ? table : `${admin.database}.${table}`);
  const read = new Set([...known].map(inDatabase));
  const schemas = new Set([...read].map((table) => table.split('.')[0]));
  const { tablesSql } = sourceKinds[database];
  const rows = await queryRows<{ name: string; place: string }>(admin, tablesSql);
  return rows.flatMap(({ name, place }) => (schemas.has(place) && !read.has(name) ? name : [])).sort();
}

function missing(system: string, name: string): ContractError {
  return new ContractError({
    code: 'CONNECTOR_MISSING',
    message: `kafka connect knows no connector ${name}`,
    where: `source ${system}`,
    hint: `run: seam connectors apply ${system} --yes`,
  });
}
