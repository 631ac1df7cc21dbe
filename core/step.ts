/**
 * A cross-system step: canonical records of one entity → canonical records of others. A pure function: the same input gives
 * the same keys and contents however often it runs, so a replay changes nothing.
 */
import type { CanonicalTypes, EntityName, KeyName } from '../avro/generated/records.ts';
import type { CanonicalFields } from './canonical-record.ts';

export type StepOutput = {
  readonly entity: EntityName;
  readonly key: CanonicalFields;
  /** null: this output no longer exists. */
  readonly fields: CanonicalFields | null;
};

export type Step = {
  readonly name: string;
  readonly from: EntityName;
  readonly to: readonly EntityName[];
  /** `fields` null: the input is gone; only its key is known. Throws `Refusal` to set the input aside. */
  readonly run: (key: CanonicalFields, fields: CanonicalFields | null) => readonly StepOutput[];
};

export function defineStep<From extends EntityName>(step: {
  name: string;
  from: From;
  to: readonly EntityName[];
  run: (key: Pick<CanonicalTypes[From], KeyName<From>>, fields: CanonicalTypes[From] | null) => readonly StepOutput[];
}): Step {
  return step as unknown as Step;
}

/** One output, checked against the entity's type: `emit('points-entry', { entryId }, { memberId, … })`. */
export function emit<E extends EntityName>(
  entity: E,
  key: Pick<CanonicalTypes[E], KeyName<E>>,
  fields: Omit<CanonicalTypes[E], KeyName<E>> | null,
): StepOutput {
  return { entity, key: key as CanonicalFields, fields: fields as CanonicalFields | null };
}
