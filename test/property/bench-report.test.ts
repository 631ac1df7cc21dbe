/** A report that says more than was measured is worse than none. */
import { expect, test } from 'vitest';
import { chartOf } from '../../bench/report/chart.ts';
import { verdictOf } from '../../bench/report/figures.ts';
import { benchmarksPage } from '../../bench/report/page.ts';
import type { ComparisonResult, ContestantResult, Figures } from '../../bench/support/result.ts';
import { alternate } from '../../bench/support/rounds.ts';
import { percentile, summary } from '../../bench/support/stats.ts';
import { timeShares } from '../../bench/support/time-shares.ts';

const machine = {
  ...{ processor: 'a processor', cores: 2, memoryGib: 24, system: 'Linux', node: '24', java: '17', loadAtStart: 0 },
  versions: { Kafka: '4' },
};

function result(contestants: readonly ContestantResult[], kind: 'bars' | 'lines' = 'bars'): ComparisonResult {
  return {
    ...{
      name: 'some',
      title: 'Some | <sink>',
      about: 'about',
      quick: false,
      startedAt: '2026-01-02T00:00:00.000Z',
      tookSeconds: 9,
      machine,
    },
    metrics: [{ name: 'rate', label: 'records/s', unit: '1/s', better: 'more' }],
    chart: { kind, metric: 'rate', axis: 'workers' },
    goals: [{ text: 'ours to theirs', case: 'workers 2', metric: 'rate', of: 'ours', to: 'theirs', atLeast: 2 }],
    cases: [{ name: 'workers 2', about: 'with | and <tag>', contestants }],
    remarks: [],
  };
}

const contestant = (name: string, rates: readonly number[], failure?: string): ContestantResult => ({
  ...{ name, role: 'ours', settings: {}, rounds: rates.map((rate) => ({ rate })) },
  ...(failure === undefined ? {} : { failure }),
});

test('a ratio is taken round by round, so that a slow round slows both', () => {
  // medians alone would say 300 / 100
  const rounds = [contestant('ours', [300, 30, 390]), contestant('theirs', [100, 10, 130])];
  const [goal] = result(rounds).goals;
  expect(verdictOf(result(rounds), goal as never)).toMatchObject({ value: '3.00×', goal: '≥ 2', verdict: 'met' });
  const slower = [contestant('ours', [150, 15, 200]), contestant('theirs', [100, 10, 130])];
  expect(verdictOf(result(slower), goal as never)).toMatchObject({ value: '1.50×', verdict: 'not met' });
});

test('of several the best is taken, by its median: more of a rate, less of a cost', () => {
  const peers = [
    contestant('slow', [100, 100, 900]),
    contestant('fast', [200, 200, 200]),
    contestant('failed', [], 'no'),
  ];
  const found = result([contestant('ours', [400, 400, 400]), ...peers]);
  const goal = { text: '', case: 'workers 2', metric: 'rate', of: 'ours', to: ['failed', 'slow', 'fast'], atLeast: 2 };
  expect(verdictOf(found, goal)).toMatchObject({ value: '2.00×', verdict: 'met' });
  const cost = { ...found, metrics: [{ name: 'rate', label: 'CPU', unit: 'µs', better: 'less' as const }] };
  expect(verdictOf(cost, goal)).toMatchObject({ value: '4.00×' });
  expect(verdictOf(found, { ...goal, to: ['failed'] })).toMatchObject({ value: '–', verdict: 'not measured' });
});

test('what was not measured is neither met nor missed', () => {
  const found = result([contestant('ours', [300]), contestant('theirs', [], 'refused a date')]);
  expect(verdictOf(found, found.goals[0] as never)).toMatchObject({ value: '–', verdict: 'not measured' });
  expect(benchmarksPage([found])).toContain('failed: refused a date');
  expect(chartOf(found)).toContain('failed');
});

test('page and chart survive any text and show the spread', () => {
  const found = result([contestant('a | <b>', [1_000, 1_200, 900])]);
  const page = benchmarksPage([found]);
  expect(page).toContain('1,000 (900–1,200)');
  expect(page).toContain('with \\| and \\<tag>');
  for (const kind of ['bars', 'lines'] as const) {
    const svg = chartOf(result([contestant('a | <b>', [1_000, 1_200, 900])], kind));
    expect(svg).toContain('a | &lt;b&gt;');
    expect(svg).not.toContain('NaN');
  }
});

test('medians and percentiles are values that were measured', () => {
  expect(summary([3, 1, 2])).toEqual({ median: 2, low: 1, high: 3 });
  expect(summary([4, 1, 2, 3])).toEqual({ median: 2.5, low: 1, high: 4 });
  expect(summary([])).toBeUndefined();
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1);
  expect([0.5, 0.95, 0.99, 1].map((share) => percentile(hundred, share))).toEqual([50, 95, 99, 100]);
});

test('contestants take turns; warm-ups do not count; one that fails stops no other', async () => {
  const turns: string[] = [];
  const one = (name: string, round: () => Promise<Figures>) => ({
    ...{ name, role: 'peer' as const },
    round: () => {
      turns.push(name);
      return round();
    },
  });
  const signal = new AbortController().signal;
  const { contestants } = await alternate(
    'case',
    'about',
    [
      one('a', async () => ({ rate: turns.length })),
      one('b', async () => {
        if (turns.length > 3) throw new Error('wrong answer');
        return { rate: 1 };
      }),
    ],
    { rounds: 2, warmUps: 1, withProfiles: false, say: () => {}, signal },
  );
  expect(turns).toEqual(['a', 'b', 'a', 'b', 'a']);
  expect(contestants[0]).toMatchObject({ rounds: [{ rate: 3 }, { rate: 5 }] });
  expect(contestants[1]).toMatchObject({ rounds: [], failure: 'wrong answer' });
});

test('a profile is one more round: it counts for nothing, and who failed has none', async () => {
  const profile = [{ where: 'core/mapping.ts', share: 1 }];
  const one = (name: string, round: () => Promise<Figures>) => ({
    ...{ name, role: 'ours' as const, round },
    profiled: async () => profile,
  });
  const signal = new AbortController().signal;
  const failing = async () => {
    throw new Error('wrong answer');
  };
  const contestants = [one('a', async () => ({ rate: 1 })), one('b', failing)];
  const measured = await alternate('workers 2', 'about', contestants, {
    ...{ rounds: 2, warmUps: 0, withProfiles: true, say: () => {}, signal },
  });
  expect(measured.contestants[0]).toMatchObject({ rounds: [{ rate: 1 }, { rate: 1 }], profile });
  expect(measured.contestants[1]).not.toHaveProperty('profile');
  expect(benchmarksPage([{ ...result([]), cases: [measured] }])).toContain('| core/mapping.ts | 100.0 % |');
});

test('samples are counted by file and package; what has no file belongs to its caller, and idling to nobody', () => {
  const root = 'file:///seam/';
  const frame = (functionName: string, url = '') => ({
    ...{ functionName, url, scriptId: '0', lineNumber: 0, columnNumber: 0 },
  });
  const nodes = [
    { id: 1, callFrame: frame('(root)'), hitCount: 0, children: [2, 3, 4, 8] },
    { id: 2, callFrame: frame('(idle)'), hitCount: 900 },
    { id: 3, callFrame: frame('(garbage collector)'), hitCount: 20 },
    { id: 4, callFrame: frame('toString', `${root}adapters/avro/raw-codec.ts`), hitCount: 10, children: [5, 6, 7] },
    { id: 5, callFrame: frame('utf8Slice'), hitCount: 30 },
    { id: 6, callFrame: frame('run', `${root}node_modules/@some/codec/lib/index.js`), hitCount: 25 },
    { id: 7, callFrame: frame('writev', 'node:internal/stream_base_commons'), hitCount: 14 },
    { id: 8, callFrame: frame('once', `${root}core/step.ts`), hitCount: 1 },
  ];
  expect(timeShares({ nodes }, root)).toEqual([
    { where: 'adapters/avro/raw-codec.ts', share: 0.4 },
    { where: '@some/codec', share: 0.25 },
    { where: 'garbage collector', share: 0.2 },
    { where: 'node:stream_base_commons', share: 0.14 },
    { where: 'all else', share: expect.closeTo(0.01) },
  ]);
  expect(timeShares({ nodes: nodes.slice(0, 2) }, root)).toEqual([]);
});
