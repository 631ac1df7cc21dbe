/** Source tables, their connectors with the settings that ship, and what the connectors wrote to Kafka. */
import { readFile } from 'node:fs/promises';
import { systemClock } from '../../../adapters/clock.ts';
import { type AdminConnection, queryRows, runScripts } from '../../../adapters/sql-script.ts';
import { ConnectClient, type ConnectorConfig } from '../../../adapters/connect-client.ts';
import { createRawDecoder } from '../../../adapters/avro/raw-codec.ts';
import { schemaIdOf, schemaIds } from '../../../adapters/avro/wire.ts';
import { Registry } from '../../../adapters/registry.ts';
import type { Row } from '../../../core/change-event.ts';
import type { Envelope } from '../../../core/debezium.ts';
import { quoteName as quoteInMariadb } from '../../../core/databases/mariadb.ts';
import { quoteName as quoteInPostgres } from '../../../core/databases/postgres.ts';
import { ignore } from '../../../core/mapping.ts';
import type { DialectName } from '../../../core/target.ts';
import { dialects } from '../../../sinks/dialects/index.ts';
import { withDerived } from '../../../ops/operations/connector-settings.ts';
import { taskFailed, waitUntilRunning, whenAvailable } from '../../../ops/operations/connectors.ts';
import { sourceRows } from '../../../ops/verify/source-rows.ts';
import { rawTopic } from '../../../processors/topics.ts';
import { readStackSettings } from '../../../stack/settings.ts';
import type { StackDescription, StartOptions } from '../../../stack/stack.ts';
import { testLog } from '../kafka.ts';
import type { Route, SourceCases, TypeCase, ValueCase } from './words.ts';

export const SYSTEM: Readonly<Record<DialectName, string>> = { postgres: 'onpostgres', mariadb: 'onmariadb' };
const settings = readStackSettings(process.env);

/** Everything but the servers' own settings says New York, whose clock has a gap and a double hour. */
export const STACK = {
  settings: { ...settings, baseEnvironment: { ...settings.baseEnvironment, TZ: 'America/New_York' } },
  databases: [
    { name: 'onpostgres', kind: 'postgres' },
    { name: 'onmariadb', kind: 'mariadb' },
  ],
  only: ['kafka', 'registry', 'connect', 'postgres-onpostgres', 'mariadb-onmariadb'],
} as const satisfies Partial<StartOptions>;
const SETTINGS_OF: Readonly<Record<DialectName, string>> = { postgres: 'crm', mariadb: 'pos' };
const TABLE = 'fid.types';

export const topicOf = (dialect: DialectName): string => `raw.${SYSTEM[dialect]}.${TABLE}`;
export const rowId = (route: Route, { column }: TypeCase, { name }: ValueCase): string => `${route}:${column}:${name}`;

export function adminOf(stack: StackDescription, dialect: DialectName): AdminConnection {
  const found = stack.databases[SYSTEM[dialect]];
  if (found === undefined) throw new Error(`no database for ${dialect}`);
  const { host, port, adminUser: user, adminPassword: password, name: database } = found;
  return { kind: dialect, host, port, database, user, password };
}

export async function runAll(admin: AdminConnection, statements: readonly string[]): Promise<void> {
  await runScripts(admin, [{ name: 'test', text: statements.join(admin.kind === 'mariadb' ? '\n--;;\n' : ';\n') }], {});
}

/** One table with a column of every type; each row has a value in one of them, which `kind` names. */
export async function makeSource(admin: AdminConnection, { prepare, types }: SourceCases): Promise<void> {
  const columns = types.map(({ column, type, ddl }) => `${column} ${ddl ?? type}`);
  const table = `CREATE TABLE ${TABLE} (id varchar(120) PRIMARY KEY, kind varchar(60), touched int, c_base bigint, ${columns.join(',\n')})`;
  const odd = oddTable(admin.kind);
  const publish = [`CREATE PUBLICATION seam_fid FOR TABLE ${TABLE}, ${odd.name}`];
  await runAll(admin, [...prepare, table, ...odd.statements, ...(admin.kind === 'postgres' ? publish : [])]);
}

/** A name of everything that neither Avro, nor Kafka, nor a regular expression takes as it is; so are its columns. */
export const ODD_TABLE = 'fid.訂單 (x)';
export const ODD_COLUMNS = ['單號', '備註', 'von bis', 'č1', 'x.y', '1st', 'a_b', 'z",f(1)', 'z`;'] as const;
const ODD = ignore('looked at by itself');

function oddTable(kind: DialectName): { name: string; statements: string[] } {
  const quoted = kind === 'postgres' ? quoteInPostgres : quoteInMariadb;
  const name = `fid.${quoted(ODD_TABLE.slice(4))}`;
  const columns = ODD_COLUMNS.map((column, index) => `${quoted(column)} INT ${index === 0 ? 'PRIMARY KEY' : ''}`);
  const values = ODD_COLUMNS.map((_, index) => index + 1);
  return {
    name,
    statements: [`CREATE TABLE ${name} (${columns.join(', ')})`, `INSERT INTO ${name} VALUES (${values.join(', ')})`],
  };
}

/** The odd table's row: as captured, its key too, and as verify reads it. */
export async function oddRow(
  stack: StackDescription,
  dialect: DialectName,
): Promise<Record<'key' | 'row' | 'read', Row>> {
  const topic = rawTopic(SYSTEM[dialect], ODD_TABLE);
  const [record] = (await rawRecords(stack, new Map([[topic, 1]]))).get(topic) ?? [];
  let read: Row = {};
  for await (const [row] of sourceRows(adminOf(stack, dialect), ODD_TABLE)) read = row ?? {};
  return { key: record?.key ?? {}, row: record?.read().after ?? {}, read };
}

/** What an owner, a server or a login script may have set: none of it may change what is captured, or what verify reads. */
export async function setHostileSettings(admin: AdminConnection): Promise<void> {
  const { database, user, kind } = admin;
  if (kind === 'mariadb') {
    const settings = [
      `time_zone = '+08:00'`,
      `sql_mode = 'ANSI_QUOTES,PAD_CHAR_TO_FULL_LENGTH'`,
      'sql_select_limit = 3',
    ];
    return runAll(
      admin,
      [...settings, 'sql_quote_show_create = 0'].map((setting) => `SET GLOBAL ${setting}`),
    );
  }
  const settings = [`intervalstyle = 'sql_standard'`, 'extra_float_digits = 0', `bytea_output = 'escape'`].concat(
    [`datestyle = 'German, DMY'`, `timezone = 'Asia/Kolkata'`, 'search_path = fid', 'quote_all_identifiers = on'],
    'standard_conforming_strings = off',
  );
  await runAll(
    admin,
    settings.map((setting) => `ALTER DATABASE ${database} SET ${setting}`),
  );
  await runAll(admin, [dialects.postgres.captureSettingsSql(user) ?? '']);
}

export async function insertRows(admin: AdminConnection, route: Route, { types }: SourceCases): Promise<void> {
  const inserts = types.flatMap((type) => [
    ...type.values
      .filter(({ expected }) => expected[route] !== undefined)
      .map((one) => insertOf(rowId(route, type, one), type, one.sql)),
    ...(type.notNull ? [] : [insertOf(`${route}:${type.column}:NULL`, type, 'NULL')]),
  ]);
  await runAll(admin, ['BEGIN', ...inserts, 'COMMIT']);
}

function insertOf(id: string, { column, writeTo = column }: TypeCase, sql: string): string {
  return `INSERT INTO ${TABLE} (id, kind, ${writeTo}) VALUES ('${id.replaceAll("'", "''")}', '${column}', ${sql})`;
}

export async function touchRows(admin: AdminConnection): Promise<void> {
  await runAll(admin, [`UPDATE ${TABLE} SET touched = 1 WHERE id LIKE 'stream:%'`]);
}

/** The values as the source itself prints them, by row. */
export async function sourceTexts(admin: AdminConnection, { types }: SourceCases): Promise<Map<string, string | null>> {
  const text = ({ column, kind, text }: TypeCase): string => {
    if (admin.kind === 'postgres') {
      const printed = text ?? (kind === 'bytes' ? `encode(${column}, 'hex')` : `${column}::text`);
      return `WHEN '${column}' THEN encode(convert_to(${printed}, 'UTF8'), 'hex')`;
    }
    const printed = text ?? (kind === 'bytes' ? `HEX(${column})` : `CAST(${column} AS CHAR)`);
    return `WHEN '${column}' THEN HEX(CONVERT(${printed} USING utf8mb4))`;
  };
  const sql = `SELECT id, CASE kind ${types.map(text).join('\n')} END AS value FROM ${TABLE}`;
  const rows = await queryRows<{ id: string; value: string | null }>(admin, sql);
  return new Map(rows.map(({ id, value }) => [id, value === null ? null : fromHex(value)]));
}

export function fromHex(hex: string): string {
  return Buffer.from(hex, 'hex').toString('utf8');
}

/** What one connector reads; several of one database differ in all of these. */
export type Capture = {
  readonly suffix: string;
  readonly serverId: string;
  readonly tables: string;
  readonly further?: ConnectorConfig;
};
const MATRIX: Capture = { suffix: '', serverId: '5401', tables: `${TABLE},fid\\.訂單 \\(x\\)` };

/** Settings of a shipped connector; only names, addresses and tables are this test's. */
export async function startConnector(
  stack: StackDescription,
  dialect: DialectName,
  { suffix, serverId, tables, further }: Capture = MATRIX,
): Promise<void> {
  const file = new URL(`../../../connectors/${SETTINGS_OF[dialect]}/connector.json`, import.meta.url);
  const { config } = JSON.parse(await readFile(file, 'utf8')) as { config: ConnectorConfig };
  const { host, port, user, password, database } = adminOf(stack, dialect);
  const dropped = ['message.key.columns', 'heartbeat.action.query', 'signal.data.collection'];
  const kept = Object.fromEntries(Object.entries(config).filter(([name]) => !dropped.includes(name)));
  const own = {
    'database.hostname': host,
    'database.port': String(port),
    'database.user': user,
    'database.password': password,
    'topic.prefix': `raw.${SYSTEM[dialect]}`,
    'table.include.list': tables,
    'topic.creation.default.partitions': '1',
    // connectors of one prefix would wait a minute for each other's names
    'custom.metric.tags': `capture=${suffix === '' ? 'matrix' : suffix}`,
  };
  const name = `seam-${SYSTEM[dialect]}${suffix}`;
  const special =
    dialect === 'postgres'
      ? { 'database.dbname': database, 'publication.name': `seam_fid${suffix}`, 'slot.name': `seam_fid${suffix}` }
      : {
          'schema.history.internal.kafka.bootstrap.servers': stack.kafka.bootstrapServers,
          'schema.history.internal.kafka.topic': `schema-history.fid${suffix}`,
          'database.server.id': serverId,
        };
  // the server's identity is checked elsewhere: this source is no system of a deployment
  const client = new ConnectClient(stack.connect.url);
  const mapping = { system: SYSTEM[dialect], tables: { [TABLE]: ODD, [ODD_TABLE]: ODD } };
  const plain = { ...kept, ...own, ...special, ...further };
  const derived = further === undefined ? withDerived(plain, mapping, null) : plain;
  await whenAvailable(() => client.put(name, derived));
  await waitUntilRunning(client, name, 120_000);
}

export type RawRecord = {
  readonly id: string;
  readonly key: Row;
  /** The column that the row is about. */
  readonly column: string;
  /** Columns of the record's schema that the decoder warns of. */
  readonly mangled: ReadonlyMap<string, string>;
  readonly read: () => Envelope;
};

/** Everything a topic holds, once it holds `expected` change events; a record that can't be read says so when it is. */
export async function rawRecords(
  stack: StackDescription,
  topics: ReadonlyMap<string, number>,
): Promise<Map<string, RawRecord[]>> {
  const log = testLog(stack.kafka.bootstrapServers.split(','));
  const registry = new Registry({ url: stack.registry.url }, systemClock);
  const decoder = createRawDecoder(registry.lookup);
  const found = new Map([...topics.keys()].map((topic) => [topic, [] as RawRecord[]]));
  const consumer = log.consumer({
    groupId: `fidelity-${process.pid}-${Date.now()}`,
    topics: [...topics.keys()],
    assignment: 'spread',
  });
  const isDone = () => [...topics].every(([topic, count]) => (found.get(topic)?.length ?? 0) >= count);
  const endMs = Date.now() + 120_000;
  const running = consumer.run({
    assigned: async (partitions) => partitions.map((partition) => ({ ...partition, offset: 0n })),
    revoked: async () => undefined,
    batch: async ({ topic, records }) => {
      await registry.load(schemaIds(records.flatMap(({ key, value }) => [key, value])));
      for (const { key, value } of records) {
        if (key === null || value === null) continue;
        const row = decoder.key(key);
        const id = String(row.id);
        const column = id.split(':')[1] as string;
        const mangled = decoder.mangledColumns(schemaIdOf(value));
        found.get(topic)?.push({ id, key: row, column, mangled, read: () => decoder.value(value) });
      }
    },
  });
  while (!isDone() && Date.now() < endMs) {
    await systemClock.pause(100);
    await refuseFailed(stack);
  }
  await consumer.stop();
  await running;
  if (!isDone())
    throw new Error(
      `only ${[...found].map(([topic, records]) => `${topic}: ${records.length} of ${topics.get(topic)}`).join(', ')}`,
    );
  return found;
}

async function refuseFailed(stack: StackDescription): Promise<void> {
  const client = new ConnectClient(stack.connect.url);
  for (const name of await client.names()) {
    const failed = (await client.status(name))?.tasks.find((task) => task.state === 'FAILED');
    if (failed !== undefined) throw taskFailed(name, failed.trace);
  }
}
