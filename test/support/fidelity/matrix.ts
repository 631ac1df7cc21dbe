/** All values of all types at once: in by snapshot and by stream, out into both kinds of target. */
import type { CanonicalRecord } from '../../../core/canonical-record.ts';
import type { DialectName } from '../../../core/target.ts';
import type { StackDescription } from '../../../stack/stack.ts';
import { rawTopic } from '../../../processors/topics.ts';
import { testLog } from '../kafka.ts';
import { recordsOf, translateAll } from './judge.ts';
import {
  adminOf,
  insertRows,
  type RawRecord,
  makeSource,
  ODD_TABLE,
  rawRecords,
  sourceTexts,
  setHostileSettings,
  startConnector,
  SYSTEM,
  topicOf,
  touchRows,
} from './sources.ts';
import { type TargetRows, writeTarget } from './targets.ts';
import { type Translated, translator } from './translate.ts';
import { type Reported, verified } from './verified.ts';
import type { Route, SourceCases } from './words.ts';

export type Evidence = {
  readonly source: ReadonlyMap<string, string | null>;
  readonly translated: ReadonlyMap<string, readonly Translated[]>;
  readonly targets: Readonly<Record<DialectName, TargetRows>>;
  readonly reported: Reported;
};

export async function runMatrix(
  stack: StackDescription,
  all: readonly SourceCases[],
): Promise<Readonly<Record<DialectName, Evidence>>> {
  return gather(stack, all, await capture(stack, all));
}

type Captured = ReadonlyMap<string, readonly RawRecord[]>;

/** What was captured, translated and written into both targets. */
export async function gather(
  stack: StackDescription,
  all: readonly SourceCases[],
  raw: Captured,
): Promise<Readonly<Record<DialectName, Evidence>>> {
  const sources = await Promise.all(all.map((cases) => sourceTexts(adminOf(stack, cases.dialect), cases)));
  const translated = all.map((cases) =>
    translateAll(raw.get(topicOf(cases.dialect)) ?? [], translator(cases.dialect, cases)),
  );
  const records = translated.map((rows, index) =>
    recordsOf(rows).map((record) => renamed(record, all[index] as SourceCases)),
  );
  const targets = {
    postgres: await writeTarget(adminOf(stack, 'postgres'), records.flat()),
    mariadb: await writeTarget(adminOf(stack, 'mariadb'), records.flat()),
  };
  const reported = await verified(stack, all);
  const entries = all.map((cases, index) => {
    const of = (rows: TargetRows): TargetRows => ({ values: own(rows.values, cases), parked: own(rows.parked, cases) });
    const evidence = {
      source: sources[index] as Map<string, string | null>,
      translated: translated[index] as Map<string, Translated[]>,
      targets: { postgres: of(targets.postgres), mariadb: of(targets.mariadb) },
      reported: own(reported, cases),
    };
    return [cases.dialect, evidence] as const;
  });
  return Object.fromEntries(entries) as unknown as Record<DialectName, Evidence>;
}

/** One target table holds the values of both sources: their names differ by the source's. */
function renamed(record: CanonicalRecord, { dialect }: SourceCases): CanonicalRecord {
  const id = `${dialect}/${record.value?.id}`;
  return { ...record, key: id, value: { ...record.value, id } };
}

function own<T>(rows: ReadonlyMap<string, T>, { dialect }: SourceCases): Map<string, T> {
  const prefix = `${dialect}/`;
  return new Map([...rows].flatMap(([id, row]) => (id.startsWith(prefix) ? [[id.slice(prefix.length), row]] : [])));
}

/** Both routes of every value, as the connectors wrote them. */
export async function capture(stack: StackDescription, all: readonly SourceCases[]): Promise<Captured> {
  const log = testLog(stack.kafka.bootstrapServers.split(','));
  const admin = await log.admin();
  const topics = all.flatMap(({ dialect }) => [topicOf(dialect), rawTopic(SYSTEM[dialect], ODD_TABLE)]);
  await admin.createTopics(topics.map((topic) => ({ topic, partitions: 1 })));
  await admin.close();
  const each = (run: (cases: SourceCases) => Promise<void>) => Promise.all(all.map(run));
  await each(async (cases) => {
    const database = adminOf(stack, cases.dialect);
    await makeSource(database, cases);
    await insertRows(database, 'snapshot', cases);
    await setHostileSettings(database);
    await startConnector(stack, cases.dialect);
  });
  const rows = (cases: SourceCases, route: Route) =>
    cases.types.reduce(
      (sum, { values, notNull }) =>
        sum + (notNull ? 0 : 1) + values.filter(({ expected }) => expected[route] !== undefined).length,
      0,
    );
  await rawRecords(stack, new Map(all.map((cases) => [topicOf(cases.dialect), rows(cases, 'snapshot')])));
  await each(async (cases) => {
    await insertRows(adminOf(stack, cases.dialect), 'stream', cases);
    await touchRows(adminOf(stack, cases.dialect));
  });
  const events = (cases: SourceCases) => rows(cases, 'snapshot') + 2 * rows(cases, 'stream');
  return rawRecords(stack, new Map(all.map((cases) => [topicOf(cases.dialect), events(cases)])));
}
