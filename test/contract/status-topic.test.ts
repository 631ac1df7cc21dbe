/** Workers tell how they are through Kafka: a reader sees the newest of each, and none that stopped in order. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock.ts';
import type { Condition } from '../../core/condition.ts';
import type { Log } from '../../core/ports.ts';
import { type OwnReport, readReports, StatusPublisher } from '../../ops/status/status-topic.ts';
import { quietLogger, startKafka, type TestKafka, testLog, until } from '../support/kafka.ts';

let kafka: TestKafka;
let log: Log;

beforeAll(async () => {
  kafka = await startKafka();
  log = testLog(kafka.brokers);
}, 120_000);
afterAll(async () => {
  await kafka?.stop();
});

const condition: Condition = {
  id: 'KEY_CHANGED',
  severity: 'halt',
  object: { kind: 'topic', stage: 'canonicalize', topic: 'raw.crm.crm.mbr' },
  sinceMs: 1_700_000_000_000,
  text: 'the primary key changed',
  where: 'raw.crm.crm.mbr partition 1 offset 9',
  next: 'seam resnapshot --system crm --table crm.mbr --yes',
};

function publisher(worker: string, current: { report: OwnReport }): StatusPublisher {
  return new StatusPublisher({ log, clock: systemClock, logger: quietLogger, worker, report: () => current.report });
}

const reportsOf = async (worker: string) => (await readReports(log)).filter((report) => report.worker === worker);
const well: OwnReport = { state: 'running', conditions: [], gauges: { lag: 0 } };

it('nobody has published yet: there is nothing to read, and that is no error', async () => {
  expect(await readReports(log)).toEqual([]);
});

it('a change is published at once, with all that a condition has', async () => {
  const current = { report: well };
  const first = publisher('processors', current);
  await until(async () => (await reportsOf('processors')).length === 1, 'the report');
  current.report = { state: 'degraded', conditions: [condition], gauges: { lag: 12 } };
  await until(async () => (await reportsOf('processors'))[0]?.state === 'degraded', 'the report');
  expect(await reportsOf('processors')).toMatchObject([
    { conditions: [condition], gauges: { lag: 12 }, pid: process.pid },
  ]);
  await first.stop({ hasFailed: false });
  expect(await reportsOf('processors')).toEqual([]);
});

it('what a worker failed of stays after its end', async () => {
  const current = { report: { ...well, state: 'failed' as const, conditions: [condition] } };
  const failing = publisher('sink-pos', current);
  await failing.stop({ hasFailed: true });
  expect(await reportsOf('sink-pos')).toMatchObject([{ state: 'failed', conditions: [{ id: 'KEY_CHANGED' }] }]);
});

it('where Kafka is away the worker does not stay for its last word', async () => {
  const away = testLog(['127.0.0.1:9']);
  const parts = { log: away, clock: systemClock, logger: quietLogger, worker: 'sink-crm', report: () => well };
  const cut = new StatusPublisher(parts);
  const startedMs = systemClock.elapsedMs();
  await cut.stop({ hasFailed: true });
  expect(systemClock.elapsedMs() - startedMs).toBeLessThan(10_000);
});
