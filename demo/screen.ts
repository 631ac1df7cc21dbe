/** The live view: what flows where, once a second. On a terminal one screen, elsewhere one line every five seconds. */
import pc from 'picocolors';
import { canonicalTopics, openLogAdmin } from '../ops/log.ts';
import type { WorkerView } from '../ops/workers.ts';
import type { Day } from './day.ts';
import { type Distribution, pointsFreshness } from './measure.ts';

const REFRESH_MS = 1_000;
const PLAIN_EVERY = 5;
const NEWEST_LINES = 200;
const CLEAR = '\u001b[2J\u001b[H';

type Sample = {
  readonly atMs: number;
  readonly topics: ReadonlyMap<string, number>;
  readonly workers: readonly WorkerView[];
  /** Of the newest lines sold: from the till's commit to the points on the member's record. */
  readonly freshness: Distribution;
};

export async function watchDay(day: Day, signal: AbortSignal, out: NodeJS.WriteStream): Promise<void> {
  const admin = await openLogAdmin(day.deployment);
  try {
    const topics = (await canonicalTopics(admin)).sort();
    let before: Sample | null = null;
    for (let tick = 0; !signal.aborted; tick += 1) {
      const ends = new Map<string, number>();
      for (const topic of topics) {
        ends.set(
          topic,
          (await admin.bounds(topic)).reduce((sum, bound) => sum + Number(bound.latest), 0),
        );
      }
      const now: Sample = {
        atMs: Date.now(),
        topics: ends,
        workers: day.workers.views(),
        freshness: await freshnessOf(day),
      };
      if (before !== null) {
        if (out.isTTY) out.write(CLEAR + screenText(day, before, now));
        else if (tick % PLAIN_EVERY === 0) out.write(`${lineText(day, before, now)}\n`);
      }
      before = now;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, REFRESH_MS);
        signal.addEventListener(
          'abort',
          () => {
            clearTimeout(timer);
            resolve();
          },
          { once: true },
        );
      });
    }
  } finally {
    await admin.close();
  }
}

async function freshnessOf({ sessions, workload }: Day): Promise<Distribution> {
  const newest = new Map([...workload.journal].slice(-NEWEST_LINES));
  return (await pointsFreshness(sessions, newest)).latencyMs;
}

function screenText(day: Day, before: Sample, now: Sample): string {
  const lines = [
    pc.bold('Seam: the chain is trading'),
    '',
    pc.dim('people and programs did, each in their own system'),
  ];
  const did = Object.entries(day.workload.counts).filter(([, count]) => count > 0);
  for (let index = 0; index < did.length; index += 4) {
    lines.push(
      `  ${did
        .slice(index, index + 4)
        .map(([name, count]) => `${name} ${pc.bold(String(count))}`.padEnd(34))
        .join('')}`,
    );
  }
  lines.push('', pc.dim(`${'canonical topic'.padEnd(40)}${'records'.padStart(10)}${'per second'.padStart(12)}`));
  for (const [topic, end] of now.topics) {
    const rate = perSecond(end - (before.topics.get(topic) ?? 0), before, now);
    lines.push(`  ${topic.padEnd(38)}${String(end).padStart(10)}${(rate === 0 ? '' : rate.toFixed(0)).padStart(12)}`);
  }
  lines.push(
    '',
    pc.dim(
      `${'worker'.padEnd(18)}${'state'.padEnd(12)}${'applied'.padStart(10)}${'per second'.padStart(12)}${'lag'.padStart(8)}`,
    ),
  );
  for (const worker of now.workers) lines.push(workerLine(worker, before, now));
  lines.push(
    '',
    `echoes dropped ${pc.bold(String(total(now, 'canonicalize.echoesDropped')))}   derived changes passed on ${pc.bold(String(total(now, 'canonicalize.derived')))}`,
  );
  const { count, p50, p99 } = now.freshness;
  if (count > 0)
    lines.push(`points on the member's record ${pc.bold(`${p50} ms`)} after the till's commit, p99 ${p99} ms`);
  lines.push(pc.dim('ctrl-c ends the day early, proves it and cleans up'), '');
  return lines.join('\n');
}

function workerLine(worker: WorkerView, before: Sample, now: Sample): string {
  const done = doneBy(worker);
  const earlier = before.workers.find((view) => view.name === worker.name);
  const rate = perSecond(done - (earlier === undefined ? 0 : doneBy(earlier)), before, now);
  const state = worker.status?.state ?? 'starting';
  const coloured = state === 'running' ? pc.green(state.padEnd(12)) : pc.yellow(state.padEnd(12));
  const lag = worker.status?.gauges.lag ?? 0;
  const reason = worker.status?.reason === undefined ? '' : `  ${worker.status.reason}`;
  return `  ${worker.name.padEnd(16)}${coloured}${String(done).padStart(10)}${rate.toFixed(0).padStart(12)}${String(lag).padStart(8)}${reason}`;
}

function lineText(day: Day, before: Sample, now: Sample): string {
  const sold = day.workload.counts['baskets sold'] ?? 0;
  const records = [...now.topics.values()].reduce((sum, end) => sum + end, 0);
  const earlier = [...before.topics.values()].reduce((sum, end) => sum + end, 0);
  const rate = perSecond(records - earlier, before, now).toFixed(0);
  return `trading: ${sold} baskets sold, ${rate} canonical records a second, points after ${now.freshness.p50} ms, ${total(now, 'canonicalize.echoesDropped')} echoes dropped`;
}

function doneBy(worker: WorkerView): number {
  return worker.totals.applied ?? worker.totals['canonicalize.received'] ?? 0;
}

function total(sample: Sample, counter: string): number {
  return sample.workers.reduce((sum, worker) => sum + (worker.totals[counter] ?? 0), 0);
}

function perSecond(count: number, before: Sample, now: Sample): number {
  return Math.max(0, (count * 1000) / (now.atMs - before.atMs));
}
