/** The SQL handed to each database's owner does what it says, on that owner's kind of server: asks, suffices, and undoes. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import pg from 'pg';
import { type AdminConnection, queryRows, runScripts } from '../../adapters/sql-script.ts';
import { entities } from '../../avro/generated/entities.ts';
import type { Sighting } from '../../core/condition.ts';
import { PINNED_SETTINGS } from '../../core/databases/postgres.ts';
import type { SourceMapping } from '../../core/mapping.ts';
import { writeLocalDeployment } from '../../ops/local-deployment.ts';
import { applySetup, planSetup } from '../../ops/operations/setup.ts';
import { openSource } from '../../ops/resnapshot/source-session.ts';
import { sourceKinds } from '../../ops/sources/checks/index.ts';
import { runChecks } from '../../ops/sources/checks/run.ts';
import { mappedTables, type System, systems } from '../../ops/systems.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { describeTarget } from '../../sinks/engine/checks.ts';
import { type StackDescription, startStack, stopStack } from '../../stack/stack.ts';

const PASSWORDS = { cdc_password: "it's \\capture\\", sink_password: "it's \\'sink" };
let stateDirectory: string;
let stack: StackDescription;

beforeAll(async () => {
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-system-sql-'));
  const databases = systems.map(({ system, database }) => ({ name: system, kind: database }));
  const only = databases.map(({ name, kind }) => `${kind}-${name}`);
  stack = await startStack({ stateDirectory, databases, only, ownerPid: process.pid });
}, 240_000);

afterAll(() => stopStack({ stateDirectory, removeData: true }));

/** What the checks find as the capture user, before anything was read. */
async function foundIn(system: System, config: Record<string, string>): Promise<readonly Sighting[]> {
  const mapping = system.source?.mapping as SourceMapping;
  const session = await openSource(captureOf(system));
  try {
    const source = { system: system.system, session, config, offset: undefined, mapping, tables: mappedTables(system) };
    const { found, failed } = await runChecks(source, sourceKinds[system.database].checks);
    expect(failed).toEqual(new Map());
    return found;
  } finally {
    await session.close();
  }
}

describe.each(systems)('$system', (system: System) => {
  it('can be set up, and set up again', async () => {
    await run(system, 'schema');
    await run(system, 'setup');
    await run(system, 'setup');
  });

  it('leaves no password in the binary log, which replicas and the capture user read', async () => {
    if (system.database !== 'mariadb') return;
    const events = JSON.stringify(await logEvents(adminOf(system)));
    expect(events).toContain('IDENTIFIED BY PASSWORD');
    for (const password of ['capture', 'sink']) expect(events).not.toMatch(new RegExp(`it.{1,4}s .{1,6}${password}`));
  });

  it('gives the sink what its declaration needs', async () => {
    if (system.target === null) return;
    const session = await dialects[system.database].open(
      { ...adminOf(system), user: 'seam_sink', password: PASSWORDS.sink_password },
      { system: system.system, owner: 'test', statementTimeoutMs: 10_000 },
    );
    await describeTarget(session, system.target, entities);
    await session.close();
  });

  it('can be read whole, as far as every check of its kind knows', async () => {
    if (system.source === null) return;
    const { config } = JSON.parse(await readFile(system.source.connectorFile, 'utf8'));
    expect(await foundIn(system, config)).toEqual([]);
    if (system.database !== 'mariadb') return;
    const [table = ''] = Object.keys(system.source.mapping.tables);
    await queryRows(adminOf(system), `ALTER TABLE ${table} ADD old_nm VARCHAR(9) CHARACTER SET sjis`);
    expect(await foundIn(system, config)).toMatchObject([
      { id: 'COLUMN_NOT_SAFE', object: { table }, text: expect.stringContaining(`${table}.old_nm (sjis)`) },
    ]);
    expect(await foundIn(system, { ...config, 'column.exclude.list': `.*\\.old_nm` })).toEqual([]);
    await queryRows(adminOf(system), `ALTER TABLE ${table} DROP COLUMN old_nm`);
  });

  it('lets the capture user read what is captured, and write the heartbeat and the signal', async () => {
    if (system.source === null) return;
    const capture = captureOf(system);
    for (const table of Object.keys(system.source.mapping.tables)) await queryRows(capture, `SELECT * FROM ${table}`);
    const connector = JSON.parse(await readFile(system.source.connectorFile, 'utf8'));
    await queryRows(capture, connector.config['heartbeat.action.query']);
    await queryRows(capture, "INSERT INTO seam.signal (id, type) VALUES ('test', 'log')");
    await expect(queryRows(capture, `DELETE FROM ${Object.keys(system.source.mapping.tables)[0]}`)).rejects.toThrow();
    await queryRows(capture, 'SELECT * FROM seam.applied');
    await expect(queryRows(capture, 'SELECT * FROM seam.parked')).rejects.toThrow();
    await expect(queryRows(capture, 'DELETE FROM seam.applied')).rejects.toThrow();
  });

  it('is not done while a grant that its set-up asks for is missing, or a table that its publication has to tell', async () => {
    if (system.database !== 'postgres' || system.source === null) return;
    const { deployment } = await writeLocalDeployment(stack);
    await applySetup(deployment, system, await planSetup(deployment, system, false));
    const [table] = Object.keys(system.source.mapping.tables);
    const [target] = system.target?.tables ?? [];
    const { config } = JSON.parse(await readFile(system.source.connectorFile, 'utf8'));
    const taken = [
      `REVOKE SELECT ON ${table} FROM seam_cdc`,
      `ALTER PUBLICATION ${config['publication.name']} DROP TABLE ${table}`,
      'REVOKE SELECT ON seam.applied FROM seam_cdc',
      'REVOKE DELETE ON seam.signal FROM seam_cdc',
      ...(target === undefined
        ? []
        : [`REVOKE ALL ON ${target.table} FROM seam_sink`, 'REVOKE INSERT ON seam.parked FROM seam_sink']),
    ];
    for (const sql of taken) {
      expect((await planSetup(deployment, system, false)).done, sql).toBe(true);
      await queryRows(adminOf(system), sql);
      const plan = await planSetup(deployment, system, false);
      expect(plan.scripts.map(({ name }) => name.split('/').at(-1))).toContain('setup.sql');
      await applySetup(deployment, system, plan);
    }
    expect((await planSetup(deployment, system, false)).done).toBe(true);
    await run(system, 'setup');
  });

  it('is not done while a grant that its set-up asks for is missing (MariaDB)', async () => {
    if (system.database !== 'mariadb' || system.source === null) return;
    const { deployment } = await writeLocalDeployment(stack);
    expect((await planSetup(deployment, system, false)).done).toBe(true);
    const [table] = Object.keys(system.source.mapping.tables);
    await queryRows(adminOf(system), `REVOKE SELECT ON ${table} FROM 'seam_cdc'@'%'`);
    const plan = await planSetup(deployment, system, false);
    expect(plan.scripts.map(({ name }) => name.split('/').at(-1))).toEqual(['side-schema.sql', 'setup.sql']);
    await queryRows(adminOf(system), `CREATE USER clerk@'%' IDENTIFIED BY 'x'`);
    await queryRows(adminOf(system), `GRANT BINLOG ADMIN ON *.* TO clerk@'%'`);
    const findings = await applySetup(deployment, system, plan);
    expect(findings).toMatchObject([{ text: expect.stringContaining(`(sql_log_bin = 0): 'clerk'@'%'`) }]);
    await queryRows(adminOf(system), `DROP USER clerk@'%'`);
    expect(await applySetup(deployment, system, plan)).toEqual([]);
    await run(system, 'setup');
    expect((await planSetup(deployment, system, false)).done).toBe(true);
  });

  it('pins how values are printed for the capture user, whatever the database says', async () => {
    if (system.source === null || system.database !== 'postgres') return;
    const said = [`intervalstyle = 'sql_standard'`, 'extra_float_digits = 0', `bytea_output = 'escape'`];
    for (const setting of [...said, `search_path = ${system.system}`, 'quote_all_identifiers = on']) {
      await queryRows(adminOf(system), `ALTER DATABASE ${system.system} SET ${setting}`);
    }
    // as the connector does, without settings of its own
    const { host, port, database, user, password } = captureOf(system);
    const client = new pg.Client({ host, port, database, user, password });
    await client.connect();
    const { rows } = await client.query('SELECT lower(name) AS name, setting FROM pg_settings');
    await client.end();
    const found = new Map(rows.map(({ name, setting }) => [name, setting]));
    expect(Object.fromEntries(Object.keys(PINNED_SETTINGS).map((name) => [name, found.get(name)]))).toEqual(
      PINNED_SETTINGS,
    );
    await queryRows(adminOf(system), `ALTER DATABASE ${system.system} RESET ALL`);
  });

  it('is taken back without a trace, however often', async () => {
    await run(system, 'teardown');
    await run(system, 'teardown');
    expect(await queryRows(adminOf(system), TRACES[system.database])).toEqual([]);
    await run(system, 'setup');
  });
});

describe('reporting views', () => {
  it('count returns negative, and know the chain’s weeks', async () => {
    const reporting = adminOf(systems.find(({ system }) => system === 'reporting') as System);
    await runScripts(reporting, [{ name: 'rows', text: SALES }], {});
    const [margin] = await queryRows<object>(
      reporting,
      "SELECT week, units, revenue, cost, margin, margin_percent FROM reporting.margin_by_product_week WHERE product_id = '10'",
    );
    // sold on Sunday evening in New York, already Monday in UTC: the week that ends
    expect(margin).toEqual({
      week: 201_709,
      units: '3.000',
      revenue: '7.50',
      cost: '3.7500000',
      margin: '3.7500000',
      margin_percent: '50.00',
    });
    const [member] = await queryRows<object>(
      reporting,
      `SELECT baskets::int, lines::int, spend, returned, net_spend, favourite_department, points_earned::int
       FROM reporting.member_behaviour WHERE member_id = '900'`,
    );
    expect(member).toEqual({
      baskets: 2,
      lines: 2,
      spend: '10.00',
      returned: '2.50',
      net_spend: '7.50',
      favourite_department: 'DAIRY',
      points_earned: 7,
    });
    expect(
      await queryRows(
        reporting,
        'SELECT member_id, baskets::int, last_purchase_at FROM reporting.member_behaviour WHERE member_id = $$901$$',
      ),
    ).toEqual([{ member_id: '901', baskets: 0, last_purchase_at: null }]);
    expect(
      await queryRows(
        reporting,
        'SELECT own_units, market_units::int, share_percent, own_price FROM reporting.sell_through',
      ),
    ).toEqual([
      { own_units: '3.000', market_units: 9, share_percent: '25.00', own_price: '2.50' },
      { own_units: '0', market_units: 4, share_percent: '0.00', own_price: null },
    ]);
    expect(
      await queryRows(
        reporting,
        'SELECT location_id, sold_units, moved_units, difference, on_hand_without_movements AS opening FROM reporting.stock_accuracy',
      ),
    ).toEqual([
      { location_id: '330', sold_units: '3.000', moved_units: '-2.000', difference: '1.000', opening: '22.000' },
    ]);
    expect(
      await queryRows(
        reporting,
        'SELECT entries::int, within_two_seconds::int, within_two_seconds_percent, slowest_ms FROM reporting.points_freshness',
      ),
    ).toEqual([{ entries: 2, within_two_seconds: 1, within_two_seconds_percent: '50.00', slowest_ms: '2001' }]);
  });
});

const SALES = `
INSERT INTO reporting.product (product_id, description, department, unit_cost) VALUES ('10', 'Milk', 'DAIRY', 1.25);
INSERT INTO reporting.member (member_id, tier, status, points_balance) VALUES ('900', 'BASE', 'ACTIVE', 7), ('901', 'BASE', 'ACTIVE', 0);
INSERT INTO reporting.sale_line VALUES
  ('1', 1, '10', '330', '900', 3, 7.50, 0, 'SALE', '2017-03-06T04:59:00Z'),
  ('2', 1, '10', '330', '900', 1, 2.50, 0, 'SALE', '2017-03-04T12:00:00Z'),
  ('3', 1, '10', '330', '900', 1, 2.50, 0, 'RETURN', '2017-03-04T13:00:00Z');
INSERT INTO reporting.stock_movement VALUES ('1-1', '10', '330', -3, 'SALE', now()), ('3-1', '10', '330', 1, 'RETURN', now());
INSERT INTO reporting.stock_level VALUES ('330', '10', 20, NULL);
INSERT INTO reporting.points_entry VALUES ('1-1', '900', '1', 7, now());
INSERT INTO reporting.market_survey VALUES (201709, '10', 'A', 5, 2.40, NULL), (201709, '10', 'B', 4, 2.60, NULL), (201701, '10', 'A', 4, 2.40, NULL);
INSERT INTO seam.applied (entity, key, position, hash, deleted, hops, seam_wrote, commit_time_us, applied_at) VALUES
  ('points-entry', '1-1', '', '', false, 0, false, 1488776400000000, '2017-03-06T05:00:01Z'),
  ('points-entry', '2-1', '', '', false, 0, false, 1488776400000000, '2017-03-06T05:00:02.001Z'),
  ('points-entry', '3-1', '', '', true, 0, false, 1488776400000000, '2017-03-06T05:00:09Z');
`;

const TRACES = {
  postgres: `
    SELECT rolname AS trace FROM pg_roles WHERE rolname LIKE 'seam%'
    UNION ALL SELECT pubname FROM pg_publication
    UNION ALL SELECT nspname FROM pg_namespace WHERE nspname = 'seam'
    UNION ALL SELECT roname FROM pg_replication_origin
    UNION ALL SELECT setconfig::text FROM pg_db_role_setting WHERE setrole <> 0
    UNION ALL SELECT relname FROM pg_class WHERE relreplident = 'f' AND relkind = 'r'`,
  mariadb: `
    SELECT User AS trace FROM mysql.global_priv WHERE User LIKE 'seam%'
    UNION ALL SELECT schema_name FROM information_schema.schemata WHERE schema_name = 'seam'
    UNION ALL SELECT User FROM mysql.tables_priv WHERE User LIKE 'seam%'
    UNION ALL SELECT User FROM mysql.db WHERE User LIKE 'seam%'`,
};

async function run(system: System, which: 'schema' | 'setup' | 'teardown'): Promise<void> {
  const script = { name: `${system.system} ${which}`, text: await readFile(system.sql[which], 'utf8') };
  const side = { name: 'side schema', text: dialects[system.database].sideSchemaSql() };
  const pins = system.source === null ? undefined : dialects[system.database].captureSettingsSql('seam_cdc');
  const last = pins === undefined ? [] : [{ name: 'capture settings', text: pins }];
  await runScripts(adminOf(system), which === 'setup' ? [side, script, ...last] : [script], PASSWORDS);
}

async function logEvents(admin: AdminConnection): Promise<object[]> {
  const files = await queryRows<{ Log_name: string }>(admin, 'SHOW BINARY LOGS');
  const events = files.map(({ Log_name }) => queryRows<object>(admin, `SHOW BINLOG EVENTS IN '${Log_name}'`));
  return (await Promise.all(events)).flat().map((event) => ({ info: (event as { Info: string }).Info }));
}

function captureOf(system: System): AdminConnection {
  return { ...adminOf(system), user: 'seam_cdc', password: PASSWORDS.cdc_password };
}

function adminOf({ system, database: kind }: System): AdminConnection {
  const found = stack.databases[system];
  if (found === undefined) throw new Error(`the stack has no database ${system}`);
  const { host, port, adminUser: user, adminPassword: password } = found;
  return { kind, host, port, database: system, user, password };
}
