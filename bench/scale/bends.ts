/** Where a curve bends, and what was busy there: in words, made from the figures. */
import { number } from '../report/figures.ts';
import type { CaseResult, Figures } from '../support/result.ts';
import { median } from '../support/stats.ts';

const US_PER_S = 1_000_000;

type Point = {
  readonly at: number;
  readonly rate: number;
  readonly clientCores: number;
  readonly databaseCores: number;
};

export function bends(cases: readonly CaseResult[]): string[] {
  const series = Map.groupBy(cases, ({ name }) => name.replace(/ \d+$/, ''));
  return [...series].flatMap(([kind, points]) =>
    bendOf(
      kind,
      points.map(pointOf).filter(({ rate }) => rate > 0),
    ),
  );
}

function pointOf({ name, contestants }: CaseResult): Point {
  const rounds = contestants[0]?.rounds ?? [];
  const of = (value: (figures: Figures) => number) => median(rounds.map(value));
  return {
    at: Number(/\d+$/.exec(name)?.[0]),
    rate: of((figures) => figures.rate ?? 0),
    clientCores: of((figures) => ((figures.clientCpu ?? 0) * (figures.rate ?? 0)) / US_PER_S),
    databaseCores: of((figures) => ((figures.databaseCpu ?? 0) * (figures.rate ?? 0)) / US_PER_S),
  };
}

/** The step at which the rate falls most, or gains least. */
function bendOf(kind: string, points: readonly Point[]): string[] {
  const steps = points.slice(1).map((to, index) => ({ from: points[index] as Point, to }));
  const bend = steps.sort((left, right) => left.to.rate / left.from.rate - right.to.rate / right.from.rate)[0];
  if (bend === undefined) return [];
  const { from, to } = bend;
  return [
    `${kind}: bends most from ${number(from.at)} to ${number(to.at)}, where the rate becomes ${number(to.rate / from.rate, 2)} times what it was; ` +
      `busy cores there: client ${number(to.clientCores, 1)}, database ${number(to.databaseCores, 1)} (before: ${number(from.clientCores, 1)} and ${number(from.databaseCores, 1)})`,
  ];
}
