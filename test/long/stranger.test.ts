/**
 * Databases that nobody designed for Seam: three minutes of the stranger on a fresh seed. Each run of the tests tries something that
 * none before it tried; a finding that test/stranger/open.json does not know prints the command that repeats it, and fails here.
 */
import { spawn } from 'node:child_process';
import path from 'node:path';
import { expect, it } from 'vitest';

const root = path.join(import.meta.dirname, '..', '..');
const MINUTES = '3';
/** No round is begun and no step is taken after the three minutes; what is left is the verdict, and what heals. */
const END_MS_MAX = 840_000;

it('no fresh database loses a row silently, and what Seam says heals it', async () => {
  const seed = String(Math.floor(Math.random() * 1_000_000));
  const args = ['test/stranger/main.ts', '--seed', seed, '--small', '--minutes', MINUTES, '--no-reduce'];
  const { code, isCutOff, out } = await ended(args);
  process.stdout.write(`the stranger, again: npm run stranger -- ${args.slice(1).join(' ')}\n`);
  // a machine too slow for the verdict is no finding
  if (isCutOff) expect(out).not.toContain('FINDING');
  else expect(code, out.slice(-20_000)).toBe(0);
});

async function ended(args: readonly string[]): Promise<{ code: number | null; isCutOff: boolean; out: string }> {
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk));
  child.stderr.on('data', (chunk: Buffer) => (out += chunk));
  let isCutOff = false;
  const timer = setTimeout(() => {
    isCutOff = true;
    child.kill('SIGTERM');
  }, END_MS_MAX);
  const code = await new Promise<number | null>((done) => child.once('close', done));
  clearTimeout(timer);
  return { code, isCutOff, out };
}
