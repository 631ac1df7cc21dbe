/** The sweep of a deployment's tables: every entity that they feed is looked at first, then what is confirmed is deleted. */
import { entities } from '../../avro/generated/entities.ts';
import type { EntityDescription } from '../../core/canonical-record.ts';
import type { Deployment } from '../../core/deployment.ts';
import type { SeamError } from '../../core/errors.ts';
import type { CanonicalMapping, Lookups } from '../../core/mapping.ts';
import { CANONICALIZE } from '../../processors/canonicalize.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import type { Feed } from '../resnapshot/present.ts';
import { leaveMark, type SnapshotRequest } from '../resnapshot/signals.ts';
import type { SourceSession } from '../resnapshot/source-session.ts';
import { carryOut, type Look, look, namesOf } from '../resnapshot/sweep.ts';
import { deletionsFree, recoverCommand, resnapshotCommand, unconfirmed } from '../resnapshot/verdict.ts';
import { awaitMark, endOf, type Mark, markTopic, type Watch } from '../resnapshot/watch.ts';
import { generatedAndMapped } from '../sources/generated-columns.ts';
import { sourceSystem, systemNamed, systems } from '../systems.ts';
import { openTargetReader } from '../verify/actual.ts';
import type { ReadConnection } from '../verify/source-rows.ts';
import { lookupsOf } from './verify.ts';
import { sinkConnection, sourceConnection } from './verify-deployment.ts';

export type SweptEntity = {
  readonly entity: string;
  readonly tables: readonly string[];
  /** Keys in the source. */
  readonly present: number;
  /** Keys that the canonical model held. */
  readonly held: number;
  /** Of these, keys that the source lacked. */
  readonly missing: number;
  readonly deleted: number;
  readonly overtaken: number;
  /** Held keys whose rows the mapping's `where` leaves out: no sweep deletes them. */
  readonly excluded: number;
  /** Why nothing was deleted although something may be missing. */
  readonly withheld: SeamError | undefined;
};

export type SweepPlace = {
  readonly deployment: Deployment;
  readonly watch: Watch;
  readonly session: SourceSession;
  readonly request: SnapshotRequest;
};

/** `deletionsMax`: so many were confirmed, over all entities of this run that need it. */
export async function sweepTables(
  place: SweepPlace,
  deletionsMax: number | undefined,
  report: (swept: SweptEntity) => void,
): Promise<SweptEntity[]> {
  const looks: Look[] = [];
  for (const entity of sweptEntities(place)) looks.push(await lookAt(place, entity));
  const refused = await unconfirmedOf(place, looks, deletionsMax);
  const swept: SweptEntity[] = [];
  for (const one of looks) {
    const withheld = one.withheld ?? refused.get(one);
    const outcome = withheld === undefined ? await carryOut(one) : { deleted: 0, overtaken: 0 };
    const { entity, tables } = namesOf(one.input);
    const { present, held, excluded } = one;
    swept.push({ entity, tables, present, held, missing: one.missing.length, excluded, ...outcome, withheld });
    report(swept.at(-1) as SweptEntity);
  }
  return swept;
}

/** No deletion was withheld, for whatever reason. */
export function isSweptWhole(swept: readonly SweptEntity[]): boolean {
  return swept.every(({ withheld }) => withheld === undefined);
}

/** Of these tables, those whose deletions were all carried out. */
export function tablesSweptWhole(tables: readonly string[], swept: readonly SweptEntity[]): string[] {
  const withheld = withheldOf(swept);
  return tables.filter((table) => withheld(table) === undefined);
}

/** More than what is free needs the number of all such deletions together. */
async function unconfirmedOf(
  { session, watch: { system } }: SweepPlace,
  looks: readonly Look[],
  deletionsMax = 0,
): Promise<ReadonlyMap<Look, SeamError>> {
  const asking = looks.filter((one) => one.withheld === undefined && one.missing.length > deletionsFree(one.held));
  const deletions = asking.reduce((sum, { missing }) => sum + missing.length, 0);
  if (deletions <= deletionsMax) return new Map();
  const tables = [...new Set(asking.flatMap(({ input }) => input.tables))];
  const generated = await generatedAndMapped(session, sourceSystem(system).source.mapping, tables);
  // a table with a mapped generated column is read by a first snapshot only
  const command =
    generated.length > 0 ? recoverCommand(system, deletions) : resnapshotCommand(system, tables, deletions);
  return new Map(asking.map((one) => [one, unconfirmed(namesOf(one.input), one, command)]));
}

/** Of the tables asked for; where a deleted row leaves the entity as it is, nothing is to be swept. */
function sweptEntities({ watch, request }: SweepPlace): string[] {
  const found = new Set<string>();
  for (const table of request.tables) {
    for (const { entity, onDelete } of mappingsOf(watch.system, table)) if (onDelete !== 'keep') found.add(entity);
  }
  return [...found];
}

async function lookAt(place: SweepPlace, entity: string): Promise<Look> {
  const { deployment, watch, request } = place;
  const { log, system, signal } = watch;
  const mark = await markNow(place, entity);
  const settings = ProcessorSettings.parse(deployment.processors);
  const feeds = await feedsOf(deployment, system, entity);
  return look({
    log,
    groupId: `${settings.groupPrefix}-${CANONICALIZE}`,
    system,
    tables: request.tables.filter((table) => feeds.some((feed) => feed.table === table)),
    feeds,
    description: entities[entity as keyof typeof entities] as EntityDescription,
    source: await sourceConnection(deployment, system),
    targets: await ledgersOf(deployment, entity),
    mark,
    markAgain: () => markNow(place, entity),
    asked: { by: request.by, reason: request.reason, id: request.id },
    signal,
  });
}

async function markNow({ watch, session, request }: SweepPlace, entity: string): Promise<Mark> {
  const from = await endOf(watch.log, markTopic(watch.system));
  const markId = `${request.id}-${Date.now()}-${entity}`.slice(0, 64);
  await leaveMark(session, markId);
  return awaitMark(watch, from, markId);
}

/** Every mapping of the system that feeds the entity, of whatever table. */
async function feedsOf(deployment: Deployment, system: string, entity: string): Promise<Feed[]> {
  const tables = Object.keys(systemNamed(system)?.source?.mapping.tables ?? {});
  const feeds: Feed[] = [];
  for (const table of tables) {
    for (const mapping of mappingsOf(system, table)) {
      if (mapping.entity !== entity) continue;
      feeds.push({ table, mapping, lookups: await identityLookups(deployment, system, table, mapping) });
    }
  }
  return feeds;
}

export function mappingsOf(system: string, table: string): readonly CanonicalMapping[] {
  const mapping = systemNamed(system)?.source?.mapping.tables[table];
  return mapping === undefined || 'kind' in mapping ? [] : mapping;
}

export async function ledgersOf(deployment: Deployment, entity: string): Promise<ReadConnection[]> {
  const holders = systems.filter(({ target }) => target?.tables.some((table) => table.entity === entity));
  return Promise.all(holders.map(({ system }) => sinkConnection(deployment, system)));
}

export async function identityLookups(
  deployment: Deployment,
  system: string,
  table: string,
  mapping: CanonicalMapping,
): Promise<Lookups> {
  if (systemNamed(system)?.target == null) return { canonicalId: () => undefined };
  const reader = await openTargetReader(await sinkConnection(deployment, system));
  try {
    return await lookupsOf({ system, table, mappings: [mapping] }, new Map([[system, reader]]));
  } finally {
    await reader.close();
  }
}

/** Of each table: why its deletions were not carried out, by the last sweep that it was in. */
export function withheldOf(swept: readonly SweptEntity[]): (table: string) => SweptEntity['withheld'] {
  return (table) =>
    swept.findLast(({ tables, withheld }) => withheld !== undefined && tables.includes(table))?.withheld;
}
