/**
 * Every check of a PostgreSQL source on a real server: it finds what is wrong, about which table, and the SQL of its own next command
 * heals it. What needs the whole chain (reading a table again) is in the scenarios.
 */
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type AdminConnection, runScripts } from '../../adapters/sql-script.ts';
import type { Sighting } from '../../core/condition.ts';
import { text } from '../../core/converters.ts';
import { type CanonicalMapping, from, type SourceMapping } from '../../core/mapping.ts';
import { openSource } from '../../ops/resnapshot/source-session.ts';
import type { CheckedSource } from '../../ops/sources/checks/check.ts';
import { sourceKinds } from '../../ops/sources/checks/index.ts';
import { runChecks } from '../../ops/sources/checks/run.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { restartService, startStack, stopStack } from '../../stack/stack.ts';
import { cases, type Mapped, partitioned, plain } from '../support/postgres-check-cases.ts';

const kind = sourceKinds.postgres;
const OF_THE_CONNECTOR = ['SOURCE_LOG_LOST', 'SOURCE_WENT_BACK', 'SNAPSHOT_UNFINISHED', 'SNAPSHOT_NOT_PROVEN'];
let stateDirectory: string;
let admin: AdminConnection;

beforeAll(async () => {
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-checks-'));
  const databases = [{ name: 'lab', kind: 'postgres' as const }];
  const stack = await startStack({ stateDirectory, databases, only: ['postgres-lab'], ownerPid: process.pid });
  const {
    host,
    port,
    adminUser: user,
    adminPassword: password,
  } = stack.databases.lab as NonNullable<(typeof stack.databases)[string]>;
  admin = { kind: 'postgres', host, port, database: 'lab', user, password };
  await run(dialects.postgres.sideSchemaSql());
  await run(`
    CREATE SCHEMA lab;
    CREATE ROLE seam_cdc LOGIN REPLICATION PASSWORD 'capture';
    GRANT USAGE ON SCHEMA lab, seam TO seam_cdc;
    ALTER DEFAULT PRIVILEGES IN SCHEMA lab GRANT SELECT ON TABLES TO seam_cdc;
    CREATE TABLE seam.signal (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data text);
    GRANT SELECT, INSERT, UPDATE, DELETE ON seam.signal TO seam_cdc;
    CREATE PUBLICATION seam_lab FOR TABLE seam.signal;`);
  await run(dialects.postgres.captureSettingsSql('seam_cdc') ?? '');
}, 240_000);

afterAll(() => stopStack({ stateDirectory, removeData: true }));

const run = (sql: string) => runScripts(admin, [{ name: 'test', text: sql }], {});

function sourceOf(
  table: string,
  { key = ['id'], fields = ['body'], isUnread = false, config = {} }: Mapped,
): Omit<CheckedSource, 'session'> {
  const fieldsOf = (columns: readonly string[]) =>
    Object.fromEntries(columns.map((column) => [column, from(column, text)]));
  const mapped: CanonicalMapping = {
    kind: 'canonical',
    entity: 'member',
    key: fieldsOf(key),
    fields: fieldsOf(fields),
    onDelete: 'tombstone',
    where: undefined,
  };
  const mapping: SourceMapping = { system: 'lab', tables: { [table]: [mapped] } };
  const settings = {
    'publication.name': 'seam_lab',
    'slot.name': 'seam_lab',
    'signal.data.collection': 'seam.signal',
    ...config,
  };
  return {
    system: 'lab',
    config: settings as Record<string, string>,
    offset: isUnread ? undefined : { lsn: 1 },
    mapping,
    tables: [table],
  };
}

/** As a look does: the checks, then the notes of what gets lost. No connector runs here, so what is known of it is left out. */
async function look(table: string, mapped: Mapped = {}): Promise<readonly Sighting[]> {
  const session = await openSource({ ...admin, user: 'seam_cdc', password: 'capture' }, 'as-set');
  try {
    const source = { ...sourceOf(table, mapped), session };
    const checks = kind.checks.filter(({ id }) => !OF_THE_CONNECTOR.includes(id));
    const { found, failed, lossy } = await runChecks(source, checks);
    expect(failed).toEqual(new Map());
    await kind.noteLosses?.(source, lossy);
    return found;
  } finally {
    await session.close();
  }
}

/** What `seam resnapshot` does around its reading. */
async function readAgain(table: string, whileReading = async () => {}): Promise<void> {
  const session = await openSource({ ...admin, user: 'seam_cdc', password: 'capture' });
  const source = { ...sourceOf(table, {}), session };
  const begun = await kind.readingBegun(source, false);
  await whileReading();
  await kind.readingDone(source, begun);
  await session.close();
}

const ids = (found: readonly Sighting[]) => found.map(({ id }) => id);

/** The SQL that a next command hands to a person. */
function sqlOf({ next }: Sighting): string {
  const [, sql] = /^as [^:]+: (.*?)( \(PostgreSQL 18.*)?(; then: .*)?$/.exec(next ?? '') ?? [];
  return sql === undefined ? '' : `${sql};`;
}

describe('a check of a PostgreSQL source', () => {
  it.each(cases)('finds $it, and its own next command heals it', async (one) => {
    const { table, given, mapped = {}, when, finds, also = [], heals, losesNothing } = one;
    await run(given);
    expect(await look(table, { ...mapped, isUnread: true })).toEqual([]);
    expect(await look(table, mapped)).toEqual([]);

    await run(when);
    const found = await look(table, mapped);
    expect(ids(found).sort()).toEqual([finds.id, ...also].sort());
    const sighting = found.find(({ id }) => id === finds.id) as Sighting;
    expect(sighting.text).toContain(finds.text);

    await run(heals ?? sqlOf(sighting));
    // what got lost stays said until the table was read again
    const left = await look(table, mapped);
    if (losesNothing) return expect(left).toEqual([]);
    expect(ids(left)).toEqual([
      also.includes('TABLE_REPLACED') && heals === undefined ? 'TABLE_REPLACED' : 'CHANGES_NOT_TOLD',
    ]);
    expect(left[0]?.next).toBe(`read it again: seam resnapshot --system lab --table ${table} --yes`);
    await readAgain(table);
    expect(await look(table, mapped)).toEqual([]);
  });

  it('asks for a table that is not read yet to be readable as it is mapped', async () => {
    await run(plain('fresh'));
    const [missing] = await look('lab.fresh', { fields: ['nobody'], isUnread: true });
    expect(missing).toMatchObject({ id: 'COLUMN_MISSING_IN_SOURCE', text: expect.stringContaining('nobody') });
    const listed = await look('lab.fresh', { config: { 'table.include.list': 'lab.other' } });
    expect(ids(listed)).toContain('TABLE_NOT_LISTED');
  });

  it('finds a log that does not tell rows, until the server has the level that is named', async () => {
    const restarted = async (sql: string) => {
      await run(sql);
      await restartService(stateDirectory, 'postgres-lab');
    };
    await run(plain('level'));
    expect(await look('lab.level', { isUnread: true })).toEqual([]);
    await restarted(`ALTER SYSTEM SET wal_level = 'replica'`);
    const [found] = await look('lab.level');
    expect(found).toMatchObject({ id: 'WAL_NOT_LOGICAL', severity: 'halt' });
    const [, sql = ''] =
      /^as the server's administrator: (ALTER SYSTEM .*), and restart the server; /.exec(found?.next ?? '') ?? [];
    expect(found?.next).toContain('; then: seam connectors status lab');
    await restarted(sql);
    expect(await look('lab.level')).toEqual([]);
  });

  it('takes what a driver or a default makes right, and warns where it is not pinned', async () => {
    await run('CREATE TABLE lab.num (id int PRIMARY KEY, body float8); ALTER PUBLICATION seam_lab ADD TABLE lab.num;');
    await look('lab.num', { isUnread: true });
    await run('ALTER ROLE seam_cdc IN DATABASE lab RESET extra_float_digits');
    expect(ids(await look('lab.num'))).toEqual(['FORMATS_NOT_PINNED']);
    await run('ALTER DATABASE lab SET extra_float_digits = 0');
    expect(ids(await look('lab.num'))).toEqual(['FORMATS_DIFFER', 'FORMATS_NOT_PINNED']);
    await run(`ALTER DATABASE lab RESET extra_float_digits; ${dialects.postgres.captureSettingsSql('seam_cdc')}`);
    expect(ids(await look('lab.num'))).toEqual(['CHANGES_NOT_TOLD']);
  });
});

describe('what the log does not tell of a table', () => {
  it.each([
    ['drop', 'lab.again', plain('again'), `DROP TABLE lab.again; ${plain('again')}`, 'TABLE_REPLACED'],
    [
      'gap',
      'lab.gap',
      plain('gap'),
      'ALTER PUBLICATION seam_lab DROP TABLE lab.gap; ALTER PUBLICATION seam_lab ADD TABLE lab.gap',
      'CHANGES_NOT_TOLD',
    ],
    ['truncate', 'lab.pt', partitioned('pt'), 'TRUNCATE lab.pt_eu', 'PARTITION_CHANGED'],
    ['detach', 'lab.pd', partitioned('pd'), 'ALTER TABLE lab.pd DETACH PARTITION lab.pd_us', 'PARTITION_CHANGED'],
    [
      'attach',
      'lab.pa',
      partitioned('pa'),
      `CREATE TABLE lab.pa_cn (id int NOT NULL, body text, region text NOT NULL, PRIMARY KEY (id, region));
      INSERT INTO lab.pa_cn VALUES (3, 'three', 'CN'); ALTER TABLE lab.pa ATTACH PARTITION lab.pa_cn FOR VALUES IN ('CN')`,
      'PARTITION_CHANGED',
    ],
  ])('%s between two looks is found, until the table was read again', async (_, table, given, when, id) => {
    await run(`ALTER PUBLICATION seam_lab SET (publish_via_partition_root = true); ${given}`);
    expect(await look(table, { isUnread: true })).toEqual([]);
    await run(when);
    expect(await look(table)).toMatchObject([{ id, object: { table } }]);
    expect(ids(await look(table))).toEqual([id]);
    await readAgain(table);
    expect(await look(table)).toEqual([]);
  });

  it('takes a partition for a part of its table: only the table may be one that nobody reads', async () => {
    await run(`${partitioned('whole')} CREATE TABLE lab.whole_cn (LIKE lab.whole INCLUDING ALL);`);
    const session = await openSource({ ...admin, user: admin.user, password: admin.password }, 'as-set');
    const rows = await session.query<{ place: string; name: string }>(kind.tablesSql, []);
    await session.close();
    const named = rows.filter(({ place, name }) => place === 'lab' && name.startsWith('lab.whole'));
    expect(named.map(({ name }) => name).sort()).toEqual(['lab.whole', 'lab.whole_cn']);
  });

  it('a new partition without rows is taken as it is', async () => {
    await run(`ALTER PUBLICATION seam_lab SET (publish_via_partition_root = true); ${partitioned('pn')}`);
    await look('lab.pn', { isUnread: true });
    await run(`CREATE TABLE lab.pn_cn PARTITION OF lab.pn FOR VALUES IN ('CN')`);
    expect(await look('lab.pn')).toEqual([]);
    await run(`INSERT INTO lab.pn VALUES (3, 'three', 'CN')`);
    expect(await look('lab.pn')).toEqual([]);
  });

  it('a table that comes to the mapping later was not read, and may be applied', async () => {
    await run(plain('later'));
    expect(await look('lab.later')).toMatchObject([{ id: 'TABLE_NOT_READ' }]);
    expect(kind.checks.find(({ id }) => id === 'TABLE_NOT_READ')?.passesApply).toBe(true);
    await readAgain('lab.later');
    expect(await look('lab.later')).toEqual([]);
  });

  it('a loss while the table is read again is not forgotten with the reading', async () => {
    await run(plain('busy'));
    await look('lab.busy', { isUnread: true });
    await run('ALTER PUBLICATION seam_lab DROP TABLE lab.busy');
    await look('lab.busy');
    await run('ALTER PUBLICATION seam_lab ADD TABLE lab.busy');
    await readAgain('lab.busy', async () => {
      await run('ALTER PUBLICATION seam_lab DROP TABLE lab.busy');
      await look('lab.busy');
      await run('ALTER PUBLICATION seam_lab ADD TABLE lab.busy');
    });
    expect(ids(await look('lab.busy'))).toEqual(['CHANGES_NOT_TOLD']);
    await readAgain('lab.busy');
    expect(await look('lab.busy')).toEqual([]);
  });
});
