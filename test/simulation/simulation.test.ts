/**
 * Invariants 1 to 6 under crashes, zombies, lost answers, re-deliveries, replays and edits on both sides: the same seeds in
 * every run, and as many that nobody has run yet. A seed that fails prints the command that repeats it.
 */
import { describe, expect, it } from 'vitest';
import { runSimulation } from './child.ts';

/** More of them: npm run simulate. */
const SEEDS = 2_500;
const fresh = 1_000_000 + Math.floor(Math.random() * 1_000_000_000);

describe('the core', () => {
  it.concurrent.each([
    ['the seeds that everybody runs', 1],
    ['seeds that nobody has run', fresh],
  ])('holds its invariants over %s', async (_name, from) => {
    const { output, exitCode } = await runSimulation(['--seeds', String(SEEDS), '--from', String(from)]);
    process.stdout.write(output);
    expect(output).toContain('all invariants held');
    expect(exitCode).toBe(0);
  });

  it('repeats a seed step by step', async () => {
    const [first, again] = [await runSimulation(['--seed', '7']), await runSimulation(['--seed', '7'])];
    expect(first.output.length).toBeGreaterThan(1_000);
    expect(again.output).toBe(first.output);
  });
});
