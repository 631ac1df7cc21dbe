/**
 * Fetches and unpacks what the stack is made of, once per user. A directory in the cache is complete or absent, and its
 * name carries the fingerprint of the lock, so neither a crash nor an upgrade leaves a mixture behind.
 */
import { readdir, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { compile, compiledJar, sourcesFolder, sourcesText } from './compile.ts';
import { type ComponentName, components } from './components.ts';
import { downloadArtifact } from './download.ts';
import type { StackProgress } from './events.ts';
import { withFileLock } from './file-lock.ts';
import { findJava } from './java.ts';
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
  /** Leave out what is to be compiled: where there is no Java yet. Never into a cache that others use. */
  sourcesLeftOut?: boolean;
};

export type ComponentDirectories = ReadonlyMap<ComponentName, string>;

/** Only one process fetches at a time; a second one waits and then finds everything there. */
export async function ensureComponents(
  names: readonly ComponentName[],
  options: ArtifactOptions,
): Promise<ComponentDirectories> {
  const lock = options.lock ?? readArtifactLock();
  const { settings, progress, signal } = options;
  const directoriesOf = (some: readonly ComponentName[]): ComponentDirectories =>
    new Map(some.map((name) => [name, componentDirectory(name, lock, settings)]));
  const directories = directoriesOf(names);
  if ((await missingOf(names, directories)).length === 0) return directories;
  await withCacheLock({ settings, progress, signal }, async () => {
    const absent = await missingOf(names, directories);
    const needed = options.sourcesLeftOut === true ? names : withBuildParts(names, absent);
    const all = directoriesOf(needed);
    const missing = await missingOf(needed, all);
    await fetchAll(missing, lock, options);
    for (const name of missing) await unpack(name, all, lock, options);
  });
  return directories;
}

/** What is compiled comes last, after all that it is compiled with. */
function withBuildParts(names: readonly ComponentName[], missing: readonly ComponentName[]): readonly ComponentName[] {
  const compiled = missing.filter((name) => components[name].javaSources !== undefined);
  if (compiled.length === 0) return names;
  return [...new Set([...buildParts, ...names.filter((name) => !compiled.includes(name)), ...compiled])];
}

const buildParts = ['kafka', 'java-compiler'] as const satisfies ComponentName[];

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
  const { services, javaSources } = components[name];
  const compiled = javaSources === undefined ? '' : sourcesText(sourcesFolder(javaSources));
  const withWhat = compiled === '' ? '' : lock.components['java-compiler'].artifacts.map(({ sha256 }) => sha256).join();
  const print = fingerprint(lock.components[name], services, compiled + withWhat);
  return path.join(settings.cacheDirectory, 'components', `${name}-${print}`);
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
  directories: ComponentDirectories,
  lock: ArtifactLock,
  options: ArtifactOptions,
): Promise<void> {
  options.signal?.throwIfAborted();
  const startedAtMs = Date.now();
  options.progress({ type: 'unpacking', name });
  const { kind, artifacts } = lock.components[name];
  const files = artifacts.map((artifact) => downloadFile(options.settings, artifact));
  await createDirectoryWhole(directories.get(name) as string, async (directory) => {
    await unpackInto(directory, kind, files);
    const { services, javaSources } = components[name];
    if (services !== undefined)
      await writeFile(path.join(directory, jarsFolder, 'services.jar'), serviceManifestJar(services));
    if (javaSources !== undefined && options.sourcesLeftOut !== true)
      await compileInto(path.join(directory, jarsFolder), javaSources, directories, options);
  });
  // The unpacked copy is what counts from here on; keeping the archive too would double the cache.
  for (const file of files) await rm(file, { force: true });
  options.progress({ type: 'unpacked', name, durationMs: Date.now() - startedAtMs });
}

/** Next to the jars of the component, which it uses. */
async function compileInto(
  jars: string,
  javaSources: string,
  directories: ComponentDirectories,
  { settings }: ArtifactOptions,
): Promise<void> {
  const jarsOf = (name: ComponentName) => path.join(directories.get(name) as string, jarsFolder);
  const [compilerJar] = await readdir(jarsOf('java-compiler'));
  await compile({
    java: (await findJava(settings)).file,
    compilerJar: path.join(jarsOf('java-compiler'), compilerJar as string),
    libraries: [jars, jarsOf('kafka')],
    sources: sourcesFolder(javaSources),
    jar: path.join(jars, compiledJar(javaSources)),
    env: settings.baseEnvironment,
  });
}
