/** What values mean, whatever their source: the column, the converter and the compared text on a target's side, and the Avro type. */
import type { Kind } from './plan.ts';

/** What a value is on the target's side: the same for types of both kinds of database. */
export type Meaning =
  | 'int'
  | 'long'
  | 'whole'
  | 'decimal'
  | 'money'
  | 'double'
  | 'boolean'
  | 'text'
  | 'date'
  | 'clock'
  | 'instant'
  | 'time'
  | 'bytes'
  | 'uuid';

export type TargetColumn = {
  readonly ddl: string;
  readonly keyDdl: string;
  readonly word: string;
  readonly text: string;
};

export const PG_CLOCK = `to_char(?, 'YYYY-MM-DD HH24:MI:SS.US')`;
export const MY_CLOCK = `DATE_FORMAT(?, '%Y-%m-%d %H:%i:%s.%f')`;
export const PG_INSTANT = `to_char(? AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')`;
export const PG_TIME = `to_char(?, 'HH24:MI:SS.US')`;
export const MY_TIME = `TIME_FORMAT(?, '%H:%i:%s.%f')`;
export const PG_FLAG = `CASE WHEN ? THEN '1' WHEN NOT ? THEN '0' END`;

const inPostgres = (ddl: string, word = '', text = '?::text', keyDdl = ddl): TargetColumn => ({
  ddl,
  keyDdl,
  word,
  text,
});
const inMariadb = (ddl: string, word = '', text = 'CAST(? AS CHAR)', keyDdl = ddl): TargetColumn => ({
  ddl,
  keyDdl,
  word,
  text,
});

export const TARGETS: Readonly<Record<Kind, Readonly<Record<Meaning, TargetColumn>>>> = {
  postgres: {
    int: inPostgres('integer'),
    long: inPostgres('bigint'),
    whole: inPostgres('numeric(20)', 'decimalFits(20, 0)'),
    decimal: inPostgres('numeric(20,5)', 'decimalFits(20, 5)'),
    money: inPostgres('numeric(19,2)', 'decimalFits(19, 2)'),
    double: inPostgres('double precision'),
    boolean: inPostgres('boolean', '', PG_FLAG),
    text: inPostgres('text', 'unlimited()', '?', 'varchar(80)'),
    date: inPostgres('date', 'date()'),
    clock: inPostgres('timestamp', `localTime('UTC')`, PG_CLOCK),
    instant: inPostgres('timestamptz', 'instant()', PG_INSTANT),
    time: inPostgres('time', 'timeOfDay()', PG_TIME),
    bytes: inPostgres('bytea', '', `encode(?, 'hex')`),
    uuid: inPostgres('uuid'),
  },
  mariadb: {
    int: inMariadb('INT'),
    long: inMariadb('BIGINT'),
    whole: inMariadb('DECIMAL(20,0)', 'decimalFits(20, 0)'),
    decimal: inMariadb('DECIMAL(20,5)', 'decimalFits(20, 5)'),
    money: inMariadb('DECIMAL(19,2)', 'decimalFits(19, 2)'),
    double: inMariadb('DOUBLE', 'finite()'),
    boolean: inMariadb('TINYINT(1)', 'bool01()'),
    text: inMariadb('LONGTEXT', 'unlimited()', '?', 'VARCHAR(80)'),
    date: inMariadb('DATE', 'date()', `DATE_FORMAT(?, '%Y-%m-%d')`),
    clock: inMariadb('DATETIME(6)', `localTime('UTC')`, MY_CLOCK),
    instant: inMariadb('DATETIME(6)', `localTime('UTC')`, MY_CLOCK),
    time: inMariadb('TIME(6)', 'timeOfDay()', MY_TIME),
    bytes: inMariadb('LONGBLOB', '', 'LOWER(HEX(?))'),
    uuid: inMariadb('UUID'),
  },
};

export const AVRO: Readonly<Record<Meaning, string>> = {
  int: '"int"',
  long: '"long"',
  whole: '{"type":"bytes","logicalType":"decimal","precision":20,"scale":0}',
  decimal: '{"type":"bytes","logicalType":"decimal","precision":20,"scale":5}',
  money: '{"type":"bytes","logicalType":"decimal","precision":19,"scale":2}',
  double: '"double"',
  boolean: '"boolean"',
  text: '"string"',
  date: '{"type":"int","logicalType":"date"}',
  clock: '{"type":"long","logicalType":"timestamp-micros"}',
  instant: '{"type":"long","logicalType":"timestamp-micros"}',
  time: '{"type":"long","logicalType":"time-micros"}',
  bytes: '"bytes"',
  uuid: '{"type":"string","logicalType":"uuid"}',
};
