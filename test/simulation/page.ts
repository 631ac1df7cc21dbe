/** `npm run simulate:page` writes the table of deliberate bugs, and where each is found, into docs/simulation.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { type Bug, BUGS } from './bugs.ts';
import { runSimulation } from './child.ts';

const SEEDS_MAX = 20_000;
export const PAGE = new URL('../../docs/simulation.md', import.meta.url);
const FOUND = /^seed (\d+) failed: invariant (.+?):/;

/** A seed that finds the bug, and holds without it. `known`: tried first, since a search from the beginning takes up to 20 s. */
export async function findBug({ name }: Bug, known?: string): Promise<{ seed: string; invariant: string }> {
  const one = known === undefined ? undefined : ['--seeds', '1', '--from', known, '--bug', name];
  const before = one === undefined ? '' : (await runSimulation(one)).output;
  const output = FOUND.test(before)
    ? before
    : (await runSimulation(['--seeds', String(SEEDS_MAX), '--bug', name])).output;
  const [, seed = '', invariant = ''] = FOUND.exec(output) ?? [];
  const whole = await runSimulation(['--seeds', '1', '--from', seed === '' ? '1' : seed]);
  if (seed !== '' && whole.exitCode === 0) return { seed, invariant };
  throw new Error(
    seed === '' ? `${name} is not found: ${output}` : `seed ${seed} fails without ${name}: ${whole.output}`,
  );
}

async function writePage(): Promise<void> {
  const rows: string[] = [];
  for (const bug of BUGS) {
    const { seed, invariant } = await findBug(bug);
    rows.push(`| \`${bug.name}\` | ${bug.file} | ${seed} | ${invariant} |`);
    process.stdout.write(`${rows.at(-1)}\n`);
  }
  const page = readFileSync(PAGE, 'utf8');
  writeFileSync(
    PAGE,
    page.replace(/(\| bug .*\n\|---.*\n)[\s\S]*$/, (_all, head) => `${head}${rows.join('\n')}\n`),
  );
}

if (import.meta.main) await writePage();
