/**
 * Golden cases: files beside each mapping, step and target. `row`, `fields` show a usual record; each case says only what
 * differs from it. Values that JSON can't hold are written so:
 *
 * | in a row of a source            | value                                                          |
 * |---------------------------------|----------------------------------------------------------------|
 * | `{ "$bigint": "31198570044" }`  | 64-bit integer                                                 |
 * | `{ "$wall": "2017-01-01 11:53:26.000" }` | time without zone, µs of the wall clock               |
 * | `{ "$date": "2017-01-31" }`     | days since 1970-01-01                                          |
 * | `{ "$bytes": "00ff" }`          | bytes                                                          |
 * | `{ "$unavailable": true }`      | a large value that did not change                              |
 * | `{ "$only": { … } }`            | a row of which only these columns are known (a key): others are NULL |
 *
 * In a canonical record a long and a timestamp are text (`"2500"`, `"2017-01-01T16:53:26.000000Z"`), bytes are hexadecimal.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import type { CanonicalFields, CanonicalValue, FieldDescription } from '../../core/canonical-record.ts';
import type { ColumnValue, Operation, Row } from '../../core/change-event.ts';
import { UNAVAILABLE } from '../../core/change-event.ts';
import { formatTimeUs, parseIsoUs } from '../../core/local-time.ts';
import type { SqlValue } from '../../core/target.ts';

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };
export type JsonRecord = Readonly<Record<string, Json>>;

export type GivenEvent = {
  readonly op: Operation;
  readonly before?: JsonRecord | null;
  readonly after?: JsonRecord | null;
};
export type GivenTombstone = { readonly tombstone: JsonRecord };
export type Rejected = { readonly entity?: string; readonly rejected: string };

export type SourceCase = {
  readonly it: string;
  /** Ids that the identity map holds, by entity and local key. */
  readonly identities?: Readonly<Record<string, Readonly<Record<string, string>>>>;
  readonly given: readonly (GivenEvent | GivenTombstone)[];
  then: readonly Json[];
};
export type SourceCaseFile = {
  readonly table: string;
  /** A kind of case that this table can't have, with the reason; silence fails. */
  readonly notSupported?: Readonly<Record<string, string>>;
  readonly row: JsonRecord;
  readonly cases: readonly SourceCase[];
};

export type StepCase = { readonly it: string; readonly given: JsonRecord | null; then: Json };
export type StepCaseFile = {
  readonly key: JsonRecord;
  readonly fields: JsonRecord;
  readonly cases: readonly StepCase[];
};

export type TargetCase = { readonly it: string; readonly given: JsonRecord; then: Json };
export type TargetCaseFile = {
  readonly table: string;
  readonly entity: EntityName;
  readonly fields: JsonRecord;
  readonly cases: readonly TargetCase[];
};

const ROOT = new URL('../../', import.meta.url);

/** `casesIn('connectors/pos')` → the files of connectors/pos/cases. */
export function casesIn<T>(folder: string): { readonly url: URL; readonly name: string; readonly file: T }[] {
  const directory = new URL(`${folder}/cases/`, ROOT);
  if (!existsSync(directory)) return [];
  const names = readdirSync(directory).filter((name) => name.endsWith('.json'));
  return names.sort().map((name) => {
    const url = new URL(name, directory);
    return { url, name: name.slice(0, -'.json'.length), file: JSON.parse(readFileSync(url, 'utf8')) as T };
  });
}

export function foldersIn(parent: string): string[] {
  const entries = readdirSync(new URL(`${parent}/`, ROOT), { withFileTypes: true });
  return entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
}

export function readText(path: string): string {
  return readFileSync(new URL(path, ROOT), 'utf8');
}

export function rowOf(usual: JsonRecord, given: JsonRecord | null | undefined): Row | null {
  if (given === null || given === undefined) return null;
  const only = given.$only as JsonRecord | undefined;
  const base = only === undefined ? usual : Object.fromEntries(Object.keys(usual).map((column) => [column, null]));
  const merged = { ...base, ...(only ?? given) };
  return Object.fromEntries(Object.entries(merged).map(([column, value]) => [column, columnValueOf(value)]));
}

function columnValueOf(json: Json): ColumnValue {
  if (json === null || typeof json !== 'object' || Array.isArray(json)) return json as ColumnValue;
  const [kind, value] = Object.entries(json)[0] ?? [];
  switch (kind) {
    case '$bigint':
      return BigInt(String(value));
    case '$bytes':
      return new Uint8Array(Buffer.from(String(value), 'hex'));
    case '$date':
      return Date.parse(`${value}T00:00:00Z`) / 86_400_000;
    case '$wall':
      return parseIsoUs(`${value}Z`);
    case '$unavailable':
      return UNAVAILABLE;
    default:
      throw new Error(`a case holds a value of unknown form: ${kind}`);
  }
}

export function canonicalOf(entity: EntityName, json: JsonRecord): CanonicalFields {
  const { fields } = entities[entity];
  const unknown = Object.keys(json).filter((name) => !fields.some((field) => field.name === name));
  if (unknown.length > 0) throw new Error(`a case of ${entity} names unknown fields: ${unknown.join(', ')}`);
  const known = fields.filter((field) => field.name in json);
  return Object.fromEntries(known.map((field) => [field.name, canonicalValueOf(field, json[field.name] ?? null)]));
}

function canonicalValueOf(field: FieldDescription, json: Json): CanonicalValue {
  if (json === null) return null;
  if (field.type === 'long') return BigInt(String(json));
  if (field.type === 'timestamp-micros') return parseIsoUs(String(json));
  if (field.type === 'bytes') return new Uint8Array(Buffer.from(String(json), 'hex'));
  return json as CanonicalValue;
}

export function jsonOfCanonical(entity: EntityName, fields: CanonicalFields): JsonRecord {
  const described = entities[entity].fields.filter((field) => field.name in fields);
  return Object.fromEntries(described.map((field) => [field.name, jsonOfValue(field, fields[field.name] ?? null)]));
}

function jsonOfValue(field: FieldDescription, value: CanonicalValue): Json {
  if (typeof value === 'bigint' && field.type === 'timestamp-micros')
    return `${formatTimeUs(value).replace(' ', 'T')}Z`;
  return jsonOfSql(value);
}

export function jsonOfSql(value: SqlValue): Json {
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value;
}
