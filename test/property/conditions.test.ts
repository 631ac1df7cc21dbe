/** What is wrong is shown once, with the time since when, on every flow that it concerns, and no flow is green without its workers. */
import { expect, it } from 'vitest';
import { entities } from '../../avro/generated/entities.ts';
import type { Condition, Sighting } from '../../core/condition.ts';
import { TransientError } from '../../core/errors.ts';
import { ConditionBook } from '../../ops/status/condition-book.ts';
import { flowStatuses, flowsOf } from '../../ops/status/flows.ts';
import { conditionsOf } from '../../ops/status/status.ts';
import { type DatedReport, SILENT_AFTER_MS } from '../../ops/status/status-topic.ts';
import { processorConditions, sinkConditions } from '../../ops/status/worker-conditions.ts';
import { systems } from '../../ops/systems.ts';
import { workerCommands } from '../../ops/worker-commands.ts';
import { steps } from '../../processors/steps/index.ts';
import { loggedLines, RecordingLogger } from '../support/recording-logger.ts';

const NOW_MS = Date.UTC(2026, 10, 30, 3);
const halted: Sighting = {
  id: 'SCHEMA_CHANGED',
  severity: 'halt',
  object: { kind: 'topic', stage: 'canonicalize', topic: 'raw.crm.crm.mbr' },
  text: 'column "nm" is gone',
  next: 'correct the mapping',
};
const report = (worker: string, parts: Partial<DatedReport> = {}): DatedReport => ({
  worker,
  host: 'one',
  pid: 1,
  state: 'running',
  conditions: [],
  gauges: {},
  atMs: NOW_MS,
  ...parts,
});

it('a condition is logged when it begins and when it ends, and keeps its time in between', () => {
  const clock = { now: NOW_MS, nowMs: () => clock.now };
  const logger = new RecordingLogger();
  const book = new ConditionBook(clock, logger);
  expect(book.note([halted])).toEqual([{ ...halted, sinceMs: NOW_MS }]);
  clock.now += 5_000;
  expect(book.note([{ ...halted, text: 'column "nm" is gone, 7 records wait' }])[0]?.sinceMs).toBe(NOW_MS);
  expect(book.note([])).toEqual([]);
  clock.now += 5_000;
  expect(book.note([halted])[0]?.sinceMs).toBe(NOW_MS + 10_000);
  expect(loggedLines(logger)).toEqual([
    'error halted SCHEMA_CHANGED',
    'info condition ended SCHEMA_CHANGED',
    'error halted SCHEMA_CHANGED',
  ]);
});

it('a topic that stands is a condition of its own, also where another topic of the stage stands too', () => {
  const topic = (name: string, code?: string) => ({
    topic: name,
    state: code === undefined ? ('running' as const) : ('failed' as const),
    reason:
      code === undefined
        ? undefined
        : { code, message: `${code} text`, where: `${name} partition 0 offset 7`, hint: 'do this' },
    counts: {},
  });
  const topics = [topic('raw.a'), topic('raw.b', 'KEY_CHANGED'), topic('raw.c', 'SCHEMA_CHANGED')];
  const stage = { stage: 'canonicalize', state: 'degraded' as const, reason: topics[1]?.reason, tasks: [0], topics };
  const found = processorConditions({
    state: 'degraded',
    reason: undefined,
    counts: {},
    stages: [{ ...stage, deadLetters: 0, waiting: 0 }],
  });
  expect(found.map(({ id, severity, where, next }) => [id, severity, where, next])).toEqual([
    ['KEY_CHANGED', 'halt', 'raw.b partition 0 offset 7', 'do this'],
    ['SCHEMA_CHANGED', 'halt', 'raw.c partition 0 offset 7', 'do this'],
  ]);
});

it('a stage that is out of its group says so once', () => {
  const away = { code: 'GROUP_AWAY', message: 'not a member', hint: 'check the brokers' };
  const topics = [{ topic: 'raw.a', state: 'running' as const, reason: undefined, counts: {} }];
  const stage = {
    stage: 'flow',
    state: 'degraded' as const,
    reason: away,
    tasks: [],
    topics,
    deadLetters: 2,
    waiting: 3,
  };
  const found = processorConditions({ state: 'degraded', reason: away, counts: {}, stages: [stage] });
  expect(found.map(({ id, object }) => [id, object])).toEqual([
    ['GROUP_AWAY', { kind: 'worker', worker: 'flow' }],
    ['DEAD_LETTERS', { kind: 'topic', stage: 'flow', topic: 'dead-letter.flow' }],
  ]);
});

it('a sink says what its target refuses, with the next command of the error', () => {
  const fault = new TransientError({
    code: 'TARGET_UNREACHABLE',
    message: 'no answer',
    where: 'pos',
    hint: 'start it',
  });
  const sink = {
    system: 'pos',
    echoTag: undefined,
    counts: {} as never,
    waiting: 0,
    behind: 0,
    partitions: [],
    halted: [],
  };
  const found = sinkConditions({ ...sink, state: 'degraded', reason: 'no answer', fault, deadLetters: 0 });
  expect(found).toEqual([
    {
      id: 'TARGET_UNREACHABLE',
      severity: 'warning',
      object: { kind: 'target', system: 'pos' },
      text: 'no answer',
      where: 'pos',
      next: 'start it',
    },
  ]);
});

it('every source and every target of the project is part of a flow', () => {
  const flows = flowsOf(systems, steps, entities);
  const written = systems.flatMap(({ system, target }) => (target === null ? [] : [system]));
  const read = systems.flatMap(({ system, source }) => (source === null ? [] : [system]));
  expect(new Set(flows.map(({ target }) => target))).toEqual(new Set(written));
  expect(new Set(flows.map(({ source }) => source))).toEqual(new Set(read));
  // an order of the crm reaches finance as an invoice, through steps and systems between
  expect(flows.map(({ source, entity, target }) => `${source} ${entity} ${target}`)).toContain('crm member pos');
});

it('a halted table halts the flows that it feeds, and no others', () => {
  const lines = flowStatuses(flowsOf(systems, steps, entities), [{ ...halted, sinceMs: NOW_MS }]);
  const stopped = lines.filter(({ state }) => state === 'halted');
  expect(new Set(stopped.map(({ source }) => source))).toEqual(new Set(['crm']));
  expect(stopped.length).toBeGreaterThan(1);
  expect(lines.filter(({ source }) => source !== 'crm').every(({ state }) => state === 'running')).toBe(true);
});

it('without any report no flow runs: every needed worker is missing', () => {
  const conditions = conditionsOf([], workerCommands(), NOW_MS);
  expect(conditions.map(({ id }) => id)).toEqual(Object.keys(workerCommands()).map(() => 'WORKER_NOT_RUNNING'));
  expect(conditions.map(({ next }) => next)).toContain('seam run sink pos');
  const lines = flowStatuses(flowsOf(systems, steps, entities), conditions);
  expect(lines.filter(({ state }) => state !== 'halted')).toEqual([]);
});

it('a worker that went silent is missing since its last word; one that failed keeps its reason until another runs', () => {
  const needed = { processors: ['processors'] };
  const silent = report('processors', { atMs: NOW_MS - SILENT_AFTER_MS });
  expect(conditionsOf([silent], needed, NOW_MS).map(({ id, sinceMs }) => [id, sinceMs])).toEqual([
    ['WORKER_NOT_RUNNING', NOW_MS - SILENT_AFTER_MS],
  ]);
  const reason: Condition = { ...halted, id: 'TOPICS_MISSING', sinceMs: NOW_MS - 600_000 };
  const failed = report('processors', { state: 'failed', atMs: NOW_MS - 600_000, conditions: [reason] });
  expect(conditionsOf([failed, silent], needed, NOW_MS)).toEqual([reason]);
  const starting: Condition = { ...halted, id: 'WORKER_STARTING', severity: 'warning', sinceMs: NOW_MS };
  const second = report('processors', { pid: 2, state: 'paused', conditions: [starting] });
  expect(conditionsOf([failed, second], needed, NOW_MS).map(({ id }) => id)).toEqual([
    'WORKER_STARTING',
    'TOPICS_MISSING',
  ]);
  expect(conditionsOf([failed, report('processors', { pid: 3 })], needed, NOW_MS)).toEqual([]);
});
