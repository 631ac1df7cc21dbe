/** The table for the terminal. */
import type { ComparisonResult } from '../support/result.ts';
import { summaryOf, summaryText, verdictOf } from './figures.ts';

export function comparisonText(result: ComparisonResult): string {
  const header = ['case', 'contestant', ...result.metrics.map(({ label }) => label)];
  const rows = result.cases.flatMap(({ name, contestants }) =>
    contestants.map((one) => [
      name,
      one.name,
      ...result.metrics.map((metric) => summaryText(summaryOf(one, metric.name), metric)),
      ...(one.failure === undefined ? [] : [`failed: ${one.failure.slice(0, 120)}`]),
    ]),
  );
  const goals = result.goals
    .map((goal) => verdictOf(result, goal))
    .map(({ text, value, goal, verdict }) => [text, value, goal, verdict]);
  const parts = [`\n${result.title}`, aligned([header, ...rows]), ...(goals.length > 0 ? ['', aligned(goals)] : [])];
  return `${[...parts, ...result.remarks.map((remark) => `  ${remark}`)].join('\n')}\n`;
}

function aligned(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [at, cell] of row.entries()) widths[at] = Math.max(widths[at] ?? 0, cell.length);
  return rows
    .map(
      (row) =>
        `  ${row
          .map((cell, at) => cell.padEnd(widths[at] ?? 0))
          .join('  ')
          .trimEnd()}`,
    )
    .join('\n');
}
