/** Plans and applies replays on a real database, from the log in memory that a sink bench reads as well. */
import { systemClock } from '../../adapters/clock.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { TargetTable } from '../../core/target.ts';
import { applyReplay, type ApplyOptions } from '../../ops/operations/replay/apply.ts';
import { type PlanOptions, planReplay, WINDOW_LIMITS } from '../../ops/operations/replay/plan.ts';
import type { ReplayPlan } from '../../ops/operations/replay/plan-file.ts';
import type { ReplayRecord } from '../../ops/operations/replay/record.ts';
import { type Asked, selectionOf } from '../../ops/operations/replay/selection.ts';
import type { ReplayParts } from '../../ops/operations/replay/target-access.ts';
import type { Hooks } from '../../sinks/engine/hooks.ts';
import { SinkSettings } from '../../sinks/engine/settings.ts';
import type { TestDatabase } from './databases.ts';
import { decodeTestBatch, type TestLog, testPartitionOf } from './test-log.ts';

const NOTHING: Asked = { targets: ['shop'], topics: [], offsets: [], keys: [] };
/** One transaction, also on a busy machine. */
const PATIENT = { recordsMax: 2_000, msMax: 20_000 };
const FAST = 1_000_000;

export class ReplayBench {
  readonly #database: TestDatabase;
  readonly #tables: readonly TargetTable[];
  readonly #log: TestLog;

  constructor(database: TestDatabase, tables: readonly TargetTable[], log: TestLog) {
    this.#database = database;
    this.#tables = tables;
    this.#log = log;
  }

  parts(hooks?: Hooks): ReplayParts {
    const target = { system: 'shop', dialect: this.#database.dialect, tables: this.#tables };
    const quiet = () => undefined;
    return {
      targets: [{ target, connection: this.#database.sink, bidirectional: [] }],
      entities,
      log: this.#log,
      decode: decodeTestBatch,
      settings: SinkSettings.parse({ parkedRetryMs: 100 }),
      clock: systemClock,
      logger: { error: quiet, warn: quiet, info: quiet, debug: quiet },
      ...(hooks === undefined ? {} : { hooks }),
    };
  }

  plan(asked: Partial<Asked> = {}, options: Partial<PlanOptions> = {}): Promise<ReplayPlan> {
    return planReplay(this.parts(), {
      selection: selectionOf({ ...NOTHING, ...asked }, systemClock.nowMs()),
      partitionOf: testPartitionOf,
      acceptMissing: false,
      rewriteEqual: false,
      rate: FAST,
      batchRecordsMax: 200,
      reason: 'a test',
      by: 'tester',
      limits: WINDOW_LIMITS,
      trial: PATIENT,
      signal: new AbortController().signal,
      ...options,
    });
  }

  async apply(plan: ReplayPlan, options: Partial<ApplyOptions> = {}, hooks?: Hooks): Promise<ReplayRecord> {
    const { signal } = new AbortController();
    const records = await applyReplay(this.parts(hooks), plan, {
      by: 'tester',
      limits: WINDOW_LIMITS,
      signal,
      ...options,
    });
    return records.get('shop') as ReplayRecord;
  }
}
