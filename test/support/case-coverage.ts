import type { GivenEvent, SourceCase, SourceCaseFile } from './case-files.ts';

/** What every captured table must show at least once, or say why it can't. */
export const KINDS_OF_CASES = [
  'c',
  'u',
  'd',
  'r',
  'tombstone',
  'key change',
  'null',
  'unavailable',
  'rejection',
] as const;
export type KindOfCase = (typeof KINDS_OF_CASES)[number];

export function coverageOf(file: SourceCaseFile): Set<KindOfCase> {
  return new Set(file.cases.flatMap(kindsOf));
}

function kindsOf(one: SourceCase): KindOfCase[] {
  const events = one.given.filter((event): event is GivenEvent => 'op' in event);
  const operations = events.map((event) => event.op).filter((operation) => operation !== 't');
  const kinds: KindOfCase[] = [...operations];
  if (one.given.some((event) => 'tombstone' in event)) kinds.push('tombstone');
  if (operations.includes('d') && operations.at(-1) === 'c') kinds.push('key change');
  if (JSON.stringify(one.given).includes('"$unavailable"')) kinds.push('unavailable');
  if (one.then.some((outcome) => hasNullField(outcome))) kinds.push('null');
  if (JSON.stringify(one.then).includes('"rejected"')) kinds.push('rejection');
  return kinds;
}

function hasNullField(outcome: unknown): boolean {
  const value = (outcome as { value?: Record<string, unknown> | null }).value;
  return value !== undefined && value !== null && Object.values(value).includes(null);
}
