/**
 * `npm run demo`: the whole chain on this machine, from nothing to the proof.
 * `npm run demo -- --once --json`: a bounded day without a terminal; one JSON object last; exit 0 only if all converged.
 */
import { parseArgs } from 'node:util';
import { stackProgress } from '../cli/stack-progress.ts';
import { openTerminal } from '../cli/terminal.ts';
import { EXIT_CODES, exitCodeOf, formatError } from '../core/errors.ts';
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

const { values } = parseArgs({
  options: {
    once: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    seconds: { type: 'string' },
    pace: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    keep: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
    'state-directory': { type: 'string', default: '.seam/demo' },
  },
});

if (values.help) process.stdout.write(USAGE);
else await main();

async function main(): Promise<void> {
  const stateDirectory = values['state-directory'];
  const seconds = Number(values.seconds ?? (values.once ? ONCE_SECONDS : OPEN_END_SECONDS));
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
        seed: Number(values.seed),
        pace: Number(values.pace),
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
