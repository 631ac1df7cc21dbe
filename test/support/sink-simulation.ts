/** The sink's writer over a database in memory: one step at a time, each with a fault or without. */
import { serialize } from 'node:v8';
import type { CanonicalRecord } from '../../core/canonical-record.ts';
import { ContractError, TransientError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import type { SqlValue, Target } from '../../core/target.ts';
import { compileTarget, type CompiledTable, type Entities } from '../../sinks/engine/compile.ts';
import type { CrashPoint } from '../../sinks/engine/hooks.ts';
import { type Lease, partitionName, takeLease } from '../../sinks/engine/leases.ts';
import { SinkSettings } from '../../sinks/engine/settings.ts';
import type { SideTables } from '../../sinks/engine/side-tables.ts';
import type { Item, Written } from '../../sinks/engine/transaction.ts';
import { type Work, Writer } from '../../sinks/engine/writer.ts';
import { SIDE_TABLES } from '../../sinks/dialects/dialect.ts';
import type { MemoryDatabase } from './memory-database.ts';
import { MemorySession } from './memory-session.ts';
import { decodeTestBatch } from './test-log.ts';

export const CRASH_POINTS: readonly CrashPoint[] = [
  'before-lock',
  'after-lock',
  'after-plan',
  'after-rows',
  'before-commit',
  'after-commit',
];

/** `replays`: the partition is read from its beginning again; `retries`: an operator has every parked record tried again. */
export type Fault =
  | { readonly kind: 'dies' | 'disconnects'; readonly at: CrashPoint }
  | { readonly kind: 'loses-answer' | 'replays' | 'retries' };

const END_OF_TIME = '9999-01-01 00:00:00.000';
const ROUNDS_MAX = 20;

export class SinkSimulation {
  readonly #database: MemoryDatabase;
  readonly #lanes: readonly (readonly CanonicalRecord[])[];
  readonly #tables: ReadonlyMap<string, CompiledTable>;
  readonly #leases = new Map<string, Lease>();
  readonly #side: SideTables;
  readonly #settings: SinkSettings;
  readonly #extra: CanonicalRecord[] = [];
  #fault: Fault | null = null;
  #session: MemorySession;
  #writer: Writer;
  #nowMs = 0;

  constructor(
    database: MemoryDatabase,
    target: Target,
    entities: Entities,
    lanes: readonly (readonly CanonicalRecord[])[],
    settings: Partial<SinkSettings> = {},
  ) {
    this.#settings = SinkSettings.parse(settings);
    this.#database = database;
    this.#lanes = lanes;
    const compiled = compileTarget(target, entities, database.shapes, []);
    this.#tables = new Map(compiled.map((table) => [table.entity.entity, table]));
    const side = Object.entries(SIDE_TABLES).map(([name, table]) => [name, database.shapes.get(table)]);
    this.#side = Object.fromEntries(side) as SideTables;
    this.#session = new MemorySession(database);
    this.#writer = this.#newWriter();
  }

  /** Up to so many of the lane's next records, in one transaction. */
  async write(lane: number, recordsMax: number, fault: Fault | null): Promise<Written | undefined> {
    const records = this.#lanes[lane];
    if (records === undefined || records.length === 0) return undefined;
    const lease = await this.#lease(lane);
    if (fault?.kind === 'retries') return this.#retry();
    if (fault?.kind === 'replays') return this.#replay(lane);
    const from = Number(lease.nextOffset);
    const items = records.slice(from, from + recordsMax).map((one, index) => itemOf(one, lane, from + index));
    if (items.length === 0) return undefined;
    const nextOffset = lease.nextOffset + BigInt(items.length);
    return this.#run({ items: async () => items, advances: [{ lease, nextOffset }], isTimedRetry: false }, fault);
  }

  /** One record outside the lanes. */
  async deliver(record: CanonicalRecord): Promise<void> {
    const lane = -1;
    const lease = await this.#lease(lane);
    const item = itemOf(record, lane, this.#extra.push(record) - 1);
    await this.#run(
      { items: async () => [item], advances: [{ lease, nextOffset: lease.nextOffset + 1n }], isTimedRetry: false },
      null,
    );
  }

  editRow(table: string, column: string, value: SqlValue): void {
    this.#database.edit(table, (row) => ({ ...row, [column]: value }));
  }

  /** All that is left, and what waits for rows; dead letters stay. */
  async settle(): Promise<void> {
    await this.#drain();
    for (let round = 0; round < ROUNDS_MAX; round += 1) await this.#retryDue();
  }

  /** An operator gives the refused records up; what waited behind them is asked for. */
  async discard(): Promise<number> {
    const count = this.#database.removeRows(
      'seam.parked',
      (row) => row.reason_code !== 'KEY_PARKED' && row.next_try_at === null,
    );
    for (let round = 0; round < ROUNDS_MAX; round += 1) await this.#retry();
    return count;
  }

  /** All that is left, then what waits, and dead letters once more. */
  async finish(): Promise<void> {
    await this.#drain();
    for (let round = 0; round < ROUNDS_MAX; round += 1) await this.#retry();
  }

  async #drain(): Promise<void> {
    for (let lane = 0; lane < this.#lanes.length; lane += 1) {
      while (Number((await this.#lease(lane)).nextOffset) < (this.#lanes[lane]?.length ?? 0))
        await this.write(lane, 7, null);
    }
  }

  /** Everything from the beginning, and what was set aside once more. */
  async replayAll(): Promise<void> {
    for (let lane = 0; lane < this.#lanes.length; lane += 1) await this.#replay(lane);
    await this.finish();
  }

  async #lease(lane: number): Promise<Lease> {
    const partition = { topic: 'canonical', partition: lane };
    const known = this.#leases.get(partitionName(partition));
    if (known !== undefined) return known;
    const lease = await takeLease(this.#openSession(), partition, 0n, 'simulation');
    this.#leases.set(partitionName(partition), lease);
    return lease;
  }

  async #run(work: Work, fault: Fault | null): Promise<Written | undefined> {
    this.#fault = fault;
    this.#database.losesAnswer = fault?.kind === 'loses-answer';
    try {
      const items = await work.items();
      const records = items.flatMap((item) => (item.kind === 'record' ? [item.candidate.record] : []));
      const straight = records.length === items.length ? await this.#writer.makeReady(records) : undefined;
      const written = await this.#writer.write({ ...work, straight });
      for (const { lease, nextOffset } of work.advances) lease.nextOffset = nextOffset;
      return written;
    } catch (error) {
      if ((error as { code?: string }).code !== 'CRASH') throw error;
      // Another process takes over: it knows nothing but what the database says.
      this.#leases.clear();
      this.#session.terminate();
      this.#writer = this.#newWriter();
      return undefined;
    } finally {
      this.#fault = null;
      this.#database.losesAnswer = false;
    }
  }

  async #replay(lane: number): Promise<undefined> {
    this.#database.edit('seam.sink_offset', (row) => (row.partition === lane ? { ...row, next_offset: 0n } : row));
    this.#leases.delete(partitionName({ topic: 'canonical', partition: lane }));
    return undefined;
  }

  async #retry(): Promise<Written | undefined> {
    this.#database.edit('seam.parked', (row) => ({ ...row, next_try_at: '0' }));
    return this.#retryDue();
  }

  async #retryDue(): Promise<Written | undefined> {
    const due = await this.#openSession().run('dueParked', [END_OF_TIME, 1_000]);
    if (due.length === 0) return undefined;
    const items = due.map(([entity, key]): Item => ({ kind: 'key', entity: entity as string, key: key as string }));
    const advances = [];
    for (const partition of new Set(due.map((row) => row[3] as number))) {
      const lease = await this.#lease(partition);
      advances.push({ lease, nextOffset: lease.nextOffset });
    }
    return this.#run({ items: async () => items, advances, isTimedRetry: true }, null);
  }

  #openSession(): MemorySession {
    if (!this.#session.isOpen) this.#session = new MemorySession(this.#database);
    return this.#session;
  }

  #newWriter(): Writer {
    const clock: Clock = {
      nowMs: () => (this.#nowMs += 1),
      elapsedMs: () => (this.#nowMs += 1),
      pause: async () => undefined,
    };
    return new Writer(
      {
        dialect: this.#database.dialect,
        openSession: async () => this.#openSession(),
        side: this.#side,
        tables: this.#tables,
        decode: decodeTestBatch,
        settings: this.#settings,
        clock,
        hooks: { at: (point) => this.#strike(point) },
        signal: new AbortController().signal,
        onTrouble: () => undefined,
      },
      this.#openSession(),
    );
  }

  #strike(point: CrashPoint): void {
    const fault = this.#fault;
    if (fault === null || !('at' in fault) || fault.at !== point) return;
    this.#fault = null;
    this.#session.terminate();
    if (fault.kind === 'dies') throw new ContractError({ code: 'CRASH', message: 'the process is gone' });
    throw new TransientError({ code: 'TARGET_UNREACHABLE', message: 'the connection is gone' });
  }
}

function itemOf(record: CanonicalRecord, lane: number, offset: number): Item {
  const place = { topic: `canonical.${record.entity}`, partition: lane, offset: BigInt(offset) };
  const raw = { value: record.value === null ? null : serialize(record.value), meta: serialize(record.meta) };
  return { kind: 'record', candidate: { record, place, raw, parked: undefined } };
}
