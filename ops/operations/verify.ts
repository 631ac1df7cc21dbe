/**
 * Compares every target with what its sources and mappings say, by content, while traffic flows: a difference counts only
 * when it is still the same difference after a pause. The pipeline itself is not asked for anything.
 */
import { setTimeout as pause } from 'node:timers/promises';
import type { Row } from '../../core/change-event.ts';
import { ContractError, invariant } from '../../core/errors.ts';
import type { CanonicalMapping, Lookups, SourceMapping } from '../../core/mapping.ts';
import { Refusal } from '../../core/mapping.ts';
import type { Step } from '../../core/step.ts';
import type { Target } from '../../core/target.ts';
import { openTargetReader, type TargetReader } from '../verify/actual.ts';
import { type Difference, TableComparison } from '../verify/compare.ts';
import type { Entities, SourceTable } from '../verify/expected.ts';
import { entitiesOf, factsOfRow, sourcesOf } from '../verify/expected.ts';
import { refusalOf } from '../verify/refused.ts';
import { neededBy, type ReadConnection, sourceRows } from '../verify/source-rows.ts';

export type VerifyInput = {
  readonly sources: readonly SourceMapping[];
  readonly targets: readonly Target[];
  readonly steps: readonly Step[];
  readonly entities: Entities;
  readonly sourceConnections: ReadonlyMap<string, ReadConnection>;
  readonly targetConnections: ReadonlyMap<string, ReadConnection>;
  /** A difference must stay this long to count: longer than the lag. */
  readonly patienceMs: number;
  readonly onPass?: (pass: number, differing: number) => void;
};

export type TableResult = {
  readonly system: string;
  readonly table: string;
  readonly entity: string;
  readonly rows: number;
  /** Why nothing can be said of this table; it has no differences then, and is not equal either. */
  readonly notCompared?: string;
  readonly differences: readonly (Difference & { readonly columns: readonly string[] })[];
};
export type VerifyResult = {
  readonly equal: boolean;
  readonly rowsCompared: number;
  readonly differences: number;
  readonly passes: number;
  readonly seconds: number;
  readonly tables: readonly TableResult[];
  /** Set aside, so not expected: source rows that their mapping refuses, and what a target's columns refuse. By system, table and code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Records set aside or waiting in each target, by reason. */
  readonly parked: Readonly<Record<string, number>>;
};

type Readers = ReadonlyMap<string, TargetReader>;

const PASS_PAUSE_MS = 1_500;

type Pass = { comparisons: TableComparison[]; differences: Difference[]; refused: Record<string, number> };

export async function verify(input: VerifyInput): Promise<VerifyResult> {
  const startedMs = Date.now();
  const readers = new Map<string, TargetReader>();
  try {
    for (const target of input.targets) {
      readers.set(target.system, await openTargetReader(connectionOf(input.targetConnections, target.system)));
    }
    let suspects: Difference[] | null = null;
    for (let passes = 1; ; passes += 1) {
      const pass: Pass = await onePass(input, readers, suspects ?? []);
      suspects = stillDiffering(suspects, pass.differences);
      input.onPass?.(passes, pass.differences.length);
      const waitedMs = Date.now() - startedMs;
      const settled = pass.differences.length === 0 || (passes > 1 && waitedMs >= input.patienceMs);
      if (settled)
        return resultOf(pass, passes > 1 ? suspects : pass.differences, passes, startedMs, await parkedIn(readers));
      await pause(PASS_PAUSE_MS);
    }
  } finally {
    for (const reader of readers.values()) await reader.close();
  }
}

async function onePass(input: VerifyInput, readers: Readers, suspects: readonly Difference[]): Promise<Pass> {
  const keep = new Set(suspects.map((difference) => difference.key));
  const comparisons: TableComparison[] = [];
  for (const target of input.targets) {
    const reader = readers.get(target.system) as TargetReader;
    for (const table of target.tables) {
      comparisons.push(new TableComparison(target, table, input.entities, await reader.kinds(table.table), keep));
    }
  }
  const refused = await fillExpectations(input, readers, comparisons);
  const differences: Difference[] = [];
  for (const comparison of comparisons) {
    const found = await unlessNotCompared([comparison], () => comparison.compare(readerOf(readers, comparison)));
    differences.push(...(found ?? []));
  }
  return { comparisons, differences, refused };
}

async function fillExpectations(
  input: VerifyInput,
  readers: Readers,
  comparisons: readonly TableComparison[],
): Promise<Record<string, number>> {
  const refused: Record<string, number> = {};
  const targetTables = input.targets.flatMap((target) => target.tables);
  for (const source of sourcesOf(targetTables, input.sources, input.steps)) {
    const entities = entitiesOf(source, input.steps);
    const fed = comparisons.filter(({ table }) => entities.has(table.entity));
    await unlessNotCompared(fed, () => expectSource(input, readers, source, fed, refused));
  }
  return refused;
}

/** A source table that can't be read whole says nothing of the targets' tables that it feeds. */
async function unlessNotCompared<T>(
  comparisons: readonly TableComparison[],
  read: () => Promise<T>,
): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    const reason = error instanceof ContractError ? textOf(error) : refusalOf(error);
    if (reason === undefined) throw error;
    for (const comparison of comparisons) comparison.refuse(reason);
    return undefined;
  }
}

function textOf({ message, hint }: ContractError): string {
  return hint === undefined ? message : `${message}; ${hint}`;
}

async function expectSource(
  input: VerifyInput,
  readers: Readers,
  source: SourceTable,
  fed: readonly TableComparison[],
  refused: Record<string, number>,
): Promise<void> {
  const { system, table, mappings } = source;
  const byEntity = Map.groupBy(fed, (comparison) => comparison.table.entity as string);
  const lookups = await lookupsOf(source, readers);
  const expectRow = (row: Row, mapping: CanonicalMapping) => {
    for (const fact of factsOfRow(system, mapping, row, lookups, input.entities, input.steps)) {
      for (const comparison of byEntity.get(fact.entity) ?? []) {
        // what one target can't hold is expected in all others
        const place = `${comparison.target.system} ${comparison.table.table}`;
        unlessRefused(refused, place, () => comparison.expect(fact));
      }
    }
  };
  for await (const rows of sourceRows(connectionOf(input.sourceConnections, system), table, neededBy(mappings))) {
    for (const row of rows) {
      for (const mapping of mappings) unlessRefused(refused, `${system} ${table}`, () => expectRow(row, mapping));
    }
    for (const comparison of fed) await comparison.settle(readerOf(readers, comparison));
  }
}

function readerOf(readers: Readers, { target }: TableComparison): TargetReader {
  return readers.get(target.system) as TargetReader;
}

function unlessRefused(refused: Record<string, number>, place: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const name = `${place} ${error.code}`;
    refused[name] = (refused[name] ?? 0) + 1;
  }
}

/** Ids that a source's own database assigned, from the identity map beside it. */
export async function lookupsOf(source: SourceTable, readers: Readers): Promise<Lookups> {
  const maps = new Map<string, ReadonlyMap<string, string>>();
  const fields = source.mappings.flatMap((mapping) => [
    ...Object.values(mapping.key),
    ...Object.values(mapping.fields),
  ]);
  for (const { identityOf } of fields) {
    if (identityOf === undefined || maps.has(identityOf.entity)) continue;
    maps.set(identityOf.entity, (await readers.get(source.system)?.identities(identityOf.entity)) ?? new Map());
  }
  return { canonicalId: (entity, localKey) => maps.get(entity)?.get(localKey) };
}

/** The same key, the same kind, the same contents on both sides: nothing in flight explains it. */
function stillDiffering(before: readonly Difference[] | null, now: readonly Difference[]): Difference[] {
  if (before === null) return [...now];
  const known = new Set(before.map(identityOf));
  return now.filter((difference) => known.has(identityOf(difference)));
}

function identityOf(difference: Difference): string {
  const { system, table, entity, key, kind, expected, actual } = difference;
  return [system, table, entity, key, kind, expected, actual].join('\u0001');
}

function resultOf(
  pass: Pass,
  confirmed: readonly Difference[],
  passes: number,
  startedMs: number,
  parked: Record<string, number>,
): VerifyResult {
  const tables = pass.comparisons.map((comparison): TableResult => {
    const { target, table } = comparison;
    const own = confirmed.filter(
      (d) => d.system === target.system && d.table === table.table && d.entity === table.entity,
    );
    return {
      system: target.system,
      table: table.table,
      entity: table.entity,
      rows: comparison.rowsCompared,
      ...(comparison.notCompared === undefined ? {} : { notCompared: comparison.notCompared }),
      differences: own.map((difference) => ({ ...difference, columns: comparison.differingColumns(difference.key) })),
    };
  });
  return {
    equal: confirmed.length === 0 && tables.every(({ notCompared }) => notCompared === undefined),
    rowsCompared: tables.reduce((sum, table) => sum + table.rows, 0),
    differences: confirmed.length,
    passes,
    seconds: (Date.now() - startedMs) / 1000,
    tables,
    refused: pass.refused,
    parked,
  };
}

async function parkedIn(readers: Readers): Promise<Record<string, number>> {
  const parked: Record<string, number> = {};
  for (const [system, reader] of readers) {
    for (const [reason, records] of await reader.parked()) parked[`${system} ${reason}`] = records;
  }
  return parked;
}

function connectionOf(connections: ReadonlyMap<string, ReadConnection>, system: string): ReadConnection {
  const connection = connections.get(system);
  invariant(connection !== undefined, `no connection for ${system}`);
  return connection;
}
