/** Runs golden cases with the real mapping, step and target; what comes out is compared with `then`, or written there. */
import type { CanonicalFields, EntityDescription } from '../../core/canonical-record.ts';
import { keyText } from '../../core/canonical-record.ts';
import { Refusal } from '../../core/mapping.ts';
import type { Step } from '../../core/step.ts';
import type { Column, Target, TargetTable } from '../../core/target.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { steps } from '../../processors/steps/index.ts';
import { targets } from '../../sinks/index.ts';
import type { Json, JsonRecord, StepCase, StepCaseFile, TargetCase, TargetCaseFile } from './case-files.ts';
import { canonicalOf, casesIn, jsonOfCanonical, jsonOfSql } from './case-files.ts';

/** A case file with what it is for, and how its cases are run. */
export type RunnableFile = {
  readonly title: string;
  readonly url: URL;
  readonly file: { readonly cases: readonly { readonly it: string; then: Json }[] };
  readonly run: (index: number) => Json;
};

export function runnableStepFiles(): RunnableFile[] {
  return casesIn<StepCaseFile>('processors/steps').map(({ url, name, file }) => {
    const step = steps.find((candidate) => candidate.name === name);
    if (step === undefined) throw new Error(`${name}.json is for no step`);
    return { title: `step ${name}`, url, file, run: (index) => runStep(step, file, file.cases[index] as StepCase) };
  });
}

export function runnableTargetFiles(): RunnableFile[] {
  return targets.flatMap((target) =>
    casesIn<TargetCaseFile>(`sinks/targets/${target.system}`).map(({ url, name, file }) => {
      const table = tableOf(target, file);
      return {
        title: `target ${target.system}, ${name}`,
        url,
        file,
        run: (index: number) => runTarget(table, file, file.cases[index] as TargetCase),
      };
    }),
  );
}

function tableOf(target: Target, file: TargetCaseFile): TargetTable {
  const table = target.tables.find((candidate) => candidate.table === file.table && candidate.entity === file.entity);
  if (table === undefined) throw new Error(`${target.system} has no table ${file.table} for ${file.entity}`);
  return table;
}

function runStep(step: Step, file: StepCaseFile, given: StepCase): Json {
  const from = step.from;
  const key = canonicalOf(from, file.key);
  const fields = given.given === null ? null : { ...key, ...canonicalOf(from, { ...file.fields, ...given.given }) };
  return orRejected(() =>
    step.run(key, fields).map(({ entity, key: outKey, fields: outFields }) => ({
      entity,
      key: keyOf(entity, outKey),
      value: outFields === null ? null : jsonOfCanonical(entity, { ...outKey, ...outFields }),
    })),
  );
}

function runTarget(table: TargetTable, file: TargetCaseFile, given: TargetCase): Json {
  const fields = canonicalOf(file.entity, { ...file.fields, ...given.given });
  if (table.accepts !== undefined && !table.accepts(fields)) return { accepted: false };
  return orRejected(() => ({
    key: rowOf(table.key, fields),
    row: rowOf(table.columns, fields),
    ...(Object.keys(table.onInsert).length === 0 ? {} : { onInsert: rowOf(table.onInsert, fields) }),
    ...(table.effects.length === 0 ? {} : { effects: table.effects.map((effect) => effectOf(effect, fields)) }),
  }));
}

function effectOf(effect: TargetTable['effects'][number], fields: CanonicalFields): JsonRecord {
  const amount = jsonOfSql(fields[effect.amount] ?? null);
  return { table: effect.table, key: rowOf(effect.key, fields), [effect.column]: amount };
}

function rowOf(columns: Readonly<Record<string, Column>>, fields: CanonicalFields): JsonRecord {
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [name, jsonOfSql(column.write(fields))]));
}

export function keyOf(entity: EntityName, fields: CanonicalFields): string {
  const description: EntityDescription = entities[entity];
  return keyText(description.key.map((name) => fields[name] ?? null));
}

function orRejected(run: () => Json): Json {
  try {
    return run();
  } catch (error) {
    if (error instanceof Refusal) return { rejected: error.code };
    throw error;
  }
}
