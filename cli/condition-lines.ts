/** What a person reads of conditions: the whole text once when one begins, one line when it ends. */
import { setTimeout as pause } from 'node:timers/promises';
import { type Condition, conditionKey, placeOf, type Sighting } from '../core/condition.ts';
import type { WorkerSupervisor, WorkerView } from '../ops/workers.ts';
import { paint } from './terminal.ts';

const LOOK_EVERY_MS = 500;
/** It passes with every start, and the line about the workers that run says so. */
const NOT_SHOWN = new Set(['WORKER_STARTING']);

/** What, where, since when where that is known, and what to do next. */
export function conditionText(condition: Sighting & Partial<Condition>): string {
  const { id, severity, object, sinceMs, text, where, next } = condition;
  const sign = severity === 'halt' ? paint.red('✘') : paint.yellow('!');
  const lines = [`${sign} ${text} [${id}]`, `  where: ${where ?? placeOf(object)}`];
  if (sinceMs !== undefined) lines.push(`  since: ${timeText(sinceMs)}`);
  if (next !== undefined) lines.push(`  next:  ${next}`);
  return lines.join('\n');
}

function timeText(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

/** Prints every condition of the workers once, and once when it has ended. Resolves when the signal aborts. */
export async function showConditions(
  supervisor: WorkerSupervisor,
  print: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let shown = new Map<string, Condition>();
  while (!signal.aborted) {
    const now = new Map(
      supervisor
        .views()
        .flatMap(conditionsOf)
        .map((one) => [conditionKey(one), one]),
    );
    for (const [key, condition] of now) if (!shown.has(key)) print(conditionText(condition));
    for (const [key, condition] of shown) if (!now.has(key)) print(endedText(condition));
    shown = now;
    await pause(LOOK_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}

function endedText({ id, object }: Condition): string {
  return `${paint.green('✔')} ended: ${id}, ${placeOf(object)}`;
}

function conditionsOf({ status, failure }: WorkerView): readonly Condition[] {
  const all = failure === undefined ? (status?.conditions ?? []) : [failure];
  return all.filter(({ id }) => !NOT_SHOWN.has(id));
}
