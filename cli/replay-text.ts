/** Plans and progress of replays, as a person reads them. */
import type { ApplyProgress } from '../ops/operations/replay/apply.ts';
import { addEffects, type Effect, noEffect } from '../ops/operations/replay/effect.ts';
import type { AnyPlan, RawPlan, ReplayPlan, TargetScope } from '../ops/operations/replay/plan-file.ts';
import type { ReplayRecord } from '../ops/operations/replay/record.ts';
import { bar } from './terminal.ts';

const figure = (count: number): string => count.toLocaleString('en-GB');

export function planText(plan: AnyPlan): string {
  const lines = [
    `replay ${plan.id}: ${plan.reason}`,
    `  planned  ${plan.createdAt} by ${plan.createdBy}`,
    `  asked    ${plan.asked}`,
    ...(plan.kind === 'raw' ? rawLines(plan) : plan.targets.flatMap(targetLines)),
    `  time     about ${durationText(plan.estimatedSeconds)} at ${figure(plan.rate)} records a second, ${figure(plan.batchRecordsMax)} in a transaction`,
    ...plan.notes.map((note) => `  note     ${note}`),
  ];
  return `${lines.join('\n')}\n`;
}

function targetLines({ target, topics, read, selected, predicted, chunks }: TargetScope): string[] {
  const partitions = topics.reduce((sum, { ranges }) => sum + ranges.length, 0);
  const trial = chunks === 1 ? 'one trial transaction' : `${chunks} trial transactions`;
  return [
    `  ${target}`,
    `    scope  ${topics.length} topics, ${partitions} partitions: ${figure(read)} records, ${figure(selected)} taken, ${figure(predicted.records)} to write`,
    `    effect ${effectText(predicted)}   (${trial}, rolled back)`,
  ];
}

function rawLines({ source, read, keys, records, outcome, refused, dropped, targets }: RawPlan): string[] {
  const refusals = Object.entries(refused).map(([code, count]) => `${code} ${figure(count)}`);
  return [
    `  ${source.topic}`,
    `    scope  ${source.ranges.length} partitions: ${figure(read)} records, ${figure(keys)} keys, ${figure(records)} records to translate`,
    `    drop   ${figure(dropped)} echoes and changes that say nothing new; refused ${refusals.length === 0 ? '0' : refusals.join(', ')}`,
    ...Object.entries(outcome).map(
      ([entity, { same, other, added }]) =>
        `    ${entity}: ${figure(other)} with other contents, ${figure(same)} the same, ${figure(added)} not seen before`,
    ),
    ...targets.map(({ target, predicted }) => `  ${target}: ${effectText(predicted)}   (trial, rolled back)`),
  ];
}

export function effectText(effect: Effect): string {
  const { inserted, updated, deleted, unchanged, newer, own, setAside } = effect;
  const asides = Object.entries(setAside).map(([code, count]) => `${code} ${figure(count)}`);
  return [
    `insert ${figure(inserted)}`,
    `update ${figure(updated)}`,
    `delete ${figure(deleted)}`,
    `unchanged ${figure(unchanged)}`,
    `already newer ${figure(newer)}`,
    ...(own === 0 ? [] : [`the target's own ${figure(own)}`]),
    `set aside ${asides.length === 0 ? '0' : asides.join(', ')}`,
  ].join(' · ');
}

export function progressLine(plan: ReplayPlan, progress: ApplyProgress, elapsedMs: number): string {
  const { target, topic, counted } = progress;
  const place = plan.targets.findIndex((one) => one.target === target);
  const before = plan.targets.slice(0, place).reduce((sum, one) => addEffects(sum, one.predicted), noEffect()).records;
  const total = plan.targets.reduce((sum, { predicted }) => sum + predicted.records, 0);
  const done = before + Math.min(counted.records, plan.targets[place]?.predicted.records ?? 0);
  const leftSeconds = done === 0 ? plan.estimatedSeconds : ((total - done) * elapsedMs) / done / 1_000;
  return `${bar(done, total)} ${figure(done)} of ${figure(total)}  ${target} ${topic}  about ${durationText(leftSeconds)} left`;
}

export function recordsText(id: string, records: ReadonlyMap<string, ReplayRecord>): string {
  const lines = [...records].flatMap(([target, record]) => [
    `replay ${id} in ${target}: ${record.state}${record.endedAt === null ? '' : ` at ${record.endedAt}`}, ${record.reason}`,
    `    started   ${record.startedAt} by ${record.appliedBy}, last change ${record.changedAt}`,
    `    predicted ${effectText(record.predicted)}`,
    `    done      ${effectText(record.counted)}`,
  ]);
  return lines.length === 0 ? '' : `${lines.join('\n')}\n`;
}

const MINUTE = 60;

function durationText(seconds: number): string {
  if (seconds < MINUTE) return `${Math.ceil(seconds)} s`;
  if (seconds < MINUTE * MINUTE) return `${Math.ceil(seconds / MINUTE)} min`;
  return `${(seconds / MINUTE / MINUTE).toFixed(1)} h`;
}
