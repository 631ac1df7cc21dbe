/** The simulation can fail: production code is broken in one place after the other, and each time a seed has to find it. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { BUGS, placesOf } from './bugs.ts';
import { findBug, PAGE } from './page.ts';

const page = readFileSync(PAGE, 'utf8');
const seedOnPage = (name: string) => new RegExp(`^\\| \`${name}\` \\|[^|]*\\| (\\d+) \\|`, 'm').exec(page)?.[1];

describe('a deliberate bug', () => {
  it.each(BUGS)('$name is found', async (bug) => {
    expect(placesOf(bug), `"${bug.find}" in ${bug.file}`).toBe(1);
    const { seed, invariant } = await findBug(bug, seedOnPage(bug.name));
    process.stdout.write(`  ${bug.name}: seed ${seed}, invariant ${invariant}\n`);
  });

  it('stands on the page', () => {
    const names = [...page.matchAll(/^\| `([a-z-]+)` \|/gm)].map(([, name]) => name);
    expect(names, 'run: npm run simulate:page').toEqual(BUGS.map(({ name }) => name));
  });
});
