/** Kafka as a deployment names it. */
import { systemClock } from '../adapters/clock.ts';
import { KafkaSettings, kafkaLog } from '../adapters/kafka/log.ts';
import { createLogger } from '../adapters/logger.ts';
import type { Deployment } from '../core/deployment.ts';
import type { Log, LogAdmin, Logger } from '../core/ports.ts';

/** A worker that dies is noticed after this long; the next one goes on from where the database says. */
const SESSION_TIMEOUT_MS = 8_000;

export function openLog(
  deployment: Deployment,
  clientId: string,
  logger: Logger,
  beforeCommit?: () => void | Promise<void>,
): Log {
  const settings = KafkaSettings.parse({
    brokers: deployment.kafka.bootstrapServers.split(',').map((address) => address.trim()),
    clientId,
    sessionTimeoutMs: SESSION_TIMEOUT_MS,
  });
  return kafkaLog({ settings, clock: systemClock, logger, ...(beforeCommit === undefined ? {} : { beforeCommit }) });
}

export async function canonicalTopics(admin: LogAdmin): Promise<string[]> {
  return (await admin.listTopics()).filter((topic) => topic.startsWith('canonical.'));
}

export function openLogAdmin(deployment: Deployment): Promise<LogAdmin> {
  return openLog(deployment, 'seam-admin', createLogger('warn')).admin();
}
