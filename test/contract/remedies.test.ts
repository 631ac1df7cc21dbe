/**
 * Every remedy works: where an error or a condition names a command, a test provokes it on real servers, runs the command and sees the
 * flow heal. The table says which test; the list of those without one only gets shorter.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { healed, open } from '../support/remedies.ts';

/** Codes without a test today. A number may go down, and never up. */
const OPEN_MAX = 8;

const root = join(import.meta.dirname, '..', '..');
const COMMAND = /\bseam (?:-- )?(?!as an)[a-z][a-z-]*/;

/** Rows of the generated page whose cell "what to do" or "next" names a command. */
function codesWithCommand(): string[] {
  const page = readFileSync(join(root, 'docs', 'reference', 'errors.md'), 'utf8');
  const rows = page.split('\n').filter((line) => line.startsWith('| `'));
  const named = rows.flatMap((row) => {
    const cells = row.split(/(?<!\\)\|/).map((cell) => cell.trim());
    const code = /^`([A-Z_]+)`$/.exec(cells[1] ?? '')?.[1];
    // the last cell is the file that raises it
    return code !== undefined && COMMAND.test(cells.at(-3) ?? '') ? [code] : [];
  });
  return [...new Set(named)].sort();
}

it('every code whose hint names a command is healed by a test, or is on the list of open ones', () => {
  const codes = codesWithCommand();
  expect(codes.length).toBeGreaterThan(30);
  expect(codes.filter((code) => healed[code] === undefined && !open.includes(code))).toEqual([]);
});

it('the list of open ones only gets shorter, and names no code that is healed or gone', () => {
  const codes = new Set(codesWithCommand());
  expect(open.filter((code) => !codes.has(code) || healed[code] !== undefined)).toEqual([]);
  expect(new Set(open).size).toBe(open.length);
  expect(open.length).toBe(OPEN_MAX);
});

it.each(Object.entries(healed))('%s: its test exists', (code, { file, test, testFile = file }) => {
  const read = (name: string) => readFileSync(join(root, name), 'utf8');
  expect(read(testFile)).toContain(test);
  expect(read(file)).toContain(code);
});
