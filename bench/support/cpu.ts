/** Processor time of a process with all its threads and children, from outside, so that it is one measure for Node, Java and databases. */
import { readdirSync, readFileSync } from 'node:fs';

/** Linux counts it in hundredths of a second for every program, whatever the kernel's own tick. */
const TICK_US = 10_000;
const PARENT_FIELD = 1;
const TIMES_FIELD = 11;
const TIMES = 4;

type Stat = { readonly parent: number; readonly ticks: number };

/** NaN where the system has no /proc. Children that have ended count through their parent, which waits for them. */
export function cpuUsOf(pids: readonly number[]): number {
  let ticks = 0;
  for (const pid of withChildren(pids)) ticks += statOf(pid)?.ticks ?? 0;
  return process.platform === 'linux' ? ticks * TICK_US : Number.NaN;
}

export function memoryMibOf(pid: number): number {
  const status = readText(`/proc/${pid}/status`);
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? Number.NaN) / 1024;
}

/** A database answers each connection with a child of its own. One level is enough: none of ours has grandchildren. */
function withChildren(pids: readonly number[]): Set<number> {
  const all = new Set(pids);
  for (const name of process.platform === 'linux' ? readdirSync('/proc') : []) {
    const pid = Number(name);
    const parent = Number.isInteger(pid) ? statOf(pid)?.parent : undefined;
    if (parent !== undefined && pids.includes(parent)) all.add(pid);
  }
  return all;
}

function statOf(pid: number): Stat | undefined {
  const text = readText(`/proc/${pid}/stat`);
  // the name of the program stands in brackets and may hold anything
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (fields.length < TIMES_FIELD + TIMES) return undefined;
  const times = fields.slice(TIMES_FIELD, TIMES_FIELD + TIMES).map(Number);
  return { parent: Number(fields[PARENT_FIELD]), ticks: times.reduce((sum, value) => sum + value, 0) };
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
