/**
 * `npm run demo`: the whole chain on this machine, from nothing to the proof.
 * `npm run demo -- --once --json`: a bounded day without a terminal; one JSON object last; exit 0 only if all converged.
 */
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { stackProgress } from '../cli/stack-progress.ts';
import { openTerminal } from '../cli/terminal.ts';
import { parseConfig } from '../core/config.ts';
import { EXIT_CODES, exitCodeOf, formatError, SeamError } from '../core/errors.ts';
import { stopStack } from '../stack/stack.ts';
import { runDay } from './day.ts';
import { summaryText } from './summary.ts';
import { watchDay } from './screen.ts';

const USAGE = `usage: npm run demo -- [--once] [--json] [--seconds N] [--pace N] [--seed N] [--keep] [--state-directory DIR]

  --once               a bounded day (60 s of trading); without it the chain trades until ctrl-c
  --json               print one JSON object last
  --seconds N          how long the chain trades
  --pace N             1 is about 25 sale lines a second
  --seed N             the same seed makes the same day
  --keep               leave the stack up afterwards: seam stack status shows how to reach it
`;
const ONCE_SECONDS = 60;
const OPEN_END_SECONDS = 24 * 3_600;

const Options = z.strictObject({
  once: z.boolean().default(false),
  json: z.boolean().default(false),
  seconds: z.coerce.number().int().min(5).max(OPEN_END_SECONDS).optional(),
  pace: z.coerce.number().min(0.1).max(20).default(1),
  seed: z.coerce.number().int().min(0).default(1),
  keep: z.boolean().default(false),
  help: z.boolean().default(false),
  'state-directory': z.string().min(1).default('.seam/demo'),
});

const values = readOptions();
if (values?.help === true) process.stdout.write(USAGE);
else if (values !== undefined) await main(values);

/** undefined: refused, and said so. */
function readOptions(): z.infer<typeof Options> | undefined {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const options = {
    once: flag,
    json: flag,
    seconds: text,
    pace: text,
    seed: text,
    keep: flag,
    help: flag,
    'state-directory': text,
  };
  try {
    return parseConfig(Options, parseArgs({ options }).values, 'command line');
  } catch (error) {
    process.stderr.write(
      error instanceof SeamError ? `${formatError(error)}\n` : `${(error as Error).message}\n\n${USAGE}`,
    );
    process.exitCode = EXIT_CODES.usage;
    return undefined;
  }
}

async function main(values: z.infer<typeof Options>): Promise<void> {
  const stateDirectory = values['state-directory'];
  const seconds = values.seconds ?? (values.once ? ONCE_SECONDS : OPEN_END_SECONDS);
  const closing = new AbortController();
  const aborting = new AbortController();
  process.on('SIGINT', () => (closing.signal.aborted ? aborting.abort(new Error('interrupted')) : closing.abort()));
  process.on('SIGTERM', () => aborting.abort(new Error('terminated')));
  // stdout is for the result alone
  const progress = process.stderr;
  try {
    // a day begins with empty systems
    await stopStack({ stateDirectory, removeData: true });
    const report = await runDay(
      {
        stateDirectory,
        tradeSeconds: seconds,
        seed: values.seed,
        pace: values.pace,
        signal: aborting.signal,
        closing: closing.signal,
        stackProgress: stackProgress(openTerminal()),
      },
      {
        stage: (name) => progress.write(`${name} …\n`),
        trading: (day, signal) => watchDay(day, signal, progress),
      },
    );
    process.stdout.write(values.json ? `${JSON.stringify(report)}\n` : summaryText(report));
    process.exitCode = report.converged ? EXIT_CODES.done : EXIT_CODES.different;
  } catch (error) {
    process.stderr.write(`${formatError(error)}\n`);
    process.exitCode = aborting.signal.aborted ? EXIT_CODES.interrupted : exitCodeOf(error);
  } finally {
    if (!values.keep) await stopStack({ stateDirectory, removeData: true });
  }
}
