/** Few rounds on a machine that others use too: the median, and how far the rounds lie apart. */

export type Summary = { readonly median: number; readonly low: number; readonly high: number };

export function summary(values: readonly number[]): Summary | undefined {
  if (values.length === 0) return undefined;
  const sorted = [...values].sort((left, right) => left - right);
  return { median: middle(sorted), low: sorted[0] as number, high: sorted.at(-1) as number };
}

export const median = (values: readonly number[]): number => summary(values)?.median ?? Number.NaN;

function middle(sorted: readonly number[]): number {
  const half = sorted.length / 2;
  if (!Number.isInteger(half)) return sorted[Math.floor(half)] as number;
  return ((sorted[half - 1] as number) + (sorted[half] as number)) / 2;
}

/** Nearest rank: a value that was measured, never one in between. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(share * sorted.length) - 1))] ?? Number.NaN;
}
