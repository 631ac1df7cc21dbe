/** Findings that are known and not mended yet: `open.json`, which may only shrink. */
import known from './open.json' with { type: 'json' };
import type { Finding } from './finding.ts';

export type OpenFinding = {
  readonly kind: string;
  /** All of these are among the finding's features and operations. */
  readonly needs: readonly string[];
  readonly seed: number;
  readonly text: string;
};

export const OPEN: readonly OpenFinding[] = known;

export function openEntryFor({ kind, features, operations }: Finding, entries = OPEN): OpenFinding | undefined {
  const words = [...features, ...operations];
  const has = (need: string) => words.some((word) => word === need || word.endsWith(` ${need}`));
  return entries.find((entry) => entry.kind === kind && entry.needs.every(has));
}
