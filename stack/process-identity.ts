/**
 * A process id alone is no identity: the system gives it to somebody else later. Id and start time together are one, and
 * nothing in this folder signals a process without comparing both.
 */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { promisify } from 'node:util';

export type ProcessIdentity = { pid: number /** Opaque: compare for equality only. */; startToken: string };

const isLinux = process.platform === 'linux';
let bootId: string | undefined;

/** Null when there is no such process, or only its corpse (a zombie waits for a parent that may never collect it). */
export async function startTokenOf(pid: number): Promise<string | null> {
  if (isLinux) return linuxStartToken(pid);
  return process.platform === 'win32' ? windowsStartToken(pid) : posixStartToken(pid);
}

export async function isAlive(identity: ProcessIdentity): Promise<boolean> {
  return (await startTokenOf(identity.pid)) === identity.startToken;
}

function linuxStartToken(pid: number): string | null {
  const fields = linuxStatFields(pid);
  if (fields === null) return null;
  const [state, startTicks] = [fields[0], fields[19]];
  if (state === 'Z' || state === 'X') return null;
  bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  return `${bootId}/${startTicks}`;
}

/** Fields of `/proc/<pid>/stat` from the third (state) on. */
function linuxStatFields(pid: number): string[] | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The command name in parentheses may itself hold spaces and parentheses: count from the last one.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

async function posixStartToken(pid: number): Promise<string | null> {
  try {
    const { stdout } = await promisify(execFile)('ps', ['-o', 'state=,lstart=', '-p', String(pid)]);
    const [, state = '', started = ''] = /^\s*(\S+)\s+(.*\S)\s*$/.exec(stdout) ?? [];
    return started === '' || state.startsWith('Z') ? null : started;
  } catch {
    return null;
  }
}

async function windowsStartToken(pid: number): Promise<string | null> {
  try {
    const script = `(Get-Process -Id ${pid}).StartTime.ToFileTimeUtc()`;
    const { stdout } = await promisify(execFile)('powershell', ['-NoProfile', '-Command', script]);
    return stdout.trim() || null;
  } catch {
    return null;
  }
}

/**
 * Processes whose environment holds `<name>=<value>`: finds a child whose starter was killed in the instant between
 * starting it and writing it down. Linux only; elsewhere that instant stays open.
 */
export function findByEnvironment(name: string, value: string): (ProcessIdentity & { parentPid: number })[] {
  if (!isLinux) return [];
  const found: (ProcessIdentity & { parentPid: number })[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    const startToken = hasEnvironment(pid, `${name}=${value}`) ? linuxStartToken(pid) : null;
    if (startToken !== null) found.push({ pid, startToken, parentPid: Number(linuxStatFields(pid)?.[1]) });
  }
  return found;
}

function hasEnvironment(pid: number, pair: string): boolean {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(pair);
  } catch {
    return false;
  }
}
