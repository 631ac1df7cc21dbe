/** The schema registry. It keeps its schemas in Kafka: an id once given out stays valid after any restart. */
import path from 'node:path';
import { host } from '../ports.ts';
import { privateFolder } from '../private-folder.ts';
import versions from '../versions.json' with { type: 'json' };
import { componentOf, portOf, probeTimeoutMs, type Service, type ServiceContext } from './service.ts';

/** Compiled once and lightly: it starts in half the time, and answers a few requests per schema, not per record. */
const javaOptions = ['-Xmx384m', '-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-XX:+ExitOnOutOfMemoryError'];

export function registryUrls(context: ServiceContext): { confluent: string; converter: string } {
  const base = `http://${host}:${portOf(context, 'registry')}/apis`;
  return { confluent: `${base}/ccompat/v7`, converter: `${base}/registry/v2` };
}

export function registryService(context: ServiceContext): Service {
  const { confluent } = registryUrls(context);
  const component = componentOf(context, 'registry');
  const folder = path.join(context.stateDirectory, 'registry');
  const settings = {
    'quarkus.http.host': host,
    'quarkus.http.port': portOf(context, 'registry'),
    'apicurio.storage.kind': 'kafkasql',
    'apicurio.kafkasql.bootstrap.servers': `${host}:${portOf(context, 'kafka')}`,
    // The topics that hold the schemas would else be made with the broker's retention: after a week a restart forgets ids.
    'apicurio.kafkasql.topic.retention.ms': -1,
    // How long it looks for more of its own journal before it answers; the default is five seconds.
    'apicurio.kafkasql.consumer.poll.timeout': 100,
    'quarkus.http.access-log.enabled': false,
  };
  const properties = Object.entries(settings).map(([key, value]) => `-D${key}=${value}`);
  const jar = path.join(component, `apicurio-registry-app-${versions.apicurioRegistry}-runner.jar`);
  return {
    name: 'registry',
    address: confluent,
    portNames: ['registry'],
    readyLimitMs: 180_000,
    prepare: () => privateFolder(folder),
    command: () => ({
      name: 'registry',
      file: context.java,
      args: [...javaOptions, ...properties, '-jar', jar],
      env: context.settings.baseEnvironment,
      cwd: folder,
      stopSignal: 'SIGTERM',
      stopLimitMs: 15_000,
    }),
    async probe() {
      const response = await fetch(`${confluent}/subjects`, { signal: AbortSignal.timeout(probeTimeoutMs) });
      if (!response.ok) throw new Error(`${confluent}/subjects answered ${response.status}`);
      await response.json();
    },
  };
}
