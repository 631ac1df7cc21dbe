/** Canonical records → a table in each kind of database, by the sink engine; then what the table holds, and what was parked. */
import { systemClock } from '../../../adapters/clock.ts';
import { type AdminConnection, queryRows } from '../../../adapters/sql-script.ts';
import type { EntityName } from '../../../avro/generated/records.ts';
import type { CanonicalRecord } from '../../../core/canonical-record.ts';
import {
  bool01,
  date,
  decimalFits,
  finite,
  instant,
  integerFits,
  localTime,
  timeOfDay,
  unlimited,
} from '../../../core/columns.ts';
import { type Column, type DialectName, type Target, to, upsert } from '../../../core/target.ts';
import { dialects } from '../../../sinks/dialects/index.ts';
import { SinkSettings } from '../../../sinks/engine/settings.ts';
import { type RunningSink, runSink } from '../../../sinks/main.ts';
import { quietLogger } from '../kafka.ts';
import { decodeTestBatch, TestLog } from '../test-log.ts';
import { ENTITY, entity, type FidelityField, fieldNames } from './entity.ts';
import { fromHex, runAll } from './sources.ts';

const TABLE = 'shop.fidelity';

type ColumnType = { readonly sql: string; readonly column: (field: FidelityField) => Column };
const as = (sql: string, convert?: Parameters<typeof to>[1]): ColumnType => ({
  sql,
  column: (field) => to(field, convert),
});

/** The column that one would choose for each canonical type. */
export const COLUMNS: Readonly<Record<DialectName, Readonly<Record<FidelityField, ColumnType>>>> = {
  postgres: {
    text: as('text', unlimited()),
    integer: as('integer', integerFits(32)),
    long: as('bigint', integerFits(64)),
    decimal: as('numeric(65,30)', decimalFits(65, 30)),
    whole: as('numeric(65)', decimalFits(65, 0)),
    money: as('numeric(19,2)', decimalFits(19, 2)),
    double: as('double precision'),
    boolean: as('boolean'),
    bytes: as('bytea'),
    uuid: as('uuid'),
    date: as('date', date()),
    instant: as('timestamp with time zone', instant()),
    clock: as('timestamp', localTime('UTC')),
    berlin: as('timestamp', localTime('Europe/Berlin')),
    time: as('time', timeOfDay()),
    json: as('json', unlimited()),
  },
  mariadb: {
    text: as('LONGTEXT'),
    integer: as('INT', integerFits(32)),
    long: as('BIGINT', integerFits(64)),
    decimal: as('DECIMAL(65,30)', decimalFits(65, 30)),
    whole: as('DECIMAL(65,0)', decimalFits(65, 0)),
    money: as('DECIMAL(19,2)', decimalFits(19, 2)),
    double: as('DOUBLE', finite()),
    boolean: as('TINYINT(1)', bool01()),
    bytes: as('LONGBLOB'),
    uuid: as('UUID'),
    date: as('DATE', date()),
    instant: as('DATETIME(6)', localTime('UTC')),
    clock: as('DATETIME(6)', localTime('UTC')),
    berlin: as('DATETIME(6)', localTime('Europe/Berlin')),
    time: as('TIME(6)', timeOfDay()),
    json: as('JSON'),
  },
};

export type TargetRows = {
  /** By row; a column's text in the target's own words. */
  readonly values: ReadonlyMap<string, Readonly<Record<FidelityField, string | null>>>;
  readonly parked: ReadonlyMap<string, { readonly code: string; readonly reason: string }>;
};

export async function writeTarget(admin: AdminConnection, records: readonly CanonicalRecord[]): Promise<TargetRows> {
  await makeTarget(admin);
  const log = new TestLog();
  const sink = await startSink(admin, log);
  try {
    log.append(...records);
    await settled(sink, log);
  } finally {
    await sink.stop();
  }
  return { values: await readValues(admin), parked: await readParked(admin) };
}

async function makeTarget(admin: AdminConnection): Promise<void> {
  const columns = fieldNames.map((field) => `f_${field} ${COLUMNS[admin.kind][field].sql} NULL`);
  const collation = admin.kind === 'mariadb' ? ' CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin' : '';
  await runAll(admin, [
    dialects[admin.kind].sideSchemaSql(),
    admin.kind === 'postgres' ? 'CREATE SCHEMA shop' : 'CREATE DATABASE shop CHARACTER SET utf8mb4',
    `CREATE TABLE ${TABLE} (id varchar(150)${collation} PRIMARY KEY, ${columns.join(', ')})`,
  ]);
}

export function targetOf(dialect: DialectName, system: string): Target {
  const columns = Object.fromEntries(fieldNames.map((field) => [`f_${field}`, COLUMNS[dialect][field].column(field)]));
  const declaration = { key: { id: to('id') }, columns, onDelete: 'delete' as const };
  return { system, dialect, tables: [upsert(TABLE, ENTITY as EntityName, declaration)] };
}

async function startSink(admin: AdminConnection, log: TestLog): Promise<RunningSink> {
  const { kind: dialect, host, port, database, user, password } = admin;
  return runSink({
    target: targetOf(dialect, 'shop'),
    entities: { [ENTITY]: entity },
    connection: { host, port, database, user, password },
    bidirectional: [],
    log,
    groupId: 'fidelity',
    owner: 'fidelity',
    decode: decodeTestBatch,
    settings: SinkSettings.parse({}),
    clock: systemClock,
    logger: quietLogger,
  });
}

async function settled(sink: RunningSink, log: TestLog): Promise<void> {
  const partitions = log.partitionsOf([entity.topic]);
  const endMs = Date.now() + 60_000;
  for (;;) {
    const { partitions: leased, state, reason } = sink.status();
    if (state === 'failed') throw new Error(`the sink failed: ${reason}`);
    const isRead = partitions.every(({ topic, partition }) => {
      const lease = leased.find((one) => one.topic === topic && one.partition === partition);
      return lease?.nextOffset === BigInt(log.read({ topic, partition }).length);
    });
    if (isRead) return;
    if (Date.now() > endMs) throw new Error(`the sink did not settle: ${state} ${reason}`);
    await systemClock.pause(20);
  }
}

async function readValues(admin: AdminConnection): Promise<TargetRows['values']> {
  const text = (field: FidelityField): string => {
    const column = `f_${field}`;
    if (admin.kind === 'postgres') {
      const printed = field === 'bytes' ? `encode(${column}, 'hex')` : `${column}::text`;
      return `encode(convert_to(${printed}, 'UTF8'), 'hex') AS ${field}_`;
    }
    return `HEX(CONVERT(${field === 'bytes' ? `HEX(${column})` : `CAST(${column} AS CHAR)`} USING utf8mb4)) AS ${field}_`;
  };
  const rows = await queryRows<Record<string, string | null>>(
    admin,
    `SELECT id, ${fieldNames.map(text).join(', ')} FROM ${TABLE}`,
  );
  return new Map(
    rows.map((row) => {
      const values = fieldNames.map((field) => {
        const hex = row[`${field}_`] ?? null;
        return [field, hex === null ? null : fromHex(hex)] as const;
      });
      return [row.id as string, Object.fromEntries(values) as Record<FidelityField, string | null>];
    }),
  );
}

async function readParked(admin: AdminConnection): Promise<TargetRows['parked']> {
  const key = admin.kind === 'postgres' ? 'key' : '`key`';
  const sql = `SELECT ${key} AS id, reason_code AS code, reason FROM seam.parked`;
  const rows = await queryRows<{ id: string; code: string; reason: string }>(admin, sql);
  return new Map(rows.map(({ id, code, reason }) => [String(id), { code, reason }]));
}
