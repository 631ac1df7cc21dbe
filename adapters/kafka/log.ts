/** Kafka behind core/ports.ts. Only this folder imports kafkajs. */
import kafkajs from 'kafkajs';
import type { Kafka } from 'kafkajs';
import type { Clock, Log, Logger } from '../../core/ports.ts';
import { KafkaLogAdmin } from './admin.ts';
import { repairClient } from './client-repairs.ts';
import { type ConsumerHealth, KafkaLogConsumer } from './consumer.ts';
import { toSeamError } from './errors.ts';
import { PartitionCounts } from './partition-counts.ts';
import type { KafkaSettings } from './settings.ts';
import { KafkaTransactionalWriter } from './writer.ts';

export type { ConsumerHealth } from './consumer.ts';
export { KafkaSettings } from './settings.ts';

const CONNECT_MS_MAX = 5_000;

export type KafkaLogParts = {
  readonly settings: KafkaSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly onHealth?: (health: ConsumerHealth) => void;
  /** For fault tests: within every transaction, after everything was produced. */
  readonly beforeCommit?: () => void | Promise<void>;
};

export function kafkaLog({
  settings,
  clock,
  logger,
  onHealth = () => {},
  beforeCommit = () => {},
}: KafkaLogParts): Log {
  repairClient();
  const createClient = () => createKafka(settings, logger);
  const admin = async () => {
    const client = createClient().admin({ retry: { retries: 3, initialRetryTime: 100 } });
    try {
      await client.connect();
    } catch (error) {
      throw toSeamError(error, settings.brokers.join(', '));
    }
    return new KafkaLogAdmin(client, clock);
  };
  const partitionCounts = new PartitionCounts(admin);
  return {
    admin,
    consumer: (options) => new KafkaLogConsumer({ options, settings, createClient, admin, clock, logger, onHealth }),
    writer: (transactionalId) =>
      new KafkaTransactionalWriter({
        transactionalId,
        createProducer: () => createProducer(createClient(), transactionalId, settings),
        partitionCounts,
        clock,
        beforeCommit,
      }),
  };
}

function createProducer(client: Kafka, transactionalId: string, settings: KafkaSettings) {
  return client.producer({
    transactionalId,
    // of the transaction's own producer id; `true` would ask for a second one that nobody uses
    idempotent: false,
    maxInFlightRequests: 1,
    allowAutoTopicCreation: false,
    transactionTimeout: settings.transactionTimeoutMs,
    createPartitioner: () => () => 0, // never asked: see produce-chunks.ts
    retry: { retries: 0 }, // see writer.ts
  });
}

function createKafka(settings: KafkaSettings, logger: Logger): Kafka {
  return new kafkajs.Kafka({
    brokers: [...settings.brokers],
    clientId: settings.clientId,
    connectionTimeout: CONNECT_MS_MAX,
    requestTimeout: settings.requestTimeoutMs,
    retry: { retries: 3, initialRetryTime: 50, maxRetryTime: 1_000 },
    logLevel: kafkajs.logLevel.ERROR,
    // what kafkajs calls an error is mostly the first of several attempts: what matters reaches us as an error
    logCreator:
      () =>
      ({ namespace, log }) =>
        logger.debug({ client: namespace, reason: log.message }, 'kafka client'),
  });
}
