/**
 * Was a connector's first snapshot whole? Its end alone is no proof: a table that its account could not see then was left out
 * without a word (seen with MariaDB).
 *
 * - Started by this release: its offset proves every row of the tables that it read, and a table that has rows has records.
 * - Started by an earlier one: COMPLETED among its notifications comes only after the last row, and names the tables. Where they are gone,
 *   keys are compared at a mark.
 *
 * What is not proven stays out of the list, and its table halts until it is read again.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { entities } from '../../avro/generated/entities.ts';
import type { EntityDescription } from '../../core/canonical-record.ts';
import type { Deployment } from '../../core/deployment.ts';
import { readRange } from '../../core/log-range.ts';
import { CANONICALIZE } from '../../processors/canonicalize.ts';
import { ProcessorSettings } from '../../processors/settings.ts';
import { notificationTopic } from '../../processors/topics.ts';
import { countUnreadKeys } from '../resnapshot/compare-keys.ts';
import { firstSnapshot } from '../resnapshot/first-snapshot.ts';
import { rawEnds } from '../resnapshot/raw-ends.ts';
import { noteWholeTables, type WholeRecord, wholeRecord } from '../resnapshot/read-whole.ts';
import { firstRow } from '../resnapshot/readable.ts';
import { openSource, type SourceSession } from '../resnapshot/source-session.ts';
import { type Notification, notificationDecoder, passMark, type Watch } from '../resnapshot/watch.ts';
import { rememberedOf } from '../sources/look.ts';
import { mappedTables, sourceSystem } from '../systems.ts';
import { watchOf } from './resnapshot.ts';
import { identityLookups, ledgersOf, mappingsOf } from './sweep-tables.ts';
import { sourceConnection } from './verify-deployment.ts';

export type ProofReport = (text: string) => void;
/** `older`: the connector is of an earlier release, and only a person's command may take the time that its proof needs. */
export type Proof = 'no connector' | 'runs' | 'older' | 'settled';

const SETTLE_EVERY_MS = 5_000;

/** For workers: settles each first snapshot when it is finished. Faults are left to the checks of the source. */
export async function settleFirstSnapshots(
  deployment: Deployment,
  systems: readonly string[],
  report: ProofReport,
  signal: AbortSignal,
): Promise<void> {
  const open = new Set(systems);
  while (!signal.aborted && open.size > 0) {
    for (const system of open) {
      const proof = await settle(deployment, system, report, signal, false).catch(() => 'runs' as const);
      if (proof === 'settled' || proof === 'older') open.delete(system);
    }
    await pause(SETTLE_EVERY_MS, undefined, { signal }).catch(() => {});
  }
}

/** Nothing to do where it was settled before, or where the first snapshot still runs. */
export async function proveFirstSnapshot(
  deployment: Deployment,
  system: string,
  report: ProofReport,
  signal: AbortSignal,
): Promise<Proof> {
  return settle(deployment, system, report, signal, true);
}

async function settle(
  deployment: Deployment,
  system: string,
  report: ProofReport,
  signal: AbortSignal,
  isOlderToo: boolean,
): Promise<Proof> {
  const remembered = await rememberedOf(deployment, system);
  if (remembered === null) return 'no connector';
  if (firstSnapshot(remembered.offset) !== 'finished') return 'runs';
  const session = await openSource(await sourceConnection(deployment, system));
  try {
    const known = await wholeRecord(session);
    if (known !== undefined && known.before === undefined) return 'settled';
    if (known === undefined && !isOlderToo) return 'older';
    const parts = { deployment, session, watch: watchOf(deployment, system, signal), report };
    const whole = known === undefined ? await wholeOfOlder(parts) : await wholeOf(parts, known);
    await noteWholeTables(session, whole);
    return 'settled';
  } finally {
    await session.close();
  }
}

type Parts = {
  readonly deployment: Deployment;
  readonly session: SourceSession;
  readonly watch: Watch;
  readonly report: ProofReport;
};

/** A row that is there, a mark behind it, and still no record: nobody has read the table. */
async function wholeOf({ session, watch, report }: Parts, known: WholeRecord): Promise<string[]> {
  const tables = [...known.tables];
  const hasRows = new Map<string, boolean>();
  for (const table of tables) hasRows.set(table, await mayHaveRows(session, table));
  await passMark(watch, session, 'seam-first');
  const ends = await rawEnds(watch.log, watch.system, tables);
  const isRead = (table: string) => (ends.get(table) ?? 0n) > (known.before?.get(table) ?? 0n);
  const unread = tables.filter((table) => hasRows.get(table) === true && !isRead(table));
  for (const table of unread) report(unreadText(watch.system, table));
  return tables.filter((table) => !unread.includes(table));
}

/** A table that cannot be read counts as one that has rows. */
async function mayHaveRows(session: SourceSession, table: string): Promise<boolean> {
  return (await firstRow(session, table).catch(() => 1)) > 0;
}

async function wholeOfOlder(parts: Parts): Promise<string[]> {
  const { deployment, session, watch, report } = parts;
  const { system } = watch;
  const told = await tablesTold(watch);
  const whole: string[] = [];
  for (const table of mappedTables(sourceSystem(system))) {
    if (!told.has(table)) report(`${system}: compares the keys of ${table}, whose first snapshot is not proven`);
    if (told.has(table) || (await isWhole(deployment, watch, session, table))) whole.push(table);
    else report(unreadText(system, table));
  }
  return whole;
}

function unreadText(system: string, table: string): string {
  return `${system}: rows of ${table} were never read; run: seam resnapshot --system ${system} --table ${table} --yes`;
}

async function isWhole(deployment: Deployment, watch: Watch, session: SourceSession, table: string): Promise<boolean> {
  const { system } = watch;
  const settings = ProcessorSettings.parse(deployment.processors);
  for (const mapping of mappingsOf(system, table)) {
    const unread = await countUnreadKeys({
      watch,
      session,
      source: await sourceConnection(deployment, system),
      groupId: `${settings.groupPrefix}-${CANONICALIZE}`,
      table,
      mapping,
      description: entities[mapping.entity] as EntityDescription,
      lookups: await identityLookups(deployment, system, table, mapping),
      targets: await ledgersOf(deployment, mapping.entity),
    });
    if (unread > 0) return false;
  }
  return true;
}

/** Tables that the last first snapshot read to their end, if it was completed. */
async function tablesTold(watch: Watch): Promise<ReadonlySet<string>> {
  const topic = notificationTopic(watch.system);
  const decode = notificationDecoder(watch.registry);
  const told = new SnapshotTold();
  await readRange(watch.log, {
    groupId: `seam-watch-${watch.system}-${Math.random().toString(36).slice(2)}`,
    stretches: await stretchesOf(watch, topic),
    signal: watch.signal,
    records: async (_, records) => {
      for (const notification of await decode(records)) told.take(notification);
    },
  });
  return told.tables();
}

async function stretchesOf({ log }: Watch, topic: string) {
  const admin = await log.admin();
  try {
    if (!(await admin.listTopics()).includes(topic)) return [];
    const bounds = await admin.bounds(topic);
    return bounds.map(({ partition, earliest, latest }) => ({ topic, partition, from: earliest, to: latest }));
  } finally {
    await admin.close();
  }
}

/** A restart in the middle begins again with STARTED; after the end it only says SKIPPED. */
export class SnapshotTold {
  #read = new Set<string>();
  #isCompleted = false;

  take({ aggregate, type, facts }: Pick<Notification, 'aggregate' | 'type' | 'facts'>): void {
    if (aggregate !== 'Initial Snapshot') return;
    if (type === 'STARTED') {
      this.#read = new Set();
      this.#isCompleted = false;
    }
    if (type === 'TABLE_SCAN_COMPLETED' && facts.status === 'SUCCEEDED') {
      this.#read.add((facts.scanned_collection ?? '').split('.').slice(-2).join('.'));
    }
    if (type === 'COMPLETED') this.#isCompleted = true;
  }

  tables(): ReadonlySet<string> {
    return this.#isCompleted ? this.#read : new Set();
  }
}
