/**
 * Why: what holds on a good day says little. The short selection of the fault rows, each checked by contents after it; the whole
 * is run by hand (`npm run faults -- --all`), as docs/faults.md tells.
 */
import { beforeAll, describe, expect, it } from 'vitest';
import { currentStackSettings } from '../../stack/settings.ts';
import { type Outcome, runRows } from '../faults/harness.ts';
import { failureText, outcomeLine } from '../faults/report.ts';
import { rows } from '../faults/rows/index.ts';

const SEED = 7;
/** Where tests run, others run too. */
const PATIENCE = 3;
const short = rows.filter((row) => row.isShort);
const outcomes = new Map<string, Outcome>();

beforeAll(async () => {
  await runRows(short, {
    settings: currentStackSettings(),
    seed: SEED,
    pace: 1,
    patience: PATIENCE,
    smallDisks: false,
    signal: AbortSignal.timeout(1_500_000),
    onProgress: () => {},
    onOutcome: (outcome) => {
      outcomes.set(outcome.id, outcome);
      process.stdout.write(`${outcomeLine(outcome)}\n`);
    },
  });
}, 1_600_000);

describe('faults under the workload', () => {
  it.each(short.map(({ id, title }) => ({ id, title })))('$id: $title', ({ id }) => {
    const outcome = outcomes.get(id);
    expect(outcome, 'the row was run').toBeDefined();
    expect(outcome?.findings, outcome === undefined ? '' : failureText(outcome, SEED)).toEqual([]);
    expect(outcome?.proofs.length).toBeGreaterThan(0);
    expect(outcome?.checked?.rowsCompared).toBeGreaterThan(0);
    expect(outcome?.checked?.versionsAudited).toBeGreaterThan(0);
  });
});
