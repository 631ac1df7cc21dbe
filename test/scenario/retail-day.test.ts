/**
 * Why: the story Seam is known by. A trading day on real servers, in the middle of which a processor and a sink worker die
 * without a word; no figure of the result may change.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Day, runDay } from '../../demo/day.ts';
import type { DayReport } from '../../demo/report.ts';
import { stopStack } from '../../stack/stack.ts';

const TRADE_SECONDS = 30;
const CALM_MS = 6_000;

let stateDirectory: string;
let report: DayReport;
const killed: { worker: string; pid: number }[] = [];

beforeAll(async () => {
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-day-'));
  report = await runDay(
    {
      stateDirectory,
      tradeSeconds: TRADE_SECONDS,
      seed: 7,
      pace: 1,
      signal: AbortSignal.timeout(600_000),
      ownerPid: process.pid,
    },
    { trading: killWorkers },
  );
  process.stdout.write(`\n${JSON.stringify(report)}\n`);
}, 700_000);

afterAll(async () => {
  await stopStack({ stateDirectory, removeData: true });
  await rm(stateDirectory, { recursive: true, force: true });
});

async function killWorkers(day: Day, closing: AbortSignal): Promise<void> {
  for (const worker of ['processors', 'sink-erp', 'sink-crm']) {
    await pause(CALM_MS, undefined, { signal: closing });
    const pid = day.workers.kill(worker);
    if (pid !== null) killed.push({ worker, pid });
  }
}

describe('a trading day with workers killed in it', () => {
  it('killed them: each was started again as another process', () => {
    expect(killed.map(({ worker }) => worker)).toEqual(['processors', 'sink-erp', 'sink-crm']);
    for (const { worker, pid } of killed) {
      expect(report.workers[worker]?.starts).toBeGreaterThan(1);
      expect(() => process.kill(pid, 0)).toThrow();
    }
  });

  it('leaves every target equal to its sources', () => {
    expect(report.differences).toEqual([]);
    for (const [target, { rows, differences }] of Object.entries(report.targets)) {
      expect(rows, target).toBeGreaterThan(0);
      expect(differences, target).toBe(0);
    }
  });

  it('keeps stock right to the unit', () => {
    expect(report.stockPositions).toBeGreaterThan(30_000);
    expect(report.stockAccuracyPercent).toBe(100);
  });

  it('brings every order through to its invoice', () => {
    const { orders, plans, shipments, invoices } = report.flow;
    expect(orders).toBeGreaterThan(10);
    expect(Math.min(plans, shipments, invoices)).toBeGreaterThan(0);
    expect(shipments).toBe(invoices);
  });

  it('drops echoes and lets none circulate', () => {
    expect(report.echoesDropped).toBeGreaterThan(0);
    expect(report.echoesCirculating).toBe(0);
  });

  it('fills every canonical topic', () => {
    expect(Object.entries(report.canonicalTopics).filter(([, records]) => records === 0)).toEqual([]);
  });
});
