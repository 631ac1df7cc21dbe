/** One Kafka node in KRaft mode: broker and controller in one process. */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { RECORD_BYTES_MAX } from '../../core/record-limits.ts';
import { host } from '../ports.ts';
import { privateFolder } from '../private-folder.ts';
import { runProgram } from '../run-program.ts';
import type { StackSettings } from '../settings.ts';
import { jarsFolder } from '../unpack.ts';
import { probeBroker } from './kafka-probe.ts';
import { componentOf, portOf, probeTimeoutMs, type Service, type ServiceContext, toProperties } from './service.ts';

export function kafkaService(context: ServiceContext): Service {
  const port = portOf(context, 'kafka');
  const address = `${host}:${port}`;
  const folder = path.join(context.stateDirectory, 'kafka');
  const properties = path.join(folder, 'server.properties');
  const classPath = path.join(componentOf(context, 'kafka'), jarsFolder, '*');
  return {
    name: 'kafka',
    address,
    portNames: ['kafka', 'kafka-controller'],
    readyLimitMs: 180_000,
    async prepare() {
      await privateFolder(folder);
      await writeFile(properties, toProperties(brokerSettings(context, folder)));
      await writeFile(path.join(folder, 'log4j2.yaml'), quietLogging);
      if (existsSync(path.join(folder, 'log', 'meta.properties'))) return;
      // Written last: without it a format was cut short, and no record was ever written here.
      await rm(path.join(folder, 'log'), { recursive: true, force: true });
      const format = ['-cp', classPath, '-Xshare:auto', '-XX:TieredStopAtLevel=1', 'kafka.tools.StorageTool', 'format'];
      const args = [...format, '--cluster-id', newClusterId(), '--config', properties];
      await runProgram(context.java, args, { cwd: folder, env: context.settings.baseEnvironment });
    },
    command: () => ({
      name: 'kafka',
      file: context.java,
      args: [...javaOptions('512m', folder, context.settings.javaPace), '-cp', classPath, 'kafka.Kafka', properties],
      env: context.settings.baseEnvironment,
      cwd: folder,
      stopSignal: 'SIGTERM',
      stopLimitMs: 20_000,
    }),
    probe: () => probeBroker(host, port, probeTimeoutMs),
  };
}

/** Never begins with a dash, which the format program would take for an option. */
function newClusterId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? newClusterId() : id;
}

/**
 * Quick: only the first compiler. A demo or test of a few minutes on two cores otherwise spends a good part of its time on
 * compiling; a server that runs for hours, or a benchmark, wants both (`SEAM_JAVA=sustained`).
 */
export function javaOptions(heap: string, folder: string, pace: StackSettings['javaPace']): string[] {
  const logging = `-Dlog4j2.configurationFile=${path.join(folder, 'log4j2.yaml')}`;
  return [
    `-Xmx${heap}`,
    '-Xms128m',
    ...(pace === 'quick' ? ['-XX:TieredStopAtLevel=1'] : []),
    '-XX:+UseSerialGC',
    '-XX:+ExitOnOutOfMemoryError',
    '-Djava.awt.headless=true',
    logging,
  ];
}

function brokerSettings(context: ServiceContext, folder: string): Record<string, string | number | boolean> {
  const broker = portOf(context, 'kafka');
  const controller = portOf(context, 'kafka-controller');
  const further = context.settings.kafkaListeners ?? [];
  return {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@${host}:${controller}`,
    listeners: [
      `BROKER://${host}:${broker}`,
      `CONTROLLER://${host}:${controller}`,
      ...further.map(({ name, port }) => `${name.toUpperCase()}://${host}:${port}`),
    ].join(','),
    'advertised.listeners': [
      `BROKER://${host}:${broker}`,
      ...further.map(({ name, advertisedPort }) => `${name.toUpperCase()}://${host}:${advertisedPort}`),
    ].join(','),
    'listener.security.protocol.map': ['BROKER', 'CONTROLLER', ...further.map(({ name }) => name.toUpperCase())]
      .map((name) => `${name}:PLAINTEXT`)
      .join(','),
    'inter.broker.listener.name': 'BROKER',
    'controller.listener.names': 'CONTROLLER',
    'log.dirs': path.join(folder, 'log'),
    'auto.create.topics.enable': false,
    'default.replication.factor': 1,
    'min.insync.replicas': 1,
    'offsets.topic.replication.factor': 1,
    'offsets.topic.num.partitions': 4,
    'transaction.state.log.replication.factor': 1,
    'transaction.state.log.min.isr': 1,
    'transaction.state.log.num.partitions': 4,
    'share.coordinator.state.topic.replication.factor': 1,
    'share.coordinator.state.topic.min.isr': 1,
    'share.coordinator.state.topic.num.partitions': 1,
    'group.initial.rebalance.delay.ms': 0,
    'log.retention.hours': 168,
    'message.max.bytes': RECORD_BYTES_MAX,
    'replica.fetch.max.bytes': RECORD_BYTES_MAX,
  };
}

/**
 * The filter drops one message: for a change that MariaDB logged as a statement, Debezium writes the statement with all its
 * values, and reads on. `seam connectors status` names such statements without their values.
 */
export const quietLogging = `Configuration:
  status: warn
  Appenders:
    Console:
      name: console
      target: SYSTEM_OUT
      RegexFilter:
        regex: "(?s)Received DML '.*"
        onMatch: DENY
        onMismatch: NEUTRAL
      PatternLayout:
        pattern: "%d{yyyy-MM-dd HH:mm:ss,SSS} %p %m (%c{1})%n%ex"
  Loggers:
    Root:
      level: warn
      AppenderRef:
        ref: console
    Logger:
      - name: kafka.server.KafkaServer
        level: info
      - name: org.apache.kafka.connect.runtime.rest
        level: warn
      - name: io.debezium
        level: info
      - name: io.debezium.pipeline.signal.actions.snapshotting
        level: warn
`;
