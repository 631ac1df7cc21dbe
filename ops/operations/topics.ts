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
  await withAdmin(deployment, async (admin) => {
    const { replicationFactor } = deployment.kafka;
    const plan = plannedTopics(deployment);
    await admin.createTopics(plan.map((topic) => ({ ...topic, replicationFactor })));
    await raiseRecordLimits(admin, plan, settingsOf(deployment));
  });
}

/** Topics of the deployment that do not exist yet. */
export async function missingTopics(deployment: Deployment): Promise<string[]> {
  return withAdmin(deployment, async (admin) => {
    const present = new Set(await admin.listTopics());
    return plannedTopics(deployment).flatMap(({ topic }) => (present.has(topic) ? [] : topic));
  });
}

function plannedTopics(deployment: Deployment): PlannedTopic[] {
  const mappings = systems.flatMap(({ source }) => source?.mapping ?? []);
  return topicPlan(mappings, entities, settingsOf(deployment));
}

function settingsOf(deployment: Deployment): TopicSettings {
  return TopicSettings.parse({ partitions: deployment.kafka.partitions });
}

async function withAdmin<T>(deployment: Deployment, work: (admin: LogAdmin) => Promise<T>): Promise<T> {
  const admin = await openLogAdmin(deployment);
  try {
    return await work(admin);
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
