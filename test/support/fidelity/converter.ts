/** Tables whose values only a converter of ours keeps: NULL beside a default, generated columns, rows of many megabytes. */
import { randomBytes } from 'node:crypto';
import { createRawDecoder } from '../../../adapters/avro/raw-codec.ts';
import { schemaIdOf, schemaIds } from '../../../adapters/avro/wire.ts';
import { systemClock } from '../../../adapters/clock.ts';
import { Registry } from '../../../adapters/registry.ts';
import type { Row } from '../../../core/change-event.ts';
import { readRange } from '../../../core/log-range.ts';
import type { DialectName } from '../../../core/target.ts';
import type { StackDescription } from '../../../stack/stack.ts';
import { testLog } from '../kafka.ts';
import { adminOf, type Capture, runAll, startConnector, SYSTEM } from './sources.ts';

const CAPTURE: Capture = {
  suffix: '_conv',
  serverId: '5409',
  tables: 'conv.nulls,conv.keyed,conv.big',
  further: { 'message.key.columns': 'conv.keyed:id,k' },
};
const MEBIBYTE = 1_048_576;
const PATIENCE_MS = 240_000;

/** Column → its type with a default; the rows hold NULL there, or the default. */
export const DEFAULTS: Readonly<Record<DialectName, Readonly<Record<string, string>>>> = {
  postgres: {
    c_int: 'integer DEFAULT 7',
    c_big: 'bigint DEFAULT 9007199254740993',
    c_num: 'numeric(12,2) DEFAULT 1.50',
    c_text: "text DEFAULT 'G'",
    c_bool: 'boolean DEFAULT true',
    c_date: "date DEFAULT '2001-01-01'",
    c_time: "timestamptz DEFAULT '2001-01-01 10:00:00+00'",
    c_now: 'timestamptz DEFAULT now()',
    c_bytes: "bytea DEFAULT '\\x0102'",
    c_json: `jsonb DEFAULT '{"a": 1}'`,
    c_list: "text[] DEFAULT '{x,y}'",
    c_label: "conv.mood DEFAULT 'ok'",
  },
  mariadb: {
    c_int: 'INT DEFAULT 7',
    c_flag: 'TINYINT(1) DEFAULT 1',
    c_big: 'BIGINT UNSIGNED DEFAULT 18446744073709551615',
    c_num: 'DECIMAL(12,2) DEFAULT 1.50',
    c_text: "VARCHAR(20) DEFAULT 'G'",
    c_long: "LONGTEXT DEFAULT 'long'",
    c_date: "DATE DEFAULT '2001-01-01'",
    c_time: "TIMESTAMP NULL DEFAULT '2001-01-01 10:00:00'",
    c_bytes: "VARBINARY(10) DEFAULT 'ab'",
    c_label: "ENUM('ok','bad') DEFAULT 'ok'",
    c_set: "SET('p','q') DEFAULT 'p'",
    c_json: `JSON DEFAULT '{"a":1}'`,
  },
};
const GENERATED: Readonly<Record<DialectName, string>> = {
  postgres: 'g_stored integer GENERATED ALWAYS AS (id * 2) STORED',
  mariadb: "g_stored INT AS (id * 2) PERSISTENT, g_virtual VARCHAR(9) AS (CONCAT('v', id)) VIRTUAL",
};

/** Beside generated columns that the connector leaves out, in the middle of the table. */
const GENERATED_CAPTURE: Capture = {
  suffix: '_gen',
  serverId: '5410',
  tables: 'gen.beside',
  further: {
    'column.exclude.list': 'gen\\.beside\\.stored,gen\\.beside\\.virtual',
    'signal.data.collection': 'gen.signal',
    'signal.enabled.channels': 'source',
  },
};

/** Reads the other columns three times: by the first snapshot, from the stream, and by an incremental snapshot beside the stream. */
export async function readBesideGenerated(stack: StackDescription): Promise<Told[]> {
  const admin = adminOf(stack, 'postgres');
  await runAll(admin, [
    'CREATE SCHEMA gen',
    'CREATE TABLE gen.signal (id varchar(64) PRIMARY KEY, type varchar(32) NOT NULL, data text)',
    `CREATE TABLE gen.beside (id integer PRIMARY KEY, a text, stored text GENERATED ALWAYS AS (a || '!') STORED, b text,
       virtual text GENERATED ALWAYS AS (a || '?') VIRTUAL, c text)`,
    'CREATE PUBLICATION seam_fid_gen FOR TABLE gen.beside, gen.signal',
    "INSERT INTO gen.beside (id, a, b, c) VALUES (1, 'a1', 'b1', 'c1')",
  ]);
  await startConnector(stack, 'postgres', GENERATED_CAPTURE);
  await toldOf(stack, 'postgres', 'beside', 1, 'gen');
  await runAll(admin, ["INSERT INTO gen.beside (id, a, b, c) VALUES (2, 'a2', 'b2', 'c2')"]);
  await toldOf(stack, 'postgres', 'beside', 2, 'gen');
  await runAll(admin, [
    `INSERT INTO gen.signal VALUES ('again', 'execute-snapshot', '{"type": "incremental", "data-collections": ["gen.beside"]}')`,
  ]);
  await toldOf(stack, 'postgres', 'beside', 4, 'gen');
  await runAll(admin, ["UPDATE gen.beside SET b = 'changed' WHERE id = 1"]);
  return toldOf(stack, 'postgres', 'beside', 5, 'gen');
}

export type Told = {
  readonly op: string;
  readonly key: Row;
  readonly before: Row | null;
  readonly after: Row | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly hiding: readonly string[];
};

export async function startConverterTables(stack: StackDescription, dialect: DialectName): Promise<void> {
  const columns = Object.entries(DEFAULTS[dialect]).map(([name, type]) => `${name} ${type}`);
  const bytes = dialect === 'postgres' ? 'bytea' : 'LONGBLOB';
  const full = ['nulls', 'keyed', 'big'].map((table) => `ALTER TABLE conv.${table} REPLICA IDENTITY FULL`);
  await runAll(adminOf(stack, dialect), [
    ...(dialect === 'postgres'
      ? ['CREATE SCHEMA conv', "CREATE TYPE conv.mood AS ENUM ('ok','bad')"]
      : ['CREATE DATABASE conv']),
    `CREATE TABLE conv.nulls (id integer PRIMARY KEY, touched integer NOT NULL DEFAULT 3, ${columns.join(', ')}, ${GENERATED[dialect]})`,
    "CREATE TABLE conv.keyed (id integer PRIMARY KEY, k varchar(9) DEFAULT 'G')",
    `CREATE TABLE conv.big (id integer PRIMARY KEY, body ${bytes}, n integer)`,
    ...(dialect === 'postgres'
      ? [
          ...full,
          'CREATE PUBLICATION seam_fid_conv FOR TABLE conv.nulls, conv.keyed, conv.big WITH (publish_generated_columns = stored)',
        ]
      : []),
    insertNulls(dialect, 1),
    "INSERT INTO conv.keyed VALUES (1, NULL), (2, 'G')",
  ]);
  await startConnector(stack, dialect, CAPTURE);
}

export async function changeConverterTables(stack: StackDescription, dialect: DialectName): Promise<void> {
  const toNull = Object.keys(DEFAULTS[dialect]).map((name) => `${name} = NULL`);
  await runAll(adminOf(stack, dialect), [
    insertNulls(dialect, 11),
    'INSERT INTO conv.nulls (id) VALUES (12)',
    `UPDATE conv.nulls SET ${toNull.join(', ')} WHERE id = 12`,
    'UPDATE conv.nulls SET touched = 4 WHERE id = 11',
    'DELETE FROM conv.nulls WHERE id IN (11, 12)',
    "INSERT INTO conv.keyed VALUES (11, NULL), (12, 'G')",
    ...[1, 2].map((id) => `INSERT INTO conv.big VALUES (${id}, ${megabytes(dialect)}, 1)`),
    `UPDATE conv.big SET body = ${megabytes(dialect)}, n = 2 WHERE id = 1`,
    `INSERT INTO conv.big VALUES (3, ${tooMuch(dialect)}, 1)`,
    `UPDATE conv.big SET body = 'small', n = 2 WHERE id = 3`,
    `UPDATE conv.big SET body = ${tooMuch(dialect)}, n = 3 WHERE id = 3`,
    'DELETE FROM conv.big WHERE id = 3',
    "INSERT INTO conv.big VALUES (4, 'after', 1)",
  ]);
}

function insertNulls(dialect: DialectName, id: number): string {
  const names = Object.keys(DEFAULTS[dialect]);
  return `INSERT INTO conv.nulls (id, ${names.join(', ')}) VALUES (${[id, ...names.map(() => 'NULL')].join(', ')})`;
}

/** 16 MiB that nothing compresses. */
function megabytes(dialect: DialectName): string {
  if (dialect === 'mariadb') return `X'${randomBytes(16 * MEBIBYTE).toString('hex')}'`;
  return `(SELECT string_agg(sha512((random()::text || i)::bytea), '') FROM generate_series(1, ${16 * 16_384}) i)`;
}

function tooMuch(dialect: DialectName): string {
  return dialect === 'mariadb' ? `REPEAT('y', ${40 * MEBIBYTE})` : `repeat('y', ${40 * MEBIBYTE})::bytea`;
}

/** Every change of a table, once there are `count` of them; tombstones are left out. */
export async function toldOf(
  stack: StackDescription,
  dialect: DialectName,
  table: string,
  count: number,
  schema = 'conv',
): Promise<Told[]> {
  const topic = `raw.${SYSTEM[dialect]}.${schema}.${table}`;
  const log = testLog(stack.kafka.bootstrapServers.split(','));
  const registry = new Registry({ url: stack.registry.url }, systemClock);
  const decoder = createRawDecoder(registry.lookup);
  const told: Told[] = [];
  const endMs = Date.now() + PATIENCE_MS;
  let from = 0n;
  while (told.length < count) {
    if (Date.now() > endMs) throw new Error(`${topic} has ${told.length} of ${count} changes`);
    const admin = await log.admin();
    const [bound] = await admin
      .bounds(topic)
      .catch(() => [])
      .finally(() => admin.close());
    if (bound === undefined || bound.latest === from) {
      await systemClock.pause(200);
      continue;
    }
    await readRange(log, {
      groupId: `converter-${process.pid}-${Date.now()}`,
      stretches: [{ topic, partition: 0, from, to: bound.latest }],
      records: async (_place, records) => {
        for (const { key, value, headers } of records) {
          if (value === null || key === null) continue;
          await registry.load(schemaIds([key, value]));
          const texts = Object.fromEntries(
            Object.entries(headers).map(([name, text]) => [name, Buffer.from(text).toString()]),
          );
          const isStub = value[0] !== 0;
          const { op, before, after } = isStub ? { op: 'stub', before: null, after: null } : decoder.value(value);
          const hiding = isStub ? [] : decoder.nullHidingColumns(schemaIdOf(value));
          told.push({ op, key: decoder.key(key), before, after, headers: texts, hiding });
        }
      },
    });
    from = bound.latest;
  }
  return told;
}
