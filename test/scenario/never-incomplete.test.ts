/**
 * Why: a log that was lost, a source that went back in time or a topic that was made again must never look like "nothing
 * happened". Each case here breaks something real, must be said with what to run, and is healed by running just that.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectorViews } from '../../ops/operations/connector-status.ts';
import { planRecovery, recover } from '../../ops/operations/recover.ts';
import { planResnapshot, resnapshot } from '../../ops/operations/resnapshot.ts';
import { verifyDeployment } from '../../ops/operations/verify-deployment.ts';
import { systemNamed } from '../../ops/systems.ts';
import { startStack, stopService } from '../../stack/stack.ts';
import { describeReadings } from '../support/readings-scenario.ts';
import { arrives, type RunningChain, startChain } from '../support/running-chain.ts';

let chain: RunningChain;

beforeAll(async () => {
  chain = await startChain();
}, 300_000);
afterAll(async () => {
  await chain?.stop();
});

const crm = (sql: string, values: unknown[] = []) => chain.sessions.crm.query(sql, values);
const pos = (sql: string, values: unknown[] = []) => chain.sessions.pos.query(sql, values);
const reported = async (sql: string) => (await chain.sessions.reporting.query({ text: sql, rowMode: 'array' })).rows;
const members = (ids: string) =>
  reported(`SELECT member_id, full_name FROM reporting.member WHERE member_id IN (${ids}) ORDER BY member_id`);
const sales = (ids: string) =>
  reported(`SELECT sale_id, total::text FROM reporting.sale WHERE sale_id IN (${ids}) ORDER BY sale_id`);

async function isEqual(): Promise<void> {
  const result = await verifyDeployment(chain.deployment, { targets: [], patienceMs: 30_000 });
  expect(result.tables.flatMap((table) => table.differences)).toEqual([]);
  expect(result.rowsCompared).toBeGreaterThan(0);
}

async function unswept(system: string): Promise<unknown[]> {
  const [view] = await connectorViews(chain.deployment, [systemNamed(system) as never]);
  return (view?.conditions ?? []).filter(({ id }) => id.startsWith('SWEEP_')).map(({ next }) => next);
}

async function readAgain(system: string, tables: string[] = [], where?: string, deletionsMax?: number) {
  const choice = { system, tables, where, sweep: true, reason: 'a test', deletionsMax };
  const plan = await planResnapshot(chain.deployment, choice);
  return resnapshot(chain.deployment, plan, choice, () => {}, new AbortController().signal);
}

/** What `seam connectors status` says is wrong with a source. */
async function faultOf(system: string): Promise<{ code: string; hint: string | undefined } | undefined> {
  const [view] = await connectorViews(chain.deployment, [systemNamed(system) as never]);
  return view?.fault === undefined ? undefined : { code: view.fault.code, hint: view.fault.hint };
}

/** Everything that `seam connectors status` shows of a source and its tables. */
async function conditionsOf(system: string): Promise<string[]> {
  const [view] = await connectorViews(chain.deployment, [systemNamed(system) as never]);
  return (view?.conditions ?? []).map(({ id, object }) => `${id} ${'table' in object ? object.table : ''}`);
}

async function recovered(system: string, code: string) {
  const plan = await planRecovery(chain.deployment, system);
  expect(plan.fault?.code).toBe(code);
  return recover(chain.deployment, plan, 'a test', () => {}, new AbortController().signal);
}

async function whileConnectIsDown(work: () => Promise<unknown>): Promise<void> {
  await stopService(chain.stateDirectory, 'connect');
  await work();
  await startStack({ stateDirectory: chain.stateDirectory, databases: [], only: ['connect'] });
}

const processors = () => chain.workers.views().find(({ name }) => name === 'processors')?.status;

/** Writes one row after the other until told to stop. */
function writing(write: (count: number) => Promise<unknown>): { stop(): Promise<number> } {
  let count = 0;
  let isOver = false;
  const work = (async () => {
    while (!isOver) {
      await write(count);
      count += 1;
      await pause(5);
    }
  })();
  return {
    async stop() {
      isOver = true;
      await work;
      return count;
    },
  };
}

const sale = (id: number, total: number) =>
  `INSERT INTO tlog_hdr (bskt_no, str_cd, cust_no, sold_ts, tot_amt) VALUES (${id}, '000330', '', '2017-03-01 10:00:00', ${total})`;

describe('changes that the log never told', () => {
  it('are read again beside the traffic, and rows deleted meanwhile are swept: PostgreSQL', async () => {
    await crm(`INSERT INTO crm.mbr (mbr_id, nm) SELECT g, 'row ' || g FROM generate_series(1, 3000) g`);
    // the first records wait until every worker of the chain has started
    await arrives([['3000', 'row 3000']], () => members(`'3000'`), 180_000);
    // what happens to a table while it isn't published stays out of the log
    await crm('ALTER PUBLICATION seam_crm DROP TABLE crm.mbr');
    await crm(`UPDATE crm.mbr SET nm = 'changed unseen' WHERE mbr_id = 7`);
    await crm('DELETE FROM crm.mbr WHERE mbr_id IN (8, 9)');
    await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (3001, 'born unseen')`);
    await crm('ALTER PUBLICATION seam_crm ADD TABLE crm.mbr');

    const updates = writing((count) =>
      crm('UPDATE crm.mbr SET nm = $1 WHERE mbr_id = $2', [`w ${count}`, 100 + (count % 50)]),
    );
    const comings = writing(async (count) => {
      const id = 5000 + (count % 5);
      await crm('DELETE FROM crm.mbr WHERE mbr_id = $1', [id]);
      await crm('INSERT INTO crm.mbr (mbr_id, nm) VALUES ($1, $2)', [id, `again ${count}`]);
    });
    const result = await readAgain('crm', ['crm.mbr']);
    expect(await updates.stop()).toBeGreaterThan(20);
    expect(await comings.stop()).toBeGreaterThan(10);

    expect(result.rows['crm.mbr']).toBeGreaterThanOrEqual(2999);
    expect(result.swept.find(({ entity }) => entity === 'member')).toMatchObject({ deleted: 2 });
    await arrives(
      [
        ['3001', 'born unseen'],
        ['7', 'changed unseen'],
      ],
      () => members(`'7', '8', '9', '3001'`),
      120_000,
    );
    await isEqual();
    // what is known of whole readings stays, every other row goes
    const left = await crm('SELECT DISTINCT type FROM seam.signal ORDER BY type');
    expect(left.rows).toEqual([{ type: 'seam-read-again' }, { type: 'seam-tables' }, { type: 'seam-whole' }]);
  });

  it('are read again beside the traffic, and rows deleted meanwhile are swept: MariaDB', async () => {
    for (let id = 1; id <= 20; id += 1) await pos(sale(id, id));
    await arrives([['20', '20.00']], () => sales(`'20'`));
    const unseen = await chain.sessions.pos.getConnection();
    await unseen.query('SET SESSION sql_log_bin = 0');
    await unseen.query('UPDATE tlog_hdr SET tot_amt = 77 WHERE bskt_no = 7');
    await unseen.query('DELETE FROM tlog_hdr WHERE bskt_no IN (8, 9)');
    await unseen.query(sale(21, 21));
    await unseen.query('SET SESSION sql_log_bin = 1');
    await unseen.release();

    const updates = writing((count) =>
      pos('UPDATE tlog_hdr SET tot_amt = ? WHERE bskt_no = ?', [count % 900, 10 + (count % 5)]),
    );
    // of so few rows each deletion needs its number
    const asking = await readAgain('pos', ['pos.tlog_hdr']);
    const hint =
      'where these rows are really gone, run: seam resnapshot --system pos --table pos.tlog_hdr --delete 2 --yes';
    expect(asking.swept).toMatchObject([{ missing: 2, deleted: 0, withheld: { code: 'SWEEP_UNCONFIRMED', hint } }]);
    // said wherever conditions are shown, until it is done
    expect(await unswept('pos')).toEqual([hint]);
    const result = await readAgain('pos', ['pos.tlog_hdr'], undefined, 2);
    expect(await unswept('pos')).toEqual([]);
    expect(await updates.stop()).toBeGreaterThan(10);

    expect(result.swept).toMatchObject([{ entity: 'sale', deleted: 2, withheld: undefined }]);
    await arrives(
      [
        ['21', '21.00'],
        ['7', '77.00'],
      ],
      () => sales(`'7', '8', '9', '21'`),
    );
    await isEqual();
  });

  it('are read again within a condition; a request that was interrupted is finished by the next one', async () => {
    await crm('ALTER PUBLICATION seam_crm DROP TABLE crm.mbr');
    await crm(`UPDATE crm.mbr SET nm = 'unseen too' WHERE mbr_id IN (11, 12)`);
    await crm('ALTER PUBLICATION seam_crm ADD TABLE crm.mbr');
    const choice = { system: 'crm', tables: ['crm.mbr'], where: 'mbr_id = 11', sweep: false, reason: '' };
    const plan = await planResnapshot(chain.deployment, choice);
    const interrupted = AbortSignal.timeout(1);
    await expect(resnapshot(chain.deployment, plan, choice, () => {}, interrupted)).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    await expect(planResnapshot(chain.deployment, { ...choice, where: 'mbr_id = 12' })).rejects.toMatchObject({
      code: 'RESNAPSHOT_UNDER_WAY',
    });
    const again = await planResnapshot(chain.deployment, { ...choice, tables: [] });
    expect(again).toMatchObject({ isResumed: true, request: { id: plan.request.id, where: 'mbr_id = 11' } });
    const result = await resnapshot(chain.deployment, again, choice, () => {}, new AbortController().signal);
    expect(result.rows).toEqual({ 'crm.mbr': 1 });
    await readAgain('crm', ['crm.mbr'], 'mbr_id BETWEEN 12 AND 12');
    // some rows prove nothing about the others: the table stands until all of it was read
    expect(await conditionsOf('crm')).toEqual(['CHANGES_NOT_TOLD crm.mbr']);
    await readAgain('crm', ['crm.mbr']);
    expect(await conditionsOf('crm')).toEqual([]);
    await arrives([['11', 'unseen too']], () => members(`'11'`), 120_000);
    await isEqual();
  });
});

describeReadings(() => chain);

describe('a log that was lost stops its system, says so, and is recovered by the command it names', () => {
  it('a replication slot that was dropped while Connect was down', async () => {
    await whileConnectIsDown(async () => {
      await crm(`UPDATE crm.mbr SET nm = 'changed without a slot' WHERE mbr_id = 21`);
      await crm('DELETE FROM crm.mbr WHERE mbr_id = 22');
      await crm(`SELECT pg_drop_replication_slot('seam_crm')`);
    });
    expect(await faultOf('crm')).toEqual({
      code: 'SOURCE_LOG_LOST',
      hint: 'read it again: seam connectors recover crm --yes',
    });
    const result = await recovered('crm', 'SOURCE_LOG_LOST');
    expect(result.swept.find(({ entity }) => entity === 'member')).toMatchObject({ deleted: 1 });
    await crm(`UPDATE crm.mbr SET nm = 'streamed again' WHERE mbr_id = 23`);
    await arrives(
      [
        ['21', 'changed without a slot'],
        ['23', 'streamed again'],
      ],
      () => members(`'21', '22', '23'`),
      120_000,
    );
    expect(await faultOf('crm')).toBeUndefined();
    await isEqual();
  });

  it('a recovery lets a table flow that is halted until it was read again', async () => {
    await crm('ALTER PUBLICATION seam_crm DROP TABLE crm.mkt_srvy');
    expect(await conditionsOf('crm')).toEqual(['TABLE_NOT_PUBLISHED crm.mkt_srvy']);
    await crm('ALTER PUBLICATION seam_crm ADD TABLE crm.mkt_srvy');
    expect(await conditionsOf('crm')).toEqual(['CHANGES_NOT_TOLD crm.mkt_srvy']);
    await crm(`INSERT INTO crm.mkt_srvy (wk, prod, comp, units, avg_prc) VALUES (78, '900', 'waits', 1, 1.5)`);
    const result = await recovered('crm', 'CHANGES_NOT_TOLD');
    expect(result.swept.filter(({ withheld }) => withheld !== undefined)).toEqual([]);
    expect(await conditionsOf('crm')).toEqual([]);
    await isEqual();
  });

  it('a slot that was invalidated, for which the connector only waits', async () => {
    await whileConnectIsDown(async () => {
      await crm(`UPDATE crm.mbr SET nm = 'changed without log' WHERE mbr_id = 24`);
      await crm(`ALTER SYSTEM SET max_slot_wal_keep_size = '1MB'`);
      await crm('SELECT pg_reload_conf()');
      for (let step = 0; step < 3; step += 1) {
        await crm('SELECT pg_switch_wal()');
        await crm(
          `INSERT INTO crm.pts_led SELECT 'x' || g, 1, 1, 0, now() FROM generate_series(1, 2) g ON CONFLICT DO NOTHING`,
        );
      }
      await crm('CHECKPOINT');
      await crm('ALTER SYSTEM RESET max_slot_wal_keep_size');
      await crm('SELECT pg_reload_conf()');
      const slots = await crm(`SELECT wal_status FROM pg_replication_slots WHERE slot_name = 'seam_crm'`);
      expect(slots.rows).toEqual([{ wal_status: 'lost' }]);
    });
    expect((await faultOf('crm'))?.code).toBe('SOURCE_LOG_LOST');
    await recovered('crm', 'SOURCE_LOG_LOST');
    await arrives([['24', 'changed without log']], () => members(`'24'`), 120_000);
    await crm(`DELETE FROM crm.pts_led WHERE ent_id LIKE 'x%'`);
    await isEqual();
  });

  it('a binary log that was purged', async () => {
    await whileConnectIsDown(async () => {
      await pos('UPDATE tlog_hdr SET tot_amt = 501 WHERE bskt_no = 1');
      await pos('SET GLOBAL slave_connections_needed_for_purge = 0');
      await pos('FLUSH BINARY LOGS');
      const logs = async () => ((await pos('SHOW BINARY LOGS')) as { Log_name: string }[]).map((one) => one.Log_name);
      const last = (await logs()).at(-1) as string;
      // the server keeps a log while it still believes that somebody reads it
      await arrives([last], async () => {
        await pos(`PURGE BINARY LOGS TO '${last}'`);
        return logs();
      });
    });
    expect((await faultOf('pos'))?.code).toBe('SOURCE_LOG_LOST');
    await recovered('pos', 'SOURCE_LOG_LOST');
    await arrives([['1', '501.00']], () => sales(`'1'`), 120_000);
    await isEqual();
  });

  it('a log that began again: nothing of it is taken until it is accepted, and then it is newer than all before', async () => {
    await whileConnectIsDown(async () => {
      await pos('UPDATE tlog_hdr SET tot_amt = 502 WHERE bskt_no = 2');
      await pos('RESET MASTER');
      await pos('UPDATE tlog_hdr SET tot_amt = 503 WHERE bskt_no = 3');
    });
    expect((await faultOf('pos'))?.code).toBe('SOURCE_WENT_BACK');
    const result = await recovered('pos', 'SOURCE_WENT_BACK');
    expect(result.rows['pos.tlog_hdr']).toBeGreaterThan(10);
    await pos('UPDATE tlog_hdr SET tot_amt = 504 WHERE bskt_no = 4');
    await arrives(
      [
        ['2', '502.00'],
        ['3', '503.00'],
        ['4', '504.00'],
      ],
      () => sales(`'2', '3', '4'`),
      120_000,
    );
    await isEqual();
    expect(processors()?.state).toBe('running');
  });
});
