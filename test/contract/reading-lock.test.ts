/**
 * Why: workers of several machines and a person may all want to read the same table again. On both kinds of database one of them gets the
 * lock. The next one gets it when the first has ended or died. `connectors recover` takes the lock from its holder.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { awaitReadingLock, seizeReadingLock, tryReadingLock } from '../../ops/resnapshot/reading-lock.ts';
import { openSource } from '../../ops/resnapshot/source-session.ts';
import { sourceKinds } from '../../ops/sources/checks/index.ts';
import type { ReadConnection } from '../../ops/verify/source-rows.ts';
import { startDatabases, type TestDatabases } from '../support/databases.ts';

let databases: TestDatabases;

beforeAll(async () => {
  databases = await startDatabases();
}, 240_000);
afterAll(async () => {
  await databases?.stop();
});

const never = new AbortController().signal;

function connectionOf(dialect: string): ReadConnection {
  const database = databases.all.find((one) => one.dialect === dialect);
  if (database === undefined) throw new Error(`no ${dialect}`);
  const { host, port, user = '', password = '', database: name = '' } = database.sink;
  return { kind: database.dialect, host, port, database: name, user, password };
}

describe.each(['postgres', 'mariadb'])('the lock of readings, %s', (dialect) => {
  it('is one for each source, and free again when its holder frees it', async () => {
    const connection = connectionOf(dialect);
    const lock = await tryReadingLock(connection, 'shop');
    expect(lock).toBeDefined();
    expect(await tryReadingLock(connection, 'shop')).toBeUndefined();
    const other = await tryReadingLock(connection, 'till');
    expect(other).toBeDefined();
    await other?.free();
    await lock?.free();
    const again = await tryReadingLock(connection, 'shop');
    expect(again).toBeDefined();
    await again?.free();
  });

  it('outlives no holder', async () => {
    const connection = connectionOf(dialect);
    const holder = await openSource(connection);
    const { locks } = sourceKinds[holder.kind];
    expect(await locks.take(holder, 'seam-reading-shop')).toBe(true);
    expect(await locks.isHeld(holder, 'seam-reading-shop')).toBe(true);
    const told: string[] = [];
    const waiting = awaitReadingLock(connection, 'shop', (text) => told.push(text), never);
    await expect.poll(() => told).toEqual(['tables of shop are being read again already; this reading follows it']);
    await holder.close();
    const lock = await waiting;
    await lock.free();
  });

  it('is taken from its holder, who learns of it', async () => {
    const connection = connectionOf(dialect);
    const lock = await tryReadingLock(connection, 'shop');
    const seized = await seizeReadingLock(connection, 'shop', never);
    await expect.poll(() => lock?.lost.aborted, { timeout: 20_000 }).toBe(true);
    expect(lock?.lost.reason).toMatchObject({ code: 'READING_LOCK_LOST' });
    expect(seized.lost.aborted).toBe(false);
    await lock?.free();
    expect(await tryReadingLock(connection, 'shop')).toBeUndefined();
    await seized.free();
  });

  it('an interrupted wait ends', async () => {
    const connection = connectionOf(dialect);
    const lock = await tryReadingLock(connection, 'shop');
    const interrupted = awaitReadingLock(connection, 'shop', () => {}, AbortSignal.timeout(300));
    await expect(interrupted).rejects.toMatchObject({ name: 'TimeoutError' });
    await lock?.free();
  });
});
