/** Seeds, one after the other, until one fails. */
import { Violation } from './invariants.ts';
import { World, type WorldOptions } from './world.ts';

type Result = { readonly steps: number; readonly fault: string | undefined };

export type RunOptions = { readonly bug: string | undefined; readonly tillClockMs: number | undefined };

async function runWorld(seed: number, options: WorldOptions): Promise<Result> {
  const world = new World(seed, options);
  try {
    await world.run();
    return { steps: world.scheduler.steps, fault: undefined };
  } catch (error) {
    const fault = error instanceof Violation ? error.message : `the simulation failed: ${(error as Error).stack}`;
    return { steps: world.scheduler.steps, fault };
  }
}

/** One seed with all its steps. */
export async function runSeed(seed: number, { tillClockMs }: RunOptions): Promise<number> {
  const trace = (text: string) => process.stdout.write(`${text}\n`);
  const { steps, fault } = await runWorld(seed, { trace, tillClockMs });
  process.stdout.write(`seed ${seed}: ${steps} steps, ${fault ?? 'all invariants held'}\n`);
  return fault === undefined ? 0 : 1;
}

export async function runSeeds(from: number, count: number, options: RunOptions): Promise<number> {
  const startedMs = performance.now();
  let steps = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const result = await runWorld(seed, options);
    steps += result.steps;
    if (result.fault === undefined) continue;
    process.stdout.write(`seed ${seed} failed: ${result.fault}\n  again: ${commandOf(seed, options)}\n`);
    return 1;
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  process.stdout.write(`${count} seeds from ${from}: all invariants held, ${steps} steps, ${seconds.toFixed(1)} s\n`);
  return 0;
}

function commandOf(seed: number, { bug, tillClockMs }: RunOptions): string {
  const clock = tillClockMs === undefined ? '' : ` --till-clock-ms ${tillClockMs}`;
  return `npm run simulate -- --seed ${seed}${clock}${bug === undefined ? '' : ` --bug ${bug}`}`;
}
