/**
 * Lays down what the image of Kafka Connect is built from.
 *   node deploy/fetch-plugins.ts OUTPUT_DIRECTORY [MAVEN_URL]
 *     plugins/              each plugin in a folder of its own; what is written in Java here is still missing
 *     java-compiler/        compiles it: the next stage of the build, where Java is
 *     compiler-arguments    all but the class path and where the classes go
 * What is fetched, and the SHA-256 it must have, says stack/artifacts.lock.json: the same files as in the local stack.
 */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { exitCodeOf, formatError } from '../core/errors.ts';
import { ensureComponents } from '../stack/artifacts.ts';
import { compilerArguments, sourcesFolder } from '../stack/compile.ts';
import { silent } from '../stack/events.ts';
import { readStackSettings } from '../stack/settings.ts';
import { compilerComponent, converterSources, pluginComponents } from './plugins.ts';

async function fetchPlugins(output: string, mavenUrl: string | undefined): Promise<void> {
  const cache = join(output, '.cache');
  const settings = readStackSettings({ SEAM_CACHE: cache, SEAM_MAVEN_URL: mavenUrl });
  await mkdir(join(output, 'plugins'), { recursive: true });
  const options = { settings, progress: silent, sourcesLeftOut: true };
  const directories = await ensureComponents([...pluginComponents, compilerComponent], options);
  for (const [name, directory] of directories) {
    await rename(directory, join(output, name === compilerComponent ? name : join('plugins', name)));
  }
  await rm(cache, { recursive: true });
  const args = compilerArguments(sourcesFolder(converterSources));
  await writeFile(join(output, 'compiler-arguments'), `${args.join('\n')}\n`);
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
