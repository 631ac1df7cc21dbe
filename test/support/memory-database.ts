/**
 * A database in memory behind the sinks' dialect port: transactions, savepoints, refusals. For properties only, where
 * thousands of runs with crashes are wanted; what real databases do is held by test/contract/dialect*.test.ts.
 */
import { parseUnscaled } from '../../core/decimal.ts';
import { InvariantError, RecordError, SeamError, TransientError } from '../../core/errors.ts';
import type { SqlValue } from '../../core/target.ts';
import type {
  ColumnShape,
  Dialect,
  FoundRow,
  Session,
  StatementName,
  TableShape,
  Values,
} from '../../sinks/dialects/dialect.ts';
import { addDecimals } from '../../sinks/engine/effects.ts';

type Row = Map<string, SqlValue>;
type Tables = Map<string, Row[]>;

export type TableDefinition = {
  readonly table: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
  /** As a CHECK of the table. */
  readonly refuses?: (value: (column: string) => SqlValue) => boolean;
};

const SIDE_TABLES: readonly TableDefinition[] = [
  { table: 'seam.sink_offset', key: ['topic', 'partition'], columns: ['next_offset', 'epoch', 'owner', 'taken_at'] },
  {
    table: 'seam.applied',
    key: ['entity', 'key'],
    columns: [
      'position',
      'hash',
      'deleted',
      'hops',
      'seam_wrote',
      'commit_time_us',
      'applied_at',
      'record_value',
      'record_meta',
    ],
  },
  { table: 'seam.echo', key: ['entity', 'key', 'hash'], columns: ['hops', 'written_at'] },
  { table: 'seam.effect', key: ['effect', 'key'], columns: ['group_key', 'amount'] },
  { table: 'seam.identity', key: ['entity', 'canonical_key'], columns: ['local_key'] },
  {
    table: 'seam.parked',
    key: ['topic', 'partition', 'offset'],
    columns: ['id', 'entity', 'key', 'value', 'meta', 'reason_code', 'reason', 'attempts', 'next_try_at', 'parked_at'],
  },
];

export class MemoryDatabase {
  readonly definitions: ReadonlyMap<string, TableDefinition>;
  readonly shapes: ReadonlyMap<string, TableShape>;
  tables: Tables;
  lastId = 0n;
  /** The next COMMIT is done, but its answer gets lost. */
  losesAnswer = false;

  constructor(definitions: readonly TableDefinition[]) {
    const all = [...definitions, ...SIDE_TABLES];
    this.definitions = new Map(all.map((one) => [one.table, one]));
    this.shapes = new Map(all.map((one) => [one.table, shapeOf(one)]));
    this.tables = new Map(all.map(({ table }) => [table, []]));
  }

  rows(table: string): Record<string, SqlValue>[] {
    return (this.tables.get(table) ?? []).map((row) => Object.fromEntries(row));
  }

  readonly dialect: Dialect = {
    name: 'postgres',
    sideSchemaSql: () => '',
    open: async () => new MemorySession(this),
    errorOf: (error) =>
      error instanceof SeamError
        ? error
        : new InvariantError({ code: 'UNEXPECTED_ERROR', message: String(error), cause: error }),
  };
}

export class MemorySession implements Session {
  readonly echoTag = 'memory';
  readonly #database: MemoryDatabase;
  #work: Tables | undefined;
  #marks: Tables[] = [];
  isOpen = true;

  constructor(database: MemoryDatabase) {
    this.#database = database;
  }

  async begin(): Promise<void> {
    if (!this.isOpen) throw lost();
    this.#work = copyOf(this.#database.tables);
  }

  async commit(): Promise<void> {
    if (!this.isOpen) throw lost();
    this.#database.tables = this.#work ?? this.#database.tables;
    this.#work = undefined;
    if (!this.#database.losesAnswer) return;
    this.#database.losesAnswer = false;
    this.isOpen = false;
    throw lost();
  }

  async rollback(): Promise<void> {
    this.#work = undefined;
    this.#marks = [];
  }

  async savepoint(): Promise<void> {
    this.#marks.push(copyOf(this.#tables));
  }

  async releaseSavepoint(): Promise<void> {
    this.#marks.pop();
  }

  async rollbackToSavepoint(): Promise<void> {
    this.#work = this.#marks.pop();
  }

  async describe(tables: readonly string[]): Promise<ReadonlyMap<string, TableShape>> {
    return new Map([...this.#database.shapes].filter(([name]) => tables.includes(name)));
  }

  async lookup(shape: TableShape, request: { match: readonly Values[]; columns: readonly string[] }) {
    const found: FoundRow[] = [];
    for (let index = 0; index < countOf(request.match); index += 1) {
      for (const row of this.#matching(shape, request.match, index)) {
        found.push({ index, values: request.columns.map((column) => row.get(column) ?? null) });
      }
    }
    return found;
  }

  async insert(shape: TableShape, request: { columns: readonly Values[]; clock?: string }): Promise<void> {
    for (let index = 0; index < countOf(request.columns); index += 1) this.#insertRow(shape, request.columns, index);
  }

  async upsert(
    shape: TableShape,
    request: { key: readonly Values[]; columns: readonly Values[]; onInsert: readonly Values[] },
  ): Promise<void> {
    for (let index = 0; index < countOf(request.key); index += 1) {
      const [row] = this.#matching(shape, request.key, index);
      if (row === undefined) this.#insertRow(shape, [...request.key, ...request.columns, ...request.onInsert], index);
      else this.#change(shape, row, request.columns, index);
    }
  }

  async update(
    shape: TableShape,
    request: { match: readonly Values[]; set: readonly Values[]; onlyIfDifferent: boolean },
  ): Promise<number> {
    let written = 0;
    for (let index = 0; index < countOf(request.match); index += 1) {
      for (const row of this.#matching(shape, request.match, index)) {
        const isSame = request.set.every(({ column, values }) => same(row.get(column) ?? null, values[index] ?? null));
        if (request.onlyIfDifferent && isSame) continue;
        this.#change(shape, row, request.set, index);
        written += 1;
      }
    }
    return written;
  }

  async add(
    shape: TableShape,
    request: { key: readonly Values[]; column: string; deltas: readonly string[]; insertMissing: boolean },
  ): Promise<number> {
    let found = 0;
    for (let index = 0; index < request.deltas.length; index += 1) {
      const delta = request.deltas[index] as string;
      parseUnscaled(delta);
      const [row] = this.#matching(shape, request.key, index);
      if (row !== undefined) row.set(request.column, addDecimals(String(row.get(request.column) ?? '0'), delta));
      else if (request.insertMissing) {
        this.#insertRow(shape, [...request.key, { column: request.column, values: request.deltas }], index);
      }
      if (row !== undefined || request.insertMissing) found += 1;
    }
    return found;
  }

  async remove(shape: TableShape, match: readonly Values[]): Promise<number> {
    let removed = 0;
    for (let index = 0; index < countOf(match); index += 1) {
      const gone = new Set(this.#matching(shape, match, index));
      const kept = this.#rowsOf(shape).filter((row) => !gone.has(row));
      this.#tables.set(shape.table, kept);
      removed += gone.size;
    }
    return removed;
  }

  async insertReturning(shape: TableShape, request: { columns: readonly Values[]; returning: string }) {
    this.#database.lastId += 1n;
    const id = { column: request.returning, values: [this.#database.lastId] };
    this.#insertRow(shape, [...request.columns, id], 0);
    return this.#database.lastId.toString();
  }

  async run(statement: StatementName, parameters: readonly SqlValue[]): Promise<readonly (readonly SqlValue[])[]> {
    switch (statement) {
      case 'takeLease':
        return [this.#takeLease(parameters)];
      case 'dueParked':
        return this.#dueParked(String(parameters[0]));
      case 'parkedCounts': {
        const waiting = this.#parked().filter((row) => row.get('next_try_at') !== null).length;
        return [[waiting, this.#parked().length - waiting]];
      }
      case 'liveKeys':
        return this.#liveKeys(parameters);
      case 'pruneEcho':
      case 'checkConstraints':
        return [];
    }
  }

  async close(): Promise<void> {
    this.isOpen = false;
  }

  get #tables(): Tables {
    if (!this.isOpen) throw lost();
    return this.#work ?? this.#database.tables;
  }

  #rowsOf({ table }: TableShape): Row[] {
    return this.#tables.get(table) as Row[];
  }

  #parked(): Row[] {
    return this.#tables.get('seam.parked') as Row[];
  }

  #matching(shape: TableShape, match: readonly Values[], index: number): Row[] {
    return this.#rowsOf(shape).filter((row) =>
      match.every(({ column, values }) => same(row.get(column) ?? null, values[index] ?? null)),
    );
  }

  #insertRow(shape: TableShape, columns: readonly Values[], index: number): void {
    const row: Row = new Map([...shape.columns.keys()].map((column) => [column, null]));
    if (shape.table === 'seam.parked') {
      this.#database.lastId += 1n;
      row.set('id', this.#database.lastId);
    }
    for (const { column, values } of columns) row.set(column, values[index] ?? null);
    const key = this.#database.definitions.get(shape.table)?.key ?? [];
    const isTaken = this.#rowsOf(shape).some((other) =>
      key.every((column) => same(other.get(column) ?? null, row.get(column) ?? null)),
    );
    if (isTaken) throw refused(`duplicate in ${shape.table}`);
    this.#check(shape, row);
    this.#rowsOf(shape).push(row);
  }

  #change(shape: TableShape, row: Row, columns: readonly Values[], index: number): void {
    for (const { column, values } of columns) row.set(column, values[index] ?? null);
    this.#check(shape, row);
  }

  #check({ table }: TableShape, row: Row): void {
    const refuses = this.#database.definitions.get(table)?.refuses;
    if (refuses?.((column) => row.get(column) ?? null) === true) throw refused(`check of ${table}`);
  }

  #takeLease([topic, partition, first, owner]: readonly SqlValue[]): SqlValue[] {
    const rows = this.#tables.get('seam.sink_offset') as Row[];
    let row = rows.find((one) => one.get('topic') === topic && one.get('partition') === partition);
    if (row === undefined) {
      row = new Map<string, SqlValue>([
        ['topic', topic ?? null],
        ['partition', partition ?? null],
        ['next_offset', first ?? null],
        ['epoch', 0n],
      ]);
      rows.push(row);
    }
    row.set('epoch', (row.get('epoch') as bigint) + 1n);
    row.set('owner', owner ?? null);
    return [row.get('next_offset') as bigint, row.get('epoch') as bigint];
  }

  #dueParked(until: string): SqlValue[][] {
    const due = this.#parked().filter((row) => {
      const time = row.get('next_try_at');
      return typeof time === 'string' && time <= until;
    });
    const names = ['entity', 'key', 'topic', 'partition'];
    const keys = new Map(
      due.map((row) => [String(row.get('entity')) + row.get('key'), names.map((name) => row.get(name) ?? null)]),
    );
    return [...keys.values()];
  }

  #liveKeys([entity, position, after, limit]: readonly SqlValue[]): SqlValue[][] {
    const keys = (this.#tables.get('seam.applied') as Row[])
      .filter((row) => row.get('entity') === entity && row.get('deleted') === false)
      .filter((row) => Buffer.compare(row.get('position') as Uint8Array, position as Uint8Array) < 0)
      .map((row) => row.get('key') as string)
      .filter((key) => key > String(after))
      .sort();
    return keys.slice(0, Number(limit)).map((key) => [key]);
  }
}

function shapeOf({ table, key, columns }: TableDefinition): TableShape {
  const all = [...key, ...columns].map((name): [string, ColumnShape] => [
    name,
    {
      name,
      kind: 'other',
      scale: undefined,
      nullable: true,
      hasDefault: false,
      sqlType: '',
      binaryCollation: undefined,
    },
  ]);
  return { table, columns: new Map(all), uniqueKeys: [key], missingPrivileges: [] };
}

function copyOf(tables: Tables): Tables {
  return new Map([...tables].map(([name, rows]) => [name, rows.map((row) => new Map(row))]));
}

function countOf(columns: readonly Values[]): number {
  return columns[0]?.values.length ?? 0;
}

function same(left: SqlValue, right: SqlValue): boolean {
  if (left instanceof Uint8Array && right instanceof Uint8Array) return Buffer.compare(left, right) === 0;
  return left === right;
}

function refused(message: string): RecordError {
  return new RecordError({ code: 'TARGET_REFUSED', message });
}

function lost(): TransientError {
  return new TransientError({ code: 'TARGET_UNREACHABLE', message: 'connection lost' });
}
