/**
 * Fetches and unpacks what the stack is made of, once per user. A directory in the cache is complete or absent, and its
 * name carries the fingerprint of the lock, so neither a crash nor an upgrade leaves a mixture behind.
 */
import { rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { type ComponentName, components } from './components.ts';
import { downloadArtifact } from './download.ts';
import type { StackProgress } from './events.ts';
import { withFileLock } from './file-lock.ts';
import { type ArtifactLock, fingerprint, type LockedArtifact, readArtifactLock } from './lock.ts';
import { serviceManifestJar } from './service-manifest.ts';
import type { StackSettings } from './settings.ts';
import { createDirectoryWhole, jarsFolder, unpackInto } from './unpack.ts';

const parallelDownloads = 6;
const cacheWaitMsMax = 30 * 60_000;

export type ArtifactOptions = {
  settings: StackSettings;
  progress: StackProgress;
  signal?: AbortSignal | undefined;
  lock?: ArtifactLock;
};

export type ComponentDirectories = ReadonlyMap<ComponentName, string>;

/** Only one process fetches at a time; a second one waits and then finds everything there. */
export async function ensureComponents(
  names: readonly ComponentName[],
  options: ArtifactOptions,
): Promise<ComponentDirectories> {
  const lock = options.lock ?? readArtifactLock();
  const { settings, progress, signal } = options;
  const directories = new Map(names.map((name) => [name, componentDirectory(name, lock, settings)]));
  if ((await missingOf(names, directories)).length === 0) return directories;
  await withCacheLock({ settings, progress, signal }, async () => {
    const missing = await missingOf(names, directories);
    await fetchAll(missing, lock, options);
    for (const name of missing) await unpack(name, directories.get(name) as string, lock, options);
  });
  return directories;
}

export function withCacheLock<Result>(
  { settings, progress, signal }: Pick<ArtifactOptions, 'settings' | 'progress' | 'signal'>,
  work: () => Promise<Result>,
): Promise<Result> {
  const onWait = () => progress({ type: 'waiting', reason: 'another seam command is filling the cache' });
  return withFileLock(
    path.join(settings.cacheDirectory, 'cache.lock'),
    { waitMsMax: cacheWaitMsMax, onWait, signal },
    work,
  );
}

function componentDirectory(name: ComponentName, lock: ArtifactLock, settings: StackSettings): string {
  return path.join(
    settings.cacheDirectory,
    'components',
    `${name}-${fingerprint(lock.components[name], components[name].services)}`,
  );
}

async function missingOf(names: readonly ComponentName[], directories: ComponentDirectories): Promise<ComponentName[]> {
  const present = await Promise.all(names.map((name) => isDirectory(directories.get(name) as string)));
  return names.filter((_, index) => !present[index]);
}

export async function isDirectory(directory: string): Promise<boolean> {
  try {
    return (await stat(directory)).isDirectory();
  } catch {
    return false;
  }
}

const downloadFile = (settings: StackSettings, artifact: LockedArtifact): string =>
  path.join(settings.cacheDirectory, 'downloads', ...artifact.path.split('/'));

async function fetchAll(names: readonly ComponentName[], lock: ArtifactLock, options: ArtifactOptions): Promise<void> {
  const artifacts = names.flatMap((name) => lock.components[name].artifacts);
  const totalBytes = artifacts.reduce((sum, artifact) => sum + artifact.sizeBytes, 0);
  const receivedBytes = new Map<LockedArtifact, number>();
  const startedAtMs = Date.now();
  let filesDone = 0;
  const report = () => {
    const received = [...receivedBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    const counts = { filesDone, filesTotal: artifacts.length };
    options.progress({ type: 'download', name: 'artifacts', receivedBytes: received, totalBytes, ...counts });
  };
  const largestFirst = [...artifacts].sort((a, b) => b.sizeBytes - a.sizeBytes);
  const fetchNext = async (): Promise<void> => {
    for (let artifact = largestFirst.shift(); artifact !== undefined; artifact = largestFirst.shift()) {
      await fetchOne(artifact, options, (bytes) => {
        receivedBytes.set(artifact as LockedArtifact, bytes);
        report();
      });
      filesDone++;
    }
  };
  await Promise.all(Array.from({ length: parallelDownloads }, fetchNext));
  options.progress({ type: 'downloaded', name: 'artifacts', totalBytes, durationMs: Date.now() - startedAtMs });
}

function fetchOne(artifact: LockedArtifact, options: ArtifactOptions, onBytes: (bytes: number) => void): Promise<void> {
  const { settings, signal } = options;
  const file = downloadFile(settings, artifact);
  return downloadArtifact({ baseUrl: settings.mavenUrl, artifact, file, onBytes, signal });
}

async function unpack(
  name: ComponentName,
  target: string,
  lock: ArtifactLock,
  options: ArtifactOptions,
): Promise<void> {
  options.signal?.throwIfAborted();
  const startedAtMs = Date.now();
  options.progress({ type: 'unpacking', name });
  const { kind, artifacts } = lock.components[name];
  const files = artifacts.map((artifact) => downloadFile(options.settings, artifact));
  await createDirectoryWhole(target, async (directory) => {
    await unpackInto(directory, kind, files);
    const { services } = components[name];
    if (services !== undefined)
      await writeFile(path.join(directory, jarsFolder, 'services.jar'), serviceManifestJar(services));
  });
  // The unpacked copy is what counts from here on; keeping the archive too would double the cache.
  for (const file of files) await rm(file, { force: true });
  options.progress({ type: 'unpacked', name, durationMs: Date.now() - startedAtMs });
}
