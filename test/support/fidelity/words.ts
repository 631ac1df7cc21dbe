/** How the rows of the value fidelity matrix are written: a column type, its edge values, and what must become of each. */
import type { ColumnValue, Unavailable, Unreadable } from '../../../core/change-event.ts';
import type { DialectName } from '../../../core/target.ts';
import type { FidelityField } from './entity.ts';

/** What two texts of one value are compared as; `compare.ts` knows each. */
export type Kind =
  | 'number'
  | 'double'
  | 'real'
  | 'boolean'
  | 'text'
  | 'bytes'
  | 'date'
  | 'timestamp'
  | 'time'
  | 'uuid'
  | 'json';

export type Exact = { readonly kind: 'exact' };
/** Another value on purpose: what is done to it, and what it is then. */
export type Converted = { readonly kind: 'converted'; readonly how: string; readonly is: string | null };
export type Refused = { readonly kind: 'refused'; readonly code: string };
export type Expectation = Exact | Converted | Refused;

export const exact: Exact = { kind: 'exact' };
export const converted = (how: string, is: string | null): Converted => ({ kind: 'converted', how, is });
export const refused = (code: string): Refused => ({ kind: 'refused', code });

/** Snapshot rows are there before the connector; stream rows come after it, and are updated once. */
export type Route = 'snapshot' | 'stream';
export const ROUTES: readonly Route[] = ['snapshot', 'stream'];
export const STAGES = ['canonical', 'postgres', 'mariadb'] as const;
export type Stage = (typeof STAGES)[number];

export type ValueCase = {
  readonly name: string;
  /** The value as this database's SQL writes it. */
  readonly sql: string;
  /** A route left out is one that the connector itself can't take: notes.ts says what happens then. */
  readonly expected: Readonly<Partial<Record<Route, Readonly<Record<Stage, Expectation>>>>>;
};

type Stages = { canonical?: Expectation; postgres?: Expectation; mariadb?: Expectation };
type Routes = { snapshot?: Expectation | Stages | 'not taken'; stream?: Expectation | Stages };

/** One expectation is everyone's; stages left out follow the canonical record, routes left out the other one. */
export function value(name: string, sql: string, expected: Expectation | Stages | Routes = exact): ValueCase {
  const isByRoute = 'snapshot' in expected || 'stream' in expected;
  const of = (route: Route) =>
    isByRoute ? ((expected as Routes)[route] ?? exact) : (expected as Expectation | Stages);
  const [snapshot, stream] = [of('snapshot'), of('stream')];
  const known = snapshot === 'not taken' ? {} : { snapshot: stagesOf(snapshot) };
  return { name, sql, expected: { ...known, stream: stagesOf(stream as Expectation | Stages) } };
}

function stagesOf(expected: Expectation | Stages): Record<Stage, Expectation> {
  const stages: Stages = 'kind' in expected ? { canonical: expected } : expected;
  const canonical = stages.canonical ?? exact;
  return { canonical, postgres: stages.postgres ?? canonical, mariadb: stages.mariadb ?? canonical };
}

export type TypeCase = {
  readonly column: string;
  /** The type as people know it: the name in the table of the documentation. */
  readonly type: string;
  /** What follows the column's name in CREATE TABLE; the type itself where left out. */
  readonly ddl?: string;
  /** Column that the value is written to, where this one is computed from it. */
  readonly writeTo?: string;
  /** The column takes no NULL. */
  readonly notNull?: true;
  /** The value's text as this database prints it, where a plain cast to text isn't it. */
  readonly text?: string;
  readonly kind: Kind;
  readonly field: FidelityField;
  /** How a mapping would be written. */
  readonly convert: (value: Exclude<ColumnValue, Unavailable | Unreadable>) => unknown;
  /** The word of core/converters.ts, for the documentation. */
  readonly word: string;
  readonly values: readonly ValueCase[];
};

export type SourceCases = {
  readonly dialect: DialectName;
  /** Before the table: types, domains, extensions. */
  readonly prepare: readonly string[];
  readonly types: readonly TypeCase[];
};
