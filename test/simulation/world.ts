/**
 * One seed's world: three systems that people edit, their captures, Seam's workers, a reporting store, and what goes wrong.
 *
 *   trouble: people edit, faults strike     -> calm: nothing strikes any more, all must come to rest
 *   -> rest: every target holds what its sources say, also after one of them was replayed
 */
import { RecordError, SeamError, TransientError } from '../../core/errors.ts';
import type { OutputRecord } from '../../core/ports.ts';
import { Random } from '../../demo/random.ts';
import { appendToLane } from '../../ops/redrive.ts';
import { type Commit, MemoryDatabase, type SessionOptions } from '../support/memory-database.ts';
import { MemorySession } from '../support/memory-session.ts';
import { Capture } from './capture.ts';
import { STAGES } from './letters.ts';
import { differenceOf } from './converged.ts';
import { Invariants, Violation } from './invariants.ts';
import { SimLog } from './log.ts';
import { Desk, FOCUSES, type Habits, someOf } from './people.ts';
import { Scheduler, SimProcess } from './scheduler.ts';
import { SOURCES, type SourceName, SYSTEMS, type SystemName, TABLES } from './systems.ts';
import { changeText } from './trace.ts';
import { REDRIVES_MAX, redriveAll, type Troubles, troublesOf } from './troubles.ts';
import { loopingIn, unrestOf } from './unrest.ts';
import { settingsOf, type Slot, startSink, startStage, type WorkerSettings } from './workers.ts';

export type WorldOptions = {
  readonly trace?: (text: string) => void;
  /** 1000 as a MariaDB has it; each seed has its own, unless it is told here. */
  readonly tillClockMs?: number | undefined;
};

const EDITS_MAX = 12;
const LOOPING_EDITS_FACTOR = 2;
const LOOP_MS = 2_000;
const LATE_SINKS_RATE = 0.15;
const LATE_STEPS = 200;
const STEPS_MAX = 60_000;
const CALM_STEPS_MAX = 25_000;
/** Somebody may still be about to commit. */
const QUIET_STEPS = 50;
const CHECK_STEPS = 10;
const CLOCK_AHEAD_MS = 5_000;
const OPERATOR = 'operator';
const RESTART_MS_MAX = 200;
const SESSION_TIMEOUT_MS = 150;

export class World {
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly log: SimLog;
  readonly invariants: Invariants;
  readonly #databases: ReadonlyMap<SystemName, MemoryDatabase>;
  readonly captures: ReadonlyMap<SourceName, Capture>;
  readonly #settings: WorkerSettings;
  readonly habits: Habits;
  /** Added when there is a history: it comes in large batches. */
  readonly #areSinksLate: boolean;
  readonly slots: Slot[] = [];
  readonly #sessions = new Map<SimProcess, MemorySession[]>();
  readonly #supervision = new SimProcess('supervision');
  readonly #deletedMembers = new Set<string>();
  troubles: Troubles;
  isReadable = false;
  /** Not every seed has all: small worlds are quick, and show as much. */
  readonly #targets: readonly SystemName[];
  readonly #editors: readonly SourceName[];
  #editsLeft: number;
  #desksOpen = 0;
  #operating = 0;

  constructor(seed: number, { trace, tillClockMs }: WorldOptions = {}) {
    const random = new Random(seed);
    this.random = random;
    this.#areSinksLate = random.next() < LATE_SINKS_RATE;
    this.scheduler = new Scheduler(random, trace);
    this.#databases = new Map(SYSTEMS.map((system) => [system, new MemoryDatabase(TABLES[system])]));
    this.troubles = troublesOf(random);
    this.log = new SimLog(this.scheduler, random.pick([1, 2]), {
      strike: (_process, what) => {
        if (this.strikes('log')) throw new TransientError({ code: 'KAFKA_UNREACHABLE', message: what });
      },
      fetchMax: this.#areSinksLate ? 20 : random.pick([1, 3, 20]),
      hooks: (process, point) => this.passes(process, point),
    });
    this.#settings = settingsOf(random, this.#areSinksLate);
    this.invariants = new Invariants(this.log, this.#databases, this.#settings);
    const focus = random.next() < 0.3 ? random.pick(FOCUSES) : undefined;
    const renames = random.next() < 0.4 && focus === undefined;
    const habits = {
      sendsWholeRows: renames,
      tillClockMs: tillClockMs ?? random.pick([1, 1_000]),
      aheadMs: { crm: random.pick([0, 0, CLOCK_AHEAD_MS]), pos: random.pick([0, 0, CLOCK_AHEAD_MS]) },
    };
    this.captures = new Map(
      SOURCES.map((system) => [system, new Capture(system, this.database(system), this.log, habits)]),
    );
    const isHostile = random.next() < 0.5;
    const isLooping = random.next() < (focus?.isShared ? 0.5 : 0.05);
    this.habits = {
      renames,
      keys: focus === undefined ? random.pick([1, 2, 3]) : 1,
      badRate: isHostile ? (focus === undefined ? 0.2 : 0.4) : 0,
      loopRate: isLooping ? 0.2 : 0,
      deleteRate: random.pick([0, 0.1, 0.3]),
      restMs: isLooping ? LOOP_MS : random.pick([10, 400]),
      quarrels: random.next() < (focus?.isShared ? 0.5 : 0.2),
    };
    // whoever edits a phone once it has gone round must find it free again
    this.#editsLeft = 2 + random.below(EDITS_MAX) * (this.habits.loopRate > 0 ? LOOPING_EDITS_FACTOR : 1);
    this.#targets = focus?.targets ?? someOf(random, SYSTEMS);
    this.#editors = focus?.editors ?? someOf(random, SOURCES);
  }

  async run(): Promise<void> {
    await this.#settleBefore();
    this.#startAll();
    if (!this.#areSinksLate) this.#startSinks();
    await this.#trouble();
    if (this.#areSinksLate) await this.#joinLate();
    await this.#calm();
    if (this.random.next() < 0.3) await this.#replayOne();
  }

  database(system: SystemName): MemoryDatabase {
    return this.#databases.get(system) as MemoryDatabase;
  }

  // ---- faults ------------------------------------------------------------------------------------------------------

  strikes(what: keyof Troubles['rates']): boolean {
    return this.scheduler.chance(this.troubles.rates[what]);
  }

  /** A named place in production code where the process may die. */
  passes(process: SimProcess, point: string): Promise<void> | undefined {
    if (process.state === 'dead') return this.scheduler.gate(process, point);
    // a transaction that a dead command leaves open would hold its lane up for the broker's timeout, which isn't simulated
    if (process.name === OPERATOR || !this.strikes('crash')) return undefined;
    this.scheduler.trace?.(`${process.name} dies at ${point}`);
    this.kill(process);
    return this.scheduler.gate(process, point);
  }

  connect(system: SystemName, process: SimProcess, options: SessionOptions): MemorySession {
    const session: MemorySession = new MemorySession(this.database(system), {
      ...options,
      isStuck: () => process.state !== 'alive',
      gate: (statement) => {
        if (options.owner !== undefined && this.strikes('database')) {
          this.scheduler.trace?.(`${process.name} loses its connection at ${statement}`);
          session.terminate();
        }
        return this.scheduler.mayYield(process, `${system} ${statement}`);
      },
    });
    this.#sessions.set(process, [...(this.#sessions.get(process) ?? []).filter(({ isOpen }) => isOpen), session]);
    return session;
  }

  /** Dies, and another takes its place. */
  kill(process: SimProcess): void {
    this.scheduler.kill(process);
    for (const session of this.#sessions.get(process) ?? []) session.terminate();
    this.#sessions.delete(process);
    this.scheduler.after(this.#supervision, SESSION_TIMEOUT_MS, 'session timeout', () => this.log.processLost(process));
    const slot = this.slots.find((one) => one.process === process);
    if (slot === undefined) return;
    slot.worker = undefined;
    this.scheduler.after(this.#supervision, this.random.below(RESTART_MS_MAX), 'starts a process', () =>
      this.#start(slot),
    );
  }

  /** Stands still until it is woken, and then goes on as if nothing had happened. */
  halt(process: SimProcess, durationMs: number): void {
    this.scheduler.trace?.(`${process.name} stands still for ${durationMs} ms`);
    this.scheduler.halt(process);
    this.scheduler.after(this.#supervision, SESSION_TIMEOUT_MS, 'session timeout', () => {
      if (process.state === 'halted') this.log.processLost(process);
    });
    this.scheduler.after(this.#supervision, durationMs, 'wakes a process', () => {
      if (process.state === 'halted') this.scheduler.wake(process);
    });
  }

  /** In an orderly way; then another takes its place. */
  stop(slot: Slot): void {
    const { worker, process } = slot;
    if (worker === undefined) return;
    this.scheduler.trace?.(`${process.name} is asked to stop`);
    worker.stop().catch(() => undefined);
  }

  /** What an operator does in a target's side schema, in a transaction like everybody's. */
  operate(system: SystemName, action: (session: MemorySession) => Promise<void>): void {
    const process = new SimProcess(`operator-${system}`);
    const session = this.connect(system, process, { echoTag: 'operator' });
    this.#operating += 1;
    const work = async () => {
      await this.scheduler.gate(process, 'operates');
      await action(session).catch((error: unknown) => {
        if (!(error instanceof TransientError)) throw error;
      });
      await session.close();
      this.#operating -= 1;
    };
    void work();
  }

  ask(records: readonly OutputRecord[]): void {
    if (records.length === 0) return;
    const process = new SimProcess(OPERATOR);
    this.#operating += 1;
    const work = async () => {
      await this.scheduler.gate(process, 'asks');
      await appendToLane(this.log.client(process), records, this.scheduler.clock(process));
      this.#operating -= 1;
    };
    void work();
  }

  // ---- processes ---------------------------------------------------------------------------------------------------

  #startAll(): void {
    for (const [system, capture] of this.captures) {
      this.#place(`capture-${system}`, (process) => ({ done: capture.run(process), stop: async () => undefined }));
    }
    for (const stage of STAGES) {
      this.#placeSome(stage, (process) => startStage(this, process, stage, this.#settings));
    }
    for (const system of this.#editors) void this.#people(system);
  }

  #startSinks(): void {
    for (const system of this.#targets) {
      this.#placeSome(`sink-${system}`, (process) => startSink(this, process, system, this.#settings));
    }
  }

  #placeSome(name: string, start: Slot['start']): void {
    for (let index = this.random.next() < 0.3 ? 2 : 1; index > 0; index -= 1) this.#place(`${name}-${index}`, start);
  }

  #place(name: string, start: Slot['start']): void {
    const slot: Slot = { name, start, process: new SimProcess(name), worker: undefined, starts: 0 };
    this.slots.push(slot);
    this.#start(slot);
  }

  #start(slot: Slot): void {
    slot.starts += 1;
    const process = new SimProcess(`${slot.name}.${slot.starts}`);
    slot.process = process;
    const worker = slot.start(process);
    slot.worker = worker;
    worker.done.then(
      () => this.#ended(slot, process, undefined),
      (error) => this.#ended(slot, process, error),
    );
  }

  #ended(slot: Slot, process: SimProcess, error: unknown): void {
    if (process.state === 'dead' || slot.process !== process) return;
    if (error !== undefined && !(error instanceof TransientError)) {
      const { code = '', stack = '' } = error as { code?: string; stack?: string };
      this.invariants.fail('no worker fails', `${process.name}: ${code} ${stack.slice(0, 600)}`);
    }
    this.scheduler.trace?.(`${process.name} ended: ${error instanceof SeamError ? error.code : 'stopped'}`);
    this.kill(process);
  }

  async #people(system: SourceName): Promise<void> {
    const process = new SimProcess(`people-${system}`);
    this.#desksOpen += 1;
    for (;;) {
      await this.scheduler.gate(process, 'think');
      if (this.#editsLeft <= 0) break;
      this.#editsLeft -= 1;
      const echoTag = system === 'erp' && this.scheduler.chance(this.habits.deleteRate / 8) ? 'truncate' : 'people';
      const session = this.connect(system, process, { echoTag });
      const desk = new Desk(this.random, this.habits, this.database(system), session, this.#deletedMembers);
      await (echoTag === 'truncate' ? desk.truncate() : desk.work(system)).catch((error: unknown) => {
        if (!(error instanceof TransientError) && !(error instanceof RecordError)) throw error;
      });
      await session.close();
      await this.scheduler.clock(process).pause(this.random.below(this.habits.restMs));
    }
    this.#desksOpen -= 1;
  }

  // ---- phases ------------------------------------------------------------------------------------------------------

  /** What was there before Seam: rows that a snapshot finds. */
  async #settleBefore(): Promise<void> {
    for (const [system, database] of this.#databases) {
      database.onCommit = (commit) => this.#committed(system, commit);
    }
    const rows = this.random.below(4);
    const process = new SimProcess('before');
    for (let index = 0; index < rows; index += 1) {
      const system = this.random.pick(this.#editors);
      const session = this.connect(system, process, { echoTag: 'people' });
      const work = new Desk(this.random, this.habits, this.database(system), session, this.#deletedMembers).work(
        system,
      );
      let isDone = false;
      void work.catch(() => undefined).then(() => (isDone = true));
      await this.scheduler.settle();
      while (!isDone) await this.#step();
      await session.close();
    }
    for (const [system, capture] of this.captures) {
      capture.snapshot();
      this.database(system).onCommit = (commit) => {
        this.#committed(system, commit);
        capture.committed(commit);
      };
    }
    this.log.onCommit = (transaction, before) => this.invariants.produced(transaction, before);
  }

  /** They read while things still go wrong. */
  async #joinLate(): Promise<void> {
    this.#startSinks();
    await this.scheduler.settle();
    for (let step = 0; step < LATE_STEPS && !this.scheduler.isOver; step += 1) await this.#step();
  }

  #committed(system: SystemName, commit: Commit): void {
    const { trace } = this.scheduler;
    if (trace !== undefined) for (const change of commit.changes) trace(`  ${system} commits ${changeText(change)}`);
    this.invariants.committed(system, commit);
  }

  async #trouble(): Promise<void> {
    while (this.#editsLeft > 0 || this.#desksOpen > 0 || this.troubles.stepsLeft > 0) {
      if (this.scheduler.isOver) return;
      this.troubles.step(this);
      await this.#step();
      if (this.scheduler.steps > STEPS_MAX) throw new Violation('1 liveness', 'people never come to an end');
    }
  }

  async #calm(): Promise<void> {
    this.scheduler.trace?.('--- nothing goes wrong any more');
    this.troubles.end(this);
    await this.#rest();
    for (let rounds = 0; redriveAll(this); rounds += 1) {
      if (rounds === REDRIVES_MAX)
        throw new Violation('1 liveness', 'what is set aside in a stage never comes to an end');
      await this.#rest();
    }
    this.troubles.retryAll(this);
    await this.#rest();
    const difference = differenceOf({
      databases: this.#databases,
      targets: this.#targets,
      looping: loopingIn(this.#databases),
    });
    if (difference !== undefined) throw new Violation('1 convergence', difference);
  }

  async #rest(): Promise<void> {
    const limit = this.scheduler.steps + CALM_STEPS_MAX;
    for (let quietSteps = 0; quietSteps < QUIET_STEPS; ) {
      if (this.scheduler.isIdle && this.#unrest() === undefined) return;
      for (let step = 0; step < CHECK_STEPS; step += 1) await this.#step();
      quietSteps = this.#unrest() === undefined ? quietSteps + CHECK_STEPS : 0;
      if (this.scheduler.steps > limit) {
        throw new Violation('1 liveness', `no rest after ${CALM_STEPS_MAX} steps: ${this.#unrest()}`);
      }
    }
  }

  /** Everything is read from the beginning, and changes nothing. */
  async #replayOne(): Promise<void> {
    const system = this.random.pick(this.#targets);
    this.scheduler.trace?.(`--- ${system} is replayed`);
    this.database(system).edit('seam.sink_offset', (row) => ({ ...row, next_offset: 0n }));
    await this.#calm();
  }

  async #step(): Promise<void> {
    const isAlive = await this.scheduler.step();
    if (this.log.hasFenced && this.troubles.areNone) throw new Violation('1 liveness', 'workers fence one another');
    if (this.invariants.violation !== undefined) throw this.invariants.violation;
    if (!isAlive) throw new Violation('1 liveness', 'nothing will ever happen again');
  }

  #unrest(): string | undefined {
    if (this.#operating > 0) return 'an operator';
    return unrestOf({
      captures: this.captures,
      log: this.log,
      databases: this.#databases,
      targets: this.#targets,
      attempts: this.troubles.attempts,
    });
  }
}
