/**
 * One thing that is wrong, as data: the same value is logged, shown by every display and, where it halts, carried by the error that
 * stops the table. Who finds conditions: `ops/sources/checks` for sources; workers for their own topics.
 */
import { ContractError, type SeamError } from './errors.ts';

/** `halt`: completeness cannot be proven, so the object stands still. `warning`: the records flow, a person should look. */
export type Severity = 'halt' | 'warning';

/** `table` is `<schema>.<name>` as the mapping spells it. */
export type ConditionObject =
  | { readonly kind: 'source'; readonly system: string }
  | { readonly kind: 'table'; readonly system: string; readonly table: string }
  | { readonly kind: 'topic'; readonly stage: string; readonly topic: string }
  | { readonly kind: 'target'; readonly system: string }
  | {
      readonly kind: 'target-table';
      readonly system: string;
      readonly table: string;
      /** Their records wait in the log. */
      readonly topics: readonly string[];
    }
  | { readonly kind: 'worker'; readonly worker: string };

export type Condition = {
  /** Stable code, as in docs/reference/errors.md: `TABLE_NOT_PUBLISHED`. */
  readonly id: string;
  readonly severity: Severity;
  readonly object: ConditionObject;
  /** When it was first seen, ms since 1970. */
  readonly sinceMs: number;
  /** What is wrong, without the value of any row. */
  readonly text: string;
  /** The exact place, where the object alone is too wide: topic, partition and offset. */
  readonly where?: string;
  /** What heals it: a command that a test has run, or what the database's owner does. */
  readonly next: string | undefined;
  /** Its table, or each table of its source, is read again, whole: nobody needs to decide anything. */
  readonly healedBy?: 'reading';
};

/** A condition before anybody noted since when it holds. */
export type Sighting = Omit<Condition, 'sinceMs'>;

/** Two conditions are the same one while id and object are equal: text may change, `sinceMs` stays. */
export function conditionKey({ id, object }: Pick<Condition, 'id' | 'object'>): string {
  return `${id} ${placeOf(object)}`;
}

export function placeOf(object: ConditionObject): string {
  switch (object.kind) {
    case 'source':
      return `source ${object.system}`;
    case 'table':
      return `source ${object.system}, table ${object.table}`;
    case 'topic':
      return `${object.stage}, topic ${object.topic}`;
    case 'target':
      return `target ${object.system}`;
    case 'target-table':
      return `target ${object.system}, table ${object.table}`;
    case 'worker':
      return `worker ${object.worker}`;
  }
}

/** The error that a halting condition stops its object with. */
export function haltOf({ id, object, text, where, next }: Sighting): ContractError {
  return new ContractError({
    code: id,
    message: text,
    where: where ?? placeOf(object),
    ...(next === undefined ? {} : { hint: next }),
  });
}

export function sightingOf(error: SeamError, object: ConditionObject, severity: Severity = 'halt'): Sighting {
  const { code, message, where, hint } = error;
  return { id: code, severity, object, text: message, ...(where === undefined ? {} : { where }), next: hint };
}
