/** Seeds, one after the other, until one fails. */
import { Violation } from './invariants.ts';
import { World } from './world.ts';

type Result = { readonly steps: number; readonly fault: string | undefined };

async function runWorld(seed: number, trace?: (text: string) => void): Promise<Result> {
  const world = new World(seed, trace);
  try {
    await world.run();
    return { steps: world.scheduler.steps, fault: undefined };
  } catch (error) {
    const fault = error instanceof Violation ? error.message : `the simulation failed: ${(error as Error).stack}`;
    return { steps: world.scheduler.steps, fault };
  }
}

/** One seed with all its steps. */
export async function runSeed(seed: number): Promise<number> {
  const { steps, fault } = await runWorld(seed, (text) => process.stdout.write(`${text}\n`));
  process.stdout.write(`seed ${seed}: ${steps} steps, ${fault ?? 'all invariants held'}\n`);
  return fault === undefined ? 0 : 1;
}

export async function runSeeds(from: number, count: number, bug: string | undefined): Promise<number> {
  const startedMs = performance.now();
  let steps = 0;
  for (let seed = from; seed < from + count; seed += 1) {
    const result = await runWorld(seed);
    steps += result.steps;
    if (result.fault === undefined) continue;
    const broken = bug === undefined ? '' : ` --bug ${bug}`;
    process.stdout.write(
      `seed ${seed} failed: ${result.fault}\n  again: npm run simulate -- --seed ${seed}${broken}\n`,
    );
    return 1;
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  process.stdout.write(`${count} seeds from ${from}: all invariants held, ${steps} steps, ${seconds.toFixed(1)} s\n`);
  return 0;
}
