/** The rows of the fault matrix, on a chain that trades. */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { currentStackSettings } from '../../stack/settings.ts';
import { type Outcome, runRows } from './harness.ts';
import { page } from './page.ts';
import { failureText, outcomeLine, summary } from './report.ts';
import { orUsage } from '../support/arguments.ts';
import { rows } from './rows/index.ts';

const USAGE =
  'npm run faults -- [--all] [--only F7,F8] [--seed N] [--pace N] [--patience N] [--json FILE] [--page FILE] [--list]';
const { values } = orUsage(USAGE, () =>
  parseArgs({
    options: {
      all: { type: 'boolean', default: false },
      only: { type: 'string' },
      seed: { type: 'string' },
      pace: { type: 'string', default: '1' },
      patience: { type: 'string', default: '1' },
      json: { type: 'string' },
      page: { type: 'string' },
      list: { type: 'boolean', default: false },
    },
  }),
);

const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed);
const wanted = values.only?.split(',').map((id) => id.trim().toUpperCase());
const unknown = wanted?.filter((id) => !rows.some((row) => row.id === id)) ?? [];
const chosen = rows.filter((row) => (wanted === undefined ? values.all || row.isShort : wanted.includes(row.id)));

if (values.list) {
  for (const { id, title, isShort } of rows)
    process.stdout.write(`${id.padEnd(4)} ${isShort ? 'short' : '     '} ${title}\n`);
} else if (unknown.length > 0 || !Number.isSafeInteger(seed)) {
  process.stderr.write(`no such row or seed: ${unknown.join(', ')} ${values.seed ?? ''}\n\nusage: ${USAGE}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await main();
}

async function main(): Promise<number> {
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort()).once('SIGTERM', () => stopping.abort());
  const startedAt = new Date().toISOString();
  process.stdout.write(`seed ${seed}; rows ${chosen.map(({ id }) => id).join(' ')}\n`);
  const outcomes: Outcome[] = await runRows(chosen, {
    settings: currentStackSettings(),
    seed,
    pace: Number(values.pace),
    patience: Number(values.patience),
    smallDisks: chosen.some(({ id }) => id === 'F15'),
    signal: stopping.signal,
    onProgress: (text) => process.stdout.write(`… ${text}\n`),
    onOutcome: (outcome) => {
      process.stdout.write(`${outcomeLine(outcome)}\n`);
      if (outcome.verdict !== 'passed') process.stdout.write(`${failureText(outcome, seed)}\n`);
    },
  });
  process.stdout.write(`\n${summary(outcomes, seed)}`);
  const minutes = (Date.now() - Date.parse(startedAt)) / 60_000;
  const run = { seed, startedAt, minutes, patience: Number(values.patience), outcomes };
  if (values.json !== undefined) await writeFile(values.json, `${JSON.stringify(run, null, 2)}\n`);
  if (values.page !== undefined) await writeFile(values.page, page(run, rows));
  return outcomes.length === chosen.length && outcomes.every(({ verdict }) => verdict === 'passed') ? 0 : 1;
}
