/** What a round found. */
import type { Compared } from './checker.ts';
import type { Met } from './coverage.ts';

export type FindingKind =
  | 'silent' // not equal, and nobody says so
  | 'not healed' // said, and what the hint says does not help
  | 'deleted' // a row that the source holds went from the target
  | 'verify' // `verify` and the checker disagree
  | 'command' // a command fails that nothing stands in the way of
  | 'not started'; // Seam refuses to start without naming a table

export type Finding = {
  readonly kind: FindingKind;
  readonly tables: readonly string[];
  readonly features: readonly string[];
  readonly operations: readonly string[];
  readonly text: string;
};

export type Outcome = {
  readonly findings: readonly Finding[];
  /** What was carried out, on tables that Seam reads. */
  readonly met: readonly Met[];
  readonly stepsDone: ReadonlySet<string>;
  readonly log: readonly string[];
};

export function describe(compared: Compared | undefined): string {
  if (compared === undefined) return 'not compared';
  if (compared.error !== undefined) return `can't be compared: ${compared.error}`;
  const { source, target, differences } = compared;
  const shown = differences.slice(0, 4).map(({ kind, key, columns }) => {
    const places = columns.slice(0, 2).join(', ');
    return `${kind} ${key}${places === '' ? '' : ` (${places})`}`;
  });
  return `${source.size} rows in the source, ${target.size} in the target, ${differences.length} differ: ${shown.join('; ')}`;
}
