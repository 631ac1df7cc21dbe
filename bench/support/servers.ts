/** The servers of a comparison: the local stack's own, with both compilers of Java, gone when this process ends. */
import path from 'node:path';
import { systemClock } from '../../adapters/clock.ts';
import { KafkaSettings, kafkaLog } from '../../adapters/kafka/log.ts';
import { Registry } from '../../adapters/registry.ts';
import type { Log, Logger } from '../../core/ports.ts';
import { type DatabaseSpec, readStack, type StackDescription, startStack, stopStack } from '../../stack/stack.ts';
import type { StackSettings } from '../../stack/settings.ts';

export const silentLogger: Logger = { error: () => {}, warn: () => {}, info: () => {}, debug: () => {} };

export type Servers = {
  readonly stack: StackDescription;
  readonly settings: StackSettings;
  /** Of our workers and the peer's: it outlives the servers. */
  readonly logDirectory: string;
  readonly log: Log;
  readonly registry: Registry;
  /** Process of a service, for its processor time. */
  pid(service: string): number;
  /** After a service was started again: its process is another one. */
  refreshed(): Promise<Servers>;
};

export type ServerNeeds = { readonly databases: readonly DatabaseSpec[]; readonly connect: boolean };

export async function startServers(
  name: string,
  needs: ServerNeeds,
  context: { readonly stateDirectory: string; readonly settings: StackSettings; readonly signal: AbortSignal },
): Promise<Servers & { stop(): Promise<void> }> {
  const stateDirectory = path.join(context.stateDirectory, name);
  const settings: StackSettings = { ...context.settings, javaPace: 'sustained' };
  // a run that was killed leaves its state behind: figures start from empty servers
  await stopStack({ stateDirectory, removeData: true });
  const services = ['kafka', 'registry', ...(needs.connect ? ['connect'] : [])];
  const stack = await startStack({
    stateDirectory,
    databases: needs.databases,
    only: [...services, ...needs.databases.map(({ name, kind }) => `${kind}-${name}`)],
    ownerPid: process.pid,
    settings,
    signal: context.signal,
  });
  const servers = (described: StackDescription): Servers => ({
    stack: described,
    settings,
    logDirectory: path.join(context.stateDirectory, 'logs', name),
    log: openLog(described.kafka.bootstrapServers, `bench-${name}`),
    registry: new Registry({ url: described.registry.url }, systemClock),
    pid: (service) => described.processes.find((process) => process.name === service)?.pid ?? Number.NaN,
    async refreshed() {
      const now = await readStack(stateDirectory);
      if (now === null) throw new Error('the servers are gone');
      return servers(now);
    },
  });
  return { ...servers(stack), stop: () => stopStack({ stateDirectory, removeData: true }) };
}

/** As a worker of a deployment opens it (ops/log.ts). */
export function openLog(brokers: string, clientId: string): Log {
  const settings = KafkaSettings.parse({ brokers: brokers.split(','), clientId, sessionTimeoutMs: 8_000 });
  return kafkaLog({ settings, clock: systemClock, logger: silentLogger });
}
