/** Orders for workers: where to die, where to stand still. And the proof that they did. */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { FaultChain } from './chain.ts';
import { writeWhole } from './chain.ts';
import { awaits } from './patience.ts';

const FIRE_LIMIT_MS = 45_000;

export type Fired = { readonly worker: string; readonly order: string; readonly pid: number };

/** Lays the order down and waits until the worker has come to that point. */
export async function crashAt(chain: FaultChain, worker: string, order: string): Promise<Fired> {
  const file = path.join(chain.crashDirectory, worker);
  const before = await firedOf(file);
  await writeWhole(file, order);
  await awaits(`${worker} reaches ${order}`, FIRE_LIMIT_MS, async () => (await firedOf(file)).length > before.length);
  const line = (await firedOf(file)).at(-1) ?? '';
  return { worker, order, pid: Number(/in process (\d+)$/.exec(line)?.[1]) };
}

/** Seen from outside: the process is gone. */
export async function isGone(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null);
  if (status !== null) return /\) Z /.test(status);
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
}

async function firedOf(file: string): Promise<string[]> {
  const text = await readFile(`${file}.fired`, 'utf8').catch(() => '');
  return text.split('\n').filter((line) => line !== '');
}
