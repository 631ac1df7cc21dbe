/** Page and charts beside the results, whoever asks: a run of the benchmarks or `npm run generate`. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { comparisons } from '../comparisons.ts';
import { readResults } from '../support/result.ts';
import { chartOf } from './chart.ts';
import { benchmarksPage } from './page.ts';

/** File name → contents, from the JSON in the folder. */
export async function reportFiles(directory: string): Promise<Record<string, string>> {
  const goalsOf = new Map(comparisons.map(({ name, goals }) => [name, goals]));
  const measured = await readResults(directory);
  const results = measured.map((result) => ({ ...result, goals: goalsOf.get(result.name) ?? [] }));
  const charts = results.map((result) => [`${result.name}.svg`, chartOf(result)] as const);
  return { 'README.md': benchmarksPage(results), ...Object.fromEntries(charts) };
}

export async function writeReport(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  for (const [name, text] of Object.entries(await reportFiles(directory)))
    await writeFile(path.join(directory, name), text);
}
