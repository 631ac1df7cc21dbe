/** The outcome as people read it: one table, and for each failure what was found and the command that repeats it. */
import type { Outcome } from './harness.ts';

export function outcomeLine(outcome: Outcome): string {
  const { id, title, verdict, recoveryMs, recoversWithinMs, records, writes, unknownWrites, checked, seconds } =
    outcome;
  const recovery = recoveryMs === null ? '–' : `${(recoveryMs / 1000).toFixed(1)} s of ${recoversWithinMs / 1000} s`;
  const cells = [
    id.padEnd(4),
    verdict.padEnd(9),
    title.slice(0, 52).padEnd(53),
    recovery.padStart(16),
    `${records} records`.padStart(15),
    `${writes}+${unknownWrites}? writes`.padStart(15),
    `${checked?.versionsAudited ?? 0} versions`.padStart(16),
    `${Math.round(seconds)} s`.padStart(6),
  ];
  return cells.join(' ');
}

export function failureText(outcome: Outcome, seed: number): string {
  const findings = outcome.findings.map(({ criterion, what }) => `    ${criterion} ${what}`);
  return [
    `${outcome.id} ${outcome.verdict}`,
    ...findings,
    `    again: npm run faults -- --only ${outcome.id} --seed ${seed}`,
  ].join('\n');
}

export function summary(outcomes: readonly Outcome[], seed: number): string {
  const failed = outcomes.filter(({ verdict }) => verdict !== 'passed');
  const sorted = [...outcomes].sort((left, right) => Number(left.id.slice(1)) - Number(right.id.slice(1)));
  return [
    ...sorted.map(outcomeLine),
    '',
    `${outcomes.length - failed.length} of ${outcomes.length} passed, seed ${seed}`,
    ...failed.map((outcome) => failureText(outcome, seed)),
    '',
  ].join('\n');
}
