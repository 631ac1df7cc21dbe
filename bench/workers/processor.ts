/** The processor as it ships, with its defaults, for one table: the peer has no more to do either. */
import { systemClock } from '../../adapters/clock.ts';
import { Registry } from '../../adapters/registry.ts';
import { entities } from '../../avro/generated/entities.ts';
import pos from '../../connectors/pos/mapping.ts';
import { defineSource, ignore } from '../../core/mapping.ts';
import { ProcessorSettings, runProcessors } from '../../processors/main.ts';
import { plainLog } from '../support/plain-log.ts';
import { openLog, silentLogger } from '../support/servers.ts';
import { takeOrders } from './run-worker.ts';

export type ProcessorOrder = {
  readonly brokers: string;
  readonly registryUrl: string;
  readonly groupPrefix: string;
  readonly output: string;
  /** false: at least once, which the product has no way of. */
  readonly isExact?: boolean;
};

const TABLE = 'pos.tlog_ln';
const others = Object.keys(pos.tables).filter((table) => table !== TABLE);
const mapping = defineSource({
  ...pos,
  tables: {
    [TABLE]: pos.tables[TABLE] as (typeof pos.tables)[string],
    ...Object.fromEntries(others.map((table) => [table, ignore('not part of the comparison')])),
  },
});

takeOrders(async ({ brokers, registryUrl, groupPrefix, output, isExact = true }: ProcessorOrder) => {
  const log = openLog(brokers, groupPrefix);
  const running = await runProcessors({
    log: isExact ? log : plainLog(log, brokers),
    registry: new Registry({ url: registryUrl }, systemClock),
    mappings: [mapping],
    steps: [],
    entities: { 'sale-line': { ...entities['sale-line'], topic: output } } as never,
    // the table is written by its own system alone: nothing is asked of any ledger
    sideSchemas: { lookup: async () => new Map(), canonicalIds: async () => new Map() },
    bidirectional: new Map(),
    settings: ProcessorSettings.parse({ groupPrefix }),
    clock: systemClock,
    logger: silentLogger,
  });
  const report = () => {
    const { state, reason, counts } = running.status();
    return { state, ...(reason === undefined ? {} : { reason: reason.message }), figures: counts };
  };
  return { done: running.done, stop: running.stop, report };
});
