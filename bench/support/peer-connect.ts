/** A Kafka Connect worker of its own for the peer: its process holds nothing but the peer's sink, and stays warm over all rounds. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ConnectClient, type ConnectorConfig } from '../../adapters/connect-client.ts';
import { RECORD_BYTES_MAX } from '../../core/record-limits.ts';
import { ensureComponents } from '../../stack/artifacts.ts';
import type { ComponentName } from '../../stack/components.ts';
import { silent } from '../../stack/events.ts';
import { findJava } from '../../stack/java.ts';
import { choosePorts, host } from '../../stack/ports.ts';
import { javaOptions, quietLogging } from '../../stack/services/kafka.ts';
import { toProperties } from '../../stack/services/service.ts';
import type { StackSettings } from '../../stack/settings.ts';
import { jarsFolder } from '../../stack/unpack.ts';
import { cpuUsOf } from './cpu.ts';
import type { Servers } from './servers.ts';
import { until } from './until.ts';
import { startProgram } from './worker-process.ts';

const plugins: readonly ComponentName[] = ['debezium-jdbc', 'avro-converter'];
const START_LIMIT_MS = 180_000;
const HEAP = '1g';

export type PeerConnect = {
  readonly client: ConnectClient;
  readonly pid: number;
  cpuUs(): number;
  /** Throws with the cause when the worker is gone or a task of this connector has failed. */
  check(connector: string): Promise<void>;
  start(connector: string, config: ConnectorConfig): Promise<void>;
  remove(connector: string): Promise<void>;
  stop(): Promise<void>;
};

export async function componentDirectories(names: readonly ComponentName[], settings: StackSettings) {
  return ensureComponents(names, { settings, progress: silent });
}

export async function startPeerConnect(servers: Servers, signal: AbortSignal): Promise<PeerConnect> {
  const { settings, stack } = servers;
  const directories = await componentDirectories(['kafka', ...plugins], settings);
  const folder = path.join(stack.stateDirectory, 'peer-connect');
  await mkdir(folder, { recursive: true });
  const { rest } = await choosePorts(['rest'], {});
  const url = `http://${host}:${rest}`;
  const pluginPath = plugins.map((name) => directories.get(name)).join(',');
  await writeFile(path.join(folder, 'connect.properties'), toProperties(workerSettings(servers, url, pluginPath)));
  await writeFile(path.join(folder, 'log4j2.yaml'), quietLogging);
  const java = (await findJava(settings)).file;
  const classPath = path.join(directories.get('kafka') as string, jarsFolder, '*');
  const program = ['org.apache.kafka.connect.cli.ConnectDistributed', path.join(folder, 'connect.properties')];
  const command = [java, ...javaOptions(HEAP, folder, 'sustained'), '-cp', classPath, ...program];
  const worker = startProgram('peer-connect', command, { logDirectory: servers.logDirectory });
  const client = new ConnectClient(url);
  const isUp = async () => {
    worker.check();
    return (await fetch(`${url}/health`).catch(() => undefined))?.ok ? true : undefined;
  };
  await until(isUp, 'Kafka Connect of the peer answers', { limitMs: START_LIMIT_MS, signal, everyMs: 250 });
  return {
    client,
    pid: worker.pid,
    cpuUs: () => cpuUsOf([worker.pid]),
    async check(connector) {
      worker.check();
      const status = await client.status(connector);
      const failed =
        status?.tasks.find(({ state }) => state === 'FAILED') ??
        (status?.connector.state === 'FAILED' ? status.connector : undefined);
      if (failed !== undefined) throw new Error(`${connector}: ${rootCause(failed.trace ?? 'failed')}`);
    },
    start: (connector, config) => client.put(connector, config),
    remove: (connector) => client.remove(connector),
    stop: () => worker.stop(),
  };
}

/** Connect wraps the reason several times; the innermost one is the reason. */
function rootCause(trace: string): string {
  const lines = trace.split('\n').filter((line) => !line.startsWith('\t'));
  return (lines.findLast((line) => line.startsWith('Caused by:')) ?? lines[0] ?? '')
    .replace('Caused by: ', '')
    .slice(0, 300);
}

function workerSettings(
  { stack }: Servers,
  url: string,
  pluginPath: string,
): Record<string, string | number | boolean> {
  const converter = stack.registry.url.replace('/ccompat/v7', '/registry/v2');
  const avro = (prefix: string) => ({
    [prefix]: 'io.apicurio.registry.utils.converter.AvroConverter',
    [`${prefix}.apicurio.registry.url`]: converter,
    [`${prefix}.apicurio.registry.as-confluent`]: true,
    [`${prefix}.apicurio.registry.use-id`]: 'contentId',
    [`${prefix}.apicurio.registry.headers.enabled`]: false,
  });
  const topic = (name: string) => ({
    [`${name}.storage.topic`]: `peer-connect-${name}`,
    [`${name}.storage.replication.factor`]: 1,
    ...(name === 'config' ? {} : { [`${name}.storage.partitions`]: 1 }),
  });
  return {
    'bootstrap.servers': stack.kafka.bootstrapServers,
    'group.id': 'peer-connect',
    listeners: url,
    'plugin.path': pluginPath,
    'plugin.discovery': 'service_load',
    ...{ ...topic('config'), ...topic('offset'), ...topic('status') },
    'scheduled.rebalance.max.delay.ms': 0,
    'connector.client.config.override.policy': 'All',
    'consumer.max.partition.fetch.bytes': RECORD_BYTES_MAX,
    ...avro('key.converter'),
    ...avro('value.converter'),
  };
}
