/**
 * A database in memory behind the sinks' dialect port: READ COMMITTED transactions that see one another, row locks,
 * deadlocks, savepoints, triggers, refusals, and a log of what was committed. For properties and the simulation, where
 * thousands of runs are wanted; what real databases do is held by test/contract/dialect*.test.ts.
 */
import { InvariantError, SeamError } from '../../core/errors.ts';
import type { SqlValue } from '../../core/target.ts';
import type { ColumnShape, Dialect, TableShape } from '../../sinks/dialects/dialect.ts';
import type { Overlay } from './memory-rows.ts';
import { MemorySession } from './memory-session.ts';

export type Row = Readonly<Record<string, SqlValue>>;

export type TableDefinition = {
  readonly table: string;
  readonly key: readonly string[];
  readonly columns: readonly string[];
  /** What its key columns take for equal, as a collation does. */
  readonly folds?: (value: SqlValue) => SqlValue;
  /** As a CHECK of the table. */
  readonly refuses?: (row: Row) => boolean;
  /** As a BEFORE trigger for each row that is made or changed. */
  readonly trigger?: (row: Row, before: Row | undefined) => Row;
};

/** One row change, as the log holds it. `asked`: the row before triggers. */
export type RowChange = {
  readonly table: string;
  readonly before: Row | undefined;
  readonly after: Row | undefined;
  readonly asked: Row | undefined;
  readonly place: bigint;
};

export type Commit = {
  readonly session: MemorySession;
  readonly changes: readonly RowChange[];
  /** What its session asked for, in µs; 0: nothing. */
  readonly notBeforeUs: bigint;
};

export type Transaction = { overlay: Overlay; changes: RowChange[]; readonly locks: Set<string>; notBeforeUs: bigint };

export type SessionOptions = {
  readonly echoTag?: string;
  /** Who opened it. */
  readonly owner?: string;
  /** Before every statement and around every commit; may throw what a lost connection throws. */
  readonly gate?: (statement: string) => Promise<void> | undefined;
  /** Its client doesn't answer: the server ends the session when somebody waits for its locks. */
  readonly isStuck?: () => boolean;
};

export type Table = {
  readonly definition: TableDefinition;
  readonly shape: TableShape;
  readonly rows: Map<string, Row>;
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
      'source_table',
    ],
  },
  { table: 'seam.echo', key: ['entity', 'key', 'hash'], columns: ['hops', 'written_at'] },
  { table: 'seam.effect', key: ['effect', 'key'], columns: ['group_key', 'amount'] },
  { table: 'seam.row_owner', key: ['entity', 'row_key'], columns: ['key'] },
  { table: 'seam.identity', key: ['entity', 'canonical_key'], columns: ['local_key'] },
  {
    table: 'seam.parked',
    key: ['topic', 'partition', 'offset', 'key'],
    columns: ['id', 'entity', 'value', 'meta', 'reason_code', 'reason', 'attempts', 'next_try_at', 'parked_at'],
  },
];

const shapes = new WeakMap<TableDefinition, TableShape>();

export class MemoryDatabase {
  readonly tables = new Map<string, Table>();
  readonly shapes: ReadonlyMap<string, TableShape>;
  /** Who holds which row, by table and key. */
  readonly locks = new Map<string, MemorySession>();
  #waiting: (() => void)[] = [];
  /** Goes up with every row change and every commit: an address in the log. */
  place = 0n;
  lastId = 0n;
  /** The next COMMIT is done, but its answer gets lost. */
  losesAnswer = false;
  onCommit: ((commit: Commit) => void) | undefined;

  constructor(definitions: readonly TableDefinition[]) {
    for (const definition of [...definitions, ...SIDE_TABLES]) {
      this.tables.set(definition.table, { definition, shape: shapeOf(definition), rows: new Map() });
    }
    this.shapes = new Map([...this.tables].map(([name, { shape }]) => [name, shape]));
  }

  table(name: string): Table {
    return this.tables.get(name) as Table;
  }

  rows(table: string): Row[] {
    return [...this.table(table).rows.values()];
  }

  row(table: string, ...key: readonly SqlValue[]): Row | undefined {
    return this.table(table).rows.get(keyOf(key));
  }

  isHeldBy(session: MemorySession, table: string, ...key: readonly SqlValue[]): boolean {
    return this.locks.get(lockName(table, keyOf(key))) === session;
  }

  /** At once and by nobody: no transaction, no log. */
  edit(table: string, change: (row: Row) => Row): void {
    const { rows } = this.table(table);
    for (const [key, row] of rows) rows.set(key, change(row));
  }

  /** The same, of rows that go; returns how many. */
  removeRows(table: string, isGone: (row: Row) => boolean): number {
    const { rows } = this.table(table);
    const before = rows.size;
    for (const [key, row] of rows) if (isGone(row)) rows.delete(key);
    return before - rows.size;
  }

  apply(session: MemorySession, { overlay, changes, notBeforeUs }: Transaction): void {
    for (const [table, rows] of overlay) {
      for (const [key, row] of rows) {
        if (row === undefined) table.rows.delete(key);
        else table.rows.set(key, row);
      }
    }
    if (changes.length > 0) {
      this.place += 1n;
      this.onCommit?.({ session, changes, notBeforeUs });
    }
  }

  /** Resolves when some transaction has ended. */
  lockReleased(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  release(session: MemorySession, locks: ReadonlySet<string>): void {
    for (const lock of locks) if (this.locks.get(lock) === session) this.locks.delete(lock);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const resolve of waiting) resolve();
  }

  readonly dialect: Dialect = {
    name: 'postgres',
    sideSchemaSql: () => '',
    captureSettingsSql: () => undefined,
    quietLog: () => undefined,
    open: async () => new MemorySession(this),
    errorOf,
  };
}

export function errorOf(error: unknown): SeamError {
  if (error instanceof SeamError) return error;
  return new InvariantError({ code: 'UNEXPECTED_ERROR', message: String(error), cause: error });
}

export function lockName(table: string, key: string): string {
  return `${table}\n${key}`;
}

/** Names a row inside its table. */
export function keyOf(values: readonly SqlValue[]): string {
  let key = '';
  for (const value of values) key += `${value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value}\n`;
  return key;
}

function shapeOf(definition: TableDefinition): TableShape {
  const known = shapes.get(definition);
  if (known !== undefined) return known;
  const { table, key, columns } = definition;
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
      tellsTextsApart: definition.folds === undefined,
      keepsTexts: true,
    },
  ]);
  const shape = {
    table,
    columns: new Map(all),
    uniqueKeys: [key],
    uniqueIndexes: [],
    foreignKeys: [],
    missingPrivileges: [],
  };
  shapes.set(definition, shape);
  return shape;
}
