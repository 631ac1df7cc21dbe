/**
 * One change event → what it says of each canonical entity. Pure; the rules, by operation:
 *
 * | event  | row passes `where`                          | row doesn't                                         |
 * |--------|---------------------------------------------|-----------------------------------------------------|
 * | c      | record                                      | nothing                                             |
 * | r      | record                                      | tombstone, but nothing in the initial snapshot      |
 * | u      | tombstone of the old key if it was another, | tombstone of the old key, nothing where the row     |
 * |        | then the record                             | before is known and didn't pass either              |
 * | d      | tombstone, or nothing with `onDelete: keep` | the same                                            |
 * | t      | truncation of what this table said (core/truncation.ts), or nothing with `keep`                   |
 *
 * Shared entities (the newest commit wins) only say what was changed just now, or an edit of another column would make an
 * old value the newest: an update that leaves the entity as it was says nothing, nor does a new row whose fields are all
 * null, nor a snapshot row that doesn't pass.
 */
import { type CanonicalFields, type CanonicalValue, keyText } from '../core/canonical-record.ts';
import type { ChangeEvent, Operation, Row } from '../core/change-event.ts';
import { ContractError } from '../core/errors.ts';
import { ABSENT, type Lookups, Refusal } from '../core/mapping.ts';
import { scopedTruncateKey, TRUNCATE_KEY } from '../core/truncation.ts';
import type { CompiledEntity, CompiledField, CompiledTable } from './compile-mapping.ts';

/** What one event says of one entity. A truncation's key says whose keys are gone. */
export type Mapped = {
  readonly compiled: CompiledEntity;
  readonly key: string;
  readonly value: CanonicalFields | null;
  readonly absent: readonly string[];
  readonly operation: Operation;
};

export type MapResult = {
  readonly mapped: readonly Mapped[];
  readonly refused: readonly { readonly compiled: CompiledEntity; readonly refusal: Refusal }[];
  /** Said nothing of an entity: shared ones only. */
  readonly unchanged: number;
};

const NONE_ABSENT: readonly string[] = [];
const NONE_MAPPED: readonly Mapped[] = [];
const NONE_REFUSED: MapResult['refused'] = [];

/**
 * `keyRow`: the record's own key, where a delete's row holds nothing else. ContractError BEFORE_IMAGE_MISSING where a
 * shared entity's table doesn't send the row before. One entity refused doesn't keep back the others.
 */
export function mapEvent(event: ChangeEvent, keyRow: Row | null, table: CompiledTable, lookups: Lookups): MapResult {
  const sink = new Sink(event, keyRow, lookups);
  for (const compiled of table.entities) {
    try {
      sink.take(compiled);
    } catch (error) {
      if (error instanceof ContractError) throw error;
      sink.refused = [...sink.refused, { compiled, refusal: refusalOf(error) }];
    }
  }
  return sink;
}

/** A fault in a mapping must not stop the other keys; the text of its error may hold the value. */
function refusalOf(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return new Refusal('MAPPING_FAILED', `the mapping failed with ${error instanceof Error ? error.name : 'no error'}`);
}

class Sink implements MapResult {
  mapped: readonly Mapped[] = NONE_MAPPED;
  refused: MapResult['refused'] = NONE_REFUSED;
  unchanged = 0;
  readonly #event: ChangeEvent;
  readonly #keyRow: Row | null;
  readonly #lookups: Lookups;

  constructor(event: ChangeEvent, keyRow: Row | null, lookups: Lookups) {
    this.#event = event;
    this.#keyRow = keyRow;
    this.#lookups = lookups;
  }

  take(compiled: CompiledEntity): void {
    switch (this.#event.operation) {
      case 'c':
      case 'r':
        this.#row(compiled);
        break;
      case 'u':
        this.#update(compiled);
        break;
      case 'd':
        this.#delete(compiled);
        break;
      case 't':
        if (compiled.onDelete === 'tombstone') this.#gone(compiled, truncateKeyOf(compiled), 't');
    }
  }

  #row(compiled: CompiledEntity): void {
    const { operation, isSnapshot } = this.#event;
    const after = this.#after();
    if (passes(compiled, after)) {
      const fields = this.#fields(compiled, after);
      if (compiled.isShared && saysNothing(compiled, fields.value)) this.unchanged += 1;
      else this.#say(compiled, fields, operation);
    } else if (operation === 'r' && !isSnapshot && !compiled.isShared) {
      this.#goneIfKnown(compiled, this.#knownKey(compiled, after));
    }
  }

  #update(compiled: CompiledEntity): void {
    const after = this.#after();
    const { before } = this.#event;
    if (compiled.isShared && before === null) throw beforeMissing(compiled);
    const wasThere = before === null || passes(compiled, before);
    const oldKey = before !== null && wasThere ? this.#knownKey(compiled, before) : undefined;
    if (!passes(compiled, after)) {
      if (wasThere) this.#goneIfKnown(compiled, oldKey ?? this.#knownKey(compiled, after));
      else if (compiled.isShared) this.unchanged += 1;
      return;
    }
    const fields = this.#fields(compiled, after);
    const key = keyOf(compiled, fields.value);
    if (compiled.isShared && oldKey === key && before !== null && this.#isUnchanged(compiled, before, fields)) {
      this.unchanged += 1;
      return;
    }
    if (oldKey !== undefined && oldKey !== key) this.#gone(compiled, oldKey, 'd');
    this.#say(compiled, fields, 'u');
  }

  /** PostgreSQL sends the key columns only, unless the table says otherwise; they are in the record's own key too. */
  #delete(compiled: CompiledEntity): void {
    if (compiled.onDelete === 'keep') return;
    const { before } = this.#event;
    const row =
      before === null ? (this.#keyRow ?? {}) : this.#keyRow === null ? before : { ...before, ...this.#keyRow };
    this.#gone(compiled, this.#key(compiled, row), 'd');
  }

  #after(): Row {
    const { after, operation } = this.#event;
    if (after === null)
      throw new Refusal('ENVELOPE_REFUSED', `an event of operation "${operation}" has no row after it`);
    return after;
  }

  #say(compiled: CompiledEntity, { value, absent }: Fields, operation: Operation): void {
    this.#add({ compiled, key: keyOf(compiled, value), value, absent, operation });
  }

  #gone(compiled: CompiledEntity, key: string, operation: Operation): void {
    this.#add({ compiled, key, value: null, absent: NONE_ABSENT, operation });
  }

  /** Nearly always one: an array that is pushed to has room for sixteen more. */
  #add(one: Mapped): void {
    this.mapped = this.mapped.length === 0 ? [one] : [...this.mapped, one];
  }

  /** A row that is another entity's may well have no key for this one. */
  #goneIfKnown(compiled: CompiledEntity, key: string | undefined): void {
    if (key !== undefined) this.#gone(compiled, key, 'd');
  }

  #isUnchanged(compiled: CompiledEntity, before: Row, after: Fields): boolean {
    try {
      const old = this.#fields(compiled, before);
      return compiled.fields.every(
        ({ name }) => isSame(old.value[name], after.value[name]) || after.absent.includes(name),
      );
    } catch (error) {
      // what the row was can't be said, so what it is now is news
      if (error instanceof Refusal) return false;
      throw error;
    }
  }

  /** undefined where the row has no key that could ever have been sent. */
  #knownKey(compiled: CompiledEntity, row: Row): string | undefined {
    try {
      return this.#key(compiled, row);
    } catch (error) {
      if (error instanceof Refusal) return undefined;
      throw error;
    }
  }

  #key(compiled: CompiledEntity, row: Row): string {
    let key: string | undefined;
    for (const field of compiled.key) key = joined(key, this.#value(field, row) as CanonicalValue);
    return key as string;
  }

  #fields(compiled: CompiledEntity, row: Row): Fields {
    const value = compiled.readWholeRow(row, this.#lookups);
    return value === undefined ? this.#fieldByField(compiled, row) : { value, absent: NONE_ABSENT };
  }

  #fieldByField(compiled: CompiledEntity, row: Row): Fields {
    // a copy has its final shape at once: adding ten fields one by one costs as much as reading them
    const value: Record<string, CanonicalValue> = { ...compiled.blank };
    let absent: string[] | undefined;
    for (const field of compiled.fields) {
      const read = this.#value(field, row);
      if (read !== ABSENT) {
        value[field.name] = read as CanonicalValue;
      } else if (absent === undefined) {
        absent = [field.name];
      } else {
        absent.push(field.name);
      }
    }
    return { value, absent: absent ?? NONE_ABSENT };
  }

  #value(field: CompiledField, row: Row): unknown {
    const value = field.read(row, this.#lookups) ?? null;
    if (value === null && (!field.isNullable || field.isKey)) {
      throw new Refusal('NULL_NOT_ALLOWED', `"${field.name}" is null`);
    }
    if (value !== ABSENT || (field.isNullable && !field.isKey)) return value;
    if (field.isKey) throw new Refusal('KEY_ABSENT', `"${field.name}" belongs to the key and was not sent`);
    throw new Refusal('ABSENT_NOT_NULLABLE', `"${field.name}" was not sent, and there is no null to stand in for it`);
  }
}

function truncateKeyOf({ isShared, isOfSeveralTables, system, table }: CompiledEntity): string {
  if (!isShared && !isOfSeveralTables) return TRUNCATE_KEY;
  return scopedTruncateKey({ system, table: isOfSeveralTables ? table : undefined });
}

type Fields = { readonly value: CanonicalFields; readonly absent: readonly string[] };

function passes(compiled: CompiledEntity, row: Row): boolean {
  return compiled.where === undefined || compiled.where(row);
}

function keyOf(compiled: CompiledEntity, value: CanonicalFields): string {
  let key: string | undefined;
  for (const { name } of compiled.key) key = joined(key, value[name] as CanonicalValue);
  return key as string;
}

/** `keyText`, value by value; nearly none has anything to escape. */
function joined(key: string | undefined, value: CanonicalValue): string {
  const text = typeof value === 'string' ? value : String(value);
  const escaped = text.includes('|') || text.includes('\\') ? keyText([text]) : text;
  return key === undefined ? escaped : `${key}|${escaped}`;
}

function saysNothing(compiled: CompiledEntity, value: CanonicalFields): boolean {
  return compiled.fields.every(({ name, isKey }) => isKey || value[name] === null);
}

function isSame(left: CanonicalValue | undefined, right: CanonicalValue | undefined): boolean {
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right) === 0;
  return left === right;
}

function beforeMissing({ description, table, system }: CompiledEntity): ContractError {
  return new ContractError({
    code: 'BEFORE_IMAGE_MISSING',
    message: `${description.entity} is shared, and ${table} doesn't say what its rows were before a change`,
    where: `${system} ${table}`,
    hint: `PostgreSQL: ALTER TABLE ${table} REPLICA IDENTITY FULL; MariaDB: binlog_row_image = FULL`,
  });
}
