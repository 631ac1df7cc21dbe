/** One SVG for each comparison: bars of all contestants by case, or lines over what a case's name counts. No library: a hundred lines of text. */
import type { CaseResult, ComparisonResult, ContestantResult, Metric, Role } from '../support/result.ts';
import { number, summaryOf } from './figures.ts';

const WIDTH = 860;
const LABELS = 300;
const BAR = 15;
const GAP = 16;
const TOP = 48;
const RIGHT = 110;

const bars: Readonly<Record<Role, string>> = { ours: '#0b6e4f', peer: '#8d99ae', ceiling: '#d9c58b', floor: '#d9c58b' };
const lineColours = ['#0b6e4f', '#c1440e', '#33658a', '#86489b', '#8d99ae', '#7a6c5d'];

export function chartOf(result: ComparisonResult): string {
  const metric = result.metrics.find(({ name }) => name === result.chart.metric) as Metric;
  return result.chart.kind === 'bars' ? barChart(result, metric) : lineChart(result, metric);
}

function barChart({ title, cases }: ComparisonResult, metric: Metric): string {
  const highest = Math.max(
    1,
    ...cases.flatMap(({ contestants }) => contestants.map((one) => summaryOf(one, metric.name)?.high ?? 0)),
  );
  const scale = (WIDTH - LABELS - RIGHT) / highest;
  const parts: string[] = [];
  let y = TOP;
  for (const one of cases) {
    parts.push(text(8, y + 11, one.name, 'font-weight="bold"'));
    y += BAR + 3;
    for (const contestant of one.contestants) {
      parts.push(bar(contestant, metric, { y, scale }));
      y += BAR;
    }
    y += GAP;
  }
  return svg(title, metric, y, parts);
}

function bar(one: ContestantResult, metric: Metric, { y, scale }: { y: number; scale: number }): string {
  const label = text(LABELS - 8, y + 11, one.name, 'text-anchor="end"');
  const found = summaryOf(one, metric.name);
  if (found === undefined)
    return label + text(LABELS + 4, y + 11, one.failure === undefined ? 'not measured' : 'failed');
  const length = found.median * scale;
  const spreadFrom = round(LABELS + found.low * scale);
  const spreadTo = round(LABELS + found.high * scale);
  const middle = y + (BAR - 3) / 2;
  return (
    label +
    `<rect x="${LABELS}" y="${y}" width="${round(length)}" height="${BAR - 3}" fill="${bars[one.role]}"/>` +
    `<line x1="${spreadFrom}" x2="${spreadTo}" y1="${middle}" y2="${middle}" stroke="#222"/>` +
    text(Math.max(spreadTo, LABELS + length) + 6, y + 11, number(found.median, metric.digits))
  );
}

const PLOT = { left: 70, right: 200, height: 260, bottom: 46 };

/** A case's name ends in the number that it is drawn over; each kind of case and contestant is a line. */
function lineChart({ title, cases, chart }: ComparisonResult, metric: Metric): string {
  const lines = linesOf(cases, metric);
  const all = [...lines.values()].flat();
  const highest = Math.max(1, ...all.map((point) => point.y));
  const positions = [...new Set(all.map((point) => point.x))].sort((left, right) => left - right);
  const step = (WIDTH - PLOT.left - PLOT.right) / Math.max(1, positions.length - 1);
  // evenly apart: 1, 10, 100 are steps, not distances
  const px = (x: number) => PLOT.left + positions.indexOf(x) * step;
  const py = (y: number) => TOP + PLOT.height - (y / highest) * PLOT.height;
  const parts = [`<line x1="${PLOT.left}" x2="${WIDTH - PLOT.right}" y1="${py(0)}" y2="${py(0)}" stroke="#888"/>`];
  const labelled =
    positions.length > 12 ? positions.filter((_, index) => index % Math.ceil(positions.length / 12) === 0) : positions;
  for (const x of labelled) parts.push(text(px(x), py(0) + 16, number(x), 'text-anchor="middle"'));
  for (const share of [0.5, 1])
    parts.push(
      text(PLOT.left - 8, py(highest * share) + 4, number(highest * share, metric.digits), 'text-anchor="end"'),
    );
  [...lines].forEach(([name, points], index) => {
    const colour = lineColours[index % lineColours.length];
    const path = points.map(({ x, y }) => `${round(px(x))},${round(py(y))}`).join(' ');
    parts.push(`<polyline points="${path}" fill="none" stroke="${colour}" stroke-width="2"/>`);
    parts.push(text(WIDTH - PLOT.right + 10, TOP + 14 + index * 16, name, `fill="${colour}"`));
  });
  if (chart.axis !== undefined)
    parts.push(text((WIDTH - PLOT.right) / 2, py(0) + 34, chart.axis, 'text-anchor="middle"'));
  return svg(title, metric, TOP + PLOT.height + PLOT.bottom, parts);
}

function linesOf(cases: readonly CaseResult[], metric: Metric): Map<string, { x: number; y: number }[]> {
  const lines = new Map<string, { x: number; y: number }[]>();
  for (const { name, contestants } of cases) {
    const x = Number(/[\d.]+$/.exec(name)?.[0]);
    const kind = name.replace(/\s*[\d.]+$/, '');
    for (const one of contestants) {
      const y = summaryOf(one, metric.name)?.median;
      if (y === undefined || !Number.isFinite(x)) continue;
      const line = kind === '' ? one.name : `${kind}: ${one.name}`;
      lines.set(line, [...(lines.get(line) ?? []), { x, y }]);
    }
  }
  return lines;
}

function svg(title: string, metric: Metric, height: number, parts: readonly string[]): string {
  const heading = `${title}: ${metric.label}, ${metric.better === 'more' ? 'more is better' : 'less is better'}`;
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${round(height)}" font-family="sans-serif" font-size="12" role="img" aria-label="${escaped(heading)}">\n` +
    `<rect width="100%" height="100%" fill="#fff"/>\n${text(8, 22, heading, 'font-size="15"')}\n${parts.join('\n')}\n</svg>\n`
  );
}

const text = (x: number, y: number, content: string, more = '') =>
  `<text x="${round(x)}" y="${round(y)}"${more === '' ? '' : ` ${more}`}>${escaped(content)}</text>`;

const round = (value: number): number => Math.round(value * 10) / 10;

const escaped = (content: string): string =>
  content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
