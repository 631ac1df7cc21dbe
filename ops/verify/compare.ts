/** One pass over everything: expected rows against actual rows, as hashes. Pure but for the readers handed in. */
import { createHash } from 'node:crypto';
import { asBuffer } from '../../core/bytes.ts';
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

type Columns = Readonly<Record<string, SqlValue>>;
type ExpectedEntry = { key: string; hashes: string[]; columns?: Columns };

/** Expectations for one target table, filled fact by fact, then held against the rows. */
export class TableComparison {
  readonly target: Target;
  readonly table: TargetTable;
  readonly #entities: Entities;
  readonly #kinds: ColumnKinds;
  readonly #expected = new Map<string, ExpectedEntry>();
  readonly #waiting: { readonly key: string; columns: Columns }[] = [];
  /** Canonical keys of records that the target does not take: the ledger may know them, the table does not. */
  readonly #notTaken = new Set<string>();
  /** Why this table can't be compared, if so: what a source of its rows did not show would look like a difference. */
  #notCompared: string | undefined;
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
    if (row === null) this.#notTaken.add(fact.key);
    else this.#waiting.push({ key: fact.key, columns: row.columns });
  }

  refuse(reason: string): void {
    this.#notCompared ??= reason;
  }

  get notCompared(): string | undefined {
    return this.#notCompared;
  }

  /** What was expected since the last call becomes hashes: to be called often, so that memory stays small. */
  async settle(reader: TargetReader): Promise<void> {
    const waiting = this.#waiting.splice(0);
    await this.#spell(waiting, reader);
    for (const { key, columns } of waiting) {
      const rowKey = this.#rowKeyOf(key, columns);
      const values = Object.keys(this.table.columns).map((name) => columns[name] ?? null);
      const entry = this.#expected.get(rowKey) ?? { key, hashes: [] };
      entry.hashes.push(this.#hash(values));
      if (this.#keep.has(key)) entry.columns = columns;
      this.#expected.set(rowKey, entry);
    }
  }

  /** Columns that only the database itself can spell: JSON, intervals, networks, … */
  async #spell(waiting: { columns: Columns }[], reader: TargetReader): Promise<void> {
    const { key, columns } = columnsOf(this.table);
    for (const name of new Set([...key, ...columns])) {
      if (this.#kinds.get(name) !== 'own') continue;
      const texts = waiting.map(({ columns: written }) => written[name] ?? null);
      const asked = [...new Set(texts.filter((value) => value !== null).map(ownText))];
      if (asked.length === 0) continue;
      const spelled = await reader.spell(this.table.table, name, asked);
      const known = new Map(asked.map((value, index) => [value, spelled[index] ?? value]));
      waiting.forEach((one, index) => {
        const value = texts[index] ?? null;
        if (value !== null) one.columns = { ...one.columns, [name]: known.get(ownText(value)) ?? null };
      });
    }
  }

  async compare(reader: TargetReader): Promise<Difference[]> {
    if (this.#notCompared !== undefined) return [];
    await this.settle(reader);
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
      if (!expectedKeys.has(live) && !this.#notTaken.has(live))
        differences.push(this.#difference(live, 'extra', '', 'in the ledger'));
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

  #rowKeyOf(key: string, columns: Columns): string {
    if (this.table.assignedKey !== undefined) return key;
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

/** As the sink's driver writes it. */
function ownText(value: Exclude<SqlValue, null>): string {
  return value instanceof Uint8Array ? `\\x${asBuffer(value).toString('hex')}` : String(value);
}
