/** A table while a plan is made: its rows as SQL literals, so that trade can update and delete what is there. */
import type { Random } from '../../demo/random.ts';
import type { KeyKind } from './keys.ts';
import type { Shape } from './shapes.ts';
import { placed, quoted, type ColumnPlan, type TablePlan } from './plan.ts';
import { typeNamed } from './types.ts';

type Row = { readonly n: number; readonly values: Map<string, string> };

export class TableModel {
  readonly table: TablePlan;
  readonly keyKind: KeyKind;
  readonly shapes: ReadonlySet<Shape>;
  /** Of a child: the table that its `parent` column refers to. */
  readonly parent: TableModel | undefined;
  readonly rows: Row[] = [];
  #next = 1;

  constructor(table: TablePlan, keyKind: KeyKind, shapes: ReadonlySet<Shape>, parent: TableModel | undefined) {
    this.table = table;
    this.keyKind = keyKind;
    this.shapes = shapes;
    this.parent = parent;
  }

  get at(): string {
    return placed(this.table.kind, this.table.name);
  }

  get written(): ColumnPlan[] {
    return this.table.columns.filter(({ isKey, generated }) => !isKey && !generated);
  }

  name(column: { readonly name: string }): string {
    return quoted(this.table.kind, column.name);
  }

  keyColumns(): ColumnPlan[] {
    return this.table.columns.filter(({ isKey }) => isKey);
  }

  /** `"id" = 3 AND "part" = 'p0'` */
  where(row: Row): string {
    const literals = this.keyKind.value(row.n, this.table.kind);
    return this.keyColumns()
      .map((column, index) => `${this.name(column)} = ${literals[index]}`)
      .join(' AND ');
  }

  takeNumber(): number {
    this.#next += 1;
    return this.#next - 1;
  }

  literal(random: Random, column: ColumnPlan, n: number): string {
    if (column.name === 'parent') return this.#parentKey(random);
    if (column.name === 'uniq') return `'u-${n}'`;
    if (column.nullable && random.below(6) === 0) return 'NULL';
    return random.pick(typeNamed(this.table.kind, column.type).values);
  }

  #parentKey(random: Random): string {
    const rows = this.parent?.rows ?? [];
    if (rows.length === 0) return 'NULL';
    return this.parent?.keyKind.value(random.pick(rows).n, this.table.kind)[0] ?? 'NULL';
  }

  insert(random: Random, n = this.takeNumber()): string {
    const row: Row = { n, values: new Map() };
    for (const column of this.written) row.values.set(column.name, this.literal(random, column, n));
    this.rows.push(row);
    return this.insertOf(row);
  }

  insertOf(row: Row, into = this.at): string {
    const keys = this.keyKind.value(row.n, this.table.kind);
    const names = [...this.keyColumns(), ...this.written].map((column) => this.name(column));
    return `INSERT INTO ${into} (${names.join(', ')}) VALUES (${[...keys, ...row.values.values()].join(', ')})`;
  }

  update(random: Random): string {
    const row = random.pick(this.rows);
    const free = this.written.filter(({ name }) => name !== 'uniq');
    const column = random.pick(free.length === 0 ? this.written : free);
    const value = column.name === 'uniq' ? `'u-${row.n}-${random.below(1_000)}'` : this.literal(random, column, row.n);
    row.values.set(column.name, value);
    return `UPDATE ${this.at} SET ${this.name(column)} = ${value} WHERE ${this.where(row)}`;
  }

  delete(random: Random): string {
    const [row] = this.rows.splice(random.below(this.rows.length), 1);
    return `DELETE FROM ${this.at} WHERE ${this.where(row as Row)}`;
  }

  /** A row that is not there in the end. */
  passing(random: Random): string {
    const sql = this.insert(random);
    this.rows.pop();
    return sql;
  }

  /** What takes the rows back to how they are now. */
  mark(): () => void {
    const then = this.rows.map(({ n, values }) => ({ n, values: new Map(values) }));
    return () => void this.rows.splice(0, this.rows.length, ...then);
  }

  changeKey(random: Random): string {
    const index = random.below(this.rows.length);
    const row = this.rows[index] as Row;
    const moved = { n: this.takeNumber(), values: row.values };
    const literals = this.keyKind.value(moved.n, this.table.kind);
    const sets = this.keyColumns().map((column, place) => `${this.name(column)} = ${literals[place]}`);
    const sql = `UPDATE ${this.at} SET ${sets.join(', ')} WHERE ${this.where(row)}`;
    this.rows[index] = moved;
    return sql;
  }
}
