/** What is wrong with a worker, read from its own status. Pure: the same status gives the same conditions. */
import { type Sighting, sightingOf } from '../../core/condition.ts';
import type { ProcessorStatus } from '../../processors/main.ts';
import { deadLetterTopic, type Reason, type StageStatus, type WorkState } from '../../processors/stage.ts';
import type { SinkStatus } from '../../sinks/engine/status.ts';

export function processorConditions({ stages }: ProcessorStatus): Sighting[] {
  return stages.flatMap(stageConditions);
}

/** A stage that is out of its group reports that once, not for each of its topics. */
function stageConditions({ stage, state, reason, topics, deadLetters, waiting }: StageStatus): Sighting[] {
  const ofTopics = topics.flatMap((topic): Sighting[] =>
    topic.reason === undefined
      ? []
      : [{ object: { kind: 'topic', stage, topic: topic.topic }, ...said(topic.state, topic.reason) }],
  );
  const isOfTopic = topics.some((topic) => topic.reason?.code === reason?.code);
  const own: Sighting[] =
    reason === undefined || isOfTopic ? [] : [{ object: { kind: 'worker', worker: stage }, ...said(state, reason) }];
  return [
    ...own,
    ...ofTopics,
    ...setAside({ kind: 'topic', stage, topic: deadLetterTopic(stage) }, deadLetters, waiting),
  ];
}

function said(state: WorkState, { code, message, where, hint }: Reason): Omit<Sighting, 'object'> {
  const severity = state === 'failed' ? 'halt' : 'warning';
  return { id: code, severity, text: message, ...(where === undefined ? {} : { where }), next: hint };
}

export function sinkConditions({ system, state, fault, deadLetters, behind, halted }: SinkStatus): Sighting[] {
  const object = { kind: 'target', system } as const;
  const trouble = fault === undefined ? [] : [sightingOf(fault, object, state === 'failed' ? 'halt' : 'warning')];
  const tables = halted.map(({ table, topics, code, text, next }): Sighting => {
    return { id: code, severity: 'halt', object: { kind: 'target-table', system, table, topics }, text, next };
  });
  return [...trouble, ...tables, ...setAside(object, deadLetters, behind)];
}

function setAside(object: Sighting['object'], deadLetters: number, behind: number): Sighting[] {
  if (deadLetters === 0) return [];
  return [
    {
      id: 'DEAD_LETTERS',
      severity: 'warning',
      object,
      text: `${deadLetters} records are refused, ${behind} wait behind them`,
      next: 'seam dead-letter list',
    },
  ];
}
