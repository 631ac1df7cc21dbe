/** The soak in one picture: three charts over one time axis, with the faults as marks. */
import type { Sample } from './samples.ts';

export type Mark = { readonly atMs: number; readonly text: string };

const WIDTH = 1_000;
const CHART_HEIGHT = 150;
const LEFT = 70;
const RIGHT = 190;
const GAP = 50;
const COLOURS = ['#1b6ca8', '#d1495b', '#2e933c', '#8d5a97', '#edae49', '#00798c', '#6b705c', '#bc6c25', '#3a3a3a'];

type Line = { readonly name: string; readonly points: readonly (readonly [number, number])[] };
type Chart = { readonly title: string; readonly lines: readonly Line[] };

export function picture(samples: readonly Sample[], marks: readonly Mark[], title: string): string {
  const charts = chartsOf(samples);
  const endMs = Math.max(1, samples.at(-1)?.atMs ?? 1);
  const height = 60 + charts.length * (CHART_HEIGHT + GAP);
  const body = charts.map((chart, index) => chartText(chart, 50 + index * (CHART_HEIGHT + GAP), endMs, marks));
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}"`,
    ' font-family="sans-serif" font-size="11">',
    `<rect width="${WIDTH}" height="${height}" fill="white"/>`,
    `<text x="${LEFT}" y="22" font-size="15">${escaped(title)}</text>`,
    ...body,
    '</svg>\n',
  ].join('\n');
}

function chartsOf(samples: readonly Sample[]): Chart[] {
  const names = [...new Set(samples.flatMap(({ processes }) => Object.keys(processes)))].sort();
  const isWorker = (name: string) => name === 'processors' || name.startsWith('sink-');
  const memory = (keep: (name: string) => boolean): Line[] =>
    names.filter(keep).map((name) => ({ name, points: pointsOf(samples, (one) => one.processes[name]?.rssMb) }));
  return [
    { title: 'memory of the workers, MB', lines: memory(isWorker) },
    { title: 'memory of the servers, MB', lines: memory((name) => !isWorker(name)) },
    {
      title: 'records behind, all sinks',
      lines: [{ name: 'lag', points: pointsOf(samples, (one) => one.lagRecords) }],
    },
    {
      title: 'log kept for slots and size of all topics, MB',
      lines: [
        { name: 'slots', points: pointsOf(samples, (one) => one.slotMb) },
        { name: 'topics', points: pointsOf(samples, (one) => one.topicsMb) },
      ],
    },
  ];
}

function pointsOf(samples: readonly Sample[], value: (sample: Sample) => number | undefined): Line['points'] {
  return samples.flatMap((sample) => {
    const found = value(sample);
    return found === undefined || !Number.isFinite(found) ? [] : [[sample.atMs, found] as const];
  });
}

function chartText({ title, lines }: Chart, top: number, endMs: number, marks: readonly Mark[]): string {
  const highest = Math.max(1, ...lines.flatMap(({ points }) => points.map(([, y]) => y)));
  const x = (atMs: number) => LEFT + (atMs / endMs) * (WIDTH - LEFT - RIGHT);
  const y = (value: number) => top + CHART_HEIGHT - (value / highest) * CHART_HEIGHT;
  const bottom = top + CHART_HEIGHT;
  const drawn = lines.flatMap(({ name, points }, index) => {
    const colour = COLOURS[index % COLOURS.length];
    const path = points.map(([atMs, value]) => `${x(atMs).toFixed(1)},${y(value).toFixed(1)}`).join(' ');
    const label = `<text x="${WIDTH - RIGHT + 10}" y="${top + 10 + index * 13}" fill="${colour}">${escaped(name)}</text>`;
    return [`<polyline fill="none" stroke="${colour}" points="${path}"/>`, label];
  });
  const faults = marks.map(({ atMs, text }) => {
    const at = x(atMs).toFixed(1);
    return `<line x1="${at}" x2="${at}" y1="${top}" y2="${bottom}" stroke="#cccccc"><title>${escaped(text)}</title></line>`;
  });
  return [
    `<text x="${LEFT}" y="${top - 6}">${escaped(title)}</text>`,
    ...faults,
    `<path d="M${LEFT} ${top}V${bottom}H${WIDTH - RIGHT}" fill="none" stroke="#888888"/>`,
    `<text x="${LEFT - 6}" y="${top + 10}" text-anchor="end">${highest.toFixed(0)}</text>`,
    `<text x="${LEFT - 6}" y="${bottom}" text-anchor="end">0</text>`,
    `<text x="${WIDTH - RIGHT}" y="${bottom + 14}" text-anchor="end">${(endMs / 60_000).toFixed(1)} min</text>`,
    ...drawn,
  ].join('\n');
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;');
}
