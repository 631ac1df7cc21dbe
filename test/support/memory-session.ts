/** A connection to the database in memory: one transaction at a time; a statement outside of one is its own. */
import { parseUnscaled } from '../../core/decimal.ts';
import { TransientError } from '../../core/errors.ts';
import type { SqlValue } from '../../core/target.ts';
import type {
  Advance,
  FoundRow,
  Session,
  StatementName,
  StoredKey,
  TableShape,
  Values,
} from '../../sinks/dialects/dialect.ts';
import { countOf } from '../../sinks/dialects/values.ts';
import { addDecimals } from '../../sinks/engine/effects.ts';
import { advanceInSteps } from './advance-in-steps.ts';
import { answerOf, at, copyOf, holds, holdsKey, isAsAsked, lost, type Overlay, refused } from './memory-rows.ts';
import {
  keyOf,
  type MemoryDatabase,
  lockName,
  type Row,
  type SessionOptions,
  type Table,
  type Transaction,
} from './memory-database.ts';

export class MemorySession implements Session {
  readonly echoTag: string;
  readonly owner: string | undefined;
  readonly #database: MemoryDatabase;
  readonly #options: SessionOptions;
  #transaction: Transaction | undefined;
  #marks: { overlay: Overlay; changes: number }[] = [];
  #waitsFor: MemorySession | undefined;
  isOpen = true;

  constructor(database: MemoryDatabase, options: SessionOptions = {}) {
    this.#database = database;
    this.#options = options;
    this.echoTag = options.echoTag ?? 'memory';
    this.owner = options.owner;
  }

  /** The connection breaks, or the server ends it. */
  terminate(): void {
    this.isOpen = false;
    this.#end();
  }

  async begin(): Promise<void> {
    await this.#gate('begin');
    this.#start();
  }

  async commit(): Promise<void> {
    await this.#gate('commit');
    this.#commitNow();
    if (this.#database.losesAnswer) {
      this.#database.losesAnswer = false;
      this.terminate();
      throw lost();
    }
    await this.#gate('committed');
  }

  async notBefore(timeUs: bigint): Promise<void> {
    const transaction = this.#inside();
    if (timeUs > transaction.notBeforeUs) transaction.notBeforeUs = timeUs;
  }

  async rollback(): Promise<void> {
    if (!this.isOpen) throw lost();
    this.#end();
  }

  async savepoint(): Promise<void> {
    const { overlay, changes } = this.#inside();
    this.#marks.push({ overlay: copyOf(overlay), changes: changes.length });
  }

  async releaseSavepoint(): Promise<void> {
    this.#marks.pop();
  }

  async rollbackToSavepoint(): Promise<void> {
    const transaction = this.#inside();
    const mark = this.#marks.pop();
    if (mark === undefined) return;
    transaction.overlay = mark.overlay;
    transaction.changes.length = mark.changes;
  }

  async describe(tables: readonly string[]): Promise<ReadonlyMap<string, TableShape>> {
    return new Map([...this.#database.shapes].filter(([name]) => tables.includes(name)));
  }

  async lookup(
    shape: TableShape,
    request: { readonly match: readonly Values[]; readonly columns: readonly string[]; readonly lock?: boolean },
  ): Promise<readonly FoundRow[]> {
    await this.#gate(`select ${shape.table}`);
    const table = this.#database.table(shape.table);
    const found: FoundRow[] = [];
    for (let index = 0; index < countOf(request.match); index += 1) {
      for (const key of this.#matching(table, request.match, index)) {
        if (request.lock === true) await this.#lock(table, key);
        const row = this.#get(table, key);
        if (row === undefined) continue;
        found.push({ index, values: request.columns.map((column) => row[column] ?? null) });
      }
    }
    return found;
  }

  async storedKeys(
    shape: TableShape,
    { match, onlyRespelled }: { match: readonly Values[]; onlyRespelled: boolean },
  ): Promise<readonly StoredKey[]> {
    const columns = match.map(({ column }) => column);
    const found = await this.lookup(shape, { match, columns });
    return found
      .filter((row) => !onlyRespelled || !isAsAsked(row, match))
      .map(({ index, values }) => ({ index, values: values.map(String) }));
  }

  async insert(shape: TableShape, request: { columns: readonly Values[]; clock?: string }): Promise<void> {
    await this.#writing(`insert ${shape.table}`, async () => {
      for (let index = 0; index < countOf(request.columns); index += 1) {
        await this.#insertRow(shape, request.columns, index);
      }
    });
  }

  makeReady(): void {}
  advance(ledger: TableShape, request: Advance): Promise<{ written: number; added: number }> {
    return advanceInSteps(this, ledger, request);
  }

  async upsert(
    shape: TableShape,
    request: { key: readonly Values[]; columns: readonly Values[]; onInsert: readonly Values[]; clock?: string },
  ): Promise<void> {
    const table = this.#database.table(shape.table);
    await this.#writing(`upsert ${shape.table}`, async () => {
      for (let index = 0; index < countOf(request.key); index += 1) {
        for (const key of this.#keysOf(table, request.key, index)) {
          await this.#lock(table, key);
          const row = this.#get(table, key);
          const columns = [...request.key, ...request.columns, ...request.onInsert];
          if (row === undefined) await this.#insertRow(shape, columns, index);
          else if (!holds(row, request.columns, index))
            this.#write(table, key, { ...row, ...at(request.columns, index) });
        }
      }
    });
  }

  async update(
    shape: TableShape,
    request: { match: readonly Values[]; set: readonly Values[]; onlyIfDifferent: boolean; clock?: string },
  ): Promise<number> {
    const table = this.#database.table(shape.table);
    let written = 0;
    await this.#writing(`update ${shape.table}`, async () => {
      for (let index = 0; index < countOf(request.match); index += 1) {
        for (const key of this.#matching(table, request.match, index)) {
          await this.#lock(table, key);
          const row = this.#get(table, key);
          if (row === undefined || !holdsKey(table, row, request.match, index)) continue;
          if (request.onlyIfDifferent && holds(row, request.set, index)) continue;
          this.#write(table, key, { ...row, ...at(request.set, index) });
          written += 1;
        }
      }
    });
    return written;
  }

  async add(
    shape: TableShape,
    request: { key: readonly Values[]; column: string; deltas: readonly string[]; insertMissing: boolean },
  ): Promise<number> {
    const table = this.#database.table(shape.table);
    let found = 0;
    await this.#writing(`add ${shape.table}`, async () => {
      for (let index = 0; index < request.deltas.length; index += 1) {
        const delta = request.deltas[index] as string;
        parseUnscaled(delta);
        const [key] = this.#keysOf(table, request.key, index) as [string];
        await this.#lock(table, key);
        const row = this.#get(table, key);
        const added = { column: request.column, values: request.deltas };
        if (row !== undefined) {
          const total = addDecimals(String(row[request.column] ?? '0'), delta);
          this.#write(table, key, { ...row, [request.column]: total });
        } else if (request.insertMissing) await this.#insertRow(shape, [...request.key, added], index);
        if (row !== undefined || request.insertMissing) found += 1;
      }
    });
    return found;
  }

  async remove(shape: TableShape, match: readonly Values[]): Promise<number> {
    const table = this.#database.table(shape.table);
    let removed = 0;
    await this.#writing(`delete ${shape.table}`, async () => {
      for (let index = 0; index < countOf(match); index += 1) {
        for (const key of this.#matching(table, match, index)) {
          await this.#lock(table, key);
          const row = this.#get(table, key);
          if (row === undefined || !holdsKey(table, row, match, index)) continue;
          this.#write(table, key, undefined);
          removed += 1;
        }
      }
    });
    return removed;
  }

  async insertReturning(shape: TableShape, request: { columns: readonly Values[]; returning: string }) {
    this.#database.lastId += 1n;
    const id = { column: request.returning, values: [this.#database.lastId] };
    const text = this.#database.lastId.toString();
    await this.insert(shape, { columns: [...request.columns, id] });
    return text;
  }

  async run(statement: StatementName, parameters: readonly SqlValue[]): Promise<readonly (readonly SqlValue[])[]> {
    if (statement === 'takeLease') return [await this.#takeLease(parameters)];
    await this.#gate(statement);
    return answerOf(statement, (name) => this.#rowsOf(name), parameters);
  }

  async close(): Promise<void> {
    this.terminate();
  }

  // ---- transactions and locks --------------------------------------------------------------------------------------

  async #gate(statement: string): Promise<void> {
    if (!this.isOpen) throw lost();
    await this.#options.gate?.(statement);
    if (!this.isOpen) throw lost();
  }

  #start(): void {
    this.#transaction = { overlay: new Map(), changes: [], locks: new Set(), notBeforeUs: 0n };
    this.#marks = [];
  }

  #inside(): Transaction {
    if (!this.isOpen || this.#transaction === undefined) throw lost();
    return this.#transaction;
  }

  #commitNow(): void {
    const transaction = this.#inside();
    this.#transaction = undefined;
    this.#database.apply(this, transaction);
    this.#database.release(this, transaction.locks);
  }

  #end(): void {
    const transaction = this.#transaction;
    this.#transaction = undefined;
    if (transaction !== undefined) this.#database.release(this, transaction.locks);
  }

  async #writing(statement: string, action: () => Promise<void>): Promise<void> {
    await this.#gate(statement);
    if (this.#transaction !== undefined) return action();
    this.#start();
    try {
      await action();
      this.#commitNow();
    } finally {
      this.#end();
    }
  }

  async #lock(table: Table, key: string): Promise<void> {
    const { locks } = this.#database;
    const name = lockName(table.definition.table, key);
    for (;;) {
      const transaction = this.#inside();
      const holder = locks.get(name);
      if (holder === undefined || holder === this) {
        locks.set(name, this);
        transaction.locks.add(name);
        return;
      }
      if (holder.#options.isStuck?.() === true) {
        holder.terminate();
        continue;
      }
      this.#refuseDeadlock(holder);
      this.#waitsFor = holder;
      await this.#database.lockReleased();
      this.#waitsFor = undefined;
    }
  }

  #refuseDeadlock(holder: MemorySession): void {
    for (let next: MemorySession | undefined = holder; next !== undefined; next = next.#waitsFor) {
      if (next === this) throw new TransientError({ code: 'TARGET_BUSY', message: 'deadlock' });
    }
  }

  // ---- rows --------------------------------------------------------------------------------------------------------

  #get(table: Table, key: string): Row | undefined {
    const own = this.#transaction?.overlay.get(table);
    return own?.has(key) === true ? own.get(key) : table.rows.get(key);
  }

  #rowsOf(name: string): Row[] {
    const table = this.#database.table(name);
    return this.#allKeys(table).map((key) => this.#get(table, key) as Row);
  }

  #allKeys(table: Table): string[] {
    const own = this.#transaction?.overlay.get(table);
    if (own === undefined) return [...table.rows.keys()];
    const kept = [...table.rows.keys()].filter((key) => !own.has(key));
    for (const [key, row] of own) if (row !== undefined) kept.push(key);
    return kept;
  }

  #matching(table: Table, match: readonly Values[], index: number): string[] {
    const { key } = table.definition;
    const isWholeKey = key.every((name) => match.some(({ column }) => column === name));
    const keys = isWholeKey ? this.#keysOf(table, match, index) : this.#allKeys(table);
    return keys.filter((one) => {
      const row = this.#get(table, one);
      return row !== undefined && holdsKey(table, row, match, index);
    });
  }

  #keysOf({ definition }: Table, columns: readonly Values[], index: number): string[] {
    const { key, folds = (value: SqlValue) => value } = definition;
    return [keyOf(key.map((name) => folds(columns.find(({ column }) => column === name)?.values[index] ?? null)))];
  }

  async #insertRow(shape: TableShape, columns: readonly Values[], index: number): Promise<void> {
    const table = this.#database.table(shape.table);
    const [key] = this.#keysOf(table, columns, index) as [string];
    await this.#lock(table, key);
    if (this.#get(table, key) !== undefined) throw refused(`duplicate in ${shape.table}`);
    const row: Record<string, SqlValue> = {};
    for (const column of shape.columns.keys()) row[column] = null;
    if (shape.table === 'seam.parked') {
      this.#database.lastId += 1n;
      row.id = this.#database.lastId;
    }
    this.#write(table, key, Object.assign(row, at(columns, index)));
  }

  #write(table: Table, key: string, asked: Row | undefined): void {
    const { overlay, changes } = this.#inside();
    const { definition } = table;
    const before = this.#get(table, key);
    const after = asked === undefined ? undefined : (definition.trigger?.(asked, before) ?? asked);
    if (after !== undefined && definition.refuses?.(after) === true) throw refused(`check of ${definition.table}`);
    let own = overlay.get(table);
    if (own === undefined) {
      own = new Map();
      overlay.set(table, own);
    }
    own.set(key, after);
    this.#database.place += 1n;
    changes.push({ table: definition.table, before, after, asked, place: this.#database.place });
  }

  // ---- statements --------------------------------------------------------------------------------------------------

  async #takeLease([topic, partition, first, owner]: readonly SqlValue[]): Promise<SqlValue[]> {
    const table = this.#database.table('seam.sink_offset');
    const key = keyOf([topic ?? null, partition ?? null]);
    let taken: Row = {};
    await this.#writing('take lease', async () => {
      await this.#lock(table, key);
      const row = this.#get(table, key);
      const fresh = { topic: topic ?? null, partition: partition ?? null, next_offset: first ?? null, epoch: 0n };
      taken = { ...(row ?? fresh), epoch: ((row?.epoch as bigint) ?? 0n) + 1n, owner: owner ?? null };
      this.#write(table, key, taken);
    });
    return [taken.next_offset as bigint, taken.epoch as bigint];
  }
}
