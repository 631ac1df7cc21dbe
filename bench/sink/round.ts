/** One round of a sink: from its first record in the target to its last. Start-up is left out, on either side. */
import type { BenchDatabase } from '../support/bench-database.ts';
import type { Figures } from '../support/result.ts';
import { LEAST_SHARE } from '../support/group-watch.ts';
import { until } from '../support/until.ts';
import { TABLE } from './shape.ts';
import { hasBegun, hasEnded, isThrough, rowsIn } from './state.ts';

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
  /**
   * Where workers share the partitions: has each its part? What counts is what they write from then until the first partition
   * ends. They join one after the other, and what was written meanwhile leaves them shares of unequal size.
   */
  readonly haveAllBegun?: () => boolean;
};

export async function watchRound(watched: Watched): Promise<Figures> {
  const { database, partitions, signal, check, tables = [TABLE], haveAllBegun } = watched;
  let asked = 0;
  const when = (ask: () => Promise<boolean>, what: string) => {
    const found = async () => {
      asked += 1;
      if (asked % CHECK_EVERY === 0) await check();
      return (await ask()) ? sample(watched) : undefined;
    };
    return until(found, what, { limitMs: ROUND_LIMIT_MS, signal });
  };
  const left = new Set(tables);
  const allAreThrough = async () => {
    for (const table of left) {
      if (!(await isThrough(database, partitions, table))) return false;
      left.delete(table);
    }
    return true;
  };
  const any = async (is: typeof hasBegun) => {
    for (const table of tables) if (await is(database, partitions, table)) return true;
    return false;
  };
  const begun = await when(() => any(hasBegun), 'the first record in the target');
  if (haveAllBegun === undefined) {
    const through = await when(allAreThrough, 'the last record in the target');
    return figuresBetween(begun, through, watched.records);
  }
  const from = await when(async () => haveAllBegun(), 'every client to have its part');
  const before = await rowsIn(database, tables);
  const to = await when(() => any(hasEnded), 'the end of the first partition');
  const records = (await rowsIn(database, tables)) - before;
  await when(allAreThrough, 'the last record in the target');
  return records < watched.records * LEAST_SHARE ? {} : figuresBetween(from, to, records);
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
