/** Debezium, as far as its records show it: change events in commit order with positions and marks, and sent again after a crash. */
import { type ColumnValue, type Row as EventRow, UNAVAILABLE } from '../../core/change-event.ts';
import { type DebeziumSource, type Envelope, toChangeEvent } from '../../core/debezium.ts';
import { rawTopic } from '../../processors/topics.ts';
import type { Commit, MemoryDatabase, Row, RowChange } from '../support/memory-database.ts';
import type { SimLog } from './log.ts';
import type { Scheduler, SimProcess } from './scheduler.ts';
import { isCaptured, type SourceName } from './systems.ts';

/** Opaque to production code, which hands it to its codecs only: no bytes are made of it. */
export function opaque(value: object): Uint8Array {
  return value as unknown as Uint8Array;
}

export type CapturedEvent = {
  readonly system: SourceName;
  readonly table: string;
  readonly rowKey: string;
  /** undefined: the tombstone behind a delete. */
  readonly envelope: Envelope | undefined;
  /** System and position: what a canonical record can be traced back to. */
  readonly identity: string;
  readonly isOurs: boolean;
  readonly change: RowChange | undefined;
};

export type RawValue = Envelope & { readonly event: CapturedEvent };

export type CaptureHabits = {
  /** REPLICA IDENTITY FULL of the products; else an update has no row before, and no large value that stayed as it was. */
  readonly sendsWholeRows: boolean;
  /** How fine the commit times in the log of the tills are. */
  readonly tillClockMs: number;
  /** How far a system's clock is ahead. */
  readonly aheadMs: Readonly<Partial<Record<SourceName, number>>>;
};

type Writing = { readonly isOurs: boolean; readonly notBeforeUs: bigint };

const ROTATES_EVERY = 5;

export class Capture {
  readonly system: SourceName;
  readonly #database: MemoryDatabase;
  readonly #log: SimLog;
  readonly #scheduler: Scheduler;
  readonly #habits: CaptureHabits;
  readonly events: CapturedEvent[] = [];
  readonly #snapshots: string[] = [];
  #lastCommit: bigint | null = null;
  #file = 1;
  #address = 4n;
  #commits = 0;
  #sent = 0;
  #saved = 0;
  #wake: () => void = () => {};

  constructor(system: SourceName, database: MemoryDatabase, log: SimLog, habits: CaptureHabits) {
    this.#habits = habits;
    this.system = system;
    this.#database = database;
    this.#log = log;
    this.#scheduler = log.scheduler;
  }

  get isCaughtUp(): boolean {
    return this.#sent === this.events.length && this.#snapshots.length === 0;
  }

  committed({ session, changes, notBeforeUs }: Commit): void {
    const captured = changes.filter(({ table }) => isCaptured(table));
    if (captured.length === 0) return;
    const isOurs = session.echoTag.startsWith('seam_');
    const removed = captured.filter(({ table, after }) => table === 'erp.prod' && after === undefined);
    const isTruncation = session.echoTag === 'truncate' && removed.length > 0;
    for (const change of isTruncation ? captured.slice(0, 1) : captured) {
      this.#change(change, isTruncation ? 't' : operationOf(change), { isOurs, notBeforeUs });
    }
    this.#endTransaction();
    this.#commits += 1;
    if (this.#commits % ROTATES_EVERY === 0) {
      this.#file += 1;
      this.#address = 4n;
    }
    this.#wake();
  }

  /** Rows that were there before the connector. */
  snapshot(): void {
    for (const table of this.#database.tables.keys()) {
      if (!isCaptured(table)) continue;
      for (const row of this.#database.rows(table)) this.#read(table, row, 'true');
    }
  }

  /** An operator has a table read again beside the stream. */
  readAgain(table: string): void {
    this.#snapshots.push(table);
    this.#wake();
  }

  /** Goes back to what was saved last: a stretch is sent again. */
  async run(process: SimProcess): Promise<void> {
    this.#sent = this.#saved;
    for (;;) {
      await this.#scheduler.gate(process, `captures ${this.system} ${this.#sent}`);
      if (this.#sent < this.events.length) this.#send();
      else if (this.#snapshots.length > 0) this.#readTable(this.#snapshots.shift() as string);
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }

  #send(): void {
    const count = 1 + this.#scheduler.random.below(4);
    for (const event of this.events.slice(this.#sent, this.#sent + count)) this.#append(event);
    this.#sent = Math.min(this.#sent + count, this.events.length);
    if (this.#scheduler.chance(0.3)) this.#saved = this.#sent;
  }

  #append({ system, table, rowKey, envelope, ...rest }: CapturedEvent): void {
    const partition = this.#log.partitionOf(rawTopic(system, table), rowKey);
    const event = { system, table, rowKey, envelope, ...rest };
    const value = envelope === undefined ? null : opaque({ ...envelope, event } satisfies RawValue);
    partition.append({
      key: Buffer.from(JSON.stringify(keyRow(this.#database, table, rowKey))),
      value,
      headers: {},
      timestampMs: 0,
    });
    partition.wake();
  }

  #readTable(table: string): void {
    for (const row of this.#database.rows(table)) this.#read(table, row, 'incremental');
    this.#endTransaction();
  }

  /** A commit has a place of its own, behind all that it commits: a change made before it may be committed after it. */
  #endTransaction(): void {
    this.#database.place += 1n;
    this.#lastCommit = this.#database.place;
  }

  #read(table: string, row: Row, snapshot: string): void {
    this.#database.place += 1n;
    this.#address += 40n;
    const source = this.#source(snapshot === 'true' ? 1n : this.#database.place, false, snapshot);
    this.#push(
      table,
      rowKeyOf(this.#database, table, row),
      { op: 'r', before: null, after: row, source },
      undefined,
      false,
    );
  }

  #change(change: RowChange, op: string, { isOurs, notBeforeUs }: Writing): void {
    const { table, before, after } = change;
    this.#address += 40n;
    const source = this.#source(change.place, isOurs, 'false', notBeforeUs);
    if (op === 't') {
      this.#push(table, '', { op, before: null, after: null, source }, change, isOurs);
      return;
    }
    const rowKey = rowKeyOf(this.#database, table, (after ?? before) as Row);
    const isPartial = table === 'erp.prod' && !this.#habits.sendsWholeRows;
    const envelope: Envelope = {
      op,
      before: before === undefined || (isPartial && op === 'u') ? null : before,
      after: after === undefined ? null : op === 'u' && isPartial ? this.#withoutLarge(after, before) : after,
      source,
    };
    this.#push(table, rowKey, envelope, change, isOurs);
    if (op === 'd') this.events.push({ ...(this.events.at(-1) as CapturedEvent), envelope: undefined });
  }

  /** PostgreSQL doesn't log a large value that stayed as it was. */
  #withoutLarge(after: Row, before: Row | undefined): EventRow {
    if (before?.spec !== after.spec || this.#scheduler.chance(0.3)) return after;
    return { ...after, spec: UNAVAILABLE as ColumnValue };
  }

  #push(table: string, rowKey: string, envelope: Envelope, change: RowChange | undefined, isOurs: boolean): void {
    const { position } = toChangeEvent(envelope, { system: this.system, table, epoch: 0 });
    const identity = identityOf(this.system, position);
    this.events.push({ system: this.system, table, rowKey, envelope, identity, isOurs, change });
  }

  #source(place: bigint, isOurs: boolean, snapshot: string, notBeforeUs = 0n): DebeziumSource {
    const clockUs = BigInt(this.#scheduler.nowMs + (this.#habits.aheadMs[this.system] ?? 0)) * 1_000n;
    const timeUs = clockUs > notBeforeUs ? clockUs : notBeforeUs;
    if (this.system === 'pos') {
      const coarse = BigInt(this.#habits.tillClockMs);
      const time = (timeUs / 1_000n / coarse) * coarse;
      const gtid = isOurs ? '7701-7701-1' : '0-1-1';
      return {
        connector: 'mariadb',
        snapshot,
        ts_ms: time,
        file: `bin.${this.#file}`,
        pos: this.#address,
        row: 0,
        gtid,
      };
    }
    const last = this.#lastCommit === null ? null : String(this.#lastCommit);
    const sequence = JSON.stringify([last, String(place)]);
    const origin = isOurs ? `seam_${this.system}_0` : null;
    return { connector: 'postgresql', snapshot, ts_ms: timeUs / 1_000n, ts_us: timeUs, sequence, lsn: place, origin };
  }
}

/** Behind a stamp of time and system, and alone, the last 20 bytes are the place in the source's own log. */
export function identityOf(system: string, position: Uint8Array): string {
  return `${system} ${Buffer.from(position.buffer, position.byteOffset, position.byteLength).toString('latin1', position.byteLength - 20)}`;
}

function operationOf({ before, after }: RowChange): string {
  return before === undefined ? 'c' : after === undefined ? 'd' : 'u';
}

function rowKeyOf(database: MemoryDatabase, table: string, row: Row): string {
  return database
    .table(table)
    .definition.key.map((name) => String(row[name]))
    .join('|');
}

function keyRow(database: MemoryDatabase, table: string, rowKey: string): EventRow {
  const values = rowKey.split('|');
  const names = database.table(table).definition.key;
  return Object.fromEntries(
    names.map((name, index) => [name, name === 'ln' ? Number(values[index]) : (values[index] ?? '')]),
  );
}
