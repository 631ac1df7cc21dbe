/**
 * Lays down the plugins of Kafka Connect for its image, each in a folder of its own.
 *   node deploy/fetch-plugins.ts OUTPUT_DIRECTORY [MAVEN_URL]
 * What is fetched, and the SHA-256 it must have, says stack/artifacts.lock.json: the same files as in the local stack.
 */
import { mkdir, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { exitCodeOf, formatError } from '../core/errors.ts';
import { ensureComponents } from '../stack/artifacts.ts';
import { silent } from '../stack/events.ts';
import { readStackSettings } from '../stack/settings.ts';
import { pluginComponents } from './plugins.ts';

async function fetchPlugins(output: string, mavenUrl: string | undefined): Promise<void> {
  const cache = join(output, '.cache');
  const settings = readStackSettings({ SEAM_CACHE: cache, SEAM_MAVEN_URL: mavenUrl });
  await mkdir(output, { recursive: true });
  const directories = await ensureComponents(pluginComponents, { settings, progress: silent });
  for (const [name, directory] of directories) await rename(directory, join(output, name));
  await rm(cache, { recursive: true });
}

const [output, mavenUrl] = process.argv.slice(2);
if (output === undefined || output === '') {
  process.stderr.write('usage: node deploy/fetch-plugins.ts OUTPUT_DIRECTORY [MAVEN_URL]\n');
  process.exitCode = 2;
} else {
  try {
    await fetchPlugins(resolve(output), mavenUrl);
  } catch (error) {
    process.stderr.write(`${formatError(error)}\n`);
    process.exitCode = exitCodeOf(error);
  }
}
