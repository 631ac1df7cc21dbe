/** The six systems as the fault rows need them: every link behind a proxy, small disks, workers that can be let die. */
import { execFile } from 'node:child_process';
import { chmod, cp, mkdir, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { type Chain, closeChain, setUp, startFlow } from '../../demo/chain.ts';
import { comeToRest, historyArrived, until } from '../../demo/day.ts';
import { loadHistory } from '../../demo/load.ts';
import { FIRST_LIVE_WEEK, type RetailData, readRetailData } from '../../demo/retail-data.ts';
import { openSessions } from '../../demo/sessions.ts';
import { writeLocalDeployment } from '../../ops/local-deployment.ts';
import { openLogAdmin } from '../../ops/log.ts';
import { systems } from '../../ops/systems.ts';
import { workerCommands } from '../../ops/worker-commands.ts';
import { WorkerSupervisor } from '../../ops/workers.ts';
import type { Deployment } from '../../core/deployment.ts';
import { choosePorts } from '../../stack/ports.ts';
import { currentStackSettings, type StackSettings } from '../../stack/settings.ts';
import { startStack, stopService, stopStack, type StackDescription } from '../../stack/stack.ts';
import { installAudit } from './audit.ts';
import { Link } from './link.ts';
import { Volumes } from './volumes.ts';

const run = promisify(execFile);

export type FaultChain = Chain & {
  readonly stateDirectory: string;
  /** `deployment` is as the workers see it, through the links; this one is not. */
  readonly direct: Deployment;
  readonly data: RetailData;
  readonly links: ReadonlyMap<string, Link>;
  readonly volumes: Volumes;
  readonly crashDirectory: string;
  /** Names of all servers of the stack. */
  readonly servers: readonly string[];
  stopServer(name: string, signal?: NodeJS.Signals): Promise<number>;
  startServer(name: string, environment?: Readonly<Record<string, string>>): Promise<void>;
  /** SIGSTOP, SIGCONT and others to a server's process. */
  signalServer(name: string, signal: NodeJS.Signals): Promise<number>;
  /** A further supervisor with workers of the same names, beside the ones that run. */
  moreWorkers(): WorkerSupervisor;
  setClock(offsetMs: number): Promise<void>;
  stop(): Promise<void>;
};

export type FaultChainOptions = {
  readonly settings: StackSettings;
  readonly seed: number;
  readonly signal: AbortSignal;
  /** Small volumes under the servers' files, where this user may mount them. */
  readonly smallDisks: boolean;
  readonly onProgress: (what: string) => void;
};

const HISTORY_PATIENCE_MS = 480_000;
const START_LIMIT_MS = 300_000;
const HISTORY_BASKETS = 300;
const LIVE_BASKETS = 600;

export async function startFaultChain(options: FaultChainOptions): Promise<FaultChain> {
  const parent = await mkdtemp(path.join(tmpdir(), 'seam-faults-'));
  // the database servers' own user has to get in
  await chmod(parent, 0o711);
  const stateDirectory = path.join(parent, 'stack');
  await mkdir(stateDirectory, { mode: 0o711 });
  const volumes = new Volumes(stateDirectory);
  if (options.smallDisks) await volumes.mount();
  const undo = async () => {
    await keepLogs(stateDirectory);
    await stopStack({ stateDirectory, removeData: false });
    // a place where something is mounted can't be removed
    await volumes.unmount();
    await rm(parent, { recursive: true, force: true });
  };
  try {
    return await startOn(stateDirectory, volumes, undo, options);
  } catch (error) {
    await undo();
    throw error;
  }
}

async function startOn(
  stateDirectory: string,
  volumes: Volumes,
  undo: () => Promise<void>,
  options: FaultChainOptions,
): Promise<FaultChain> {
  const { onProgress, signal } = options;
  const kafkaPorts = await choosePorts(['workers', 'workers-proxy', 'connect', 'connect-proxy'], {});
  const portOf = (name: string) => kafkaPorts[name] as number;
  const settings: StackSettings = {
    ...options.settings,
    kafkaListeners: (['workers', 'connect'] as const).map((name) => ({
      name,
      port: portOf(name),
      advertisedPort: portOf(`${name}-proxy`),
    })),
  };
  // before the servers: Connect finds Kafka through its proxy only
  const kafkaLinks = (['workers', 'connect'] as const).map(
    (name) => new Link(`${name}-kafka`, portOf(`${name}-proxy`), portOf(name), options.seed),
  );
  await Promise.all(kafkaLinks.map((proxy) => proxy.listen()));
  onProgress('servers');
  const stack = await startStack({
    stateDirectory,
    databases: systems.map(({ system, database }) => ({ name: system, kind: database })),
    settings,
    signal,
    ownerPid: process.pid,
  });
  const { deployment: direct } = await writeLocalDeployment(stack);
  const { deployment, links } = await throughLinks(stack, direct, options.seed, kafkaLinks);
  const deploymentFile = path.join(stateDirectory, 'deployment-workers.json');
  await writeFile(deploymentFile, JSON.stringify(deployment, null, 2), { mode: 0o600 });
  const crashDirectory = path.join(stateDirectory, 'crash');
  await mkdir(crashDirectory, { recursive: true });
  const supervisor = (logs: string) => workersOf(stateDirectory, deploymentFile, logs);
  const workers = supervisor('logs');
  const chain: Chain = { stack, deployment, deploymentFile, sessions: openSessions(stack), workers };
  onProgress('set-up and history');
  await setUp(chain);
  await installAudit(chain.sessions);
  const data = smallShop();
  await loadHistory(chain.sessions, data);
  onProgress('capture');
  await startFlow(chain, withCrashDirectory(workerCommands(), crashDirectory), START_LIMIT_MS);
  await captured(chain, signal);
  return {
    ...chain,
    stateDirectory,
    direct,
    data,
    links,
    volumes,
    crashDirectory,
    servers: stack.processes.map(({ name }) => name),
    ...serverControls(stateDirectory, settings),
    moreWorkers: () => supervisor('logs-more'),
    setClock: (offsetMs) => writeWhole(clockFileOf(stateDirectory), String(offsetMs)),
    stop: async () => {
      await closeChain(chain);
      for (const proxy of links.values()) await proxy.close();
      await undo();
    },
  };
}

/** The last chain's logs stay, for whoever looks into a failed row. */
async function keepLogs(stateDirectory: string): Promise<void> {
  const kept = path.resolve('.seam', 'faults', 'logs');
  await rm(kept, { recursive: true, force: true });
  for (const logs of ['logs', 'logs-more']) {
    await cp(path.join(stateDirectory, logs), path.join(kept, logs), { recursive: true }).catch(() => {});
  }
}

async function captured(chain: Chain, signal: AbortSignal): Promise<void> {
  await until('the history has arrived', HISTORY_PATIENCE_MS, signal, () => historyArrived(chain.sessions));
  const admin = await openLogAdmin(chain.deployment);
  try {
    await comeToRest(admin, signal);
  } finally {
    await admin.close();
  }
}

/** A small shop: the rows need traffic, not a past, and every check reads all of it. */
function smallShop(): RetailData {
  const data = readRetailData();
  const history = data.baskets.filter(({ week }) => week < FIRST_LIVE_WEEK).slice(-HISTORY_BASKETS);
  const live = data.baskets.filter(({ week }) => week >= FIRST_LIVE_WEEK).slice(0, LIVE_BASKETS);
  const baskets = [...history, ...live];
  const sold = new Set(baskets.flatMap(({ lines }) => lines.map(({ productId }) => productId)));
  const buyers = new Set(baskets.map(({ householdId }) => householdId));
  const isKitchen = (department: string) => /DELI|PASTRY|SALAD/.test(department);
  return {
    stores: [...new Set(baskets.map(({ storeId }) => storeId))].sort(),
    products: data.products.filter(({ productId, department }) => sold.has(productId) || isKitchen(department)),
    households: data.households.filter(({ householdId }) => buyers.has(householdId)),
    baskets,
  };
}

async function throughLinks(
  stack: StackDescription,
  direct: Deployment,
  seed: number,
  kafkaLinks: readonly Link[],
): Promise<{ deployment: Deployment; links: Map<string, Link> }> {
  const links = new Map(kafkaLinks.map((proxy) => [proxy.name, proxy]));
  const registry = new URL(direct.registry.url);
  const upstreams = new Map([['workers-registry', Number(registry.port)]]);
  for (const [system, { port }] of Object.entries(direct.systems)) {
    upstreams.set(`workers-${system}`, port);
    upstreams.set(`connect-${system}`, port);
  }
  const ports = await choosePorts([...upstreams.keys()], {});
  for (const [name, upstream] of upstreams) {
    const proxy = new Link(name, ports[name] as number, upstream, seed);
    await proxy.listen();
    links.set(name, proxy);
  }
  const at = (name: string) => (links.get(name) as Link).port;
  registry.port = String(at('workers-registry'));
  const systemsThrough = Object.entries(direct.systems).map(([system, access]) => [
    system,
    { ...access, port: at(`workers-${system}`), connectPort: at(`connect-${system}`) },
  ]);
  return {
    links,
    deployment: {
      ...direct,
      kafka: {
        ...direct.kafka,
        bootstrapServers: `127.0.0.1:${at('workers-kafka')}`,
        connectBootstrapServers: `127.0.0.1:${at('connect-kafka')}`,
      },
      registry: { url: registry.href.replace(/\/$/, '') },
      connect: { ...direct.connect, secretsDirectory: stack.secretsDirectory },
      systems: Object.fromEntries(systemsThrough) as Deployment['systems'],
    },
  };
}

const clockFileOf = (stateDirectory: string) => path.join(stateDirectory, 'clock-offset-ms');

function workersOf(stateDirectory: string, deploymentFile: string, logs: string): WorkerSupervisor {
  const shift = pathToFileURL(path.join(import.meta.dirname, 'clock-shift.ts'));
  shift.searchParams.set('file', clockFileOf(stateDirectory));
  return new WorkerSupervisor({
    deploymentFile,
    logDirectory: path.join(stateDirectory, logs),
    environment: currentStackSettings().baseEnvironment,
    nodeArguments: ['--import', shift.href],
  });
}

/** What the chain's own workers are started with. */
export function commandsOf({ crashDirectory }: Pick<FaultChain, 'crashDirectory'>): Record<string, readonly string[]> {
  return withCrashDirectory(workerCommands(), crashDirectory);
}

function withCrashDirectory(
  commands: Readonly<Record<string, readonly string[]>>,
  directory: string,
): Record<string, readonly string[]> {
  const crashing = (name: string) => (name === 'connectors' ? [] : ['--crash-directory', directory]);
  return Object.fromEntries(Object.entries(commands).map(([name, args]) => [name, [...args, ...crashing(name)]]));
}

/** Readers never see half of it. */
export async function writeWhole(file: string, text: string): Promise<void> {
  await writeFile(`${file}.new`, text);
  await rename(`${file}.new`, file);
}

function serverControls(stateDirectory: string, settings: StackSettings) {
  const pidOf = async (name: string): Promise<number> => {
    const state = JSON.parse(await readFile(path.join(stateDirectory, 'state.json'), 'utf8'));
    const record = (state.processes as { name: string; pid: number }[]).find((process) => process.name === name);
    if (record === undefined) throw new Error(`${name} does not run`);
    return record.pid;
  };
  return {
    stopServer: async (name: string, signal?: NodeJS.Signals) => {
      const pid = await pidOf(name);
      await stopService(stateDirectory, name, signal);
      return pid;
    },
    startServer: async (name: string, environment: Readonly<Record<string, string>> = {}) => {
      const baseEnvironment = { ...settings.baseEnvironment, ...environment };
      await startStack({
        stateDirectory,
        databases: [],
        only: [name],
        settings: { ...settings, baseEnvironment },
      });
    },
    signalServer: async (name: string, signal: NodeJS.Signals) => {
      const pid = await pidOf(name);
      process.kill(pid, signal);
      return pid;
    },
  };
}

/** The server's program and all it has started. */
export async function processTree(pid: number): Promise<number[]> {
  const { stdout } = await run('ps', ['-e', '-o', 'pid=,ppid=']);
  const pairs = stdout
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s+/).map(Number));
  const tree = [pid];
  for (const parent of tree)
    for (const [child, its] of pairs) if (its === parent && child !== undefined) tree.push(child);
  return tree;
}
