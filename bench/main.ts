/**
 * `npm run bench`: ours and the peers, alternating in one run on this machine. `-- --quick` for the same table, small.
 * Every comparison writes its own JSON as it ends, so a run may be cut and taken up again: `-- --resume`.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { parseConfig } from '../core/config.ts';
import { EXIT_CODES, exitCodeOf, formatError, SeamError } from '../core/errors.ts';
import { findJava } from '../stack/java.ts';
import { readStackSettings } from '../stack/settings.ts';
import { comparisons } from './comparisons.ts';
import { comparisonText } from './report/text.ts';
import { writeReport } from './report/write.ts';
import type { BenchContext, Comparison } from './support/context.ts';
import { describeMachine } from './support/machine.ts';
import { type ComparisonResult, readResults, writeResult } from './support/result.ts';
import { reasonOf } from './support/rounds.ts';

const names = comparisons.map(({ name }) => name);
const USAGE = `usage: npm run bench -- [--quick] [--only NAME]... [--rounds N] [--records N] [--profile] [--resume] [--hours N] [--results DIR] [--state-directory DIR]

  --quick              few and small rounds, within five minutes: shows that all works, proves nothing
  --only NAME          this comparison; may be given again. Names: ${names.join(', ')}
  --rounds N           rounds that count, of every contestant in turn
  --records N          records of a round, instead of each comparison's own number
  --profile            write a .cpuprofile of each of our workers beside its log
  --resume             leave out what the results folder holds already
  --hours N            how long \`memory\` runs
  --results DIR        where the JSON goes; the pages are made from docs/reference/benchmarks
`;
const PUBLISHED = path.join('docs', 'reference', 'benchmarks');

const Options = z.strictObject({
  quick: z.boolean().default(false),
  only: z.array(z.enum(names as [string, ...string[]])).default([]),
  rounds: z.coerce.number().int().min(1).max(100).optional(),
  records: z.coerce.number().int().min(1_000).max(5_000_000).optional(),
  profile: z.boolean().default(false),
  resume: z.boolean().default(false),
  hours: z.coerce.number().min(0.01).max(48).default(1),
  results: z.string().min(1).optional(),
  'state-directory': z.string().min(1).default('.seam/bench'),
  help: z.boolean().default(false),
});
type Options = z.infer<typeof Options>;

const options = readOptions();
if (options?.help === true) process.stdout.write(USAGE);
else if (options !== undefined) await main(options);

/** undefined: refused, and said so. */
function readOptions(): Options | undefined {
  const flag = { type: 'boolean' } as const;
  const text = { type: 'string' } as const;
  const known = {
    quick: flag,
    profile: flag,
    resume: flag,
    help: flag,
    only: { ...text, multiple: true },
    rounds: text,
    hours: text,
  };
  try {
    const { values } = parseArgs({ options: { ...known, records: text, results: text, 'state-directory': text } });
    return parseConfig(Options, values, 'command line');
  } catch (error) {
    const reason = error instanceof SeamError ? formatError(error) : `${(error as Error).message}\n\n${USAGE}`;
    process.stderr.write(`${reason}\n`);
    process.exitCode = EXIT_CODES.usage;
    return undefined;
  }
}

async function main(options: Options): Promise<void> {
  const aborting = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => aborting.abort(new Error('interrupted')));
  const stateDirectory = path.resolve(options['state-directory']);
  // such a run proves nothing: it never lands among what is published
  const isTrial = options.quick || options.profile || options.records !== undefined;
  const results = options.results ?? (isTrial ? path.join(stateDirectory, 'quick') : PUBLISHED);
  const context: BenchContext = {
    quick: options.quick,
    rounds: options.rounds ?? (options.quick ? 1 : 5),
    warmUps: 1,
    withProfiles: !options.quick && !options.profile,
    hours: options.hours,
    profile: options.profile,
    recordsOr: (own) => options.records ?? own,
    stateDirectory,
    settings: readStackSettings(process.env),
    say: (line) => process.stderr.write(`${new Date().toISOString().slice(11, 19)} ${line}\n`),
    signal: aborting.signal,
  };
  try {
    await mkdir(stateDirectory, { recursive: true });
    const failed = await runAll(await chosen(options, results), results, context);
    await writeReport(results);
    if (failed.length > 0) process.exitCode = EXIT_CODES.different;
    process.stderr.write(
      `results and report: ${results}${failed.length > 0 ? `; failed: ${failed.join(', ')}` : ''}\n`,
    );
  } catch (error) {
    process.stderr.write(`${formatError(error)}\n`);
    process.exitCode = aborting.signal.aborted ? EXIT_CODES.interrupted : exitCodeOf(error);
  }
}

async function chosen({ only, resume, quick }: Options, results: string): Promise<Comparison[]> {
  const present = resume ? (await readResults(results)).filter((result) => result.quick === quick) : [];
  const isDone = ({ name }: Comparison) => present.some((result) => result.name === name);
  const isAsked = ({ name, onlyByName }: Comparison) => (only.length === 0 ? onlyByName !== true : only.includes(name));
  return comparisons.filter((comparison) => isAsked(comparison) && !isDone(comparison));
}

/** One that fails is reported and stops no other. */
async function runAll(asked: readonly Comparison[], results: string, context: BenchContext): Promise<string[]> {
  const { major } = await findJava(context.settings);
  const failed: string[] = [];
  for (const comparison of asked) {
    context.say(`${comparison.name}: ${comparison.title}`);
    try {
      const result = await runOne(comparison, context, String(major));
      await writeResult(results, result);
      process.stdout.write(comparisonText(result));
    } catch (error) {
      context.signal.throwIfAborted();
      failed.push(comparison.name);
      context.say(`${comparison.name} failed: ${error instanceof SeamError ? formatError(error) : reasonOf(error)}`);
    }
  }
  return failed;
}

async function runOne(comparison: Comparison, context: BenchContext, java: string): Promise<ComparisonResult> {
  const { name, title, about, metrics, chart, goals } = comparison;
  const startedAt = new Date();
  const machine = describeMachine(java);
  const measured = await comparison.run(context);
  const tookSeconds = Math.round((Date.now() - startedAt.getTime()) / 1_000);
  const { quick } = context;
  const common = { name, title, about, quick, startedAt: startedAt.toISOString(), tookSeconds, machine };
  return { ...common, metrics, chart, goals, ...measured };
}
