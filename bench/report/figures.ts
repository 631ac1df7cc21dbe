/** Medians and spreads of a comparison, as every form of the report needs them. */
import type { CaseResult, ComparisonResult, ContestantResult, Goal, Metric } from '../support/result.ts';
import { median, type Summary, summary } from '../support/stats.ts';

export function summaryOf({ rounds }: ContestantResult, metric: string): Summary | undefined {
  return summary(rounds.flatMap((figures) => (Number.isFinite(figures[metric]) ? [figures[metric] as number] : [])));
}

export function number(value: number, digits = 0): string {
  const [whole = '', fraction] = value.toFixed(digits).split('.');
  const grouped = whole.replaceAll(/\B(?=(\d{3})+(?!\d))/g, ',');
  return fraction === undefined ? grouped : `${grouped}.${fraction}`;
}

/** `12,300 (11,900–12,800)`: the median, the lowest and the highest round. */
export function summaryText(found: Summary | undefined, { digits = 0 }: Pick<Metric, 'digits'>): string {
  if (found === undefined) return '–';
  const { median: middle, low, high } = found;
  if (low === high) return number(middle, digits);
  return `${number(middle, digits)} (${number(low, digits)}–${number(high, digits)})`;
}

export type Verdict = {
  readonly text: string;
  readonly value: string;
  readonly goal: string;
  readonly verdict: 'met' | 'not met' | 'not measured';
};

/** Ratios are taken round by round: what slowed a round slowed both. */
export function verdictOf(result: ComparisonResult, goal: Goal): Verdict {
  const value = goalValue(result, goal);
  const limits = [
    ...(goal.atLeast === undefined ? [] : [`≥ ${goal.atLeast}`]),
    ...(goal.atMost === undefined ? [] : [`≤ ${goal.atMost}`]),
  ];
  const isMet = value >= (goal.atLeast ?? -Infinity) && value <= (goal.atMost ?? Infinity);
  const unit = goal.to === undefined ? '' : '×';
  return {
    text: goal.text,
    value: Number.isFinite(value) ? `${number(value, value < 100 ? 2 : 0)}${unit}` : '–',
    goal: limits.join(', '),
    verdict: Number.isFinite(value) ? (isMet ? 'met' : 'not met') : 'not measured',
  };
}

function goalValue({ cases, metrics }: ComparisonResult, goal: Goal): number {
  const { of, to, metric, toCase = goal.case } = goal;
  const own = valuesOf(cases, goal.case, of, metric);
  if (to === undefined) return median(own);
  const others = [to].flat().map((name) => valuesOf(cases, toCase, name, metric));
  const isLess = metrics.find(({ name }) => name === metric)?.better === 'less';
  const rank = (values: readonly number[]) => (isLess ? -median(values) : median(values));
  const [best = []] = others.filter((values) => values.length > 0).sort((left, right) => rank(right) - rank(left));
  const pairs = own.slice(0, best.length).map((value, round) => value / (best[round] as number));
  return median(pairs.filter(Number.isFinite));
}

function valuesOf(cases: readonly CaseResult[], name: string, contestant: string, metric: string): number[] {
  const found = cases.find((one) => one.name === name)?.contestants.find((one) => one.name === contestant);
  return (found?.rounds ?? []).map((figures) => figures[metric] ?? Number.NaN);
}
