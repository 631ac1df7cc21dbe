/**
 * Why: at three in the morning a person does what the error says, and nothing else. So each error whose hint names a command is
 * provoked here on the real stack, the commands are typed word for word, and a change must arrive afterwards.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { ConfigResourceTypes, ConfigSource, Kafka } from 'kafkajs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readPassword } from '../../adapters/deployment-file.ts';
import { runScripts } from '../../adapters/sql-script.ts';
import { stopConnector } from '../../ops/operations/connector-start.ts';
import { accessOf, adminConnection } from '../../ops/operations/setup.ts';
import { stopService } from '../../stack/stack.ts';
import { edit, OnCall } from '../support/on-call.ts';
import { follow, typed } from '../support/operator.ts';
import { arrives } from '../support/running-chain.ts';

const ARRIVES_MS = 120_000;

let on: OnCall;

beforeAll(async () => {
  on = await OnCall.begin();
}, 300_000);
afterAll(() => on?.end());

describe('servers', () => {
  it('CONNECT_UNREACHABLE: the stack is brought up again', async () => {
    await stopService(on.chain.stateDirectory, 'connect');
    const said = await on.says('CONNECT_UNREACHABLE', 'seam connectors apply crm --yes');
    await on.does(said, 'CONNECT_UNREACHABLE');
    await on.flows();
  });

  it('DATABASE_UNREACHABLE: the stack is brought up again', async () => {
    await stopService(on.chain.stateDirectory, 'postgres-finance');
    const said = await on.says('DATABASE_UNREACHABLE', 'seam setup plan finance');
    await on.does(said, 'DATABASE_UNREACHABLE');
    await on.isWell('seam setup plan finance');
  });

  it('NO_SUCH_LOG: names the logs there are', async () => {
    const said = await on.says('NO_SUCH_LOG', 'seam stack logs nobody');
    expect(said.text).toContain('connect');
    await on.isWell('seam stack logs connect');
  });
});

describe('connectors', () => {
  it('CONNECTOR_MISSING: is applied again', async () => {
    await on.connect.remove('seam-crm');
    const said = await on.says('CONNECTOR_MISSING', 'seam resnapshot --system crm --table crm.mkt_srvy --yes');
    await on.does(said, 'CONNECTOR_MISSING');
    await on.flows();
  });

  it('CONNECTOR_TASK_FAILED: is restarted once its cause is gone', async () => {
    // no worker of Seam starts it again
    await on.chain.workers.halt('connectors');
    const putBack = await withoutRoom('raw.crm.crm.mbr');
    await on.crm(
      `INSERT INTO crm.mbr (mbr_id, nm, rmrk) VALUES (900002, 'too large', md5('a') || md5('b') || md5('c'))`,
    );
    const said = await on.says('CONNECTOR_TASK_FAILED', 'seam connectors status crm').finally(putBack);
    await on.does(said, 'CONNECTOR_TASK_FAILED');
    await on.flows();
    await on.started('connectors');
  });

  it('CONNECTOR_FORGOT: everything is read again', async () => {
    await stopConnector(on.connect, 'seam-crm');
    await on.connect.forgetOffsets('seam-crm');
    await on.connect.remove('seam-crm');
    const said = await on.says('CONNECTOR_FORGOT', 'seam connectors apply crm --yes');
    await on.does(said, 'CONNECTOR_FORGOT');
    await on.flows();
    await on.isWell('seam connectors status crm');
  });

  it('CONNECTOR_INVALID, TABLE_NOT_LISTED and TABLE_NOT_CAPTURED: are applied once the file is right', async () => {
    await on.inCopy(async (folder) => {
      const file = path.join(folder, 'connectors', 'crm', 'connector.json');
      const restoreMode = await edit(file, '"snapshot.mode": "initial"', '"snapshot.mode": "sometimes"');
      const invalid = await on.says('CONNECTOR_INVALID', 'seam connectors apply --yes');
      await restoreMode();
      await on.does(invalid, 'CONNECTOR_INVALID');

      const restoreList = await edit(file, ',crm.mkt_srvy', '');
      const left = await on.says('TABLE_NOT_LISTED', 'seam connectors apply crm --yes');
      expect(left.exitCode).not.toBe(0);
      await restoreList();
      await on.does(left, 'TABLE_NOT_LISTED');
    });
    const reading = 'seam resnapshot --system crm --table crm.mkt_srvy --yes';
    await on.putSettings('seam-crm', (config) => ({ ...config, 'table.include.list': 'crm.mbr,crm.web_ord' }));
    const lacking = await on.says('TABLE_NOT_CAPTURED', reading);
    await on.does(lacking, 'TABLE_NOT_CAPTURED');
    await on.isWell(reading);
    await on.flows();
  });

  it('SOURCE_NOT_WHOLE: is applied once each reason is gone', async () => {
    await on.connect.remove('seam-crm');
    await on.crm('REVOKE SELECT ON crm.mkt_srvy, crm.web_ord FROM seam_cdc');
    const said = await on
      .says('SOURCE_NOT_WHOLE', 'seam connectors apply --yes')
      .finally(() => on.crm('GRANT SELECT ON crm.mkt_srvy, crm.web_ord TO seam_cdc'));
    await on.does(said, 'SOURCE_NOT_WHOLE');
    await on.isWell('seam connectors status crm');
  });

  it('CONNECTOR_STATEMENT_UNREADABLE: the source is read again from behind it', async () => {
    await on.pos('CREATE TABLE not_ours (a INET6)');
    const said = await on.says('CONNECTOR_STATEMENT_UNREADABLE', 'seam connectors status pos');
    await on.pos('DROP TABLE not_ours');
    await on.does(said, 'CONNECTOR_STATEMENT_UNREADABLE');
    await on.posFlows();
  });
});

describe('what Seam asks of a database', () => {
  it('FORMATS_NOT_PINNED and ADMIN_MISSING: the set-up is applied, or handed to the owner', async () => {
    const unpin = () => on.crm('ALTER ROLE seam_cdc IN DATABASE crm RESET ALL');
    await unpin();
    const warned = await on.says('FORMATS_NOT_PINNED', 'seam connectors status crm');
    await on.does(warned, 'FORMATS_NOT_PINNED');
    await on.isWell('seam connectors status crm');

    await unpin();
    const deploymentFile = path.join(on.chain.stateDirectory, 'without-admin.json');
    const deployment = JSON.parse(await readFile(on.chain.deploymentFile, 'utf8'));
    delete deployment.systems.crm.adminUser;
    await writeFile(deploymentFile, JSON.stringify(deployment));
    const withAdmin = on.desk;
    on.desk = { ...withAdmin, deploymentFile };
    const refused = await on.says('ADMIN_MISSING', 'seam setup apply crm --yes');
    const [plan] = await follow(on.desk, refused.text, 'ADMIN_MISSING');
    on.desk = withAdmin;
    expect(plan?.exitCode, plan?.text).toBe(0);
    await asOwner('crm', plan?.standardOutput ?? '');
    await on.isWell('seam connectors status crm');
  });

  it('TARGET_MISMATCH: its rights are given again', async () => {
    await on.crm('REVOKE INSERT ON seam.parked FROM seam_sink');
    await on.restarted('sink-crm');
    const said = await on.says('TARGET_MISMATCH', 'seam status');
    await on.does(said, 'TARGET_MISMATCH');
    await arrives('running', async () => on.stateOf('sink-crm')?.state ?? 'none', ARRIVES_MS);
  });

  it('LEDGER_REFUSED: the processors may read again what Seam wrote', async () => {
    await on.pos(`REVOKE SELECT ON seam.applied FROM 'seam_cdc'@'%'`);
    // what the sink of the tills writes comes back to the processors as an echo
    await on.crm(`INSERT INTO crm.mbr (mbr_id, nm, tel) VALUES (900003, 'echo', '0100')`);
    const said = await on.says('LEDGER_REFUSED', 'seam status');
    await on.does(said, 'LEDGER_REFUSED');
    await on.flows();
  });

  it('SIDE_SCHEMA_OLD: the side schema is brought up to date', async () => {
    const plan = `seam replay plan --target crm --from 10m --reason 'rows lost' --output ${path.join(on.chain.stateDirectory, 'plan.json')}`;
    await on.crm('DROP TABLE seam.replay CASCADE');
    const said = await on.says('SIDE_SCHEMA_OLD', plan);
    await on.does(said, 'SIDE_SCHEMA_OLD');
    const after = await typed(on.desk, plan);
    expect(after.text).not.toContain('SIDE_SCHEMA_OLD');
  });
});

describe('topics, tables and records', () => {
  it('TOPICS_MISSING: they are made again', async () => {
    const admin = new Kafka({ brokers: [on.chain.deployment.kafka.bootstrapServers] }).admin();
    await admin.connect();
    await on.restarted('processors', () => admin.deleteTopics({ topics: ['redrive.canonicalize'] }));
    await admin.disconnect();
    const said = await on.says('TOPICS_MISSING', 'seam status');
    await on.does(said, 'TOPICS_MISSING');
    await on.restarted('processors');
    await on.flows();
  });

  it('COLUMN_MISSING_IN_SOURCE: is applied once mapping and table agree', async () => {
    await on.crm('ALTER TABLE crm.mkt_srvy RENAME COLUMN avg_prc TO avg_price');
    await on.connect.remove('seam-crm');
    const said = await on.says('COLUMN_MISSING_IN_SOURCE', 'seam connectors apply crm --yes');
    await on.crm('ALTER TABLE crm.mkt_srvy RENAME COLUMN avg_price TO avg_prc');
    await on.does(said, 'COLUMN_MISSING_IN_SOURCE');
    await on.flows();
  });

  it('LOG_NOT_BY_ROW: goes on once the setting is back', async () => {
    await on.pos("SET GLOBAL binlog_format = 'STATEMENT'");
    const said = await on.says('LOG_NOT_BY_ROW', 'seam connectors status pos');
    await on.pos("SET GLOBAL binlog_format = 'ROW'");
    await on.does(said, 'LOG_NOT_BY_ROW');
    await on.posFlows();
  });

  it('SOURCE_NOT_CHECKED: the next look finds nothing', async () => {
    await on.crm('REVOKE SELECT ON pg_catalog.pg_publication_tables FROM PUBLIC');
    const said = await on
      .says('SOURCE_NOT_CHECKED', 'seam connectors status crm')
      .finally(() => on.crm('GRANT SELECT ON pg_catalog.pg_publication_tables TO PUBLIC'));
    await on.does(said, 'SOURCE_NOT_CHECKED');
    await on.flows();
  });

  it('SOURCE_SLOW: the next look finds nothing', async () => {
    const session = await on.chain.sessions.crm.connect();
    await session.query('BEGIN');
    await session.query('LOCK TABLE pg_catalog.pg_publication IN ACCESS EXCLUSIVE MODE');
    const said = await on.says('SOURCE_SLOW', 'seam connectors status crm');
    await session.query('ROLLBACK');
    session.release();
    await on.does(said, 'SOURCE_SLOW');
    await on.flows();
  });

  it('DEAD_LETTER_UNKNOWN: lists what there is', async () => {
    const said = await on.says('DEAD_LETTER_UNKNOWN', 'seam dead-letter show crm:999999');
    await on.does(said, 'DEAD_LETTER_UNKNOWN');
  });

  it('PLAN_UNREADABLE: the plan that its hint makes can be applied', async () => {
    const said = await on.says('PLAN_UNREADABLE', 'seam replay apply no-such-plan.json --yes');
    await on.does(said, 'PLAN_UNREADABLE');
    const plan = path.join(on.chain.stateDirectory, 'made.json');
    await on.isWell(`seam replay plan --target pos --from 24h --reason 'rows lost' --output ${plan}`);
    await on.isWell(`seam replay apply ${plan} --yes`);
  });

  it('GENERATED_NOT_READ: the whole source is read again', async () => {
    await on.crm('ALTER PUBLICATION seam_crm SET (publish_generated_columns = stored)');
    await on.crm('ALTER TABLE crm.mkt_srvy DROP COLUMN srv_dt');
    await on.crm(`ALTER TABLE crm.mkt_srvy ADD COLUMN srv_dt date GENERATED ALWAYS AS (DATE '2017-01-01' + wk) STORED`);
    await on.crm(`INSERT INTO crm.mkt_srvy (wk, prod, comp, units, avg_prc) VALUES (77, '900', 'generated', 1, 1.5)`);
    const said = await on.says('GENERATED_NOT_READ', 'seam resnapshot --system crm --table crm.mkt_srvy --yes');
    await on.does(said, 'GENERATED_NOT_READ');
    await arrives(
      [['2017-03-19']],
      () =>
        on.reported(
          `SELECT surveyed_on::text FROM reporting.market_survey WHERE week = 77 AND competitor = 'generated'`,
        ),
      ARRIVES_MS,
    );
    // a deletion that needs its number is named with the command that can read such a table
    await on.crm('ALTER PUBLICATION seam_crm DROP TABLE crm.mkt_srvy');
    await on.crm('DELETE FROM crm.mkt_srvy WHERE wk = 77');
    await on.crm('ALTER PUBLICATION seam_crm ADD TABLE crm.mkt_srvy');
    const unconfirmed = await on.says('SWEEP_UNCONFIRMED', 'seam connectors recover crm --yes');
    expect(unconfirmed.text).toContain('seam connectors recover crm --delete 1 --yes');
    await on.does(unconfirmed, 'SWEEP_UNCONFIRMED');
    await on.isReported('SELECT count(*)::int FROM reporting.market_survey WHERE week = 77', 0);
    await on.flows();
  });
});

/** With the passwords that Seam was given. */
async function asOwner(system: string, text: string): Promise<void> {
  const { deployment } = on.chain;
  const access = accessOf(deployment, system);
  const passwords = {
    cdc_password: await readPassword(access, 'capture'),
    sink_password: await readPassword(access, 'sink'),
  };
  await runScripts(await adminConnection(deployment, system), [{ name: 'plan', text }], passwords);
}

/** The topic takes no record any more; the answer gives it its room back. */
async function withoutRoom(topic: string): Promise<() => Promise<void>> {
  const admin = new Kafka({ brokers: [on.chain.deployment.kafka.bootstrapServers] }).admin();
  await admin.connect();
  const type = ConfigResourceTypes.TOPIC;
  const { resources } = await admin.describeConfigs({ includeSynonyms: false, resources: [{ type, name: topic }] });
  const kept = (resources[0]?.configEntries ?? []).filter(
    ({ configSource }) => configSource === ConfigSource.TOPIC_CONFIG,
  );
  const entries = kept.map(({ configName: name, configValue: value }) => ({ name, value }));
  const set = async (bytes?: string) => {
    const limit = bytes === undefined ? [] : [{ name: 'max.message.bytes', value: bytes }];
    const others = bytes === undefined ? entries : entries.filter(({ name }) => name !== 'max.message.bytes');
    const configEntries = [...others, ...limit];
    await admin.alterConfigs({ validateOnly: false, resources: [{ type, name: topic, configEntries }] });
  };
  await set('80');
  return async () => {
    await set();
    await admin.disconnect();
  };
}
