/** What both kinds of database server share: one server per system, so that a fault in one system stops no other. */
import { randomBytes } from 'node:crypto';
import { cp, mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { isDirectory, withCacheLock } from '../artifacts.ts';
import { silent } from '../events.ts';
import type { StackSettings } from '../settings.ts';
import type { DatabaseKind } from '../state.ts';
import { createDirectoryWhole } from '../unpack.ts';

export type DatabaseServer = { name: string; kind: DatabaseKind; adminPassword: string };

export const serviceNameOf = (database: { name: string; kind: DatabaseKind }): string =>
  `${database.kind}-${database.name}`;

/** Only letters and digits: safe inside a URL, a properties file and an SQL string without any quoting. */
export const randomPassword = (): string => randomBytes(18).toString('hex');

/**
 * A freshly initialised data directory, made once per user and version, then copied for every system: initialising takes
 * seconds, copying a fraction of one.
 */
export async function ensureTemplate(
  name: string,
  settings: StackSettings,
  fill: (directory: string) => Promise<void>,
): Promise<string> {
  const template = path.join(settings.cacheDirectory, 'templates', name);
  if (await isDirectory(template)) return template;
  await withCacheLock({ settings, progress: silent }, async () => {
    if (!(await isDirectory(template))) await createDirectoryWhole(template, fill);
  });
  return template;
}

export async function copyTemplate(template: string, target: string, finish: (directory: string) => Promise<void>) {
  await createDirectoryWhole(target, async (directory) => {
    await cp(template, directory, { recursive: true, force: true });
    await finish(directory);
  });
}

export async function writeSecret(file: string, text: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await rm(file, { force: true });
  await writeFile(file, text, { mode: 0o600 });
}
