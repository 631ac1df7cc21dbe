/** Pages made from the code say what the code says, and what they tell people to type exists. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { expect, test } from 'vitest';
import { registerCommands } from '../../cli/commands/index.ts';
import manifest from '../../package.json' with { type: 'json' };

const root = join(import.meta.dirname, '..', '..');
const run = promisify(execFile);

/** Commands that a hint names and that are still to be written. The list only gets shorter. */
const awaited: string[] = [];

test('docs/reference is current: run npm run generate', async () => {
  const check = run(process.execPath, [join(root, 'docs', 'generate.ts'), '--check']);
  await expect(check).resolves.toMatchObject({ stderr: '' });
});

test('every command that a hint names exists', async () => {
  const program = new Command('seam');
  await registerCommands(program, []);
  const text = await readFile(join(root, 'docs', 'reference', 'errors.md'), 'utf8');
  const unknown = new Set<string>();
  for (const [mention, words = ''] of text.matchAll(/\bseam (?:-- )?(?!as an|command)([a-z][a-z-]*(?: [a-z-]+)*)/g)) {
    if (!isCommand(program, words.split(' '))) unknown.add(firstWords(mention));
  }
  expect([...unknown].sort()).toEqual(awaited);
});

/** A group of commands is none by itself. */
function isCommand(parent: Command, words: readonly string[]): boolean {
  const found = parent.commands.find((command) => command.name() === words[0]);
  if (found === undefined) return parent.commands.length === 0;
  return found.commands.length === 0 || isCommand(found, words.slice(1));
}

const firstWords = (mention: string): string => mention.split(' ').slice(0, 3).join(' ');

test('docs/decisions/0001-dependencies.md gives a reason for every dependency, and for none that is gone', async () => {
  const page = await readFile(join(root, 'docs', 'decisions', '0001-dependencies.md'), 'utf8');
  const listed = [...page.matchAll(/^\| `([^`]+)` \| (.+) \|$/gm)];
  const expected = [...Object.keys(manifest.dependencies), ...Object.keys(manifest.devDependencies)];
  expect(listed.map(([, name]) => name).sort()).toEqual(expected.sort());
  for (const [, name, reason] of listed) expect(reason, name).toMatch(/\w+ \w+/);
});
