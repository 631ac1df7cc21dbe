/** Every topic of a deployment, made before anything writes: the settings that keep data are ours, not a default's. */
import { entities } from '../../avro/generated/entities.ts';
import type { Deployment } from '../../core/deployment.ts';
import { TopicSettings } from '../../processors/settings.ts';
import { topicPlan } from '../../processors/topics.ts';
import { openLogAdmin } from '../log.ts';
import { systems } from '../systems.ts';

export async function createTopics(deployment: Deployment): Promise<void> {
  const mappings = systems.flatMap(({ source }) => source?.mapping ?? []);
  const settings = TopicSettings.parse({ partitions: deployment.kafka.partitions });
  const admin = await openLogAdmin(deployment);
  try {
    const { replicationFactor } = deployment.kafka;
    await admin.createTopics(topicPlan(mappings, entities, settings).map((topic) => ({ ...topic, replicationFactor })));
  } finally {
    await admin.close();
  }
}
