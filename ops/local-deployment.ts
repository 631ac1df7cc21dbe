/** The deployment file of a local stack: written by `seam stack up`, with passwords made for this stack alone. */
import { randomBytes } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writePrivateFile } from '../adapters/private-file.ts';
import type { Deployment } from '../core/deployment.ts';
import type { StackDescription } from '../stack/stack.ts';

/** Enough to share work between two workers; each one more costs every fetch and every transaction on a small machine. */
const LOCAL_PARTITIONS = 2;

export async function writeLocalDeployment(stack: StackDescription): Promise<{ file: string; deployment: Deployment }> {
  const systems: Deployment['systems'] = {};
  for (const database of Object.values(stack.databases)) {
    const directory = join(stack.stateDirectory, 'passwords', database.name);
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await writePrivateFile(join(directory, 'admin'), database.adminPassword);
    await makePassword(join(directory, 'capture'));
    await makePassword(join(directory, 'sink'));
    systems[database.name] = {
      kind: database.kind,
      host: database.host,
      port: database.port,
      database: database.name,
      passwordDirectory: directory,
      adminUser: database.adminUser,
    };
  }
  const deployment: Deployment = {
    kafka: { bootstrapServers: stack.kafka.bootstrapServers, partitions: LOCAL_PARTITIONS, replicationFactor: 1 },
    registry: { url: stack.registry.url },
    connect: { url: stack.connect.url, secretsDirectory: stack.secretsDirectory },
    systems,
    healing: 'automatic',
    processors: {},
    sinks: {},
  };
  const file = join(stack.stateDirectory, 'deployment.json');
  await writePrivateFile(file, `${JSON.stringify(deployment, null, 2)}\n`);
  return { file, deployment };
}

/** Kept over restarts: the database knows it by then. */
async function makePassword(file: string): Promise<void> {
  const known = await readFile(file, 'utf8').catch(() => '');
  if (known === '') await writePrivateFile(file, randomBytes(18).toString('base64url'));
}
