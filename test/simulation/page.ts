/** `npm run simulate:page` writes the table of deliberate bugs, and where each is found, into docs/simulation.md. */
import { readFileSync, writeFileSync } from 'node:fs';
import { BUGS } from './bugs.ts';
import { runSimulation } from './child.ts';

export const SEEDS_MAX = 3_000;
export const PAGE = new URL('../../docs/simulation.md', import.meta.url);
export const FOUND = /^seed (\d+) failed: invariant (.+?):/;

async function writePage(): Promise<void> {
  const rows: string[] = [];
  for (const { name, file } of BUGS) {
    const { output } = await runSimulation(['--seeds', String(SEEDS_MAX), '--bug', name]);
    const [, seed, invariant] = FOUND.exec(output) ?? [];
    if (seed === undefined) throw new Error(`${name} is not found: ${output}`);
    rows.push(`| \`${name}\` | ${file} | ${seed} | ${invariant} |`);
    process.stdout.write(`${rows.at(-1)}\n`);
  }
  const page = readFileSync(PAGE, 'utf8');
  writeFileSync(
    PAGE,
    page.replace(/(\| bug .*\n\|---.*\n)[\s\S]*$/, (_all, head) => `${head}${rows.join('\n')}\n`),
  );
}

if (import.meta.main) await writePage();
