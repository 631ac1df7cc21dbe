/**
 * What a sink writes carries the time at which it was written, and never one before the record that it writes: among shared
 * entities the newest commit wins, also over what a trigger makes of a record. Read from the databases' own logs.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DialectName } from '../../core/target.ts';
import type { Session, TableShape } from '../../sinks/dialects/dialect.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { startDatabases, type TestDatabase, type TestDatabases } from '../support/databases.ts';

const SETTINGS = { system: 'shop', owner: 'a', statementTimeoutMs: 10_000 };
const HOUR_US = 3_600_000_000n;
const SECOND_US = 1_000_000n;
/** pgoutput's BEGIN: a letter, the LSN, then the time of the commit in µs since 2000. */
const BEGIN = 'B'.charCodeAt(0);
const TIME_AT = 9;
/** A binary log: four bytes, then events of time u32, type u8, server u32, length u32, …, little-endian. */
const FIRST_EVENT_AT = 4;
const XID_EVENT = 16;

let databases: TestDatabases;

beforeAll(async () => {
  databases = await startDatabases();
}, 240_000);

afterAll(() => databases?.stop());

function databaseOf(dialect: DialectName): TestDatabase {
  return databases.all.find((one) => one.dialect === dialect) as TestDatabase;
}

const nowUs = (): bigint => BigInt(Date.now()) * 1_000n;

/** One row in a transaction of its own. */
async function beat(session: Session, shape: TableShape, id: number, notBeforeUs?: bigint): Promise<void> {
  await session.begin();
  if (notBeforeUs !== undefined) await session.notBefore(notBeforeUs);
  await session.insert(shape, { columns: [{ column: 'id', values: [id] }] });
  await session.commit();
}

async function opened(dialect: DialectName): Promise<{ session: Session; shape: TableShape }> {
  const session = await dialects[dialect].open(databaseOf(dialect).sink, SETTINGS);
  const shape = (await session.describe(['shop.beat'])).get('shop.beat');
  if (shape === undefined) throw new Error('no table');
  return { session, shape };
}

describe('PostgreSQL', () => {
  /** µs since 1970. */
  async function commitTimes(): Promise<bigint[]> {
    const changes = await databaseOf('postgres').rows<{ data: Buffer }>(
      `SELECT data FROM pg_logical_slot_get_binary_changes('times', NULL, NULL, 'proto_version', '1', 'publication_names', 'times')`,
    );
    const begins = changes.filter(({ data }) => data[0] === BEGIN);
    const since1970Us = BigInt(Date.UTC(2000, 0)) * 1_000n;
    return begins.map(({ data }) => data.readBigInt64BE(TIME_AT) + since1970Us);
  }

  beforeAll(async () => {
    const database = databaseOf('postgres');
    await database.execute(
      `CREATE TABLE shop.beat (id integer PRIMARY KEY); CREATE PUBLICATION times FOR TABLE shop.beat;`,
    );
    await database.rows(`SELECT pg_create_logical_replication_slot('times', 'pgoutput')`);
  });

  afterAll(() => databaseOf('postgres').rows(`SELECT pg_drop_replication_slot('times')`));

  it('gives each transaction of a session a time of its own, not that of the first', async () => {
    const { session, shape } = await opened('postgres');
    for (const id of [1, 2, 3]) await beat(session, shape, id);
    await session.close();
    const times = await commitTimes();
    expect(times.length).toBe(3);
    for (const time of times) expect(nowUs() - time).toBeLessThan(60n * SECOND_US);
    expect(new Set(times).size).toBe(3);
    expect(times).toEqual([...times].sort((left, right) => (left < right ? -1 : 1)));
  });

  it('names the time of a cause whose clock is ahead, to the microsecond, in that transaction alone', async () => {
    const { session, shape } = await opened('postgres');
    const aheadUs = nowUs() + HOUR_US + 1n;
    await beat(session, shape, 11, aheadUs);
    await beat(session, shape, 12, nowUs() - HOUR_US);
    await beat(session, shape, 13);
    await session.close();
    const [ahead, behind, without] = await commitTimes();
    expect(ahead).toBe(aheadUs);
    for (const time of [behind, without]) expect(nowUs() - (time as bigint)).toBeLessThan(60n * SECOND_US);
  });
});

describe('MariaDB', () => {
  /** Of the transactions since `from`, in s since 1970; and where the log ends now. */
  async function commitTimes(from: number): Promise<{ times: number[]; end: number }> {
    const [log] = await databaseOf('mariadb').rows<{ base: string }>('SELECT @@log_bin_basename AS base');
    const [status] = await databaseOf('mariadb').rows<{ File: string }>('SHOW BINLOG STATUS');
    const bytes = await readFile(path.join(path.dirname(log?.base ?? ''), status?.File ?? ''));
    const times: number[] = [];
    let at = from;
    for (; at + 13 <= bytes.length; at += bytes.readUInt32LE(at + 9)) {
      if (bytes[at + 4] === XID_EVENT) times.push(bytes.readUInt32LE(at));
    }
    return { times, end: at };
  }

  it('names the time of a cause whose clock is ahead, in that transaction alone, however it ends', async () => {
    await databaseOf('mariadb').execute('CREATE TABLE shop.beat (id integer PRIMARY KEY)');
    const { session, shape } = await opened('mariadb');
    const { end } = await commitTimes(FIRST_EVENT_AT);
    const aheadUs = ((nowUs() + HOUR_US) / SECOND_US) * SECOND_US + 999_999n;
    await beat(session, shape, 1);
    await beat(session, shape, 2, aheadUs);
    await session.begin();
    await session.notBefore(aheadUs);
    await session.rollback();
    await beat(session, shape, 3);
    await beat(session, shape, 4, nowUs() - HOUR_US);
    await session.close();
    const [before, ahead, ...after] = (await commitTimes(end)).times.map((time) => BigInt(time) * SECOND_US);
    expect(ahead).toBe(aheadUs - 999_999n);
    expect(after.length).toBe(2);
    for (const time of [before, ...after]) expect(nowUs() - (time as bigint)).toBeLessThan(60n * SECOND_US);
  });
});
