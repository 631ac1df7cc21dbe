import type { CanonicalRecord } from '../../core/canonical-record.ts';
import { comparePositions } from '../../core/position.ts';
import { scopedTruncationOf } from '../../core/truncation.ts';
import type { SqlValue } from '../../core/target.ts';
import type { Values } from '../dialects/dialect.ts';
import { column } from '../dialects/values.ts';
import type { CompiledColumn, CompiledTable } from './compile.ts';
import { evaluate } from './evaluate.ts';
import { NO_HASH } from './side-tables.ts';

/** One table's part of a batch: one array for each column. */
export type Part = {
  readonly table: CompiledTable;
  readonly ledger: Ledger;
  readonly oldest: Uint8Array | undefined;
  /** Truncations, beside `\truncate`, that may have taken some of its records. */
  readonly truncateKeys: ReadonlySet<string>;
  readonly rows: { readonly key: Values[]; readonly columns: Values[]; readonly onInsert: Values[] };
  /** Keys of rows that go. */
  readonly gone: Values[];
};
export type Ledger = { readonly key: readonly Values[]; readonly columns: readonly Values[] };

/** Makes a part, record by record. Its arrays have their length from the start: one that is pushed to is copied as it grows. */
export class PartMaker {
  readonly #table: CompiledTable;
  readonly #keys: readonly string[];
  readonly #rows: Part['rows'];
  readonly #gone: Values[];
  readonly #positions: Uint8Array[];
  readonly #hashes: Uint8Array[];
  readonly #deleted: boolean[];
  readonly #hops: number[];
  readonly #times: bigint[];
  readonly #truncateKeys = new Set<string>();
  #tables: (string | null)[] | undefined;
  #rowCount = 0;
  #oldest: Uint8Array | undefined;

  /** `keys`: one for each record that will be added. */
  constructor(table: CompiledTable, keys: readonly string[]) {
    const { length } = keys;
    this.#table = table;
    this.#keys = keys;
    this.#rows = {
      key: arrays(table.key, length),
      columns: arrays(table.columns, length),
      onInsert: arrays(table.onInsert, length),
    };
    this.#gone = arrays(table.key, 0);
    this.#positions = new Array(length);
    this.#hashes = new Array(length);
    this.#deleted = new Array(length);
    this.#hops = new Array(length);
    this.#times = new Array(length);
  }

  /** false: what becomes of its row depends on the ledger. */
  add(index: number, { value, meta }: CanonicalRecord): boolean {
    const row = evaluate(this.#table, this.#keys[index] as string, { fields: value, absent: [] });
    // a record that this target doesn't hold
    if (row.kind === 'none' && row.isForeign) return false;
    if (row.kind === 'row') {
      put(this.#rows.key, this.#rowCount, row.key);
      put(this.#rows.columns, this.#rowCount, row.columns);
      put(this.#rows.onInsert, this.#rowCount, row.onInsert);
      this.#rowCount += 1;
    } else put(this.#gone, index - this.#rowCount, row.key);
    this.#positions[index] = meta.position;
    this.#hashes[index] = row.kind === 'row' ? row.hash : NO_HASH;
    this.#deleted[index] = row.kind === 'none';
    this.#hops[index] = meta.hops;
    this.#times[index] = meta.commitTimeUs;
    const truncation = scopedTruncationOf(meta);
    if (truncation !== undefined) this.#noteOrigin(index, truncation, meta.table);
    if (this.#oldest === undefined || comparePositions(meta.position, this.#oldest) < 0) this.#oldest = meta.position;
    return true;
  }

  #noteOrigin(index: number, truncation: string, table: string | undefined): void {
    this.#truncateKeys.add(truncation);
    if (table === undefined) return;
    this.#tables ??= new Array<string | null>(this.#keys.length).fill(null);
    this.#tables[index] = table;
  }

  /** When all were added. */
  make(): Part {
    const { key, columns, onInsert } = this.#rows;
    for (const { values } of [...key, ...columns, ...onInsert]) (values as SqlValue[]).length = this.#rowCount;
    return {
      table: this.#table,
      ledger: this.#ledger(),
      oldest: this.#oldest,
      truncateKeys: this.#truncateKeys,
      rows: this.#rows,
      gone: this.#gone,
    };
  }

  #ledger(): Ledger {
    const all = <T extends SqlValue>(value: T): T[] => new Array<T>(this.#keys.length).fill(value);
    return {
      key: [column('entity', all(this.#table.entity.entity)), column('key', this.#keys)],
      columns: [
        column('position', this.#positions),
        column('hash', this.#hashes),
        column('deleted', this.#deleted),
        column('hops', this.#hops),
        column('seam_wrote', all(true)),
        column('commit_time_us', this.#times),
        ...(this.#tables === undefined ? [] : [column('source_table', this.#tables)]),
      ],
    };
  }
}

function arrays(columns: readonly CompiledColumn[], length: number): Values[] {
  return columns.map(({ name }) => ({ column: name, values: new Array<SqlValue>(length) }));
}

function put(columns: readonly Values[], at: number, row: readonly SqlValue[]): void {
  for (let index = 0; index < row.length; index += 1)
    ((columns[index] as Values).values as SqlValue[])[at] = row[index] as SqlValue;
}
