/**
 * Why: legacy tables change on a Friday evening and nobody tells. What can be read goes on without a pause; what can't stops
 * that table alone, says what changed, and goes on at the very record once it is put right.
 */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import crmMapping from '../../connectors/crm/mapping.ts';
import type { Condition } from '../../core/condition.ts';
import { trimmed } from '../../core/converters.ts';
import { type CanonicalMapping, fromFirst } from '../../core/mapping.ts';
import { openLogAdmin } from '../../ops/log.ts';
import { connectorViews } from '../../ops/operations/connector-status.ts';
import { verifyDeployment } from '../../ops/operations/verify-deployment.ts';
import { startProcessors } from '../../ops/run/processors.ts';
import { readStatus } from '../../ops/status/status.ts';
import { type System, systemNamed, systems as allSystems } from '../../ops/systems.ts';
import { workerCommands } from '../../ops/worker-commands.ts';
import { WorkerSupervisor } from '../../ops/workers.ts';
import { currentStackSettings } from '../../stack/settings.ts';
import { arrives, type RunningChain, startChain } from '../support/running-chain.ts';

let chain: RunningChain;
let workers: WorkerSupervisor;

beforeAll(async () => {
  chain = await startChain();
  workers = chain.workers;
  await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (1, 'first')`);
  await pos(sale(1, 1));
  // the first records wait until every worker of the chain has started
  await arrives([['1']], () => reported('SELECT member_id FROM reporting.member'), 180_000);
  await arrives([['1']], () => reported('SELECT sale_id FROM reporting.sale'), 180_000);
}, 600_000);
afterAll(async () => {
  await workers?.stop();
  await chain?.stop();
});

const crm = (sql: string, values: unknown[] = []) => chain.sessions.crm.query(sql, values);
const pos = (sql: string, values: unknown[] = []) => chain.sessions.pos.query(sql, values);
const reported = async (sql: string) => (await chain.sessions.reporting.query({ text: sql, rowMode: 'array' })).rows;
const name = (id: number) => () => reported(`SELECT full_name FROM reporting.member WHERE member_id = '${id}'`);
const total = (id: number) => () => reported(`SELECT total::text FROM reporting.sale WHERE sale_id = '${id}'`);
const sale = (id: number, amount: number) =>
  `INSERT INTO tlog_hdr (bskt_no, str_cd, cust_no, sold_ts, tot_amt) VALUES (${id}, '000330', '', '2017-03-01 10:00:00', ${amount})`;
const PATIENCE_MS = 90_000;

const processors = () => workers.views().find((view) => view.name === 'processors');
const halted = async () => processors()?.status?.reason?.match(/\[(\w+)\]/)?.[1] ?? processors()?.status?.state;

/** Beginning and end of the dead letters, which a change of a table must never fill. */
async function deadLetters(): Promise<bigint> {
  const admin = await openLogAdmin(chain.deployment);
  try {
    return (await admin.bounds('dead-letter.canonicalize')).reduce((sum, { latest }) => sum + latest, 0n);
  } finally {
    await admin.close();
  }
}

describe.each([
  {
    database: 'PostgreSQL',
    run: crm,
    table: 'crm.mbr',
    insert: (id: number) => `INSERT INTO crm.mbr (mbr_id, nm) VALUES (${id}, 'row ${id}')`,
    there: (id: number) => arrives([[`row ${id}`]], name(id), PATIENCE_MS),
    compatible: [
      'ALTER TABLE crm.mbr ADD COLUMN seg_cd varchar(4)',
      'ALTER TABLE crm.mbr ADD COLUMN lvl integer NOT NULL DEFAULT 3',
      'ALTER TABLE crm.mbr ALTER COLUMN nm TYPE varchar(200)',
      'ALTER TABLE crm.mbr ALTER COLUMN mbr_id TYPE bigint',
      'ALTER TABLE crm.mbr DROP COLUMN rmrk',
    ],
  },
  {
    database: 'MariaDB',
    run: pos,
    table: 'tlog_hdr',
    insert: (id: number) => sale(id, id),
    there: (id: number) => arrives([[`${id}.00`]], total(id), PATIENCE_MS),
    compatible: [
      'ALTER TABLE tlog_hdr ADD COLUMN till_no VARCHAR(4) NULL',
      'ALTER TABLE tlog_hdr ADD COLUMN vers INT NOT NULL DEFAULT 3',
      'ALTER TABLE tlog_hdr MODIFY tndr_cd VARCHAR(40) NULL',
      'ALTER TABLE tlog_hdr MODIFY tot_amt DECIMAL(14,2) NOT NULL',
      'ALTER TABLE tlog_hdr DROP COLUMN till_no',
    ],
  },
])('compatible changes of a table while it is written, $database', ({ run, insert, there, compatible }) => {
  it('flow through without a pause', async () => {
    const before = await deadLetters();
    let id = 100;
    let isOver = false;
    const traffic = (async () => {
      while (!isOver) {
        await run(insert(id));
        id += 1;
        await pause(20);
      }
    })();
    for (const change of compatible) {
      const reached = id;
      await run(change);
      await arrives(true, async () => id > reached + 3);
    }
    isOver = true;
    await traffic;
    await there(100);
    await there(id - 1);
    expect(await halted()).toBe('running');
    expect(await deadLetters()).toBe(before);
  });
});

describe('a change that the mapping can’t read stops that table only', () => {
  it('PostgreSQL: a renamed column; it goes on where it stopped once the mapping reads both names', async () => {
    await crm('ALTER TABLE crm.mbr RENAME COLUMN nm TO full_nm');
    await crm(`INSERT INTO crm.mbr (mbr_id, full_nm) VALUES (11, 'under the new name')`);
    await arrives('SCHEMA_CHANGED', halted, PATIENCE_MS);
    expect(processors()?.status?.reason).toContain('column "nm"');
    await isShown('crm', 'raw.crm.crm.mbr', 'SCHEMA_CHANGED');
    // other tables of the same system, and other systems, flow
    await crm(`INSERT INTO crm.mkt_srvy (wk, prod, comp, units, avg_prc) VALUES (201709, '25671', 'beside', 1, 1.10)`);
    await pos(sale(11, 11));
    await arrives([['beside']], () => reported('SELECT competitor FROM reporting.market_survey'), PATIENCE_MS);
    await arrives([['11.00']], total(11), PATIENCE_MS);
    await crm('ALTER TABLE crm.mbr RENAME COLUMN full_nm TO nm');
    await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (12, 'under the old name')`);
    expect(await name(12)()).toEqual([]);

    // the record in between says it the new way for ever: the corrected mapping reads both
    const running = await correctedProcessors();
    await arrives([['under the new name']], name(11), PATIENCE_MS);
    await arrives([['under the old name']], name(12), PATIENCE_MS);
    await running.stop();
    await running.done;
    await workers.stop();
    workers = supervisor();
    await workers.start(workerCommands());
    await isEqual();
    await arrives([], async () => (await readStatus(chain.deployment)).conditions.map(({ id }) => id), PATIENCE_MS);
  });

  it('MariaDB: another type, while another table flows', async () => {
    await pos('ALTER TABLE tlog_ln MODIFY sold_ts VARCHAR(30) NOT NULL');
    await pos(
      `INSERT INTO tlog_ln (bskt_no, ln_no, str_cd, cust_no, prod_cd, qty, net_amt, disc_amt, typ_cd, sold_ts)
       VALUES (11, 1, '000330', NULL, '25671', 1, 1.00, 0, 'S', '2017-03-01 10:00:00')`,
    );
    await arrives('SCHEMA_CHANGED', halted, PATIENCE_MS);
    expect(processors()?.status?.reason).toContain('"sold_ts"');
    await isShown('pos', 'raw.pos.pos.tlog_ln', 'SCHEMA_CHANGED');
    await pos(sale(13, 13));
    await arrives([['13.00']], total(13), PATIENCE_MS);
  });
});

describe('a new table', () => {
  it('is left alone, and named as read by nobody', async () => {
    await crm('CREATE TABLE crm.cpn (cpn_no integer PRIMARY KEY)');
    await pos('CREATE TABLE cpn (cpn_no INT PRIMARY KEY)');
    const systems = ['crm', 'pos'].map((system) => systemNamed(system) as System);
    const views = await connectorViews(chain.deployment, systems);
    expect(views.map(({ notCaptured }) => notCaptured)).toEqual([['crm.cpn'], ['pos.cpn']]);
  });
});

/** In `seam status`, on the flows of the table alone, and once in the worker's log. */
async function isShown(system: string, topic: string, code: string): Promise<void> {
  const ofTopic = ({ id, object }: Condition) => id === code && object.kind === 'topic' && object.topic === topic;
  await arrives(true, async () => (await readStatus(chain.deployment)).conditions.some(ofTopic), PATIENCE_MS);
  const { flows, conditions } = await readStatus(chain.deployment);
  const [condition] = conditions.filter(ofTopic);
  expect(condition).toMatchObject({ severity: 'halt', next: expect.any(String) });
  const stopped = flows.filter(({ state }) => state === 'halted');
  expect(stopped.length).toBeGreaterThan(0);
  expect(stopped.filter(({ source, topics }) => source !== system || !topics.includes(topic))).toEqual([]);
  const shown = await seam('connectors', 'status', system, '--deployment', chain.deploymentFile);
  expect(shown).toMatchObject({ code: 3, stdout: expect.stringContaining(`[${code}]`) });
  const log = await readFile(path.join(chain.stateDirectory, 'logs', 'processors.log'), 'utf8');
  const lines = log.split('\n').filter((line) => line.includes('"halted"') && line.includes(`${topic} partition`));
  expect(lines).toHaveLength(1);
}

const seam = (...args: string[]) =>
  promisify(execFile)(process.execPath, ['cli/main.ts', ...args]).then(
    ({ stdout }) => ({ code: 0, stdout }),
    (error: { code: number; stdout: string }) => error,
  );

async function isEqual(): Promise<void> {
  const result = await verifyDeployment(chain.deployment, { targets: [], patienceMs: 60_000 });
  expect(result.tables.flatMap((table) => table.differences)).toEqual([]);
  expect(result.rowsCompared).toBeGreaterThan(10);
}

/** Starts once: what was stopped is another's. */
const supervisor = () =>
  new WorkerSupervisor({
    deploymentFile: chain.deploymentFile,
    logDirectory: path.join(chain.stateDirectory, 'logs'),
    environment: currentStackSettings().baseEnvironment,
  });

/** In this process, in place of the worker: with the one field read under both names. */
async function correctedProcessors() {
  await workers.stop();
  workers = supervisor();
  const { processors: _gone, ...rest } = workerCommands();
  await workers.start(rest);
  const [member, ...others] = crmMapping.tables['crm.mbr'] as CanonicalMapping[];
  const fields = { ...member?.fields, fullName: fromFirst(['full_nm', 'nm'], trimmed) };
  const corrected = { ...crmMapping.tables, 'crm.mbr': [{ ...member, fields } as CanonicalMapping, ...others] };
  const declared = allSystems.flatMap(({ source }) => source?.mapping ?? []);
  return startProcessors(
    chain.deployment,
    undefined,
    declared.map((mapping) => (mapping.system === 'crm' ? { ...mapping, tables: corrected } : mapping)),
  );
}
