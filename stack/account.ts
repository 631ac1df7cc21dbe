/**
 * PostgreSQL refuses to run as root. When the starter is root, it runs as `nobody`, and everything it touches must lie
 * where `nobody` can reach it: below `/root` it cannot, so such things move to a folder under /var/tmp.
 */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chown, cp, lchown, lstat, mkdir, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { ConfigError } from '../core/errors.ts';
import { isDirectory } from './artifacts.ts';
import { withFileLock } from './file-lock.ts';
import { createDirectoryWhole } from './unpack.ts';

export type Account = { uid: number; gid: number };

const accountName = 'nobody';
const sharedFolder = '/var/tmp/seam-root';
const copyWaitMsMax = 120_000;

/** Undefined when the starter is an ordinary user: then everything runs as this user. */
export async function databaseAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const id = async (flag: string) => Number((await promisify(execFile)('id', [flag, accountName])).stdout.trim());
  try {
    return { uid: await id('-u'), gid: await id('-g') };
  } catch (cause) {
    throw new ConfigError({
      code: 'NO_DATABASE_ACCOUNT',
      message: `PostgreSQL does not run as root, and there is no user "${accountName}" to run it as`,
      where: '/etc/passwd',
      hint: 'run seam as an ordinary user',
      cause,
    });
  }
}

/** `directory` itself when the account can reach it, otherwise a stand-in below /var/tmp that belongs to this path alone. */
export async function reachableDirectory(directory: string, account: Account | undefined): Promise<string> {
  if (account === undefined || (await canReach(directory, account))) return directory;
  const name = createHash('sha256').update(directory).digest('hex').slice(0, 12);
  return path.join(await ensureSharedFolder(), name);
}

/** Read-only content (binaries) in a place that the account can reach: in place when possible, otherwise copied once. */
export async function reachableCopy(source: string, name: string, account: Account | undefined): Promise<string> {
  if (account === undefined || (await canReach(source, account))) return source;
  const copy = path.join(await ensureSharedFolder(), name);
  await withFileLock(`${copy}.lock`, { waitMsMax: copyWaitMsMax }, async () => {
    if (await isDirectory(copy)) return;
    await createDirectoryWhole(copy, (target) => cp(source, target, { recursive: true, verbatimSymlinks: true }));
  });
  return copy;
}

export async function giveTo(directory: string, account: Account | undefined): Promise<void> {
  if (account === undefined) return;
  await chown(directory, account.uid, account.gid);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  for (const entry of entries) await lchown(path.join(entry.parentPath, entry.name), account.uid, account.gid);
}

async function canReach(directory: string, account: Account): Promise<boolean> {
  for (let at = path.resolve(directory); ; at = path.dirname(at)) {
    const found = await stat(at).catch(() => null);
    if (found !== null && found.uid !== account.uid && (found.mode & 0o001) === 0) return false;
    if (at === path.dirname(at)) return true;
  }
}

async function ensureSharedFolder(): Promise<string> {
  await mkdir(sharedFolder, { mode: 0o755 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error;
  });
  const found = await lstat(sharedFolder);
  // /var/tmp is open to everybody: refuse a folder that somebody else has laid there.
  if (found.isDirectory() && found.uid === 0 && (found.mode & 0o022) === 0) return sharedFolder;
  throw new ConfigError({
    code: 'SHARED_FOLDER_UNSAFE',
    message: 'the folder for files of the database servers does not belong to root alone',
    where: sharedFolder,
    hint: 'remove it, or run seam as an ordinary user',
  });
}
