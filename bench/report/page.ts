/** docs/reference/benchmarks/README.md, made from the JSON beside it. */
import type { CaseResult, ComparisonResult, ContestantResult } from '../support/result.ts';
import { number, summaryOf, summaryText, verdictOf } from './figures.ts';

const NOTICE =
  '<!-- Generated from the JSON beside it: never edited. Stale? npm run generate. To measure again: npm run bench -->\n\n';

export function benchmarksPage(results: readonly ComparisonResult[]): string {
  const intro =
    'What `npm run bench` measured: ours and the peers on one machine in one run, in turn, from the same state. Each figure is the median ' +
    'of the rounds, in brackets the lowest and the highest. Everybody runs with guarantees as shipped. Processor time counts all of a process ' +
    'with its threads and children; on a machine that others use too it says more than records per second.\n\n';
  if (results.length === 0) return `${NOTICE}# Benchmarks\n\n${intro}Not measured yet: \`npm run bench\`.\n`;
  return `${NOTICE}# Benchmarks\n\n${intro}${timeText(results)}${goalsTable(results)}${results.map(section).join('\n')}`;
}

function timeText(results: readonly ComparisonResult[]): string {
  const minutes = Math.ceil(results.reduce((sum, { tookSeconds }) => sum + tookSeconds, 0) / 60);
  return `All that stands here took ${minutes} min to measure.\n\n`;
}

function section(result: ComparisonResult): string {
  const { title, about, name, cases, remarks } = result;
  return [
    `## ${title}`,
    about,
    `![${title}](${name}.svg)`,
    figuresTable(result),
    ...profileTables(result),
    ...(remarks.length > 0 ? [remarks.map((remark) => `- ${remark}`).join('\n')] : []),
    settingsList(cases),
    measuredOn(result),
  ]
    .map((part) => `${part}\n`)
    .join('\n');
}

function figuresTable({ metrics, cases }: ComparisonResult): string {
  const header = ['case', 'who', ...metrics.map(({ label }) => label)];
  const rows = cases.flatMap((one) =>
    one.contestants.map((contestant, index) => [
      index === 0 ? `**${one.name}**: ${one.about}` : '',
      contestant.name,
      ...metrics.map((metric, at) =>
        at === 0 && contestant.failure !== undefined
          ? `failed: ${contestant.failure}`
          : summaryText(summaryOf(contestant, metric.name), metric),
      ),
    ]),
  );
  return table(header, rows);
}

/** Of all comparisons, before any of them: it is what most readers come for. */
function goalsTable(results: readonly ComparisonResult[]): string {
  const rows = results.flatMap((result) =>
    result.goals.map((goal, index) => {
      const { text, value, goal: limit, verdict } = verdictOf(result, goal);
      return [index === 0 ? `[${result.title}](#${anchorOf(result.title)})` : '', text, value, limit, verdict];
    }),
  );
  if (rows.length === 0) return '';
  const heading =
    '## Goals\n\nRatios are taken round by round. What holds those that are not met, and what was tried: [speed](../../speed.md).';
  return `${heading}\n\n${table(['', 'goal', 'measured', 'asked', ''], rows)}\n\n`;
}

/** As the renderers of Markdown make them of a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} -]/gu, '')
    .replaceAll(' ', '-');
}

/** Of the cases that have a goal: there it is asked what holds it. */
function profileTables({ cases, goals }: ComparisonResult): string[] {
  const asked = cases.filter(({ name }) => goals.some((goal) => goal.case === name));
  const profiled = asked.flatMap((one) =>
    one.contestants.flatMap(({ name, profile = [] }) =>
      profile.length === 0 ? [] : [{ name, case: one.name, profile }],
    ),
  );
  return profiled.map(({ name, case: of, profile }) => {
    const rows = profile.map(({ where, share }) => [where, `${number(share * 100, 1)} %`]);
    return table([`where ${name}’s processor time went: ${of}`, 'of its main thread'], rows);
  });
}

/** Written once for each contestant: its settings are the same in all cases. */
function settingsList(cases: readonly CaseResult[]): string {
  const known = new Map<string, ContestantResult>();
  for (const one of cases.flatMap(({ contestants }) => contestants)) if (!known.has(one.name)) known.set(one.name, one);
  return [...known.values()]
    .map(({ name, note, settings }) => {
      const list = Object.entries(settings).map(([key, value]) => `\`${key}=${value}\``);
      return `- **${name}**${note === undefined ? '' : `: ${note}`}${list.length === 0 ? '' : `; ${list.join(' ')}`}`;
    })
    .join('\n');
}

function measuredOn({ machine, startedAt, tookSeconds, quick, cases }: ComparisonResult): string {
  const rounds = Math.max(0, ...cases.flatMap(({ contestants }) => contestants.map((one) => one.rounds.length)));
  const versions = Object.entries(machine.versions).map(([name, version]) => `${name} ${version}`);
  return (
    `Measured ${startedAt.slice(0, 10)}${quick ? ' (quick: proves nothing)' : ''}, ${rounds} rounds, ${tookSeconds} s, on ${machine.processor}, ` +
    `${machine.cores} cores, ${machine.memoryGib} GiB, ${machine.system}, Node ${machine.node}, Java ${machine.java}; load at the start ${machine.loadAtStart}. ` +
    `${versions.join(', ')}.`
  );
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell) => cell.replaceAll('|', '\\|').replaceAll('\n', ' ').replaceAll('<', '\\<')).join(' | ')} |`;
  return [line(header), `|${header.map(() => '---|').join('')}`, ...rows.map(line)].join('\n');
}
