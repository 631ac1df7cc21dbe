/**
 * Runs rows one after the other on one chain that trades all the while.
 *
 *   trading ─> row (fault, proof, heal) ─> flows again? ─> enough progress? ─> everybody stops ─> check ─> next row
 *
 * Wrong contents, or lasting damage on purpose, end the chain: the next row gets a fresh one.
 */
import { canonicalEnd } from '../../demo/day.ts';
import { Random } from '../../demo/random.ts';
import { Workload } from '../../demo/workload.ts';
import { openLogAdmin } from '../../ops/log.ts';
import type { LogAdmin } from '../../core/ports.ts';
import type { StackSettings } from '../../stack/settings.ts';
import { type FaultChain, startFaultChain } from './chain.ts';
import { type Checked, type CheckerParts, check, type Finding, rest } from './checker.ts';
import { crashAt } from './crash.ts';
import { History } from './history.ts';
import { Journal } from './journal.ts';
import { awaits, DEAR_POLL_MS } from './patience.ts';
import { Probe } from './probe.ts';
import type { FaultContext, Row } from './row.ts';
import { selfTest } from './self-test.ts';

export type Outcome = {
  readonly id: string;
  readonly title: string;
  readonly verdict: 'passed' | 'failed' | 'not possible here';
  readonly proofs: readonly string[];
  readonly recoveryMs: number | null;
  readonly recoversWithinMs: number;
  readonly findings: readonly Finding[];
  readonly records: number;
  readonly writes: number;
  readonly unknownWrites: number;
  readonly checked: (Omit<Checked, 'findings'> & { readonly found: number }) | null;
  readonly seconds: number;
};

export type HarnessOptions = {
  readonly settings: StackSettings;
  readonly seed: number;
  readonly pace: number;
  readonly smallDisks: boolean;
  /** Every limit of recovery times this: for a machine that others use too. Shown with the result. */
  readonly patience: number;
  readonly signal: AbortSignal;
  readonly onProgress: (text: string) => void;
  readonly onOutcome: (outcome: Outcome) => void;
};

const PROGRESS_RECORDS = 1_000;
const PROGRESS_LIMIT_MS = 120_000;
const FLOW_LIMIT_MS = 150_000;

/** Everything one chain needs to be traded on, hurt and looked at. */
export class Harness {
  readonly chain: FaultChain;
  readonly journal: Journal;
  readonly history: History;
  readonly probe: Probe;
  readonly expected = { deadLetters: new Set<string>(), parked: new Set<string>() };
  readonly #options: HarnessOptions;
  readonly #workload: Workload;
  #failures = 0;
  #admin: LogAdmin | undefined;
  #closing = new AbortController();
  #stopped: Promise<void> | undefined;
  #trading: Promise<unknown> = Promise.resolve();
  #progressFrom = 0n;

  private constructor(chain: FaultChain, options: HarnessOptions) {
    this.chain = chain;
    this.#options = options;
    this.journal = new Journal(chain.sessions);
    this.history = new History(chain.direct);
    this.probe = new Probe(chain.sessions);
    const { seed, pace } = options;
    const onFailure = () => {
      this.#failures += 1;
    };
    this.#workload = new Workload(chain.sessions, chain.data, { seed, pace, onFailure });
  }

  static async start(options: HarnessOptions): Promise<Harness> {
    const { signal, settings, seed, smallDisks, onProgress } = options;
    const chain = await startFaultChain({ settings, seed, signal, smallDisks, onProgress });
    const harness = new Harness(chain, options);
    try {
      await harness.journal.prepare();
      await harness.probe.prepare();
      await harness.probe.arrives(FLOW_LIMIT_MS);
      onProgress(await selfTest(harness.checkerParts));
      return harness;
    } catch (error) {
      await chain.stop();
      throw error;
    }
  }

  get checkerParts(): CheckerParts {
    const { chain, journal, history, expected } = this;
    return { chain, journal, history, expected, settings: this.#options.settings, signal: this.#options.signal };
  }

  /** Writes that a person's system did not take: shows that the fault met the people too. */
  get failures(): number {
    return this.#failures;
  }

  trade(): void {
    this.#closing = new AbortController();
    const signal = AbortSignal.any([this.#closing.signal, this.#options.signal]);
    this.#trading = Promise.all([this.#workload.trade(signal), this.journal.write(signal)]);
  }

  async pause(): Promise<void> {
    this.#closing.abort();
    await this.#trading;
  }

  async canonicalRecords(): Promise<bigint> {
    this.#admin ??= await openLogAdmin(this.chain.direct);
    try {
      return await canonicalEnd(this.#admin);
    } catch (error) {
      await this.#admin.close().catch(() => {});
      this.#admin = undefined;
      throw error;
    }
  }

  /** A second call waits for the first: whoever tidies up after a failed stop must not hide why it failed. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    await this.pause();
    await this.#admin?.close().catch(() => {});
    await this.chain.stop();
  }

  async progress(records: number): Promise<void> {
    const isThere = async () => (await this.canonicalRecords()) - this.#progressFrom >= BigInt(records);
    await awaits(`${records} canonical records more`, PROGRESS_LIMIT_MS, isThere, DEAR_POLL_MS);
    this.#progressFrom = await this.canonicalRecords();
  }

  async run(row: Row): Promise<Outcome> {
    const startedMs = performance.now();
    const notes = { proofs: [] as string[], findings: [] as Finding[], recoveries: [] as number[] };
    const from = await this.canonicalRecords();
    this.#progressFrom = from;
    this.trade();
    const context = this.#contextOf(row, notes);
    let checked: Checked | null = null;
    try {
      await this.progress(PROGRESS_RECORDS / 5);
      await row.run(context);
      await context.flows();
      const isEnough = async () => (await this.canonicalRecords()) - from >= BigInt(PROGRESS_RECORDS);
      await awaits(`${PROGRESS_RECORDS} records in this row`, PROGRESS_LIMIT_MS, isEnough, DEAR_POLL_MS);
    } catch (error) {
      notes.findings.push({ criterion: 'C7', what: error instanceof Error ? error.message : String(error) });
    }
    await this.pause();
    const { ok, unknown } = this.journal.counts();
    try {
      checked = await check(this.checkerParts, row);
    } catch (error) {
      notes.findings.push({ criterion: 'C1', what: `not checked: ${error instanceof Error ? error.stack : error}` });
    }
    if (notes.proofs.length === 0)
      notes.findings.push({ criterion: 'C7', what: 'nothing shows that the fault happened' });
    const recoveryMs = notes.recoveries.length === 0 ? null : Math.max(...notes.recoveries);
    const recoversWithinMs = row.recoversWithinMs * this.#options.patience;
    if (recoveryMs !== null && recoveryMs > recoversWithinMs) {
      notes.findings.push({ criterion: 'C6', what: `flowed again after ${Math.round(recoveryMs)} ms` });
    }
    const findings = [...notes.findings, ...(checked?.findings ?? [])];
    return {
      id: row.id,
      title: row.title,
      verdict: findings.length === 0 ? 'passed' : 'failed',
      proofs: notes.proofs,
      recoveryMs,
      recoversWithinMs,
      findings,
      records: Number((await this.canonicalRecords().catch(() => from)) - from),
      writes: ok,
      unknownWrites: unknown,
      checked: checked === null ? null : { ...checked, found: checked.findings.length },
      seconds: (performance.now() - startedMs) / 1000,
    };
  }

  #contextOf(row: Row, notes: { proofs: string[]; findings: Finding[]; recoveries: number[] }): FaultContext {
    const { chain, expected } = this;
    return {
      chain,
      expected,
      random: randomOf(this.#options.seed, row.id),
      signal: this.#options.signal,
      prove: (what, holds = true) => {
        if (holds) notes.proofs.push(what);
        else notes.findings.push({ criterion: 'C7', what: `not seen: ${what}` });
      },
      require: (criterion, what, holds) => {
        if (!holds) notes.findings.push({ criterion, what });
      },
      flows: async () => {
        notes.recoveries.push(await this.probe.arrives(FLOW_LIMIT_MS));
      },
      progress: (records) => this.progress(records),
      crashAt: (worker, order) => crashAt(chain, worker, order),
      whileQuiet: async (work) => {
        await this.pause();
        await rest(this.checkerParts);
        await work();
        this.trade();
      },
    };
  }
}

export function randomOf(seed: number, name: string): Random {
  let mixed = seed >>> 0;
  for (const character of name) mixed = (Math.imul(mixed ^ character.charCodeAt(0), 0x01000193) + 7) >>> 0;
  return new Random(mixed);
}

/** Rows that last come last; the others in an order of the seed's. */
export function ordered(rows: readonly Row[], seed: number): Row[] {
  const random = randomOf(seed, 'order');
  const shuffled = rows.map((row) => ({ row, at: random.next() })).sort((left, right) => left.at - right.at);
  const isLasting = ({ row }: { row: Row }) => row.isLasting === true;
  return [...shuffled.filter((one) => !isLasting(one)), ...shuffled.filter(isLasting)].map(({ row }) => row);
}

export async function runRows(rows: readonly Row[], options: HarnessOptions): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  let harness: Harness | undefined;
  try {
    for (const row of ordered(rows, options.seed)) {
      if (options.signal.aborted) break;
      const started: Harness | Error = harness ?? (await Harness.start(options).catch((error: Error) => error));
      const outcome = started instanceof Error ? notStarted(row, started) : await runRow(started, row);
      outcomes.push(outcome);
      options.onOutcome(outcome);
      if (started instanceof Error) continue;
      harness = started;
      if (isDamaged(outcome) || row.isLasting === true) {
        await harness.stop();
        harness = undefined;
      }
    }
  } finally {
    await harness?.stop();
  }
  return outcomes;
}

/** Contents are wrong, or nobody knows: what comes later on this chain would be blamed for it. */
function isDamaged({ verdict, checked }: Outcome): boolean {
  return verdict === 'failed' && (checked === null || checked.found > 0);
}

async function runRow(harness: Harness, row: Row): Promise<Outcome> {
  const impossible = row.impossible?.(harness.chain);
  if (impossible === undefined) return harness.run(row);
  return {
    ...nothingOf(row),
    verdict: 'not possible here',
    findings: [{ criterion: 'C7', what: `not possible here: ${impossible}` }],
  };
}

function notStarted(row: Row, { message }: Error): Outcome {
  return {
    ...nothingOf(row),
    verdict: 'failed',
    findings: [{ criterion: 'C7', what: `the chain did not start: ${message}` }],
  };
}

function nothingOf({ id, title, recoversWithinMs }: Row) {
  const nothing = { proofs: [], recoveryMs: null, records: 0, writes: 0, unknownWrites: 0, checked: null, seconds: 0 };
  return { id, title, recoversWithinMs, ...nothing };
}
