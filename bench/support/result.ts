/** What a comparison leaves behind: one JSON file each, from which tables and charts are made. */
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Machine } from './machine.ts';
import type { TimeShare } from './time-shares.ts';

/** `floor` and `ceiling` are what the machine itself can do: the least that must be paid, the most that can be had. */
export type Role = 'ours' | 'peer' | 'ceiling' | 'floor';

export type Metric = {
  readonly name: string;
  readonly label: string;
  readonly unit: string;
  readonly better: 'more' | 'less';
  readonly digits?: number;
};

/** Figures of one round, by metric. A metric that this contestant doesn't have is left out. */
export type Figures = Readonly<Record<string, number>>;

export type ContestantResult = {
  readonly name: string;
  readonly role: Role;
  /** Where it differs from its defaults. */
  readonly settings: Readonly<Record<string, string>>;
  readonly note?: string;
  readonly rounds: readonly Figures[];
  /** Of one more round, which doesn't count. */
  readonly profile?: readonly TimeShare[];
  /** Why it has no rounds, or fewer than asked for. */
  readonly failure?: string;
};

export type CaseResult = {
  readonly name: string;
  readonly about: string;
  readonly contestants: readonly ContestantResult[];
};

/** Of one case's rounds: `of` divided by `to`, round by round, so that what slowed both slows neither. */
export type Goal = {
  readonly text: string;
  readonly case: string;
  readonly metric: string;
  readonly of: string;
  /** Left out: the figure itself is the goal's. Several: the best of them, by its median. */
  readonly to?: string | readonly string[];
  /** Where `to` is found, if elsewhere. */
  readonly toCase?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
};

export type Chart = { readonly kind: 'bars' | 'lines'; readonly metric: string; readonly axis?: string };

export type ComparisonResult = {
  readonly name: string;
  readonly title: string;
  readonly about: string;
  readonly quick: boolean;
  readonly startedAt: string;
  readonly tookSeconds: number;
  readonly machine: Machine;
  readonly metrics: readonly Metric[];
  readonly chart: Chart;
  readonly goals: readonly Goal[];
  readonly cases: readonly CaseResult[];
  /** Findings in words that the figures alone don't tell: a mode that fails, a setting that doesn't help. */
  readonly remarks: readonly string[];
};

/** What a file holds: what is asked of it is asked by today's code. */
export type MeasuredResult = Omit<ComparisonResult, 'goals'>;

export async function writeResult(directory: string, result: ComparisonResult): Promise<void> {
  await mkdir(directory, { recursive: true });
  const file = path.join(directory, `${result.name}.json`);
  const { goals: _, ...measured } = result;
  await writeFile(`${file}.new`, `${JSON.stringify(measured, null, 2)}\n`);
  await rename(`${file}.new`, file);
}

export async function readResults(directory: string): Promise<MeasuredResult[]> {
  const names = await readdir(directory).catch(() => []);
  const files = names.filter((name) => name.endsWith('.json')).sort();
  return Promise.all(
    files.map(async (name) => JSON.parse(await readFile(path.join(directory, name), 'utf8')) as MeasuredResult),
  );
}
