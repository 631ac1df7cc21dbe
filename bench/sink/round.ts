/** One round of a sink: from its first record in the target to its last. Start-up is left out, on either side. */
import type { BenchDatabase } from '../support/bench-database.ts';
import type { Figures } from '../support/result.ts';
import { until } from '../support/until.ts';
import { TABLE } from './shape.ts';
import { hasBegun, isThrough, rowsIn } from './state.ts';

const ROUND_LIMIT_MS = 600_000;
const CHECK_EVERY = 25;

export type Watched = {
  readonly database: BenchDatabase;
  readonly records: number;
  readonly partitions: number;
  /** Of the target; one where nothing is said. */
  readonly tables?: readonly string[];
  readonly signal: AbortSignal;
  /** Throws when the client under test has failed. */
  readonly check: () => Promise<void> | void;
  readonly clientCpuUs: () => number;
  /** Where several share the work: has each its part? What was written before that counts for nothing: they join one after the other. */
  readonly haveAllBegun?: () => boolean;
};

export async function watchRound(watched: Watched): Promise<Figures> {
  const { database, partitions, signal, check, tables: all = [TABLE], haveAllBegun } = watched;
  let asked = 0;
  const seen = (ask: () => Promise<boolean>) => async () => {
    asked += 1;
    if (asked % CHECK_EVERY === 0) await check();
    return (await ask()) ? sample(watched) : undefined;
  };
  const limits = { limitMs: ROUND_LIMIT_MS, signal };
  const tables = new Set(all);
  const anyHasBegun = async () => {
    for (const table of tables) if (await hasBegun(database, partitions, table)) return true;
    return false;
  };
  const allAreThrough = async () => {
    for (const table of tables) {
      if (!(await isThrough(database, partitions, table))) return false;
      tables.delete(table);
    }
    return true;
  };
  const begun = await until(seen(anyHasBegun), 'the first record in the target', limits);
  const from =
    haveAllBegun === undefined
      ? begun
      : await until(
          seen(async () => haveAllBegun()),
          'every client to have its part',
          limits,
        );
  const written = haveAllBegun === undefined ? 0 : await rowsIn(database, all);
  const through = await until(seen(allAreThrough), 'the last record in the target', limits);
  const records = watched.records - written;
  return records > 0 ? figuresBetween(from, through, records) : {};
}

type Sample = { readonly atMs: number; readonly clientUs: number; readonly databaseUs: number };

function sample({ clientCpuUs, database }: Pick<Watched, 'clientCpuUs' | 'database'>): Sample {
  return { atMs: performance.now(), clientUs: clientCpuUs(), databaseUs: database.cpuUs() };
}

export function figuresBetween(from: Sample, to: Sample, records: number): Figures {
  return {
    rate: (records * 1_000) / (to.atMs - from.atMs),
    clientCpu: (to.clientUs - from.clientUs) / records,
    databaseCpu: (to.databaseUs - from.databaseUs) / records,
  };
}

/** For work that this process asks for and waits for itself. */
export async function measured(database: BenchDatabase, records: number, work: () => Promise<void>): Promise<Figures> {
  const clientCpuUs = () => 0;
  const from = sample({ clientCpuUs, database });
  await work();
  const { rate, databaseCpu } = figuresBetween(from, sample({ clientCpuUs, database }), records);
  return { rate: rate as number, databaseCpu: databaseCpu as number };
}
