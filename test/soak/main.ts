/** A random pair of faults every minute while the chain trades, then the check. */
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { currentStackSettings } from '../../stack/settings.ts';
import { check } from '../faults/checker.ts';
import { orUsage } from '../support/arguments.ts';
import { Harness, randomOf } from '../faults/harness.ts';
import { pickPair, type SoakFault } from './faults.ts';
import { type Mark, picture } from './picture.ts';
import { type Sample, takeSample, trendsOf } from './samples.ts';

const MINUTE_MS = 60_000;
const SAMPLE_EVERY_MS = 10_000;
const CONVERGE_LIMIT_MS = 60_000;
const FAULT_LIMIT_MS = 180_000;
/** A worker's memory counts as flat below this, once it is warm; a server's has caches to fill. */
const WORKER_MB_PER_MINUTE_MAX = 2;

const USAGE = 'npm run soak -- --hours N [--seed N] [--pace N] [--out DIRECTORY]';
const { values } = orUsage(USAGE, () =>
  parseArgs({
    options: {
      hours: { type: 'string', default: '0.5' },
      seed: { type: 'string' },
      pace: { type: 'string', default: '1' },
      out: { type: 'string', default: '.seam/soak' },
    },
  }),
);
const durationMs = Number(values.hours) * 60 * MINUTE_MS;
const seed = values.seed === undefined ? Math.floor(Math.random() * 1_000_000) : Number(values.seed);

if (!(durationMs > 0) || !Number.isSafeInteger(seed)) {
  process.stderr.write(`usage: ${USAGE}\n`);
  process.exitCode = 2;
} else {
  process.exitCode = await soak();
}

async function soak(): Promise<number> {
  const stopping = new AbortController();
  process.once('SIGINT', () => stopping.abort()).once('SIGTERM', () => stopping.abort());
  const say = (text: string) => process.stdout.write(`${text}\n`);
  say(`seed ${seed}, ${values.hours} hours`);
  const startedAt = new Date().toISOString();
  const harness = await Harness.start({
    settings: currentStackSettings(),
    seed,
    pace: Number(values.pace),
    patience: 1,
    smallDisks: false,
    signal: stopping.signal,
    onProgress: (text) => say(`… ${text}`),
    onOutcome: () => {},
  });
  try {
    const run = await hurt(harness, stopping.signal, say);
    const result = { startedAt, seed, hours: Number(values.hours), ...run };
    await write(result, run.samples, run.marks);
    say(JSON.stringify({ ...result, samples: run.samples.length, marks: run.marks.length }, null, 2));
    return run.passed ? 0 : 1;
  } finally {
    await harness.stop();
  }
}

async function hurt(harness: Harness, signal: AbortSignal, say: (text: string) => void) {
  const startMs = performance.now();
  const sinceMs = () => performance.now() - startMs;
  const samples: Sample[] = [];
  const marks: Mark[] = [];
  const failures: string[] = [];
  const sampling = new AbortController();
  const sampler = sampleUntil(sampling.signal, async () => {
    samples.push(await takeSample(harness.chain, sinceMs()));
  });
  const random = randomOf(seed, 'soak');
  const from = await harness.canonicalRecords();
  harness.trade();
  for (let minute = 0; minute * MINUTE_MS < durationMs && !signal.aborted; minute += 1) {
    const mayRestart = sinceMs() < durationMs / 2;
    await Promise.all(pickPair(random, mayRestart).map((fault) => one(fault)));
    await rest(Math.min((minute + 1) * MINUTE_MS, durationMs) - sinceMs(), signal);
  }
  async function one(fault: SoakFault): Promise<void> {
    const atMs = sinceMs();
    try {
      const what = await limited(fault.run(harness.chain, random));
      marks.push({ atMs, text: what });
      say(`${(atMs / 1000).toFixed(0).padStart(6)} s  ${what}`);
    } catch (error) {
      failures.push(`${fault.name}: ${error instanceof Error ? error.message : error}`);
    }
  }
  await harness.pause();
  const { ok, unknown } = harness.journal.counts();
  const convergedMs = await harness.probe.arrives(CONVERGE_LIMIT_MS * 3);
  const checked = await check(harness.checkerParts, { feedsOldVersions: true, leavesTransactions: true });
  sampling.abort();
  await sampler;
  const trends = trendsOf(samples, Math.max(durationMs / 2, Math.min(2 * MINUTE_MS, durationMs / 2)));
  const steep = trends.filter(
    ({ name, mbPerMinute }) => /^(processors|sink-)/.test(name) && mbPerMinute > WORKER_MB_PER_MINUTE_MAX,
  );
  const converged = convergedMs <= CONVERGE_LIMIT_MS && checked.findings.length === 0;
  return {
    passed: converged && steep.length === 0 && failures.length === 0,
    converged,
    convergedMs: Math.round(convergedMs),
    memoryFlat: steep.length === 0,
    mbPerMinuteMax: WORKER_MB_PER_MINUTE_MAX,
    findings: checked.findings,
    faultsNotInjected: failures,
    faults: marks.length,
    canonicalRecords: Number((await harness.canonicalRecords()) - from),
    acknowledgedWrites: ok,
    unknownWrites: unknown,
    versionsAudited: checked.versionsAudited,
    rowsCompared: checked.rowsCompared,
    trends,
    marks,
    samples,
  };
}

async function rest(durationMs: number, signal: AbortSignal): Promise<void> {
  await pause(Math.max(0, durationMs), undefined, { signal }).catch(() => {});
}

function limited<T>(work: Promise<T>): Promise<T> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error(`not over after ${FAULT_LIMIT_MS / 1000} s`)), FAULT_LIMIT_MS).unref();
  });
  return Promise.race([work, late]);
}

async function sampleUntil(signal: AbortSignal, take: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    await take().catch(() => {});
    await rest(SAMPLE_EVERY_MS, signal);
  }
}

async function write(result: object, samples: readonly Sample[], marks: readonly Mark[]): Promise<void> {
  const folder = path.resolve(values.out);
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, 'soak.json'), `${JSON.stringify(result, null, 1)}\n`);
  await writeFile(path.join(folder, 'soak.svg'), picture(samples, marks, `soak, seed ${seed}, ${values.hours} hours`));
  process.stdout.write(`written: ${path.join(folder, 'soak.json')}, ${path.join(folder, 'soak.svg')}\n`);
}
