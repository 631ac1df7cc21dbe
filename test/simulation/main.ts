/**
 * Runs seeds of the simulation: `npm run simulate -- --seed 123` repeats one and prints its steps; `--seeds 10000` runs many.
 * `--bug <name>` breaks production code first, as `bugs.ts` says; `--till-clock-ms 1000` gives the tills' log whole seconds in
 * every seed.
 */
import { parseArgs } from 'node:util';
import { orUsage } from '../support/arguments.ts';
import { breakCode } from './bugs.ts';

const USAGE = 'npm run simulate -- [--seeds N] [--from N] [--seed N] [--bug NAME] [--till-clock-ms N]';
const { values } = orUsage(USAGE, () =>
  parseArgs({
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1000' },
      from: { type: 'string', default: '1' },
      bug: { type: 'string' },
      'till-clock-ms': { type: 'string' },
    },
  }),
);
if (values.bug !== undefined) breakCode(values.bug);
// errors are common here, and nobody reads where they came from but in a run of one seed
if (values.seed === undefined) Error.stackTraceLimit = 0;
const { runSeed, runSeeds } = await import('./run.ts');

const clock = values['till-clock-ms'];
const options = { bug: values.bug, tillClockMs: clock === undefined ? undefined : Number(clock) };

if (values.seed === undefined) {
  process.exitCode = await runSeeds(Number(values.from), Number(values.seeds), options);
} else {
  process.exitCode = await runSeed(Number(values.seed), options);
}
