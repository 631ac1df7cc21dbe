/**
 * Resolves `components.ts` with Maven and writes `artifacts.lock.json`: run by a maintainer after a version changed.
 *   node stack/lock-artifacts.ts
 * Users never need Maven: they fetch what the lock says and check it against the SHA-256 written there.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Component, type ComponentName, components, type Dependency } from './components.ts';
import type { ArtifactLock, LockedArtifact } from './lock.ts';
import { readStackSettings } from './settings.ts';

const dependencyPlugin = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1';
const runtimeFile = /\.(jar|tar\.gz)$/;

function projectXml(component: Component): string {
  const dependencies = component.roots.map(
    ({ group, artifact, version }) =>
      `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
  );
  return `<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>lock</groupId><artifactId>lock</artifactId><version>1</version><dependencies>${dependencies.join('')}</dependencies></project>`;
}

/** Resolves what the roots need at run time, with Maven's own rules for versions that disagree. */
async function collectJars(component: Component, folder: string, output: string): Promise<void> {
  await writeFile(path.join(folder, 'pom.xml'), projectXml(component));
  const settings = ['-DincludeScope=runtime', '-Dmdep.useRepositoryLayout=true', `-DoutputDirectory=${output}`];
  await promisify(execFile)('mvn', ['-q', '-B', `${dependencyPlugin}:copy-dependencies`, ...settings], { cwd: folder });
}

/** An archive stands alone, and Maven refuses the registry's: its parent pom was never published. */
async function collectArchive(archive: Dependency, output: string): Promise<void> {
  const { group, artifact, version, type = 'jar', classifier } = archive;
  const name = `${artifact}-${version}${classifier === undefined ? '' : `-${classifier}`}.${type}`;
  const folder = [...group.split('.'), artifact, version].join('/');
  const url = `${readStackSettings(process.env).mavenUrl}/${folder}/${name}`;
  const response = await fetch(url);
  if (!response.ok || response.body === null) throw new Error(`${url} answered ${response.status}`);
  await mkdir(path.join(output, folder), { recursive: true });
  await writeFile(path.join(output, folder, name), response.body);
}

async function lockedArtifact(root: string, file: string): Promise<LockedArtifact> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  const { size } = await stat(file);
  return { path: path.relative(root, file).replaceAll(path.sep, '/'), sha256: hash.digest('hex'), sizeBytes: size };
}

function isExcluded(artifact: LockedArtifact, excluded: readonly string[]): boolean {
  const parts = artifact.path.split('/');
  const group = parts.slice(0, -3).join('.');
  const name = parts.at(-3);
  return excluded.some((pattern) => pattern === `${group}:${name}` || pattern === `${group}:*`);
}

async function resolve(component: Component): Promise<LockedArtifact[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'seam-lock-'));
  try {
    const output = path.join(folder, 'repository');
    if (component.kind === 'jars') await collectJars(component, folder, output);
    else for (const archive of component.roots) await collectArchive(archive, output);
    const entries = await readdir(output, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile() && runtimeFile.test(entry.name));
    const locked = await Promise.all(
      files.map((entry) => lockedArtifact(output, path.join(entry.parentPath, entry.name))),
    );
    const kept = locked.filter((artifact) => !isExcluded(artifact, component.excluded ?? []));
    return kept.sort((a, b) => (a.path < b.path ? -1 : 1));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

const lock: ArtifactLock = { components: {} as ArtifactLock['components'] };
for (const name of Object.keys(components) as ComponentName[]) {
  const { kind } = components[name];
  lock.components[name] = { kind, artifacts: await resolve(components[name]) };
  process.stdout.write(`${name}: ${lock.components[name].artifacts.length} files\n`);
}
const lockFile = fileURLToPath(new URL('./artifacts.lock.json', import.meta.url));
await writeFile(lockFile, `${JSON.stringify(lock, null, 2)}\n`);
