/**
 * Chance decides who goes on. Every simulated server call and every pause is a gate; one seeded generator picks which of the
 * waiting gates opens next, and the next pick waits until nobody can go on by himself. So a seed is a whole history.
 */
import type { Clock } from '../../core/ports.ts';
import type { Random } from '../../demo/random.ts';

/** A process: `halted` goes on later as if nothing had happened (a zombie), `dead` never. */
export class SimProcess {
  readonly name: string;
  state: 'alive' | 'halted' | 'dead' = 'alive';

  constructor(name: string) {
    this.name = name;
  }
}

type Gate = { readonly process: SimProcess; readonly what: string; readonly open: () => void };
type Timer = Gate & { readonly dueMs: number };

const NEVER = () => new Promise<never>(() => {});
const START_MS = Date.UTC(2030, 0, 1);
/** Runs a turn of a process to its end: `nextTick` comes when no promise has anything left to do. */
const allSettled = () => new Promise<void>((resolve) => process.nextTick(resolve));

export class Scheduler {
  readonly random: Random;
  readonly #stepMs: number;
  /** Share of the gates that chance may hold; the others open at once. */
  readonly #gateRate: number;
  readonly trace: ((text: string) => void) | undefined;
  #ready: Gate[] = [];
  #halted: Gate[] = [];
  #timers: Timer[] = [];
  nowMs = START_MS;
  steps = 0;

  constructor(random: Random, trace?: (text: string) => void) {
    this.random = random;
    this.trace = trace;
    this.#stepMs = random.pick([1, 1, 2, 5]);
    this.#gateRate = random.pick([0.1, 0.3, 0.6, 1]);
  }

  chance(rate: number): boolean {
    return rate > 0 && this.random.next() < rate;
  }

  /** Always waits for its turn. */
  gate(process: SimProcess, what: string): Promise<void> {
    if (process.state === 'dead') return NEVER();
    return new Promise((open) => this.#ready.push({ process, what, open }));
  }

  /** A call that others may come between, or not. */
  mayYield(process: SimProcess, what: string): Promise<void> | undefined {
    if (process.state === 'alive' && !this.chance(this.#gateRate)) return undefined;
    return this.gate(process, what);
  }

  clock(process: SimProcess): Clock {
    return {
      nowMs: () => this.nowMs,
      elapsedMs: () => this.nowMs,
      pause: (durationMs, signal) => this.#pause(process, durationMs, signal),
    };
  }

  after(process: SimProcess, durationMs: number, what: string, action: () => void): void {
    this.#timers.push({ process, what, open: action, dueMs: this.nowMs + durationMs });
  }

  halt(process: SimProcess): void {
    process.state = 'halted';
  }

  wake(process: SimProcess): void {
    process.state = 'alive';
    this.#ready.push(...this.#halted.filter((gate) => gate.process === process));
    this.#halted = this.#halted.filter((gate) => gate.process !== process);
  }

  kill(process: SimProcess): void {
    process.state = 'dead';
    this.#halted = this.#halted.filter((gate) => gate.process !== process);
    this.#timers = this.#timers.filter((timer) => timer.process !== process);
  }

  /** Everybody waits for time to go by. */
  get isIdle(): boolean {
    return this.#ready.length === 0;
  }

  /** Nothing will ever happen by itself. */
  get isOver(): boolean {
    return this.isIdle && this.#timers.length === 0;
  }

  /** Everybody goes on as far as he can by himself. */
  settle(): Promise<void> {
    return allSettled();
  }

  /** One turn. False: nothing will ever happen again. */
  async step(): Promise<boolean> {
    this.nowMs += this.#stepMs;
    const gate = this.#next();
    if (gate === undefined) return false;
    this.steps += 1;
    this.trace?.(`${gate.process.name}: ${gate.what}`);
    gate.open();
    await allSettled();
    return true;
  }

  #next(): Gate | undefined {
    for (;;) {
      this.#collectDue();
      while (this.#ready.length > 0) {
        const index = this.random.below(this.#ready.length);
        const gate = this.#ready[index] as Gate;
        this.#ready[index] = this.#ready.at(-1) as Gate;
        this.#ready.pop();
        if (gate.process.state === 'alive') return gate;
        if (gate.process.state === 'halted') this.#halted.push(gate);
      }
      if (this.#timers.length === 0) return undefined;
      this.nowMs = Math.max(this.nowMs, Math.min(...this.#timers.map(({ dueMs }) => dueMs)));
    }
  }

  #collectDue(): void {
    if (!this.#timers.some(({ dueMs }) => dueMs <= this.nowMs)) return;
    const rest: Timer[] = [];
    for (const timer of this.#timers) (timer.dueMs <= this.nowMs ? this.#ready : rest).push(timer);
    this.#timers = rest;
  }

  #pause(process: SimProcess, durationMs: number, signal?: AbortSignal): Promise<void> {
    if (process.state === 'dead') return NEVER();
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer: Timer = { process, what: 'pause', open: wake, dueMs: this.nowMs + durationMs };
      const onAbort = () => {
        this.#timers = this.#timers.filter((one) => one !== timer);
        wake();
      };
      function wake() {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      }
      signal?.addEventListener('abort', onAbort);
      this.#timers.push(timer);
    });
  }
}
