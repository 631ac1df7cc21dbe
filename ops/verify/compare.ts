/** One pass over everything: expected rows against actual rows, as hashes. Pure but for the readers handed in. */
import { createHash } from 'node:crypto';
import type { SqlValue, Target, TargetTable } from '../../core/target.ts';
import { type ColumnKinds, columnsOf, type TargetReader } from './actual.ts';
import type { CanonicalFact, Entities } from './expected.ts';
import { assertsNothing, rowOfFact } from './expected.ts';
import { normalise } from './normalise.ts';

export type DifferenceKind = 'missing' | 'different' | 'extra';
export type Difference = {
  readonly system: string;
  readonly table: string;
  readonly entity: string;
  /** Canonical key: never personal. */
  readonly key: string;
  readonly kind: DifferenceKind;
  readonly expected: string;
  readonly actual: string;
};

type ExpectedEntry = { key: string; hashes: string[]; columns?: Readonly<Record<string, SqlValue>> };

/** Expectations for one target table, filled fact by fact, then held against the rows. */
export class TableComparison {
  readonly target: Target;
  readonly table: TargetTable;
  readonly #entities: Entities;
  readonly #kinds: ColumnKinds;
  readonly #expected = new Map<string, ExpectedEntry>();
  readonly #keep: ReadonlySet<string>;
  readonly #actualKept = new Map<string, SqlValue[]>();
  rowsCompared = 0;

  /** `keep`: canonical keys whose columns are held, to say later which fields differ. */
  constructor(target: Target, table: TargetTable, entities: Entities, kinds: ColumnKinds, keep: ReadonlySet<string>) {
    this.target = target;
    this.table = table;
    this.#entities = entities;
    this.#kinds = kinds;
    this.#keep = keep;
  }

  expect(fact: CanonicalFact): void {
    const description = this.#entities[fact.entity];
    if (description !== undefined && assertsNothing(fact, description)) return;
    const row = rowOfFact(this.table, fact);
    if (row === null) return;
    const rowKey = this.#rowKeyOfFact(fact, row.columns);
    const values = Object.keys(this.table.columns).map((name) => row.columns[name] ?? null);
    const entry = this.#expected.get(rowKey) ?? { key: fact.key, hashes: [] };
    entry.hashes.push(this.#hash(values));
    if (this.#keep.has(fact.key)) entry.columns = row.columns;
    this.#expected.set(rowKey, entry);
  }

  async compare(reader: TargetReader): Promise<Difference[]> {
    const differences: Difference[] = [];
    const seen = new Set<string>();
    const { key, columns } = columnsOf(this.table);
    const identities = this.table.assignedKey === undefined ? null : await reader.identities(this.table.entity);
    for await (const rows of reader.rows(this.table.table, [...key, ...columns])) {
      for (const row of rows) this.#compareRow(row, key.length, identities, seen, differences);
    }
    for (const [rowKey, entry] of this.#expected) {
      if (!seen.has(rowKey)) differences.push(this.#difference(entry.key, 'missing', entry.hashes.join('+'), ''));
    }
    const expectedKeys = new Set([...this.#expected.values()].map((entry) => entry.key));
    for (const live of await reader.liveKeys(this.table.entity)) {
      if (!expectedKeys.has(live)) differences.push(this.#difference(live, 'extra', '', 'in the ledger'));
    }
    this.rowsCompared = this.#expected.size;
    return differences;
  }

  /** Names of columns that differ for a kept key. Values are left out: a person looks them up where they may. */
  differingColumns(key: string): string[] {
    for (const [rowKey, entry] of this.#expected) {
      if (entry.key !== key || entry.columns === undefined) continue;
      const actual = this.#actualKept.get(rowKey);
      if (actual === undefined) return [];
      const names = Object.keys(this.table.columns);
      return names.filter(
        (name, index) => this.#text(name, entry.columns?.[name] ?? null) !== this.#text(name, actual[index] ?? null),
      );
    }
    return [];
  }

  #compareRow(
    row: readonly SqlValue[],
    keyLength: number,
    identities: ReadonlyMap<string, string> | null,
    seen: Set<string>,
    differences: Difference[],
  ): void {
    const rowKey = identities === null ? this.#rowKey(row.slice(0, keyLength)) : identities.get(String(row[0]));
    if (rowKey === undefined) return;
    const entry = this.#expected.get(rowKey);
    if (entry === undefined) return;
    seen.add(rowKey);
    const values = row.slice(keyLength);
    if (entry.columns !== undefined) this.#actualKept.set(rowKey, values);
    const actual = this.#hash(values);
    if (entry.hashes.some((hash) => hash !== actual)) {
      differences.push(this.#difference(entry.key, 'different', entry.hashes.join('+'), actual));
    }
  }

  #difference(key: string, kind: DifferenceKind, expected: string, actual: string): Difference {
    return {
      system: this.target.system,
      table: this.table.table,
      entity: this.table.entity,
      key,
      kind,
      expected,
      actual,
    };
  }

  #rowKeyOfFact(fact: CanonicalFact, columns: Readonly<Record<string, SqlValue>>): string {
    if (this.table.assignedKey !== undefined) return fact.key;
    return this.#rowKey(Object.keys(this.table.key).map((name) => columns[name] ?? null));
  }

  #rowKey(values: readonly SqlValue[]): string {
    const names = Object.keys(this.table.key);
    return values.map((value, index) => this.#text(names[index] ?? '', value)).join('\u0001');
  }

  #hash(values: readonly SqlValue[]): string {
    const names = Object.keys(this.table.columns);
    const texts = values.map((value, index) => this.#text(names[index] ?? '', value));
    return createHash('sha256').update(texts.join('\u0001')).digest('base64').slice(0, 22);
  }

  #text(column: string, value: SqlValue): string {
    return normalise(value, this.#kinds.get(column) ?? 'text');
  }
}
