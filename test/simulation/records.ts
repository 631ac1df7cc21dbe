/** What the log holds as canonical records, and what a target would say of them. */
import type { CanonicalFields, CanonicalRecord, RecordMeta } from '../../core/canonical-record.ts';
import { Refusal } from '../../core/mapping.ts';
import type { LogRecord } from '../../core/ports.ts';
import type { TargetTable } from '../../core/target.ts';
import { META_HEADER } from '../../sinks/engine/record.ts';
import type { Row } from '../support/memory-database.ts';
import { GARBLED, type SystemName, TABLES, TARGETS } from './systems.ts';

export function canonicalOf(topic: string, { key, value, headers }: LogRecord): CanonicalRecord {
  return {
    entity: topic.slice('canonical.'.length),
    key: Buffer.from(key ?? []).toString('utf8'),
    value: value as unknown as CanonicalFields | null,
    meta: headers[META_HEADER] as unknown as RecordMeta,
  };
}

/** Would this target refuse the record by its contents? */
export function isRefused(system: SystemName, { entity, value }: CanonicalRecord): boolean {
  const table = TARGETS[system].tables.find((one) => one.entity === entity);
  if (table === undefined || value === null) return false;
  const { refuses } = TABLES[system].find((one) => one.table === table.table) ?? {};
  try {
    const row = columnsOf(table, value);
    return refuses?.(row) === true;
  } catch (error) {
    if (error instanceof Refusal) return true;
    throw error;
  }
}

export function isGarbled({ value }: CanonicalRecord): boolean {
  return value?.specification === GARBLED;
}

export function columnsOf(table: TargetTable, value: CanonicalFields): Row {
  const columns = Object.entries({ ...table.key, ...table.columns });
  return Object.fromEntries(columns.map(([name, column]) => [name, column.write(value)]));
}
