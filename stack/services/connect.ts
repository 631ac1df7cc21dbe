/** Kafka Connect in distributed mode, with Debezium and the Avro converter as plugins of their own. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { KEY_BYTES_MAX, RAW_BYTES_MAX, RECORD_BYTES_MAX } from '../../core/record-limits.ts';
import { seamConverter } from '../components.ts';
import { host } from '../ports.ts';
import { privateFolder } from '../private-folder.ts';
import { jarsFolder } from '../unpack.ts';
import { javaOptions, quietLogging } from './kafka.ts';
import { registryUrls } from './registry.ts';
import { componentOf, portOf, probeTimeoutMs, type Service, type ServiceContext, toProperties } from './service.ts';

const pluginComponents = ['debezium-postgres', 'debezium-mariadb', 'avro-converter'] as const;
const pluginClasses = [
  'io.debezium.connector.postgresql.PostgresConnector',
  'io.debezium.connector.mariadb.MariaDbConnector',
  seamConverter,
];

export function connectUrl(context: ServiceContext): string {
  return `http://${host}:${portOf(context, 'connect')}`;
}

export function connectService(context: ServiceContext): Service {
  const url = connectUrl(context);
  const folder = path.join(context.stateDirectory, 'connect');
  const properties = path.join(folder, 'connect.properties');
  const classPath = path.join(componentOf(context, 'kafka'), jarsFolder, '*');
  return {
    name: 'connect',
    address: url,
    portNames: ['connect'],
    readyLimitMs: 240_000,
    async prepare() {
      await privateFolder(folder);
      await privateFolder(context.secretsDirectory);
      await writeFile(properties, toProperties(workerSettings(context)));
      await writeFile(path.join(folder, 'log4j2.yaml'), quietLogging);
    },
    command: () => ({
      name: 'connect',
      file: context.java,
      args: [
        ...javaOptions('1g', folder, context.settings.javaPace),
        // in any other zone a snapshot of MariaDB shifts TIMESTAMP by the zone's offset, without a word
        '-Duser.timezone=UTC',
        '-cp',
        classPath,
        'org.apache.kafka.connect.cli.ConnectDistributed',
        properties,
      ],
      env: context.settings.baseEnvironment,
      cwd: folder,
      stopSignal: 'SIGTERM',
      stopLimitMs: 20_000,
    }),
    probe: () => probeWorker(url),
  };
}

function workerSettings(context: ServiceContext): Record<string, string | number | boolean> {
  const own = context.settings.kafkaListeners?.find(({ name }) => name === 'connect');
  return {
    'bootstrap.servers': `${host}:${own?.advertisedPort ?? portOf(context, 'kafka')}`,
    'group.id': 'seam-connect',
    listeners: connectUrl(context),
    'rest.advertised.host.name': host,
    'plugin.path': pluginComponents.map((name) => componentOf(context, name)).join(','),
    // Every plugin announces its classes, so Connect need not look into each of them: 2 s instead of a minute.
    'plugin.discovery': 'service_load',
    'exactly.once.source.support': 'enabled',
    'config.storage.topic': 'connect-configs',
    'config.storage.replication.factor': 1,
    'offset.storage.topic': 'connect-offsets',
    'offset.storage.replication.factor': 1,
    'offset.storage.partitions': 1,
    'status.storage.topic': 'connect-status',
    'status.storage.replication.factor': 1,
    'status.storage.partitions': 1,
    'offset.flush.interval.ms': 1_000,
    'topic.creation.enable': true,
    // There is one worker: waiting five minutes for another to come back, as is the default, would only stop the tasks.
    'scheduled.rebalance.max.delay.ms': 0,
    'connector.client.config.override.policy': 'All',
    'producer.max.request.size': RECORD_BYTES_MAX,
    // the producer refuses a record that is larger than all of its memory
    'producer.buffer.memory': 2 * RECORD_BYTES_MAX,
    'producer.compression.type': 'zstd',
    'producer.linger.ms': 5,
    'consumer.max.partition.fetch.bytes': RECORD_BYTES_MAX,
    'config.providers': 'dir',
    'config.providers.dir.class': 'org.apache.kafka.common.config.provider.DirectoryConfigProvider',
    'config.providers.dir.param.allowed.paths': context.secretsDirectory,
    ...converterSettings(context, 'key.converter', KEY_BYTES_MAX),
    ...converterSettings(context, 'value.converter', RAW_BYTES_MAX),
  };
}

/** Avro in the Confluent wire format, schemas registered on first sight: so a connector says nothing about conversion. */
function converterSettings(
  context: ServiceContext,
  prefix: string,
  bytesMax: number,
): Record<string, string | number | boolean> {
  return {
    [prefix]: seamConverter,
    [`${prefix}.apicurio.registry.url`]: registryUrls(context).converter,
    [`${prefix}.apicurio.registry.auto-register`]: true,
    [`${prefix}.apicurio.registry.find-latest`]: true,
    [`${prefix}.apicurio.registry.as-confluent`]: true,
    [`${prefix}.apicurio.registry.use-id`]: 'contentId',
    [`${prefix}.apicurio.registry.headers.enabled`]: false,
    [`${prefix}.seam.record.bytes.max`]: bytesMax,
  };
}

/** `/health` answers 200 only when the worker has joined its group and read its configuration to the end. */
async function probeWorker(url: string): Promise<void> {
  await getJson(`${url}/health`);
  const plugins = (await getJson(`${url}/connector-plugins?connectorsOnly=false`)) as { class: string }[];
  const missing = pluginClasses.filter((name) => !plugins.some((plugin) => plugin.class === name));
  if (missing.length > 0) throw new Error(`plugins not loaded: ${missing.join(', ')}`);
}

async function getJson(url: string): Promise<unknown> {
  const response = await fetch(url, { signal: AbortSignal.timeout(probeTimeoutMs) });
  if (!response.ok) throw new Error(`${url} answered ${response.status}`);
  return response.json();
}
