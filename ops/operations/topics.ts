/** Every topic of a deployment, made before anything writes: the settings that keep data are ours, not a default's. */
import { entities } from '../../avro/generated/entities.ts';
import type { Deployment } from '../../core/deployment.ts';
import { ConfigError } from '../../core/errors.ts';
import type { LogAdmin, Logger } from '../../core/ports.ts';
import { TopicSettings } from '../../processors/settings.ts';
import { type PlannedTopic, topicPlan } from '../../processors/topics.ts';
import { openLogAdmin } from '../log.ts';
import { systems } from '../systems.ts';

export async function createTopics(deployment: Deployment): Promise<void> {
  const mappings = systems.flatMap(({ source }) => source?.mapping ?? []);
  const settings = TopicSettings.parse({ partitions: deployment.kafka.partitions });
  const admin = await openLogAdmin(deployment);
  try {
    const { replicationFactor } = deployment.kafka;
    const plan = topicPlan(mappings, entities, settings);
    await admin.createTopics(plan.map((topic) => ({ ...topic, replicationFactor })));
    await raiseRecordLimits(admin, plan, settings);
  } finally {
    await admin.close();
  }
}

/**
 * Topics of an earlier version take smaller records: a row that the connector sends then would stop its source. Asked at every
 * start of the processors too, so an upgrade needs no command.
 */
export async function raiseRecordLimitsOf(deployment: Deployment, logger: Logger): Promise<void> {
  const mappings = systems.flatMap(({ source }) => source?.mapping ?? []);
  const settings = TopicSettings.parse({ partitions: deployment.kafka.partitions });
  const admin = await openLogAdmin(deployment);
  try {
    const raised = await raiseRecordLimits(admin, topicPlan(mappings, entities, settings), settings);
    if (raised.length > 0) logger.info({ topics: raised, bytes: settings.recordBytesMax }, 'record limit raised');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    // a cluster that keeps its settings to itself
    logger.warn({ code: error.code, reason: error.message }, 'record limit of the topics not raised');
  } finally {
    await admin.close();
  }
}

function raiseRecordLimits(
  admin: LogAdmin,
  plan: readonly PlannedTopic[],
  { recordBytesMax }: TopicSettings,
): Promise<readonly string[]> {
  const topics = plan.map(({ topic }) => topic);
  return admin.raiseSetting(topics, 'max.message.bytes', recordBytesMax);
}
