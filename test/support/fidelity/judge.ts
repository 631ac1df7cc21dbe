/** What became of each value on each route, beside what was expected. */
import type { CanonicalRecord } from '../../../core/canonical-record.ts';
import { neutral } from './compare.ts';
import { type RawRecord, rowId } from './sources.ts';
import type { TargetRows } from './targets.ts';
import { canonicalText, type Translated } from './translate.ts';
import {
  type Expectation,
  type Route,
  ROUTES,
  type SourceCases,
  STAGES,
  type Stage,
  type TypeCase,
  type ValueCase,
} from './words.ts';

export type Outcome =
  | { readonly kind: 'exact' }
  | { readonly kind: 'converted'; readonly how: string }
  | { readonly kind: 'refused'; readonly code: string; readonly reason: string }
  /** Refused at an earlier stage. */
  | { readonly kind: 'not reached' }
  | { readonly kind: 'wrong'; readonly found: string };

/** What verify says of the row: nothing, nothing because it refuses the value too, or rightly that targets lack it. */
export type Verified = 'equal' | 'refused too' | 'reported missing' | 'not compared' | 'WRONG';

export type Verdict = {
  readonly type: TypeCase;
  readonly value: ValueCase;
  readonly route: Route;
  readonly outcomes: Readonly<Record<Stage, Outcome>>;
  readonly verified: Verified;
  /** Empty where everything is as expected. */
  readonly faults: readonly string[];
};

/** The last event of a row counts; all events of a row must say the same. */
export function translateAll(raw: readonly RawRecord[], translate: (one: RawRecord) => Translated) {
  const byRow = new Map<string, Translated[]>();
  for (const one of raw) byRow.set(one.id, [...(byRow.get(one.id) ?? []), translate(one)]);
  return byRow;
}

export function recordsOf(rows: ReadonlyMap<string, readonly Translated[]>): CanonicalRecord[] {
  return [...rows.values()].flatMap((all) => {
    const last = all.at(-1);
    return last?.kind === 'record' ? [last.record] : [];
  });
}

type Evidence = {
  readonly source: ReadonlyMap<string, string | null>;
  readonly translated: ReadonlyMap<string, readonly Translated[]>;
  readonly targets: Readonly<Record<'postgres' | 'mariadb', TargetRows>>;
  /** null under a column's own name: verify refuses to compare it. */
  readonly reported: ReadonlyMap<string, readonly string[] | null>;
};

export function judge({ types }: SourceCases, evidence: Evidence): Verdict[] {
  return types.flatMap((type) =>
    type.values.flatMap((value) =>
      ROUTES.filter((route) => value.expected[route] !== undefined).map((route) =>
        verdict(type, value, route, evidence),
      ),
    ),
  );
}

/** Rows of NULL that did not stay NULL, or did not arrive, unless the type is refused as a whole. */
export function nullFaults({ types }: SourceCases, { translated, targets, reported }: Evidence): string[] {
  const nullable = types.filter(({ notNull }) => notNull === undefined);
  return nullable.flatMap((type) =>
    ROUTES.flatMap((route) => {
      const id = `${route}:${type.column}:NULL`;
      const all = translated.get(id) ?? [];
      if (all.length > 0 && all.every((one) => one.kind === 'refused')) return [];
      const isNull = all.length > 0 && all.every((one) => one.kind === 'record' && one.value === null);
      const rows = [targets.postgres.values.get(id), targets.mariadb.values.get(id)];
      const said = reported.get(id) ?? [];
      if (said.length > 0 && !reported.has(type.column)) return [`${id}: verify says ${said.join('; ')}`];
      return isNull && rows.every((row) => row?.[type.field] === null) ? [] : [`${id} is not NULL everywhere`];
    }),
  );
}

function verdict(type: TypeCase, value: ValueCase, route: Route, evidence: Evidence): Verdict {
  const id = rowId(route, type, value);
  const source = evidence.source.get(id);
  const all = evidence.translated.get(id) ?? [];
  const expected = value.expected[route] as Record<Stage, Expectation>;
  const texts = all.map((one) => (one.kind === 'record' ? canonicalText(one.value, type.field) : one));
  const faults: string[] = [];
  if (source === undefined) faults.push(`${id} is not in the source`);
  if (all.length !== (route === 'stream' ? 2 : 1)) faults.push(`${id} came ${all.length} times`);
  if (new Set(texts.map((text) => JSON.stringify(text))).size > 1)
    faults.push(`${id}: create and update differ: ${JSON.stringify(texts)}`);
  const last = texts.at(-1);
  const outcomeOf = (stage: Stage): Outcome => {
    if (stage === 'canonical') return textOutcome(type, source ?? null, last, expected.canonical);
    if (typeof last === 'object' && last !== null) return { kind: 'not reached' };
    const { parked, values } = evidence.targets[stage];
    const refusal = parked.get(id);
    if (refusal !== undefined) return { kind: 'refused', ...refusal };
    return textOutcome(type, source ?? null, values.get(id)?.[type.field], expected[stage]);
  };
  const outcomes = {
    canonical: outcomeOf('canonical'),
    postgres: outcomeOf('postgres'),
    mariadb: outcomeOf('mariadb'),
  };
  for (const stage of STAGES) {
    if (!isExpected(outcomes[stage], expected[stage]))
      faults.push(
        `${id}, ${stage}: expected ${said(expected[stage])}, found ${said(outcomes[stage])} of ${JSON.stringify(source)?.slice(0, 200)}`,
      );
  }
  const reported = evidence.reported.get(id) ?? [];
  const verified = evidence.reported.has(type.column)
    ? notComparedOf(outcomes.canonical)
    : verifiedOf(reported, outcomes.canonical);
  if (verified === 'WRONG') faults.push(`${id}: verify says ${reported.join('; ')}`);
  return { type, value, route, outcomes, verified, faults };
}

/** What the connector sends must be compared. */
function notComparedOf(canonical: Outcome): Verified {
  return canonical.kind === 'refused' ? 'not compared' : 'WRONG';
}

function verifiedOf(reported: readonly string[], canonical: Outcome): Verified {
  const isRefused = canonical.kind === 'refused';
  if (reported.length === 0) return isRefused ? 'refused too' : 'equal';
  return isRefused && reported.every((one) => one.startsWith('missing')) ? 'reported missing' : 'WRONG';
}

type Text = string | null | undefined | { readonly kind: 'refused'; readonly code: string; readonly reason: string };

function textOutcome(type: TypeCase, source: string | null, found: Text, expected: Expectation): Outcome {
  if (found === undefined) return { kind: 'wrong', found: 'no row' };
  if (typeof found === 'object' && found !== null) return found;
  const same = (text: string | null) =>
    text === null || found === null ? text === found : neutral(type.kind, text) === neutral(type.kind, found);
  // what is converted on purpose must be said to be so, even where both texts happen to be equal
  if (expected.kind === 'converted' && same(expected.is)) return { kind: 'converted', how: expected.how };
  if (same(source)) return { kind: 'exact' };
  return { kind: 'wrong', found: JSON.stringify(found).slice(0, 300) };
}

function isExpected(outcome: Outcome, expected: Expectation): boolean {
  if (outcome.kind === 'refused') return expected.kind === 'refused' && expected.code === outcome.code;
  if (outcome.kind === 'not reached') return expected.kind === 'refused';
  return outcome.kind === expected.kind;
}

function said(one: Outcome | Expectation): string {
  return Object.values(one).join(' ');
}
