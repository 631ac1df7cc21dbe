/** Why: as remedies.test.ts; here what becomes of a PostgreSQL source, its rows and the workers behind it. */
import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OnCall } from '../support/on-call.ts';
import { follow, typed } from '../support/operator.ts';
import { arrives } from '../support/running-chain.ts';

const READ_MEMBERS = 'seam resnapshot --system crm --table crm.mbr --delete 1 --yes';
const READ_SURVEY = 'seam resnapshot --system crm --table crm.mkt_srvy --yes';

let on: OnCall;

beforeAll(async () => {
  on = await OnCall.begin();
}, 300_000);
afterAll(() => on?.end());

/** The log does not tell what happens to a table while it is not published. */
async function unseen(sql: string): Promise<void> {
  await on.crm('ALTER PUBLICATION seam_crm DROP TABLE crm.mbr');
  await on.crm(sql);
  await on.crm('ALTER PUBLICATION seam_crm ADD TABLE crm.mbr');
}

const survey = (week: number, day: string) =>
  on.crm(
    `INSERT INTO crm.mkt_srvy (wk, prod, comp, units, avg_prc, srv_dt) VALUES (${week}, '900', 'rival', 1, 1.5, ${day})`,
  );
const surveys = (week: number) => `SELECT count(*)::int FROM reporting.market_survey WHERE week = ${week}`;
const members = (id: number) => `SELECT count(*)::int FROM reporting.member WHERE member_id = '${id}'`;

describe('rows', () => {
  it('COLUMN_MANGLED: the column is cured and its table read again', async () => {
    await on.crm('ALTER TABLE crm.mkt_srvy ALTER COLUMN comp TYPE name');
    await survey(12, 'NULL');
    const said = await on.says('COLUMN_MANGLED', 'seam status');
    await on.crm('ALTER TABLE crm.mkt_srvy ALTER COLUMN comp TYPE varchar(60)');
    await on.does(said, 'COLUMN_MANGLED');
    await on.isReported(surveys(12), 1);
    await on.flows();
  });

  it('NULL_HIDDEN: the converter is put back and the table read again', async () => {
    await on.crm(`ALTER TABLE crm.mkt_srvy ALTER COLUMN srv_dt SET DEFAULT DATE '2017-01-01'`);
    const before = await on.connect.config('seam-crm');
    await on.putSettings('seam-crm', (config) => ({ ...config, ...plainConverter(on.chain.deployment.registry.url) }));
    await survey(13, 'NULL');
    const said = await on.says('NULL_HIDDEN', 'seam status');
    await on.putSettings('seam-crm', () => before ?? {});
    await on.does(said, 'NULL_HIDDEN');
    await on.isReported('SELECT surveyed_on::text FROM reporting.market_survey WHERE week = 13', null);
    await on.crm('ALTER TABLE crm.mkt_srvy ALTER COLUMN srv_dt DROP DEFAULT');
    await on.flows();
  });
});

describe('the processors', () => {
  it('SWEEP_WAITS: are started, and the same command finishes', async () => {
    await on.flows();
    const gone = on.member;
    await on.chain.workers.halt('processors');
    await unseen(`DELETE FROM crm.mbr WHERE mbr_id = ${gone}`);
    const said = await on.says('SWEEP_WAITS', READ_MEMBERS);
    await on.does(said, 'SWEEP_WAITS');
    await on.isWell(READ_MEMBERS);
    await on.isReported(members(gone), 0);
    await on.flows();
  });

  it('PROCESSORS_BEHIND: are started, and the same command finishes', async () => {
    await on.chain.workers.halt('processors');
    await survey(14, 'NULL');
    await on.crm(`DELETE FROM seam.signal WHERE id = 'seam-whole'`);
    const command = 'seam connectors apply crm --yes';
    const said = await on.says('PROCESSORS_BEHIND', command);
    await on.does(said, 'PROCESSORS_BEHIND');
    await on.isWell(command);
    await on.isWell('seam connectors status crm');
    await on.flows();
  });
});

describe('the connector', () => {
  it('CONNECTOR_SILENT and CONNECTOR_NOT_RUNNING: a paused one is applied again', async () => {
    await on.isWell(READ_SURVEY);
    await on.pause('seam-crm');
    const silent = await on.says('CONNECTOR_SILENT', READ_SURVEY);
    const [status] = await follow(on.desk, silent.text, 'CONNECTOR_SILENT');
    if (status === undefined) throw new Error('no command');
    await on.does(status, 'CONNECTOR_NOT_RUNNING');
    await on.isWell(READ_SURVEY);
    await on.isWell('seam connectors status crm');
    await on.flows();
  });

  it('SLOT_AT_RISK: a stopped one is applied again', async () => {
    await on.connect.stop('seam-crm');
    const atRisk = await on.says('SLOT_AT_RISK', 'seam connectors status crm');
    const [status] = await follow(on.desk, atRisk.text, 'SLOT_AT_RISK');
    if (status === undefined) throw new Error('no command');
    await on.does(status, 'CONNECTOR_NOT_RUNNING');
    await on.isWell('seam connectors status crm');
    await on.flows();
  });

  it('FIRST_SNAPSHOT_RUNS: the same command works when it is finished', async () => {
    const recovering = typed(on.desk, 'seam connectors recover crm --yes');
    const stateOf = async () => (await on.connect.status('seam-crm'))?.connector.state;
    await arrives('STOPPED', stateOf, 60_000);
    // the snapshot cannot end before this does
    const session = await on.chain.sessions.crm.connect();
    await session.query('BEGIN');
    await session.query('LOCK TABLE crm.web_ord IN ACCESS EXCLUSIVE MODE');
    const said = await on.says('FIRST_SNAPSHOT_RUNS', READ_SURVEY);
    await session.query('ROLLBACK');
    session.release();
    expect((await recovering).exitCode).toBe(0);
    await on.does(said, 'FIRST_SNAPSHOT_RUNS');
    await on.isWell(READ_SURVEY);
    await on.flows();
  });
});

it('ENVELOPE_REFUSED: gets its settings back', async () => {
  await on.isWell('seam connectors recover crm --yes');
  const literal = 'transforms.seamEpoch.value.literal';
  await on.putSettings('seam-crm', (config) => ({ ...config, [literal]: 'first' }));
  await survey(11, `'2017-01-11'`);
  const listed = await on.lists('ENVELOPE_REFUSED');
  const shown = await on.says('ENVELOPE_REFUSED', `seam dead-letter show ${listed}`);
  const [apply] = await follow(on.desk, shown.text, 'ENVELOPE_REFUSED');
  expect(apply?.exitCode, apply?.text).toBe(0);
  // the hint cannot name the system: a header is read before anything else of the record
  await on.isWell(READ_SURVEY);
  await on.isReported(surveys(11), 1);
  await on.flows();
});

it('DEPLOYMENT_MISSING: bringing the stack up writes it', async () => {
  await rm(on.chain.deploymentFile);
  const said = await on.says('DEPLOYMENT_MISSING', 'seam connectors status crm');
  await on.does(said, 'DEPLOYMENT_MISSING');
  await on.isWell('seam connectors status crm');
});

/** Of Apicurio alone, as in a Connect worker that was set up without Seam's. */
function plainConverter(registryUrl: string): Record<string, string> {
  const settings = {
    '': 'io.apicurio.registry.utils.converter.AvroConverter',
    '.apicurio.registry.url': registryUrl.replace('/apis/ccompat/v7', '/apis/registry/v2'),
    '.apicurio.registry.auto-register': 'true',
    '.apicurio.registry.find-latest': 'true',
    '.apicurio.registry.as-confluent': 'true',
    '.apicurio.registry.use-id': 'contentId',
    '.apicurio.registry.headers.enabled': 'false',
  };
  const parts = ['key.converter', 'value.converter'];
  return Object.fromEntries(
    parts.flatMap((part) => Object.entries(settings).map(([name, value]) => [part + name, value])),
  );
}
