/**
 * What a sink needs of a database. One folder here for each kind of database; nothing outside it knows that database's SQL.
 * The side schema's tables are written with the same words as the target's own: the engine decides what to write, a dialect
 * only how.
 *
 * Values travel by column: `Values` is one column of a set of rows, and every `Values` of one call has the same length.
 * Every method may throw a SeamError whose class says what to do (error-codes.ts of the dialect); after a TransientError with
 * `isOpen` false the session is spent and a new one is opened.
 */
import { ContractError, type ErrorParts, type SeamError } from '../../core/errors.ts';
import type { DialectName, SqlValue } from '../../core/target.ts';

export type Connection = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly password: string;
  readonly database: string;
};

export type SessionSettings = {
  /** Names the echo tag: what this session writes is recognised when it is captured again. */
  readonly system: string;
  /** Picks the first tag to try, so that workers seldom meet. */
  readonly owner: string;
  readonly statementTimeoutMs: number;
};

/** What a column can hold. `other`: the dialect knows nothing that the engine could check. */
export type ColumnShape = {
  readonly name: string;
  readonly kind:
    | 'integer'
    | 'decimal'
    | 'real'
    | 'double'
    | 'text'
    | 'bytes'
    | 'boolean'
    | 'date'
    | 'timestamp'
    | 'time'
    | 'other';
  /** Digits after the point, of a decimal (undefined: any number) or of a second. */
  readonly scale: number | undefined;
  readonly nullable: boolean;
  /** Filled by the database when an INSERT leaves it out. */
  readonly hasDefault: boolean;
  /** The type as the dialect's own SQL needs it. */
  readonly sqlType: string;
  /** PostgreSQL has no arrays of arrays: a set of these goes in as texts. */
  readonly isArray?: boolean;
  /** Text compares by its bytes under this collation; undefined where `=` already does. */
  readonly binaryCollation: string | undefined;
  /** Characters of a text or bytes at most, where the type says so. */
  readonly lengthMax?: number | undefined;
  /** No two different texts are equal here: neither a collation nor padding nor the type makes one of them. */
  readonly tellsTextsApart: boolean;
  /** A text is stored as it was sent: not padded, cut or put into another form. */
  readonly keepsTexts: boolean;
};

export type UniqueIndex = {
  readonly name: string;
  /** Every column that it depends on, also by an expression or a condition. */
  readonly columns: readonly string[];
  /** Rows that have equal values in these columns meet in it: no condition, expression or part of a text, and NULL meets nothing. */
  readonly isPlain: boolean;
};

export type ForeignKey = {
  readonly name: string;
  readonly columns: readonly string[];
  readonly parent: string;
  readonly parentColumns: readonly string[];
};

export type TableShape = {
  /** As declared: `schema.table`. */
  readonly table: string;
  readonly columns: ReadonlyMap<string, ColumnShape>;
  /** Column names of the primary key and of every unique index without condition. */
  readonly uniqueKeys: readonly (readonly string[])[];
  /** All unique indexes, the primary key too: the first that are plain are those of `uniqueKeys`. */
  readonly uniqueIndexes: readonly UniqueIndex[];
  readonly foreignKeys: readonly ForeignKey[];
  /** Of SELECT, INSERT, UPDATE, DELETE: those that this user lacks. */
  readonly missingPrivileges: readonly string[];
};

export type Values = { readonly column: string; readonly values: readonly SqlValue[] };

export type FoundRow = {
  /** Which of the asked rows this is. */
  readonly index: number;
  /** In the order of the asked columns; 64-bit integers as bigint, decimals as text, bytes as Buffer. */
  readonly values: readonly SqlValue[];
};

/** `values`: of each key column the text that the row holds. */
export type StoredKey = { readonly index: number; readonly values: readonly string[] };

/** Statements that are no plain write by key: `statements.ts` of each dialect holds their SQL. */
export type StatementName =
  | 'takeLease'
  | 'dueParked'
  | 'parkedCounts'
  | 'liveKeys'
  | 'parkedKeys'
  | 'rowOwners'
  | 'pruneEcho'
  | 'checkConstraints';

/** The side schema's tables. */
export const SIDE_TABLES = {
  sinkOffset: 'seam.sink_offset',
  applied: 'seam.applied',
  echo: 'seam.echo',
  effect: 'seam.effect',
  identity: 'seam.identity',
  parked: 'seam.parked',
  rowOwner: 'seam.row_owner',
} as const;

/** Replays that were carried out here. No sink needs it: where it is missing, only replays are refused. */
export const REPLAY_TABLE = 'seam.replay';

export type Advance = {
  readonly key: readonly Values[];
  /** `position`, `hash` and `deleted` are among them. */
  readonly columns: readonly Values[];
  readonly clock: string;
  /** Leaves rows alone that are deleted, whatever comes: what lies under their key may be another's by now. */
  readonly leavesDeleted?: boolean;
};

export interface Session {
  readonly isOpen: boolean;
  /** How this session's writes show in the capture of the same database, e.g. `seam_erp_0`. */
  readonly echoTag: string;

  /** READ COMMITTED. `checkAtOnce`: deferred constraints are checked by each statement, so that its error names its record. */
  begin(options?: { readonly checkAtOnce?: boolean }): Promise<void>;
  commit(): Promise<void>;
  /**
   * Before rows are written: the log shall give this transaction at least this time, in µs since 1970, whatever the server's
   * clock says. What a trigger makes of a record is then newer than the record.
   */
  notBefore(timeUs: bigint): Promise<void>;
  rollback(): Promise<void>;
  /** Marks the place to which `rollbackToSavepoint` returns: one at a time. */
  savepoint(): Promise<void>;
  releaseSavepoint(): Promise<void>;
  rollbackToSavepoint(): Promise<void>;

  /** Tables that don't exist are missing from the answer. */
  describe(tables: readonly string[]): Promise<ReadonlyMap<string, TableShape>>;

  /** Rows whose `match` columns equal the asked values, in any order. `lock`: until the transaction ends. */
  lookup(
    shape: TableShape,
    request: { readonly match: readonly Values[]; readonly columns: readonly string[]; readonly lock?: boolean },
  ): Promise<readonly FoundRow[]>;

  /**
   * The rows that equal the asked ones, with their key as it is stored: by the collation, padding and type of its columns one row may
   * answer to several keys. `onlyRespelled`: those alone whose stored texts are not, byte by byte, what was asked.
   */
  storedKeys(
    shape: TableShape,
    request: { readonly match: readonly Values[]; readonly onlyRespelled: boolean },
  ): Promise<readonly StoredKey[]>;

  /** New rows only: a row that is there already is an error. `clock`: columns set to the database's clock. */
  insert(shape: TableShape, request: { readonly columns: readonly Values[]; readonly clock?: string }): Promise<void>;

  /** These columns of the table will be sent soon: what can be done for that without the server is done now. */
  makeReady(shape: TableShape, columns: readonly Values[]): void;

  /**
   * Rows of the ledger that are not there, older by `position`, or of the same one with other contents (`hash`, `deleted`): the
   * guard in one step. All others are left as they are, and so is a deleted one that is deleted again: what lies under its key
   * by now may be somebody else's; or there is a RecordError, and the transaction has to be rolled back. `added`: those of the
   * written that were not there and aren't deleted.
   */
  advance(ledger: TableShape, request: Advance): Promise<{ readonly written: number; readonly added: number }>;

  /** Makes or changes rows by `key`; a row that would stay the same is left alone, unless a clock is set. */
  upsert(
    shape: TableShape,
    request: {
      readonly key: readonly Values[];
      readonly columns: readonly Values[];
      readonly onInsert: readonly Values[];
      readonly clock?: string;
    },
  ): Promise<void>;

  /** Changes rows that exist; `onlyIfDifferent` leaves those alone that would stay the same. Returns how many it wrote. */
  update(
    shape: TableShape,
    request: {
      readonly match: readonly Values[];
      readonly set: readonly Values[];
      readonly onlyIfDifferent: boolean;
      readonly clock?: string;
    },
  ): Promise<number>;

  /** `column = column + delta`, NULL counting as zero; rows in the order given. Returns how many rows it found. */
  add(
    shape: TableShape,
    request: {
      readonly key: readonly Values[];
      readonly column: string;
      readonly deltas: readonly string[];
      readonly insertMissing: boolean;
    },
  ): Promise<number>;

  remove(shape: TableShape, match: readonly Values[]): Promise<number>;

  /** One row; returns the column that the database filled, as text. */
  insertReturning(
    shape: TableShape,
    request: { readonly columns: readonly Values[]; readonly returning: string },
  ): Promise<string>;

  run(statement: StatementName, parameters: readonly SqlValue[]): Promise<readonly (readonly SqlValue[])[]>;

  close(): Promise<void>;
}

/** `isQuietSql`, `mayApplySql`: a row says yes. */
export type QuietLog = {
  readonly applySql: string;
  readonly isQuietSql: string;
  readonly mayApplySql: string;
  /** What a person reads where it is not applied. */
  readonly finding: string;
  /** For a superuser: gives the administrator the right to apply it. */
  readonly grantSql: (administrator: string) => string;
};

export type Dialect = {
  readonly name: DialectName;
  /** Makes the side schema or brings it up to date, however often it runs; for the provisioner, with more rights than a sink. */
  readonly sideSchemaSql: () => string;
  /** After a source's setup.sql: what decides how values are printed in the sessions of the capture user. undefined: nothing to set. */
  readonly captureSettingsSql: (user: string) => string | undefined;
  /** Keeps rows out of the server's own log. undefined: this kind of server writes none there. */
  readonly quietLog: (user: string) => QuietLog | undefined;
  /** Connects and sets the echo tag. Called again after every lost connection. */
  readonly open: (connection: Connection, settings: SessionSettings) => Promise<Session>;
  /** A driver's error as one of ours, by its code alone. */
  readonly errorOf: (error: unknown) => SeamError;
};

/** A RecordError with this code waits for other rows and is tried again; so is one with `VALUE_HELD`. Every other one is a dead letter. */
export const ROW_MISSING = 'PARENT_MISSING';

/** Another row has the value of a unique index: it may be about to give it up. */
export const VALUE_HELD = 'VALUE_HELD';

/** From so many attempts on such a record shows as a dead letter. It is tried all the same, as seldom as the rest. */
export const HELD_ATTEMPTS_MAX = 6;

/** The database has no such table, column or right any more: what is written there stops, everything else goes on. */
export class TableError extends ContractError {
  readonly table: string;

  constructor(parts: ErrorParts & { readonly table: string }) {
    super(parts);
    this.table = parts.table;
  }
}
