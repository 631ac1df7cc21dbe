/** A sink: canonical topics → one target system. Joins the engine, a dialect and the log; reads no environment. */
import type { EntityDescription } from '../core/canonical-record.ts';
import { TransientError } from '../core/errors.ts';
import type { Clock, Log, LogConsumer, Logger } from '../core/ports.ts';
import type { Target } from '../core/target.ts';
import type { Connection, Dialect, Session } from './dialects/dialect.ts';
import { dialects } from './dialects/index.ts';
import { column } from './dialects/values.ts';
import { describeTarget } from './engine/checks.ts';
import type { Entities } from './engine/compile.ts';
import { type Hooks, noHooks } from './engine/hooks.ts';
import { alteredError, HaltedTables } from './engine/halted-tables.ts';
import { isStartingOver } from './engine/leases.ts';
import type { DecodeBatch } from './engine/record.ts';
import type { SinkSettings } from './engine/settings.ts';
import type { SideTables } from './engine/side-tables.ts';
import { TargetTables } from './engine/target-tables.ts';
import type { SinkStatus } from './engine/status.ts';
import { SinkWorker } from './engine/worker.ts';
import { Writer } from './engine/writer.ts';

export type SinkOptions = {
  readonly target: Target;
  readonly entities: Entities;
  readonly connection: Connection;
  /** The target's own where left out. */
  readonly dialect?: Dialect;
  /** Entities that this system also captures from the tables written here. */
  readonly bidirectional: readonly string[];
  readonly log: Log;
  readonly groupId: string;
  /** Names this worker in the leases. */
  readonly owner: string;
  readonly decode: DecodeBatch;
  readonly settings: SinkSettings;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly hooks?: Hooks;
};

export type RunningSink = {
  /** Resolves when stopped; rejects with the SeamError that stopped it. */
  readonly done: Promise<void>;
  readonly status: () => SinkStatus;
  readonly stop: () => Promise<void>;
};

const START_ATTEMPTS_MAX = 10;
const START_PAUSE_MS = 1_000;
const RESTART_PAUSE_MS = 500;

/** Checks the target first: rejects with every fault before anything is read. */
export async function runSink(options: SinkOptions): Promise<RunningSink> {
  const { target, settings, clock, decode } = options;
  const dialect = options.dialect ?? dialects[target.dialect];
  const openSession = (): Promise<Session> =>
    dialect.open(options.connection, {
      system: target.system,
      owner: options.owner,
      statementTimeoutMs: settings.statementTimeoutMs,
    });
  const session = await openFirst(openSession, options);
  const stopping = new AbortController();
  try {
    const topicOf = (entity: string) => (options.entities[entity] as EntityDescription).topic;
    const { side, tables, halted } = await describeTarget(session, target, options.entities, (sideTables, { entity }) =>
      wasRead(session, sideTables, topicOf(entity)),
    );
    const targetTables = new TargetTables(target, options.entities, tables, options.bidirectional);
    const haltedTables = new HaltedTables(targetTables, clock, settings.tableLookMs);
    for (const { declaration, faults } of halted) haltedTables.add(alteredError(declaration.table), faults);
    const compiled = [...targetTables.compiled.values()];
    const admin = await options.log.admin();
    const worker = new SinkWorker({
      ...options,
      system: target.system,
      admin,
      entities: new Map(compiled.map(({ entity }) => [entity.topic, entity.entity])),
      signal: stopping.signal,
      tables: targetTables,
      halted: haltedTables,
    });
    const writer = new Writer(
      {
        dialect,
        openSession,
        side,
        tables: targetTables.compiled,
        decode,
        settings,
        clock,
        hooks: options.hooks ?? noHooks,
        signal: stopping.signal,
        onTrouble: (error) => worker.trouble(error),
      },
      session,
    );
    const consumers = new Consumers(
      options,
      compiled.map(({ entity }) => entity.topic),
      worker,
      writer,
      stopping,
    );
    const done = consumers.run().finally(() => admin.close());
    return { done, status: () => worker.status(), stop: () => consumers.stop() };
  } catch (error) {
    await session.close().catch(() => undefined);
    throw error;
  }
}

/** A table that this sink has written before: what is wrong with it now stops it alone. */
async function wasRead(session: Session, side: SideTables, topic: string): Promise<boolean> {
  const rows = await session.lookup(side.sinkOffset, { match: [column('topic', [topic])], columns: [] });
  return rows.length > 0;
}

/** A target that is just starting is waited for, with a limit; then the error says what was tried where. */
async function openFirst(
  openSession: () => Promise<Session>,
  { clock, target, connection }: SinkOptions,
): Promise<Session> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await openSession();
    } catch (error) {
      if (!(error instanceof TransientError)) throw error;
      if (attempt >= START_ATTEMPTS_MAX) {
        throw new TransientError({
          code: error.code,
          message: `${error.message} (${START_ATTEMPTS_MAX} attempts, ${START_PAUSE_MS} ms apart)`,
          where: `target ${target.system} at ${connection.host}:${connection.port}, database ${connection.database}`,
          hint: 'start it, or correct host and port in the deployment file; nothing was read',
          cause: error,
        });
      }
    }
    await clock.pause(START_PAUSE_MS);
  }
}

/** A consumer that lost a lease joins the group again with a new one, from where the leases now say. */
class Consumers {
  readonly #options: SinkOptions;
  readonly #topics: readonly string[];
  readonly #worker: SinkWorker;
  readonly #writer: Writer;
  readonly #stopping: AbortController;
  #consumer: LogConsumer | undefined;
  #done: Promise<void> | undefined;

  constructor(
    options: SinkOptions,
    topics: readonly string[],
    worker: SinkWorker,
    writer: Writer,
    stopping: AbortController,
  ) {
    this.#options = options;
    this.#topics = topics;
    this.#worker = worker;
    this.#writer = writer;
    this.#stopping = stopping;
  }

  run(): Promise<void> {
    this.#done = this.#runAll();
    return this.#done;
  }

  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#consumer?.stop();
    await this.#done?.catch(() => undefined);
  }

  async #runAll(): Promise<void> {
    const keepingUp = this.#worker.keepUp();
    try {
      while (!this.#stopping.signal.aborted) {
        if (await this.#runOne()) break;
        await this.#options.clock.pause(RESTART_PAUSE_MS, this.#stopping.signal);
      }
    } finally {
      this.#stopping.abort();
      await keepingUp;
      await this.#worker.finish();
    }
  }

  /** false: a lease was lost. */
  async #runOne(): Promise<boolean> {
    const { log, groupId } = this.#options;
    this.#consumer = log.consumer({ groupId, topics: this.#topics, assignment: 'same-number-together' });
    this.#worker.attach(this.#writer, this.#consumer);
    let failure: unknown;
    try {
      await this.#consumer.run(this.#worker);
    } catch (error) {
      failure = error;
      this.#worker.fail(error);
    }
    failure = (await this.#worker.takeFailure()) ?? failure;
    if (failure === undefined) return true;
    if (isStartingOver(failure)) return false;
    throw failure;
  }
}
