/**
 * Does a table still have the shape that its mapping reads? Asked once for every schema of a raw topic, never for a record.
 * Added columns and wider types pass. What the mapping can't read any more stops the table, before a single record is set
 * aside for it: docs/halts.md says how it goes on.
 */
import type { ColumnValue, Operation, Row } from '../core/change-event.ts';
import { ContractError } from '../core/errors.ts';
import { Refusal } from '../core/mapping.ts';
import { isNamed } from '../core/names.ts';
import type { LogRecord } from '../core/ports.ts';
import type { Codecs } from './codecs.ts';
import type { CompiledField, CompiledTable } from './compile-mapping.ts';
import { nullHiding, refuseMangled } from './untrusted-columns.ts';

/** A column as a raw record's schema describes it. */
export type RawColumn = {
  readonly name: string;
  /** As people read it: `int`, `string`, `io.debezium.time.Date`, … */
  readonly type: string;
  /** What its values are in a change event; undefined: not known beforehand. */
  readonly kind: 'number' | 'bigint' | 'text' | 'boolean' | 'bytes' | undefined;
};

/** A converter that refuses all of a kind's samples for their type can't read the column at all. */
const SAMPLES: Readonly<Record<NonNullable<RawColumn['kind']>, readonly ColumnValue[]>> = {
  number: [0, 1],
  bigint: [0n, 1n],
  text: ['A', '0', '1970-01-01T00:00:00Z', '00000000-0000-0000-0000-000000000000'],
  boolean: [true],
  bytes: [new Uint8Array(1)],
};

const NO_LOOKUPS = { canonicalId: () => undefined };

/** Of a record without a key: only the truncation of a table has none. */
export function checkKeyless(table: CompiledTable, operation: Operation): void {
  if (operation !== 't') checkKey(table, []);
}

/** What was checked already, by topic and the schemas that its records name in their first five bytes. */
export class TableSchemas {
  readonly #codecs: Codecs;
  /** With the mapped columns that may hide a NULL. */
  readonly #checked = new Map<string, readonly string[]>();
  readonly #newest = new Map<string, readonly RawColumn[]>();
  #lastTopic = '';
  #lastValue = -1;
  #lastKey = -1;
  #lastHiding: readonly string[] = [];

  constructor(codecs: Codecs) {
    this.#codecs = codecs;
  }

  /** Are the schemas of this record those of the last one checked? Those are loaded. */
  areKnown(topic: string, key: Uint8Array | null, value: Uint8Array | null): boolean {
    return schemaOf(value) === this.#lastValue && schemaOf(key) === this.#lastKey && topic === this.#lastTopic;
  }

  /**
   * Answers with the mapped columns in which a NULL may have become the column's default. ContractError SCHEMA_ID_MOVED,
   * SCHEMA_CHANGED, KEY_CHANGED, or of a column not to be trusted. `value` is not null.
   */
  check(topic: string, table: CompiledTable, { key, value }: Pick<LogRecord, 'key' | 'value'>): readonly string[] {
    if (this.areKnown(topic, key, value)) return this.#lastHiding;
    const valueSchema = schemaOf(value);
    const keySchema = schemaOf(key);
    const name = `${topic} ${valueSchema} ${keySchema}`;
    if (!this.#checked.has(name)) {
      for (const bytes of [value as Uint8Array, key]) {
        const owner = bytes === null ? undefined : this.#codecs.schemaTopic(bytes);
        if (owner !== undefined && owner !== avroName(topic)) throw foreignSchema(table, topic, schemaOf(bytes), owner);
      }
      const columns = this.#codecs.valueColumns(value as Uint8Array);
      if (columns !== undefined) checkTable(table, columns, this.#newest.get(topic));
      const keyColumns = key === null ? undefined : this.#codecs.keyColumns(key);
      if (keyColumns !== undefined) {
        checkKey(
          table,
          keyColumns.map(({ name: column }) => column),
        );
      }
      refuseMangled(table, this.#codecs, value as Uint8Array);
      if (columns !== undefined) this.#newest.set(topic, columns);
      this.#checked.set(name, nullHiding(table, this.#codecs, value as Uint8Array));
    }
    this.#lastHiding = this.#checked.get(name) ?? [];
    this.#lastTopic = topic;
    this.#lastValue = valueSchema;
    this.#lastKey = keySchema;
    return this.#lastHiding;
  }
}

function schemaOf(bytes: Uint8Array | null): number {
  if (bytes === null) return 0;
  return ((bytes[1] ?? 0) << 24) | ((bytes[2] ?? 0) << 16) | ((bytes[3] ?? 0) << 8) | (bytes[4] ?? 0);
}

/** As Debezium and Connect make an Avro namespace of a topic's name. */
function avroName(topic: string): string {
  return topic.replaceAll(/[^A-Za-z0-9_.]/g, '_');
}

/** `before`: columns of the schema before this one, where it is known. ContractError SCHEMA_CHANGED names all that changed. */
export function checkTable(
  table: CompiledTable,
  columns: readonly RawColumn[],
  before: readonly RawColumn[] | undefined,
): void {
  const present = columns.map(({ name }) => name);
  const isThere = (name: string) => isNamed(present, name);
  const fields = table.entities.flatMap((entity) => entity.fields);
  const lacking = fields.filter(({ anyOf }) => anyOf.length > 0 && !anyOf.some(isThere));
  const gone = [
    ...[...table.columns].filter((name) => !isThere(name)),
    ...new Set(lacking.map(({ anyOf }) => anyOf.join('" or "'))),
  ];
  const unreadable = columns.filter((column) => fields.some((field) => refusesType(field, column)));
  if (gone.length === 0 && unreadable.length === 0) return;
  const old = new Map((before ?? []).map((column) => [column.name, column]));
  const added = columns.filter(({ name }) => !old.has(name) && !isNamed(table.columns, name));
  const told = [
    ...gone.map((name) => `column "${name}"${typeOf(old.get(name))} is gone`),
    ...unreadable.map(({ name, type }) => `column "${name}"${typeOf(old.get(name))} is of type ${type} now`),
  ];
  if (gone.length > 0 && added.length > 0) {
    told.push(
      `${before === undefined ? 'not mapped' : 'new'}: ${added.map(({ name, type }) => `"${name}" (${type})`).join(', ')}`,
    );
  }
  throw new ContractError({
    code: 'SCHEMA_CHANGED',
    message: `table ${table.table} of ${table.system} has changed, and its mapping can't read it: ${told.join('; ')}`,
    where: `${table.system} ${table.table}`,
    hint: `correct connectors/${table.system}/mapping.ts and start the processors again: they go on at this record; or undo the change in the database, then run: ${readAgain(table)}`,
  });
}

/**
 * Rows of one entity must come by one raw key, or nothing keeps their order: so each of its columns has a part in the
 * entity's key. ContractError KEY_CHANGED.
 */
export function checkKey(table: CompiledTable, columns: readonly string[]): void {
  for (const { description, key } of table.entities) {
    const read = new Set(key.flatMap((field) => [...field.columns, ...field.anyOf]));
    const foreign = columns.filter((column) => !isNamed(read, column));
    if (columns.length > 0 && foreign.length === 0) continue;
    const has = columns.length === 0 ? 'no key any more' : `the key ${columns.map((name) => `"${name}"`).join(', ')}`;
    throw new ContractError({
      code: 'KEY_CHANGED',
      message: `table ${table.table} of ${table.system} has ${has}, and ${description.entity} is keyed by ${[...read].map((name) => `"${name}"`).join(', ')}`,
      where: `${table.system} ${table.table}`,
      hint: `name the entity's columns in message.key.columns of connectors/${table.system}/connector.json and run: seam connectors apply ${table.system} --yes; or change the key back; then run: ${readAgain(table)}`,
    });
  }
}

/** Records of before it that the mapping can't read are passed over: the rows are read again, and what is gone is swept. */
function readAgain({ system, table }: CompiledTable): string {
  return `seam resnapshot --system ${system} --table ${table} --yes`;
}

/** Fields of one column only: what a computation makes of several, no sample can tell. */
function refusesType(field: CompiledField, column: RawColumn): boolean {
  const reads = field.columns.length === 1 ? field.columns : field.anyOf;
  if (column.kind === undefined || !isNamed(reads, column.name)) return false;
  return SAMPLES[column.kind].every((sample) =>
    isTypeRefused(field, { [column.name]: sample, [reads[0] ?? '']: sample }),
  );
}

function isTypeRefused(field: CompiledField, row: Row): boolean {
  try {
    field.read(row, NO_LOOKUPS);
    return false;
  } catch (error) {
    return error instanceof Refusal && error.code === 'VALUE_TYPE';
  }
}

function typeOf(column: RawColumn | undefined): string {
  return column === undefined ? '' : ` (${column.type})`;
}

function foreignSchema({ system, table }: CompiledTable, topic: string, id: number, owner: string): ContractError {
  return new ContractError({
    code: 'SCHEMA_ID_MOVED',
    message: `schema ${id} in the registry belongs to ${owner}: its ids were given out again`,
    where: `${system} ${table}, topic ${topic}`,
    hint: 'bring back the registry, or its storage, that was there when these records were written; then start the processors again: nothing was read wrong',
  });
}
