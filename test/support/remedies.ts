/** Code → the test that provokes it, runs the command of its hint and sees the flow heal. Checked by test/contract/remedies.test.ts. */
export type HealingTest = {
  /** Where the code is. */
  readonly file: string;
  /** Part of a test's title, in `testFile` or in `file` itself. */
  readonly test: string;
  readonly testFile?: string;
};

const postgresChecks: HealingTest = {
  file: 'test/support/postgres-check-cases.ts',
  test: 'finds $it, and its own next command heals it',
  testFile: 'test/contract/source-checks-postgres.test.ts',
};
/** Described there for both kinds of database, run by test/scenario/never-incomplete.test.ts. */
const readings = (test: string): HealingTest => ({ file: 'test/support/readings-scenario.ts', test });
const lostLog = (test: string): HealingTest => ({ file: 'test/scenario/never-incomplete.test.ts', test });

/** Typed word for word: `npm run test:long`. */
const typed = (test: string): HealingTest => ({ file: 'test/long/remedies.test.ts', test });
const typedPostgres = (test: string): HealingTest => ({ file: 'test/long/remedies-postgres.test.ts', test });
const typedMariadb = (test: string): HealingTest => ({ file: 'test/long/remedies-mariadb.test.ts', test });

export const healed: Readonly<Record<string, HealingTest>> = {
  ADMIN_MISSING: typed('FORMATS_NOT_PINNED and ADMIN_MISSING: the set-up is applied, or handed to the owner'),
  CASCADE_NOT_LOGGED: typedMariadb('CASCADE_NOT_LOGGED: the server notes statements, and the table is read again'),
  COLUMN_MANGLED: typedPostgres('COLUMN_MANGLED: the column is cured and its table read again'),
  COLUMN_MISSING_IN_SOURCE: typed('COLUMN_MISSING_IN_SOURCE: is applied once mapping and table agree'),
  CONNECTOR_FORGOT: typed('CONNECTOR_FORGOT: everything is read again'),
  CONNECTOR_INVALID: typed(
    'CONNECTOR_INVALID, TABLE_NOT_LISTED and TABLE_NOT_CAPTURED: are applied once the file is right',
  ),
  CONNECTOR_MISSING: typed('CONNECTOR_MISSING: is applied again'),
  CONNECTOR_NOT_RUNNING: typedPostgres('CONNECTOR_SILENT and CONNECTOR_NOT_RUNNING: a paused one is applied again'),
  CONNECTOR_ROW_UNREADABLE: typedMariadb('CONNECTOR_ROW_UNREADABLE: its cause is removed, and the source read again'),
  CONNECTOR_SILENT: typedPostgres('CONNECTOR_SILENT and CONNECTOR_NOT_RUNNING: a paused one is applied again'),
  CONNECTOR_STATEMENT_UNREADABLE: typed('CONNECTOR_STATEMENT_UNREADABLE: the source is read again from behind it'),
  CONNECTOR_TASK_FAILED: typed('CONNECTOR_TASK_FAILED: is restarted once its cause is gone'),
  CONNECT_UNREACHABLE: typed('CONNECT_UNREACHABLE: the stack is brought up again'),
  DATABASE_UNREACHABLE: typed('DATABASE_UNREACHABLE: the stack is brought up again'),
  DEAD_LETTER_UNKNOWN: typed('DEAD_LETTER_UNKNOWN: lists what there is'),
  DEPLOYMENT_MISSING: typedPostgres('DEPLOYMENT_MISSING: bringing the stack up writes it'),
  ENVELOPE_REFUSED: typedPostgres('ENVELOPE_REFUSED: gets its settings back'),
  FIRST_SNAPSHOT_RUNS: typedPostgres('FIRST_SNAPSHOT_RUNS: the same command works when it is finished'),
  FORMATS_DIFFER: postgresChecks,
  FORMATS_NOT_PINNED: typed('FORMATS_NOT_PINNED and ADMIN_MISSING: the set-up is applied, or handed to the owner'),
  GENERATED_NOT_READ: typed('GENERATED_NOT_READ: the whole source is read again'),
  KEY_CHANGED: readings('a primary key that was changed and changed back'),
  LEDGER_REFUSED: typed('LEDGER_REFUSED: the processors may read again what Seam wrote'),
  LOG_NOT_BY_ROW: typed('LOG_NOT_BY_ROW: goes on once the setting is back'),
  NO_SUCH_LOG: typed('NO_SUCH_LOG: names the logs there are'),
  NULL_HIDDEN: typedPostgres('NULL_HIDDEN: the converter is put back and the table read again'),
  PARKED_FULL: {
    file: 'test/contract/dialect-dead-letters.test.ts',
    test: 'a sink stops loudly where no more may wait, and nothing of that batch is written',
  },
  PLAN_STALE: { file: 'test/contract/replay.test.ts', test: 'refuses a plan that no longer fits' },
  PLAN_UNREADABLE: typed('PLAN_UNREADABLE: the plan that its hint makes can be applied'),
  PROCESSORS_BEHIND: typedPostgres('PROCESSORS_BEHIND: are started, and the same command finishes'),
  PUBLICATION_OPERATIONS: postgresChecks,
  REDRIVE_REFUSED: {
    file: 'test/contract/redrive.test.ts',
    test: 'that no command wrote are set aside themselves, and can be discarded',
  },
  REPLAY_TAKEN_OVER: {
    file: 'test/contract/replay.test.ts',
    test: 'gives way to a second one of the same plan, and nothing is done twice',
  },
  REPLICATION_NOT_GRANTED: postgresChecks,
  RESNAPSHOT_UNDER_WAY: readings('a reading that cannot succeed is refused with its reason, and nothing waits for it'),
  SIDE_SCHEMA_OLD: typed('SIDE_SCHEMA_OLD: the side schema is brought up to date'),
  SLOT_AT_RISK: typedPostgres('SLOT_AT_RISK: a stopped one is applied again'),
  SNAPSHOT_UNFINISHED: readings('flows with a warning; apply compares keys'),
  SOURCE_LOG_LOST: lostLog('a replication slot that was dropped while Connect was down'),
  SOURCE_NOT_CHECKED: typed('SOURCE_NOT_CHECKED: the next look finds nothing'),
  SOURCE_NOT_WHOLE: typed('SOURCE_NOT_WHOLE: is applied once each reason is gone'),
  SOURCE_REPLACED: typedMariadb('SOURCE_REPLACED: another server is accepted, and read from its start'),
  SOURCE_SLOW: typed('SOURCE_SLOW: the next look finds nothing'),
  SOURCE_WENT_BACK: lostLog('a log that began again'),
  SWEEP_WAITS: typedPostgres('SWEEP_WAITS: are started, and the same command finishes'),
  TABLE_ADDED: typedMariadb('TABLE_ADDED: the source is read again with the table'),
  TABLE_NOT_CAPTURED: typed(
    'CONNECTOR_INVALID, TABLE_NOT_LISTED and TABLE_NOT_CAPTURED: are applied once the file is right',
  ),
  TABLE_NOT_LISTED: typed(
    'CONNECTOR_INVALID, TABLE_NOT_LISTED and TABLE_NOT_CAPTURED: are applied once the file is right',
  ),
  TABLE_NOT_READ: readings('a reading that cannot succeed is refused with its reason, and nothing waits for it'),
  TARGET_MISMATCH: typed('TARGET_MISMATCH: its rights are given again'),
  TOPICS_MISSING: typed('TOPICS_MISSING: they are made again'),
  WAL_NOT_LOGICAL: {
    file: 'test/contract/source-checks-postgres.test.ts',
    test: 'finds a log that does not tell rows, until the server has the level that is named',
  },
};

/** Hints that name a command which no test has run yet. */
export const open: readonly string[] = [
  'CONNECTOR_NOT_STOPPED',
  'CONNECTOR_TABLE_UNKNOWN',
  'CONNECT_UNAVAILABLE',
  'DATABASE_KIND_CHANGED',
  'LANE_NOT_READ',
  'RECORD_OVERSIZE',
  'SERVICE_NOT_STARTED',
  'SWEEP_UNKNOWN_KEYS',
];
