import { systems } from '../../connectors/index.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import type { CanonicalFields } from '../../core/canonical-record.ts';
import type { Row } from '../../core/change-event.ts';
import type { CanonicalMapping, Lookups, SourceMapping } from '../../core/mapping.ts';
import { ABSENT, Refusal } from '../../core/mapping.ts';
import type { GivenEvent, Json, SourceCase, SourceCaseFile } from './case-files.ts';
import { casesIn, jsonOfCanonical, rowOf } from './case-files.ts';
import { keyOf, type RunnableFile } from './run-cases.ts';

export function runnableSourceFiles(): RunnableFile[] {
  return systems.flatMap(({ system, mapping }) =>
    casesIn<SourceCaseFile>(`connectors/${system}`).map(({ url, file }) => ({
      title: `source ${system}, ${file.table}`,
      url,
      file,
      run: (index: number) => runSource(mapping, file, file.cases[index] as SourceCase),
    })),
  );
}

function runSource(mapping: SourceMapping, file: SourceCaseFile, given: SourceCase): Json {
  const declared = mapping.tables[file.table];
  if (declared === undefined || 'kind' in declared) return [];
  const lookups: Lookups = { canonicalId: (entity, localKey) => given.identities?.[entity]?.[localKey] };
  const events = given.given.filter((event): event is GivenEvent => 'op' in event);
  return events.flatMap((event) => {
    const [before, after] = [rowOf(file.row, event.before), rowOf(file.row, event.after)];
    return declared.flatMap((one) => outcomes(one, before, after, lookups));
  });
}

function outcomes(mapping: CanonicalMapping, before: Row | null, after: Row | null, lookups: Lookups): Json[] {
  const { entity } = mapping;
  const isOne = (row: Row | null): row is Row => row !== null && (mapping.where === undefined || mapping.where(row));
  try {
    const outcome = isOne(after) ? recordOf(mapping, after, lookups) : undefined;
    const isGone = outcome === undefined && isOne(before) && (after !== null || mapping.onDelete === 'tombstone');
    if (isGone) return [{ entity, key: keyOf(entity, readAll(mapping.key, before, lookups).fields), value: null }];
    if (outcome === undefined) return [];
    const isSame = isOne(before) && JSON.stringify(recordOf(mapping, before, lookups)) === JSON.stringify(outcome);
    return isSame ? [] : [outcome];
  } catch (error) {
    if (error instanceof Refusal) return [{ entity, rejected: error.code }];
    throw error;
  }
}

function recordOf(mapping: CanonicalMapping, row: Row, lookups: Lookups): Json {
  const entity: EntityName = mapping.entity;
  const { fields, absent } = readAll({ ...mapping.key, ...mapping.fields }, row, lookups);
  const outcome = { entity, key: keyOf(entity, fields), value: jsonOfCanonical(entity, fields) };
  return absent.length === 0 ? outcome : { ...outcome, absent };
}

function readAll(fields: CanonicalMapping['fields'], row: Row, lookups: Lookups) {
  const absent: string[] = [];
  const read = Object.entries(fields).map(([name, field]) => {
    const value = field.read(row, lookups);
    if (value === ABSENT) absent.push(name);
    return [name, value === ABSENT ? null : value];
  });
  return { fields: Object.fromEntries(read) as CanonicalFields, absent };
}
