/**
 * Why: a table whose log did not tell every change stands still until it is read again, and at night nobody is there to ask for it. Each
 * loss here is a real one, and ends with equal contents although nobody runs a command. Deletions beyond the limit of a sweep
 * are the exception: they wait for the command that their condition names, which then works word for word.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Sighting } from '../../core/condition.ts';
import { connectorViews } from '../../ops/operations/connector-status.ts';
import { verifyDeployment } from '../../ops/operations/verify-deployment.ts';
import { systemNamed } from '../../ops/systems.ts';
import { arrives, type RunningChain, startChain } from '../support/running-chain.ts';

const HEALED_MS_MAX = 400_000;
const SECRET = 'Zq7x';
const root = path.join(import.meta.dirname, '..', '..');

let chain: RunningChain;

beforeAll(async () => {
  chain = await startChain({ healing: 'automatic', sources: ['crm', 'pos'], sinks: ['reporting'] });
  await crm(`INSERT INTO crm.mbr (mbr_id, nm) SELECT g, 'row ' || g FROM generate_series(1, 200) g`);
  await pos(
    `INSERT INTO tlog_hdr (bskt_no, str_cd, cust_no, sold_ts, tot_amt)
     SELECT seq, IF(seq <= 2, '000099', LPAD(100 + seq MOD 30, 6, '0')), IF(seq > 290, 7, NULL), '2017-03-01 10:00:00', seq
       FROM seq_1_to_300`,
  );
  await pos(
    `INSERT INTO tlog_ln (bskt_no, ln_no, str_cd, prod_cd, qty, net_amt, disc_amt, sold_ts)
     SELECT h.bskt_no, n.seq, h.str_cd, '0000000001', 1, 1, 0, h.sold_ts FROM tlog_hdr h JOIN seq_1_to_2 n`,
  );
  // the first records wait until every worker of the chain has started
  await isEqual(600_000);
}, 900_000);
afterAll(async () => {
  await chain?.stop();
});

const crm = (sql: string) => chain.sessions.crm.query(sql);
const pos = (sql: string) => chain.sessions.pos.query(sql);

/** In one session: what is set there must not reach the others. */
async function posSession(...statements: string[]): Promise<void> {
  const session = await chain.sessions.pos.getConnection();
  try {
    for (const statement of statements) await session.query(statement);
  } finally {
    await session.query(`SET SESSION binlog_format = 'ROW'`);
    await session.release();
  }
}

async function isEqual(patienceMs = 120_000): Promise<void> {
  const result = await verifyDeployment(chain.deployment, { targets: ['reporting'], patienceMs });
  expect(result.tables.flatMap((table) => table.differences)).toEqual([]);
  expect(result.rowsCompared).toBeGreaterThan(0);
}

/** What a reading heals. */
async function lossesOf(system: string): Promise<Sighting[]> {
  const [view] = await connectorViews(chain.deployment, [systemNamed(system) as never]);
  return (view?.conditions ?? []).filter(({ healedBy }) => healedBy === 'reading');
}

/** Sees the loss, then waits for its end: nobody runs a command. */
async function heals(system: string, id: string, tables: readonly string[]): Promise<void> {
  const found = await lossesOf(system);
  expect(found.map((one) => [one.id, 'table' in one.object ? one.object.table : '']).sort()).toEqual(
    tables.map((table) => [id, table]).sort(),
  );
  await arrives([], () => lossesOf(system), HEALED_MS_MAX);
  await isEqual();
}

const log = (name: string) => readFile(path.join(chain.stateDirectory, 'logs', `${name}.log`), 'utf8');
const readings = async () =>
  (await log('connectors')).split('\n').filter((line) => line.includes('tables lost changes, reading them again'));

describe('nobody runs a command', () => {
  it('a statement that the log holds as text', async () => {
    const before = (await readings()).length;
    await posSession(`SET SESSION binlog_format = 'STATEMENT'`, 'UPDATE tlog_hdr SET tot_amt = 501 WHERE bskt_no = 1');
    await heals('pos', 'LOG_STATEMENT', ['pos.tlog_hdr']);
    expect((await readings()).slice(before)).toHaveLength(1);
  });

  it('a table that was swapped under its name, MariaDB', async () => {
    await pos('DELETE FROM tlog_ln WHERE bskt_no = 9');
    await pos('CREATE TABLE tlog_new LIKE tlog_hdr');
    await pos('INSERT INTO tlog_new SELECT * FROM tlog_hdr WHERE bskt_no <> 9');
    await pos('UPDATE tlog_new SET tot_amt = 502 WHERE bskt_no = 8');
    await pos('RENAME TABLE tlog_hdr TO tlog_old, tlog_new TO tlog_hdr');
    await heals('pos', 'TABLE_REPLACED', ['pos.tlog_hdr']);
  });

  it('changes while the table was not published, PostgreSQL', async () => {
    await crm('ALTER PUBLICATION seam_crm DROP TABLE crm.mbr');
    await crm(`UPDATE crm.mbr SET nm = 'changed unseen' WHERE mbr_id = 7`);
    await crm('DELETE FROM crm.mbr WHERE mbr_id = 8');
    await crm('ALTER PUBLICATION seam_crm ADD TABLE crm.mbr');
    await heals('crm', 'CHANGES_NOT_TOLD', ['crm.mbr']);
  });
});

describe('rules of foreign keys, of which the log tells nothing', () => {
  beforeAll(async () => {
    await pos('CREATE TABLE store (str_cd CHAR(6) NOT NULL PRIMARY KEY)');
    await pos('CREATE TABLE card (cust_no CHAR(10) NOT NULL PRIMARY KEY)');
    await pos('INSERT INTO store SELECT DISTINCT str_cd FROM tlog_hdr');
    await pos('INSERT INTO card SELECT DISTINCT cust_no FROM tlog_hdr WHERE cust_no IS NOT NULL');
    await pos(
      `ALTER TABLE tlog_hdr
         ADD CONSTRAINT of_store FOREIGN KEY (str_cd) REFERENCES store (str_cd) ON DELETE CASCADE ON UPDATE CASCADE,
         ADD CONSTRAINT of_card FOREIGN KEY (cust_no) REFERENCES card (cust_no) ON DELETE SET NULL ON UPDATE CASCADE`,
    );
    await pos(
      'ALTER TABLE tlog_ln ADD CONSTRAINT of_sale FOREIGN KEY (bskt_no) REFERENCES tlog_hdr (bskt_no) ON DELETE CASCADE',
    );
    expect(await lossesOf('pos')).toEqual([]);
  });

  it('a new key of the parent', async () => {
    await pos(`UPDATE store SET str_cd = '000900' WHERE str_cd = '000101'`);
    await heals('pos', 'CASCADE_LOST', ['pos.tlog_hdr', 'pos.tlog_ln']);
  });

  it('SET NULL', async () => {
    await pos(`DELETE FROM card WHERE cust_no = '7'`);
    await heals('pos', 'CASCADE_LOST', ['pos.tlog_hdr', 'pos.tlog_ln']);
  });

  it('deletions over two levels, within the limit', async () => {
    await pos(`DELETE FROM store WHERE str_cd = '000099'`);
    await heals('pos', 'CASCADE_LOST', ['pos.tlog_hdr', 'pos.tlog_ln']);
  });

  it('deletions beyond the limit wait with their command, which works word for word', async () => {
    await pos(`DELETE FROM store WHERE str_cd = '000103'`);
    const command = /^where these rows are really gone, run: seam (resnapshot --system pos .*--delete \d+ --yes)$/;
    const asking = async () =>
      (await lossesOf('pos')).filter(({ severity, next }) => severity === 'halt' && command.test(next ?? ''));
    await arrives(2, async () => (await asking()).length, HEALED_MS_MAX);
    const [one] = await asking();
    expect(one?.text).toMatch(/the source lacks \d+ of \d+ keys, and more than \d+ must be confirmed/);
    const [, written = ''] = command.exec(one?.next ?? '') ?? [];
    const args = ['cli/main.ts', ...written.split(' '), '--deployment', chain.deploymentFile];
    await promisify(execFile)(process.execPath, args, { cwd: root, timeout: HEALED_MS_MAX });
    await arrives([], () => lossesOf('pos'), HEALED_MS_MAX);
    await isEqual();
  });

  it('no value of a row is in the log of Kafka Connect or of a worker', async () => {
    await posSession(
      `SET SESSION binlog_format = 'STATEMENT'`,
      `UPDATE tlog_hdr SET tndr_cd = '${SECRET}' WHERE bskt_no = 11`,
    );
    await heals('pos', 'LOG_STATEMENT', ['pos.tlog_hdr']);
    for (const name of ['connect', 'connectors', 'processors']) expect(await log(name)).not.toContain(SECRET);
  });
});
