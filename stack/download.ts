/** One file over HTTP: into `<file>.part`, resumed where it stopped, checked, then renamed into place. */
import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { TransientError } from '../core/errors.ts';
import type { LockedArtifact } from './lock.ts';

const attemptsMax = 5;
const firstRetryMs = 500;
const stallMsMax = 30_000;

export type DownloadOptions = {
  baseUrl: string;
  artifact: LockedArtifact;
  file: string;
  /** Bytes of this file that are on disk by now; may go down when a resumed part proves unusable. */
  onBytes: (receivedBytes: number) => void;
  signal?: AbortSignal | undefined;
};

/** Promises: when it resolves, `file` has exactly the locked bytes. A half-done file is left as `.part` for the next run. */
export async function downloadArtifact(options: DownloadOptions): Promise<void> {
  const { artifact, file, signal } = options;
  if ((await sizeOf(file)) === artifact.sizeBytes) return options.onBytes(artifact.sizeBytes);
  await mkdir(path.dirname(file), { recursive: true });
  const part = `${file}.part`;
  for (let attempt = 1; ; attempt++) {
    try {
      await fetchRest(options, part);
      await verify(options, part);
      return await rename(part, file);
    } catch (error) {
      signal?.throwIfAborted();
      if (attempt === attemptsMax || isFinal(error, attempt)) throw asTransient(error, options);
      await sleep(firstRetryMs * 2 ** (attempt - 1), undefined, { signal });
    }
  }
}

/** A part left by an earlier run may be spoiled, which costs one attempt; a whole file that is wrong stays wrong. */
function isFinal(error: unknown, attempt: number): boolean {
  if (!(error instanceof TransientError)) return false;
  return error.code === 'ARTIFACT_NOT_FOUND' || (error.code === 'ARTIFACT_CORRUPT' && attempt > 1);
}

async function fetchRest(options: DownloadOptions, part: string): Promise<void> {
  const { artifact, baseUrl } = options;
  let receivedBytes = (await sizeOf(part)) ?? 0;
  if (receivedBytes > artifact.sizeBytes) receivedBytes = 0;
  if (receivedBytes === artifact.sizeBytes) return options.onBytes(receivedBytes);
  const stall = new AbortController();
  const signals = options.signal === undefined ? [stall.signal] : [stall.signal, options.signal];
  const timer = setTimeout(() => stall.abort(new Error(`no byte for ${stallMsMax / 1000} s`)), stallMsMax);
  try {
    const response = await fetch(`${baseUrl}/${artifact.path}`, {
      headers: receivedBytes > 0 ? { range: `bytes=${receivedBytes}-` } : {},
      signal: AbortSignal.any(signals),
    });
    const resumed = response.status === 206;
    if (!response.ok || response.body === null) throw refused(response.status, options);
    if (!resumed) receivedBytes = 0;
    const body = Readable.fromWeb(response.body);
    body.on('data', (chunk: Uint8Array) => {
      timer.refresh();
      receivedBytes += chunk.byteLength;
      options.onBytes(receivedBytes);
    });
    await pipeline(body, createWriteStream(part, { flags: resumed ? 'a' : 'w' }));
  } finally {
    clearTimeout(timer);
  }
}

async function verify(options: DownloadOptions, part: string): Promise<void> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(part), hash);
  const actual = hash.digest('hex');
  if (actual === options.artifact.sha256) return;
  await rm(part, { force: true });
  options.onBytes(0);
  throw new TransientError({
    code: 'ARTIFACT_CORRUPT',
    message: `a fetched file does not match its SHA-256 in the lock: got ${actual.slice(0, 12)}…, expected ${options.artifact.sha256.slice(0, 12)}…`,
    where: `${options.baseUrl}/${options.artifact.path}`,
    hint: 'if a company mirror changes files, ask its owner; the lock is stack/artifacts.lock.json',
  });
}

function refused(status: number, options: DownloadOptions): TransientError {
  const gone = status === 404 || status === 403 || status === 401;
  return new TransientError({
    code: gone ? 'ARTIFACT_NOT_FOUND' : 'ARTIFACT_UNREACHABLE',
    message: `the repository answered ${status}`,
    where: `${options.baseUrl}/${options.artifact.path}`,
    hint: 'check the network, or name a mirror with SEAM_MAVEN_URL, then run this again: it goes on where it stopped',
  });
}

function asTransient(error: unknown, options: DownloadOptions): TransientError {
  if (error instanceof TransientError) return error;
  return new TransientError({
    code: 'ARTIFACT_UNREACHABLE',
    message: `a file could not be fetched: ${reasonOf(error)}`,
    where: `${options.baseUrl}/${options.artifact.path}`,
    hint: 'check the network, or name a mirror with SEAM_MAVEN_URL, then run this again: it goes on where it stopped',
    cause: error,
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? error.cause.message : error.message;
}

export async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch {
    return undefined;
  }
}
