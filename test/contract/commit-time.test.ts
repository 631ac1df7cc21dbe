/** What a sink writes carries the time at which it was written: among shared entities the newest commit wins. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { dialects } from '../../sinks/dialects/index.ts';
import { startDatabases, type TestDatabase, type TestDatabases } from '../support/databases.ts';

const SETTINGS = { system: 'shop', owner: 'a', statementTimeoutMs: 10_000 };
/** pgoutput's BEGIN: a letter, the LSN, then the time of the commit in µs since 2000. */
const BEGIN = 'B'.charCodeAt(0);
const TIME_AT = 9;

let databases: TestDatabases;
let database: TestDatabase;

beforeAll(async () => {
  databases = await startDatabases();
  database = databases.all.find(({ dialect }) => dialect === 'postgres') as TestDatabase;
}, 240_000);

afterAll(() => databases?.stop());

async function commitTimes(): Promise<bigint[]> {
  const changes = await database.rows<{ data: Buffer }>(
    `SELECT data FROM pg_logical_slot_get_binary_changes('times', NULL, NULL, 'proto_version', '1', 'publication_names', 'times')`,
  );
  const begins = changes.filter(({ data }) => data[0] === BEGIN);
  return begins.map(({ data }) => data.readBigInt64BE(TIME_AT));
}

it('PostgreSQL: each transaction of a session has its own time in the log, not that of the first', async () => {
  await database.execute(
    `CREATE TABLE shop.beat (id integer PRIMARY KEY); CREATE PUBLICATION times FOR TABLE shop.beat;`,
  );
  await database.rows(`SELECT pg_create_logical_replication_slot('times', 'pgoutput')`);
  const session = await dialects.postgres.open(database.sink, SETTINGS);
  const beat = (await session.describe(['shop.beat'])).get('shop.beat');
  if (beat === undefined) throw new Error('no table');
  for (const id of [1, 2, 3]) {
    await session.begin();
    await session.insert(beat, { columns: [{ column: 'id', values: [id] }] });
    await session.commit();
  }
  await session.close();
  const times = await commitTimes();
  await database.rows(`SELECT pg_drop_replication_slot('times')`);
  const nowUs = BigInt(Date.now() - Date.UTC(2000, 0)) * 1_000n;
  expect(times.length).toBe(3);
  for (const time of times) expect(nowUs - time).toBeLessThan(60_000_000n);
  expect(new Set(times).size).toBe(3);
  expect(times).toEqual([...times].sort((left, right) => (left < right ? -1 : 1)));
});
