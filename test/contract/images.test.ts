/** What the Dockerfile copies into each stage is what the programs run there need: an image that can't start is found here. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { missingIn, packagesOf, type Stage, stagesOf } from '../support/image-files.ts';

const root = join(import.meta.dirname, '..', '..');
const readText = (file: string) => readFile(join(root, file), 'utf8');
const dockerfile = await readText('Dockerfile');
const stages = stagesOf(dockerfile);
const allowed = (await readText('.dockerignore')).split('\n').flatMap((line) => /^!(.+)$/.exec(line)?.[1] ?? []);
const running = stages.filter(({ programs }) => programs.length > 0);

describe('every stage that runs a program of this repository', () => {
  test('is found', () => {
    expect(stages.map(({ name }) => name)).toEqual([
      'dependencies',
      'plugins',
      'compiled',
      'packed',
      'connect',
      'worker',
    ]);
    expect(running.flatMap(({ programs }) => programs)).toEqual([
      'deploy/fetch-plugins.ts',
      'deploy/pack-converter.ts',
      'cli/main.ts',
    ]);
  });

  test.each(running)('$name holds what its programs import and open', (stage) => {
    expect(missingIn(root, stage)).toEqual([]);
  });

  test.each(running)('$name has the packages that its programs import', async ({ programs }) => {
    const { dependencies } = JSON.parse(await readText('package.json')) as { dependencies: Record<string, string> };
    expect(Object.keys(dependencies)).toEqual(expect.arrayContaining([...packagesOf(root, programs)]));
  });

  test('one that lacks a file is found', () => {
    const without = (path: string): Stage[] =>
      running.map((stage) => ({ ...stage, copied: stage.copied.filter((one) => one !== path) }));
    const missing = (path: string) => without(path).flatMap((stage) => missingIn(root, stage));
    expect(missing('deploy/plugins.ts')).toContain('deploy/fetch-plugins.ts → deploy/plugins.ts');
    for (const folder of ['adapters', 'avro', 'cli', 'connectors', 'core', 'ops', 'processors', 'sinks', 'stack'])
      expect(missing(folder), folder).not.toEqual([]);
  });
});

test('what the Dockerfile copies is there, and .dockerignore lets in exactly that', () => {
  const copied = [...new Set(stages.flatMap((stage) => stage.copied))];
  expect(copied.length).toBeGreaterThan(10);
  for (const source of copied) expect(existsSync(join(root, source)), source).toBe(true);
  expect(copied.sort()).toEqual([...allowed].sort());
});
