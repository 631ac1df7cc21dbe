/**
 * Readings that fail, for a chain that runs already: each is provoked on the real stack, and healed by what its error says. Part of
 * test/scenario/never-incomplete.test.ts.
 */
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { ConnectClient } from '../../adapters/connect-client.ts';
import { putConnector, stopConnector } from '../../ops/operations/connector-start.ts';
import { connectorViews } from '../../ops/operations/connector-status.ts';
import { planConnectors } from '../../ops/operations/connectors.ts';
import { proveFirstSnapshot } from '../../ops/operations/first-snapshot-proof.ts';
import { planRecovery, recover } from '../../ops/operations/recover.ts';
import { planResnapshot, resnapshot } from '../../ops/operations/resnapshot.ts';
import { sourceConnection, verifyDeployment } from '../../ops/operations/verify-deployment.ts';
import { newRequestId, requestSnapshot } from '../../ops/resnapshot/signals.ts';
import { openSource, type SourceSession } from '../../ops/resnapshot/source-session.ts';
import { systemNamed } from '../../ops/systems.ts';
import { arrives, type RunningChain } from './running-chain.ts';

let chain: RunningChain;

/** `running`: known once the chain has started. */
export function describeReadings(running: () => RunningChain): void {
  beforeAll(() => {
    chain = running();
  });
  describeRefusals();
  describeKeyChanges();
  describeFirstSnapshots();
}

const crm = (sql: string, values: unknown[] = []) => chain.sessions.crm.query(sql, values);
const pos = (sql: string, values: unknown[] = []) => chain.sessions.pos.query(sql, values);
const reported = async (sql: string) => (await chain.sessions.reporting.query({ text: sql, rowMode: 'array' })).rows;
const members = (ids: string) =>
  reported(`SELECT member_id, full_name FROM reporting.member WHERE member_id IN (${ids}) ORDER BY member_id`);
const sales = (ids: string) =>
  reported(`SELECT sale_id, total::text FROM reporting.sale WHERE sale_id IN (${ids}) ORDER BY sale_id`);
const processors = () => chain.workers.views().find(({ name }) => name === 'processors')?.status;
const sale = (id: number, total: number) =>
  `INSERT INTO tlog_hdr (bskt_no, str_cd, cust_no, sold_ts, tot_amt) VALUES (${id}, '000330', '', '2017-03-01 10:00:00', ${total})`;

async function isEqual(): Promise<void> {
  const result = await verifyDeployment(chain.deployment, { targets: [], patienceMs: 30_000 });
  expect(result.tables.flatMap((table) => table.differences)).toEqual([]);
  expect(result.rowsCompared).toBeGreaterThan(0);
}

async function readAgain(system: string, tables: string[] = [], where?: string) {
  const choice = { system, tables, where, sweep: true, reason: 'a test' };
  const plan = await planResnapshot(chain.deployment, choice);
  return resnapshot(chain.deployment, plan, choice, () => {}, new AbortController().signal);
}

async function conditionsOf(system: string): Promise<string[]> {
  const [view] = await connectorViews(chain.deployment, [systemNamed(system) as never]);
  return (view?.conditions ?? []).map(({ severity, id }) => `${severity} ${id}`);
}

const connectLog = () => readFile(path.join(chain.stateDirectory, 'logs', 'connect.log'), 'utf8');

async function withSource<T>(system: string, work: (session: SourceSession) => Promise<T>): Promise<T> {
  const session = await openSource(await sourceConnection(chain.deployment, system));
  try {
    return await work(session);
  } finally {
    await session.close();
  }
}

const databases = [
  {
    system: 'crm',
    table: 'crm.web_ord',
    other: 'crm.mkt_srvy',
    revoke: () => crm('REVOKE SELECT ON crm.web_ord FROM seam_cdc'),
    grant: () => crm('GRANT SELECT ON crm.web_ord TO seam_cdc'),
    secret: "msg = 'Lindenblatt'",
    wrong: "mbr_id = 'Lindenblatt'",
  },
  {
    system: 'pos',
    table: 'pos.cust',
    other: 'pos.tlog_ln',
    revoke: () => pos(`REVOKE SELECT ON pos.cust FROM 'seam_cdc'@'%'`),
    grant: () => pos(`GRANT SELECT ON pos.cust TO 'seam_cdc'@'%'`),
    secret: "nm = 'Lindenblatt'",
    wrong: "nm = 'Lindenblatt' AND (",
  },
] as const;

function describeRefusals(): void {
  describe('a reading that cannot succeed is refused with its reason, and nothing waits for it', () => {
    it.each(databases)('without SELECT, $system: the same command works after the grant', async (database) => {
      const { system, table, other, revoke, grant } = database;
      await revoke();
      // PostgreSQL has a check of its own for it, which names the columns and the grant
      const refused =
        system === 'crm'
          ? { code: 'TABLE_NOT_READABLE', message: expect.stringContaining(`may not read ${table}`) }
          : { code: 'TABLE_NOT_READ', message: `not read again: ${table}: SELECT on it is not granted` };
      await expect(readAgain(system, [table])).rejects.toMatchObject(refused);
      // as a request that an earlier release, or a right that was revoked later, left behind
      const id = newRequestId(Date.now());
      const left = { id, tables: [table], where: undefined, sweep: true, by: 'somebody', reason: '' };
      await withSource(system, (session) => requestSnapshot(session, left));
      await expect(readAgain(system, [other])).rejects.toMatchObject({
        code: 'RESNAPSHOT_UNDER_WAY',
        hint: `finish it first: seam resnapshot --system ${system} --yes`,
      });
      await expect(readAgain(system)).rejects.toMatchObject(refused);
      await readAgain(system, [other]);
      await grant();
      const result = await readAgain(system, [table]);
      expect(Object.keys(result.rows)).toEqual([table]);
    });

    it.each(databases)('no value of a condition is in an error or in a log, $system', async (database) => {
      const { system, table, secret, wrong } = database;
      const error = await readAgain(system, [table], wrong).catch((thrown: Error) => thrown);
      expect(error).toMatchObject({ code: 'TABLE_NOT_READ' });
      expect(JSON.stringify(error) + (error as Error).message).not.toContain('Lindenblatt');
      expect((await readAgain(system, [table], secret)).rows).toEqual({ [table]: 0 });
      expect(await connectLog()).not.toContain('Lindenblatt');
    });

    it.each(
      databases,
    )('recover, $system: says what lacks before it stops anything, and works after the grant', async (database) => {
      const { system, table, revoke, grant } = database;
      await revoke();
      const plan = await planRecovery(chain.deployment, system);
      await expect(recover(chain.deployment, plan, '', () => {}, new AbortController().signal)).rejects.toMatchObject({
        code: 'TABLE_NOT_READ',
        message: `the capture user cannot read every table: ${table}: SELECT on it is not granted`,
        hint: `correct it in the database, then run: seam connectors recover ${system} --yes`,
      });
      await grant();
      const told: string[] = [];
      const again = await planRecovery(chain.deployment, system);
      await recover(chain.deployment, again, '', (event) => told.push(event.kind), new AbortController().signal);
      expect(told).toContain('waits');
      await isEqual();
    });
  });
}

function describeKeyChanges(): void {
  describe('a primary key that was changed and changed back', () => {
    it.each([
      {
        system: 'crm',
        table: 'crm.mbr',
        run: crm,
        change: ['ALTER TABLE crm.mbr DROP CONSTRAINT mbr_pkey, ADD PRIMARY KEY (mbr_id, nm)'],
        insert: `INSERT INTO crm.mbr (mbr_id, nm) VALUES (7001, 'by two columns')`,
        back: ['ALTER TABLE crm.mbr DROP CONSTRAINT mbr_pkey, ADD PRIMARY KEY (mbr_id)'],
        after: `INSERT INTO crm.mbr (mbr_id, nm) VALUES (7002, 'by one column')`,
        there: () =>
          arrives(
            [
              ['7001', 'by two columns'],
              ['7002', 'by one column'],
            ],
            () => members(`'7001', '7002'`),
            120_000,
          ),
      },
      {
        system: 'pos',
        table: 'pos.tlog_hdr',
        run: pos,
        change: [
          'ALTER TABLE tlog_hdr ADD e INT NOT NULL DEFAULT 0',
          'ALTER TABLE tlog_hdr DROP PRIMARY KEY, ADD PRIMARY KEY (bskt_no, e)',
        ],
        insert: sale(7001, 71),
        back: [
          'ALTER TABLE tlog_hdr DROP PRIMARY KEY, ADD PRIMARY KEY (bskt_no)',
          'ALTER TABLE tlog_hdr DROP COLUMN e',
        ],
        after: sale(7002, 72),
        there: () =>
          arrives(
            [
              ['7001', '71.00'],
              ['7002', '72.00'],
            ],
            () => sales(`'7001', '7002'`),
            120_000,
          ),
      },
    ])('its table halts, and goes on when it was read again: $system', async ({
      system,
      table,
      run,
      change,
      insert,
      back,
      after,
      there,
    }) => {
      for (const sql of change) await run(sql);
      await run(insert);
      await arrives(true, async () => JSON.stringify(processors() ?? {}).includes('KEY_CHANGED'), 60_000);
      for (const sql of back) await run(sql);
      await run(after);
      await readAgain(system, [table]);
      await there();
      await isEqual();
    });
  });
}

function describeFirstSnapshots(): void {
  describe('a first snapshot that fails in the middle', () => {
    it('begins again until it is whole, PostgreSQL', async () => {
      const client = new ConnectClient(chain.deployment.connect.url);
      const file = { system: 'crm', file: systemNamed('crm')?.source?.connectorFile as URL };
      await stopConnector(client, 'seam-crm');
      await client.forgetOffsets('seam-crm');
      await client.remove('seam-crm');
      await arrives(
        [],
        async () => (await crm(`SELECT 1 FROM pg_replication_slots WHERE slot_name = 'seam_crm' AND active`)).rows,
      );
      await crm(`SELECT pg_drop_replication_slot('seam_crm')`);
      await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (8001, 'was there before'), (8002, 'too')`);
      await crm('REVOKE SELECT ON crm.mkt_srvy FROM seam_cdc');
      const failures = async () => (await connectLog()).split('permission denied for table mkt_srvy').length;
      const before = await failures();
      // Connect has forgotten it, and its rows would count as older than those that were streamed
      const [forgotten] = await planConnectors(chain.deployment, [file]);
      if (forgotten === undefined) throw new Error('no plan');
      await expect(putConnector(chain.deployment, client, forgotten, forgotten.config)).rejects.toMatchObject({
        code: 'CONNECTOR_FORGOT',
        hint: 'read all of it again: seam connectors recover crm --yes',
      });
      // a source that nobody read before, whose positions are newer than what the test left
      const { epoch } = await planRecovery(chain.deployment, 'crm');
      await withSource('crm', (session) => session.query(`DELETE FROM seam.signal WHERE id = 'seam-whole'`));
      const [plan] = await planConnectors(chain.deployment, [file], { epoch, identity: undefined });
      if (plan === undefined) throw new Error('no plan');
      // without the look that `connectors apply` takes first, which would refuse
      await putConnector(chain.deployment, client, plan, plan.config);
      await arrives(true, async () => (await failures()) > before + 1, 60_000);
      await crm('GRANT SELECT ON crm.mkt_srvy TO seam_cdc');
      await arrives(
        [
          ['8001', 'was there before'],
          ['8002', 'too'],
        ],
        () => members(`'8001', '8002'`),
        120_000,
      );
    });
  });

  describe('a connector that an earlier release started', () => {
    it('flows with a warning; apply compares keys, and a table with a row that nobody read halts until it is read', async () => {
      // the workers may still be proving the snapshot of the test before
      await proveFirstSnapshot(chain.deployment, 'crm', () => {}, new AbortController().signal);
      await arrives(['warning SNAPSHOT_NOT_PROVEN'], async () => {
        await withSource('crm', (session) => session.query(`DELETE FROM seam.signal WHERE id = 'seam-whole'`));
        return conditionsOf('crm');
      });
      await crm('ALTER PUBLICATION seam_crm DROP TABLE crm.mbr');
      await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (9001, 'never read')`);
      await crm('ALTER PUBLICATION seam_crm ADD TABLE crm.mbr');
      const told: string[] = [];
      const { signal } = new AbortController();
      expect(await proveFirstSnapshot(chain.deployment, 'crm', (text) => told.push(text), signal)).toBe('settled');
      expect(told).toContain(
        'crm: rows of crm.mbr were never read; run: seam resnapshot --system crm --table crm.mbr --yes',
      );
      expect(await conditionsOf('crm')).toEqual(['halt SNAPSHOT_UNFINISHED']);
      await readAgain('crm', ['crm.mbr']);
      expect(await conditionsOf('crm')).toEqual([]);
      await arrives([['9001', 'never read']], () => members(`'9001'`), 120_000);
      await isEqual();
    });
  });
}
