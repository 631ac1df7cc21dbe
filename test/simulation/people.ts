/** What people and programs outside of Seam do in their own systems: one transaction after the other. */
import type { SqlValue } from '../../core/target.ts';
import type { Random } from '../../demo/random.ts';
import type { TableShape, Values } from '../../sinks/dialects/dialect.ts';
import type { MemoryDatabase, Row } from '../support/memory-database.ts';
import type { MemorySession } from '../support/memory-session.ts';
import { GARBLED, type SourceName, type SystemName } from './systems.ts';

export type Habits = {
  readonly keys: number;
  /** How often somebody writes what a target or the mapping refuses. */
  readonly badRate: number;
  readonly loopRate: number;
  readonly deleteRate: number;
  /** Longest pause between two edits: short ones come together in one batch. */
  readonly restMs: number;
  /** All edit phones, and often type the same. */
  readonly quarrels: boolean;
  /** Products get other numbers. */
  readonly renames: boolean;
};

/** Small worlds that meet what is rare in larger ones: one row, edited again and again. */
type Focus = {
  readonly editors: readonly SourceName[];
  readonly targets: readonly SystemName[];
  /** About phones, which both sides edit. */
  readonly isShared?: boolean;
};

export const FOCUSES: readonly Focus[] = [
  { editors: ['erp'], targets: ['pos', 'reporting'] },
  { editors: ['crm', 'pos'], targets: ['crm', 'pos'], isShared: true },
  { editors: ['pos'], targets: ['erp'] },
];

/** A database seen by one of its own programs. */
export class Desk {
  readonly random: Random;
  readonly habits: Habits;
  readonly #database: MemoryDatabase;
  readonly session: MemorySession;
  readonly #deletedMembers: Set<string>;

  constructor(
    random: Random,
    habits: Habits,
    database: MemoryDatabase,
    session: MemorySession,
    deletedMembers: Set<string>,
  ) {
    this.random = random;
    this.habits = habits;
    this.#database = database;
    this.session = session;
    this.#deletedMembers = deletedMembers;
  }

  /** One transaction. */
  async work(system: SourceName): Promise<void> {
    const count = this.chance(0.3) ? 2 : 1;
    await this.session.begin();
    for (let index = 0; index < count; index += 1) {
      if (system === 'crm') await this.#atCrm();
      else if (system === 'pos') await this.#atPos();
      else await this.#atErp();
    }
    await this.session.commit();
  }

  chance(rate: number): boolean {
    return this.random.next() < rate;
  }

  // ---- members -----------------------------------------------------------------------------------------------------

  async #atCrm(): Promise<void> {
    const id = this.#number();
    const row = await this.#read('crm.mbr', { id });
    if (row === undefined) {
      if (this.#deletedMembers.has(id)) return;
      await this.#insert('crm.mbr', { id, nm: this.#name(), tier: 'B', tel: this.#tel(), pts: '0' });
    } else if (this.chance(this.habits.deleteRate)) {
      this.#deletedMembers.add(id);
      await this.#remove('crm.mbr', { id });
    } else if (this.chance(this.habits.badRate)) await this.#change('crm.mbr', { id }, { tier: 'X' });
    else if (row.tier === 'X') await this.#change('crm.mbr', { id }, { tier: 'B', nm: this.#name() });
    else if (this.chance(this.habits.quarrels ? 0.9 : 0.5)) await this.#change('crm.mbr', { id }, { tel: this.#tel() });
    else if (this.chance(0.4)) await this.#change('crm.mbr', { id }, { nm: this.#name() });
    else await this.#add('crm.mbr', { id }, 'pts', String(this.random.below(9) - 3));
  }

  #tel(): string | null {
    if (this.chance(this.habits.loopRate)) return 'loop:1';
    const abroad = `00${this.random.below(1_000_000_000)}`;
    if (this.habits.quarrels) return this.random.pick([null, '222', '222', abroad]);
    return this.random.pick([null, '111', '222', abroad, abroad, `5${this.random.below(10)}`]);
  }

  // ---- tills -------------------------------------------------------------------------------------------------------

  async #atPos(): Promise<void> {
    const no = this.#number();
    if (this.chance(this.habits.quarrels ? 0.9 : 0.35) && (await this.#read('pos.cust', { no })) !== undefined) {
      await this.#change('pos.cust', { no }, { tel: this.#tel() });
      return;
    }
    const key = { sale: `s${this.#number()}`, ln: 1 };
    const row = await this.#read('pos.ln', key);
    if (row !== undefined && this.chance(2 * this.habits.deleteRate)) {
      await this.#remove('pos.ln', key);
      return;
    }
    const line = {
      prod: this.#number(),
      loc: this.random.pick(['A', 'B']),
      cust: this.random.pick([null, this.#number(), this.#number()]),
      qty: this.chance(this.habits.badRate) ? '5000.000' : `${1 + this.random.below(5)}.000`,
      amt: `${this.random.below(30)}.50`,
      typ: this.random.pick(['S', 'S', 'R']),
    };
    if (row === undefined) await this.#insert('pos.ln', { ...key, ...line });
    else await this.#change('pos.ln', key, line);
  }

  // ---- stock -------------------------------------------------------------------------------------------------------

  async #atErp(): Promise<void> {
    const no = this.#number();
    if (this.chance(0.2)) {
      const stock = { loc: this.random.pick(['A', 'B']), prod: no };
      await this.#add('erp.stk', stock, 'qoh', `${this.random.below(9) - 4}.000`);
      return;
    }
    if (this.chance(0.2)) {
      await this.#inArchive(`${this.random.pick(['a', 'A'])}${1 + this.random.below(2)}`);
      return;
    }
    const row = await this.#read('erp.prod', { no });
    if (row === undefined) await this.#insertProduct(no);
    else if (this.chance(2 * this.habits.deleteRate)) await this.#takeAway(row);
    else if (this.chance(0.6)) await this.#change('erp.prod', { no }, { descr: this.#description() });
    else await this.#change('erp.prod', { no }, { spec: this.#large() });
  }

  async #inArchive(no: string): Promise<void> {
    const row = await this.#read('erp.arch', { no });
    const descr = `d${this.random.below(50)}`;
    if (row === undefined) await this.#insert('erp.arch', { no, descr, spec: 'archived' });
    else if (this.chance(3 * this.habits.deleteRate)) await this.#remove('erp.arch', { no });
    else await this.#change('erp.arch', { no }, { descr });
  }

  /** The row goes, or only its key changes. */
  async #takeAway(row: Row): Promise<void> {
    const no = this.#number();
    const key = { rid: row.rid ?? null };
    if (!this.habits.renames || this.chance(0.5)) await this.#remove('erp.prod', key);
    else if ((await this.#read('erp.prod', { no })) === undefined) await this.#change('erp.prod', key, { no });
  }

  async #insertProduct(no: string): Promise<void> {
    const rid = this.habits.renames ? String(this.random.below(1_000_000)) : no;
    await this.#insert('erp.prod', { rid, no, descr: this.#description(), spec: this.#large() });
  }

  async truncate(): Promise<void> {
    await this.session.begin();
    for (const { rid } of this.#database.rows('erp.prod')) await this.#remove('erp.prod', { rid: rid ?? null });
    await this.session.commit();
  }

  #description(): string {
    return this.chance(this.habits.badRate) ? 'too long for the tills' : `d${this.random.below(50)}`;
  }

  #large(): string {
    return this.chance(this.habits.badRate) ? GARBLED : `large ${this.random.below(50)}`;
  }

  #name(): string {
    return `n${this.random.below(50)}`;
  }

  #number(): string {
    return String(1 + this.random.below(this.habits.keys));
  }

  // ---- statements --------------------------------------------------------------------------------------------------

  #shape(table: string): TableShape {
    return this.#database.table(table).shape;
  }

  async #read(table: string, key: Row): Promise<Row | undefined> {
    const columns = [...this.#shape(table).columns.keys()];
    const [found] = await this.session.lookup(this.#shape(table), { match: valuesOf(key), columns, lock: true });
    return found === undefined
      ? undefined
      : Object.fromEntries(columns.map((name, index) => [name, found.values[index] as SqlValue]));
  }

  async #insert(table: string, row: Row): Promise<void> {
    await this.session.insert(this.#shape(table), { columns: valuesOf(row) });
  }

  async #change(table: string, key: Row, set: Row): Promise<void> {
    const request = { match: valuesOf(key), set: valuesOf(set), onlyIfDifferent: false };
    await this.session.update(this.#shape(table), request);
  }

  async #remove(table: string, key: Row): Promise<void> {
    await this.session.remove(this.#shape(table), valuesOf(key));
  }

  async #add(table: string, key: Row, column: string, delta: string): Promise<void> {
    const insertMissing = table === 'erp.stk';
    await this.session.add(this.#shape(table), { key: valuesOf(key), column, deltas: [delta], insertMissing });
  }
}

function valuesOf(row: Row): Values[] {
  return Object.entries(row).map(([column, value]) => ({ column, values: [value] }));
}

export function someOf<T>(random: Random, all: readonly T[]): readonly T[] {
  const some = all.filter(() => random.next() < 0.6);
  return some.length === 0 ? [random.pick(all)] : some;
}
