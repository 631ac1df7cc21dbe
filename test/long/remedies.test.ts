/**
 * Why: at three in the morning a person does what the error says, and nothing else. So each error whose hint names a command is
 * provoked here on the real stack, the commands are typed word for word, and a change must arrive afterwards.
 */
import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Kafka } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ConnectClient } from '../../adapters/connect-client.ts';
import { stopConnector } from '../../ops/operations/connector-start.ts';
import { workerCommands } from '../../ops/worker-commands.ts';
import { stopService } from '../../stack/stack.ts';
import { type Desk, follow, type Printed, typed } from '../support/operator.ts';
import { arrives, type RunningChain, startChain } from '../support/running-chain.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const ARRIVES_MS = 120_000;

let chain: RunningChain;
let desk: Desk;
let connect: ConnectClient;
let member = 100_000;

beforeAll(async () => {
  chain = await startChain();
  desk = chain;
  connect = new ConnectClient(chain.deployment.connect.url);
  await flows();
}, 300_000);
afterAll(() => chain?.stop());

const crm = (sql: string, values: unknown[] = []) => chain.sessions.crm.query(sql, values);
const pos = (sql: string, values: unknown[] = []) => chain.sessions.pos.query(sql, values);

/** A change of today arrives in the reporting store and in the tills, and nothing is wrong any more. */
async function flows(): Promise<void> {
  member += 1;
  await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES ($1, 'remedied')`, [member]);
  await arrives(
    1,
    async () => (await reported(`SELECT 1 FROM reporting.member WHERE member_id = '${member}'`)).length,
    ARRIVES_MS,
  );
  const held = async () =>
    Number(
      ((await pos(`SELECT COUNT(*) AS n FROM cust WHERE cust_no = LPAD('${member}', 10, '0')`)) as { n: bigint }[])[0]
        ?.n,
    );
  await arrives(1, held, ARRIVES_MS);
}

const reported = async (sql: string) => (await chain.sessions.reporting.query({ text: sql, rowMode: 'array' })).rows;

async function posFlows(): Promise<void> {
  member += 1;
  await pos(
    `INSERT INTO tlog_hdr (bskt_no, str_cd, cust_no, sold_ts, tot_amt) VALUES (${member}, '000330', '', '2017-03-01 10:00:00', 5)`,
  );
  await arrives(
    1,
    async () => (await reported(`SELECT 1 FROM reporting.sale WHERE sale_id = '${member}'`)).length,
    ARRIVES_MS,
  );
}

/** Types the command until it says the code: what is wrong may take a moment to show. */
async function says(code: string, command: string): Promise<Printed> {
  let printed: Printed | undefined;
  const isSaid = async () => {
    printed = await typed(desk, command);
    return printed.text.includes(`[${code}]`) ? code : printed.text;
  };
  await arrives(code, isSaid, ARRIVES_MS);
  return printed as Printed;
}

async function isWell(command: string): Promise<void> {
  await arrives(
    'exit 0',
    async () => {
      const { exitCode, text } = await typed(desk, command);
      return exitCode === 0 ? 'exit 0' : text;
    },
    ARRIVES_MS,
  );
}

async function allDone(printed: Promise<Printed[]>): Promise<void> {
  for (const { command, exitCode, text } of await printed) expect(exitCode, `${command}\n${text}`).toBe(0);
}

/** A copy of the project whose files may be edited. */
async function inCopy(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(path.join(tmpdir(), 'seam-copy-'));
  const before = desk;
  try {
    for (const name of [
      'adapters',
      'avro',
      'cli',
      'connectors',
      'core',
      'ops',
      'processors',
      'sinks',
      'stack',
      'package.json',
    ])
      await cp(path.join(root, name), path.join(folder, name), { recursive: true });
    await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
    desk = { ...before, folder };
    await work(folder);
  } finally {
    desk = before;
    await rm(folder, { recursive: true, force: true });
  }
}

async function edit(file: string, from: string, to: string): Promise<() => Promise<void>> {
  const text = await readFile(file, 'utf8');
  if (!text.includes(from)) throw new Error(`${file} lacks ${from}`);
  await writeFile(file, text.replace(from, to));
  return () => writeFile(file, text);
}

describe('servers', () => {
  it('CONNECT_UNREACHABLE: the stack is brought up again', async () => {
    await stopService(chain.stateDirectory, 'connect');
    const { text } = await says('CONNECT_UNREACHABLE', 'seam connectors apply crm --yes');
    await allDone(follow(desk, text, 'CONNECT_UNREACHABLE'));
    await flows();
  });

  it('DATABASE_UNREACHABLE: the stack is brought up again', async () => {
    await stopService(chain.stateDirectory, 'postgres-finance');
    const { text } = await says('DATABASE_UNREACHABLE', 'seam setup plan finance');
    await allDone(follow(desk, text, 'DATABASE_UNREACHABLE'));
    await isWell('seam setup plan finance');
  });

  it('NO_SUCH_LOG: names the logs there are', async () => {
    const { text } = await says('NO_SUCH_LOG', 'seam stack logs nobody');
    expect(text).toContain('connect');
    await isWell('seam stack logs connect');
  });
});

describe('connectors', () => {
  it('CONNECTOR_MISSING: is applied again', async () => {
    await connect.remove('seam-crm');
    const { text } = await says('CONNECTOR_MISSING', 'seam resnapshot --system crm --table crm.mkt_srvy --yes');
    await allDone(follow(desk, text, 'CONNECTOR_MISSING'));
    await flows();
  });

  it('CONNECTOR_TASK_FAILED: is restarted once its cause is gone', async () => {
    await crm('ALTER ROLE seam_cdc NOREPLICATION');
    await crm(`SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE slot_name = 'seam_crm'`);
    const { text } = await says('CONNECTOR_TASK_FAILED', 'seam connectors status crm').finally(() =>
      crm('ALTER ROLE seam_cdc REPLICATION'),
    );
    await allDone(follow(desk, text, 'CONNECTOR_TASK_FAILED'));
    await flows();
  });

  it('CONNECTOR_FORGOT: everything is read again', async () => {
    await stopConnector(connect, 'seam-crm');
    await connect.forgetOffsets('seam-crm');
    await connect.remove('seam-crm');
    const { text } = await says('CONNECTOR_FORGOT', 'seam connectors apply crm --yes');
    await allDone(follow(desk, text, 'CONNECTOR_FORGOT'));
    await flows();
    await isWell('seam connectors status crm');
  });

  it('CONNECTOR_INVALID, TABLE_NOT_LISTED and TABLE_NOT_CAPTURED: are applied once the file is right', async () => {
    await inCopy(async (folder) => {
      const file = path.join(folder, 'connectors', 'crm', 'connector.json');
      const restoreMode = await edit(file, '"slot.name"', '"snapshot.mode": "no such mode", "slot.name"');
      const invalid = await says('CONNECTOR_INVALID', 'seam connectors apply --yes');
      await restoreMode();
      await allDone(follow(desk, invalid.text, 'CONNECTOR_INVALID'));

      const restoreList = await edit(file, ',crm.mkt_srvy', '');
      const left = await says('TABLE_NOT_LISTED', 'seam connectors apply crm --yes');
      expect(left.exitCode).not.toBe(0);
      await restoreList();
      await allDone(follow(desk, left.text, 'TABLE_NOT_LISTED'));
    });
    await flows();
  });

  it('SOURCE_NOT_WHOLE: is applied once each reason is gone', async () => {
    await connect.remove('seam-crm');
    await crm('REVOKE SELECT ON crm.mkt_srvy, crm.web_ord FROM seam_cdc');
    const { text } = await says('SOURCE_NOT_WHOLE', 'seam connectors apply --yes').finally(() =>
      crm('GRANT SELECT ON crm.mkt_srvy, crm.web_ord TO seam_cdc'),
    );
    await allDone(follow(desk, text, 'SOURCE_NOT_WHOLE'));
    await isWell('seam connectors status crm');
  });

  it('CONNECTOR_STATEMENT_UNREADABLE: the source is read again from behind it', async () => {
    await pos('CREATE TABLE not_ours (a INET6)');
    const { text } = await says('CONNECTOR_STATEMENT_UNREADABLE', 'seam connectors status pos');
    await pos('DROP TABLE not_ours');
    await allDone(follow(desk, text, 'CONNECTOR_STATEMENT_UNREADABLE'));
    await posFlows();
  });
});

describe('what Seam asks of a database', () => {
  it('FORMATS_NOT_PINNED and ADMIN_MISSING: the set-up is applied, or handed to the owner', async () => {
    const unpin = () => crm('ALTER ROLE seam_cdc IN DATABASE crm RESET ALL');
    await unpin();
    const warned = await says('FORMATS_NOT_PINNED', 'seam connectors status crm');
    await allDone(follow(desk, warned.text, 'FORMATS_NOT_PINNED'));
    await isWell('seam connectors status crm');

    await unpin();
    const deploymentFile = path.join(chain.stateDirectory, 'without-admin.json');
    const deployment = JSON.parse(await readFile(chain.deploymentFile, 'utf8'));
    delete deployment.systems.crm.adminUser;
    await writeFile(deploymentFile, JSON.stringify(deployment));
    const withAdmin = desk;
    desk = { ...desk, deploymentFile };
    const refused = await says('ADMIN_MISSING', 'seam setup apply crm --yes');
    const [plan] = await follow(desk, refused.text, 'ADMIN_MISSING');
    desk = withAdmin;
    await crm(plan?.standardOutput ?? '');
    await isWell('seam connectors status crm');
  });

  it('TARGET_MISMATCH: its rights are given again', async () => {
    await crm('REVOKE INSERT ON seam.parked FROM seam_sink');
    await restarted('sink-crm');
    const { text } = await says('TARGET_MISMATCH', 'seam status');
    await allDone(follow(desk, text, 'TARGET_MISMATCH'));
    await arrives('running', async () => viewOf('sink-crm')?.status?.state ?? 'none', ARRIVES_MS);
  });

  it('LEDGER_REFUSED: the processors may read again what Seam wrote', async () => {
    await crm('REVOKE SELECT ON seam.applied FROM seam_sink, seam_cdc');
    await crm(`UPDATE crm.mbr SET tel = '0100' WHERE mbr_id = ${member}`);
    const { text } = await says('LEDGER_REFUSED', 'seam status');
    await allDone(follow(desk, text, 'LEDGER_REFUSED'));
    await flows();
  });

  it('SIDE_SCHEMA_OLD: the side schema is brought up to date', async () => {
    const plan = `seam replay plan --target crm --from 10m --reason 'rows lost' --output ${path.join(chain.stateDirectory, 'plan.json')}`;
    await crm('DROP TABLE seam.replay CASCADE');
    const { text } = await says('SIDE_SCHEMA_OLD', plan);
    await allDone(follow(desk, text, 'SIDE_SCHEMA_OLD'));
    const after = await typed(desk, plan);
    expect(after.text).not.toContain('SIDE_SCHEMA_OLD');
  });
});

describe('topics, tables and records', () => {
  it('TOPICS_MISSING: they are made again', async () => {
    const admin = new Kafka({ brokers: [chain.deployment.kafka.bootstrapServers] }).admin();
    await admin.connect();
    await restarted('processors', () => admin.deleteTopics({ topics: ['redrive.canonicalize'] }));
    await admin.disconnect();
    const { text } = await says('TOPICS_MISSING', 'seam status');
    await allDone(follow(desk, text, 'TOPICS_MISSING'));
    await restarted('processors');
    await flows();
  });

  it('COLUMN_MISSING_IN_SOURCE: is applied once mapping and table agree', async () => {
    await crm('ALTER TABLE crm.mkt_srvy RENAME COLUMN avg_prc TO avg_price');
    await connect.remove('seam-crm');
    const { text } = await says('COLUMN_MISSING_IN_SOURCE', 'seam connectors apply crm --yes');
    await crm('ALTER TABLE crm.mkt_srvy RENAME COLUMN avg_price TO avg_prc');
    await allDone(follow(desk, text, 'COLUMN_MISSING_IN_SOURCE'));
    await flows();
  });

  it('LOG_NOT_BY_ROW: goes on once the setting is back', async () => {
    await pos("SET GLOBAL binlog_format = 'STATEMENT'");
    const { text } = await says('LOG_NOT_BY_ROW', 'seam connectors status pos');
    await pos("SET GLOBAL binlog_format = 'ROW'");
    await allDone(follow(desk, text, 'LOG_NOT_BY_ROW'));
    await posFlows();
  });

  it('SOURCE_NOT_CHECKED: the next look finds nothing', async () => {
    const session = await chain.sessions.crm.connect();
    await session.query('BEGIN');
    await session.query('LOCK TABLE pg_catalog.pg_db_role_setting IN ACCESS EXCLUSIVE MODE');
    const { text } = await says('SOURCE_NOT_CHECKED', 'seam connectors status crm');
    await session.query('ROLLBACK');
    session.release();
    await allDone(follow(desk, text, 'SOURCE_NOT_CHECKED'));
  });

  it('DEAD_LETTER_UNKNOWN: lists what there is', async () => {
    const { text } = await says('DEAD_LETTER_UNKNOWN', 'seam dead-letter show crm:999999');
    await allDone(follow(desk, text, 'DEAD_LETTER_UNKNOWN'));
  });

  it('PLAN_UNREADABLE: the plan that its hint makes can be applied', async () => {
    const { text } = await says('PLAN_UNREADABLE', 'seam replay apply no-such-plan.json --yes');
    await allDone(follow(desk, text, 'PLAN_UNREADABLE'));
    const plan = path.join(chain.stateDirectory, 'made.json');
    await isWell(`seam replay plan --target pos --from 24h --reason 'rows lost' --output ${plan}`);
    await isWell(`seam replay apply ${plan} --yes`);
  });

  it('GENERATED_NOT_READ: the whole source is read again', async () => {
    await crm('ALTER PUBLICATION seam_crm SET (publish_generated_columns = stored)');
    await crm('ALTER TABLE crm.mkt_srvy DROP COLUMN srv_dt');
    await crm(`ALTER TABLE crm.mkt_srvy ADD COLUMN srv_dt date GENERATED ALWAYS AS (DATE '2017-01-01' + wk) STORED`);
    await crm(`INSERT INTO crm.mkt_srvy (wk, prod, comp, units, avg_prc) VALUES (77, '900', 'generated', 1, 1.5)`);
    const { text } = await says('GENERATED_NOT_READ', 'seam resnapshot --system crm --table crm.mkt_srvy --yes');
    await allDone(follow(desk, text, 'GENERATED_NOT_READ'));
    await arrives(
      [['2017-03-19']],
      () =>
        reported(`SELECT surveyed_on::text FROM reporting.market_survey WHERE week = 77 AND competitor = 'generated'`),
      ARRIVES_MS,
    );
    await flows();
  });
});

const viewOf = (worker: string) => chain.workers.views().find(({ name }) => name === worker);

async function restarted(worker: string, between: () => Promise<unknown> = async () => {}): Promise<void> {
  await chain.workers.halt(worker);
  await between();
  const command = workerCommands()[worker];
  if (command === undefined) throw new Error(`no worker ${worker}`);
  // it may fail at once, which is what the test wants to see
  await chain.workers.start({ [worker]: command }, 5_000).catch(() => {});
}
