import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { systems } from '../../connectors/index.ts';
import type { ChangeEvent } from '../../core/change-event.ts';
import type { Lookups } from '../../core/mapping.ts';
import { encodePosition } from '../../core/position.ts';
import { type CompiledTable, compileSource } from '../../processors/compile-mapping.ts';
import { type Mapped, mapEvent } from '../../processors/map-event.ts';
import type { GivenEvent, Json, SourceCase, SourceCaseFile } from './case-files.ts';
import { casesIn, jsonOfCanonical, rowOf } from './case-files.ts';
import type { RunnableFile } from './run-cases.ts';

export function runnableSourceFiles(): RunnableFile[] {
  return systems.flatMap(({ system, mapping }) => {
    const tables = compileSource(mapping, entities);
    return casesIn<SourceCaseFile>(`connectors/${system}`).map(({ url, file }) => ({
      title: `source ${system}, ${file.table}`,
      url,
      file,
      run: (index: number) => runSource(tables.get(file.table), file, file.cases[index] as SourceCase),
    }));
  });
}

/** A tombstone is no event: it follows a delete and is passed over. */
function runSource(table: CompiledTable | undefined, file: SourceCaseFile, one: SourceCase): Json {
  if (table === undefined) throw new Error(`no mapping for ${file.table}`);
  const lookups: Lookups = { canonicalId: (entity, localKey) => one.identities?.[entity]?.[localKey] };
  const given = one.given.filter((event): event is GivenEvent => 'op' in event);
  return given.flatMap((event, index) => {
    const { mapped, refused } = mapEvent(changeEvent(table, file, event, index), null, table, lookups);
    const rejections = refused.map(({ compiled, refusal }) => ({
      entity: compiled.description.entity,
      rejected: refusal.code,
    }));
    return [...mapped.map(outcomeOf), ...rejections];
  });
}

function outcomeOf({ compiled, key, value, absent }: Mapped): Json {
  const entity = compiled.description.entity as EntityName;
  const outcome = { entity, key, value: value === null ? null : jsonOfCanonical(entity, value) };
  return absent.length === 0 ? outcome : { ...outcome, absent };
}

function changeEvent(table: CompiledTable, file: SourceCaseFile, event: GivenEvent, index: number): ChangeEvent {
  const isSnapshot = event.op === 'r';
  const phase = isSnapshot ? 'snapshot' : 'stream';
  return {
    system: table.system,
    table: table.table,
    operation: event.op,
    before: rowOf(file.row, event.before),
    after: rowOf(file.row, event.after),
    position: encodePosition({ epoch: 0, phase, major: 1n, minor: BigInt(index), isDelete: event.op === 'd' }),
    commitTimeUs: BigInt(index),
    orderTimeUs: BigInt(index),
    isSnapshot,
    isTagged: false,
  };
}
