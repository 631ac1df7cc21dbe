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

export const healed: Readonly<Record<string, HealingTest>> = {
  CONNECTOR_MISSING: typed('CONNECTOR_MISSING: is applied again'),
  CONNECT_UNREACHABLE: typed('CONNECT_UNREACHABLE: the stack is brought up again'),
  DATABASE_UNREACHABLE: typed('DATABASE_UNREACHABLE: the stack is brought up again'),
  DEAD_LETTER_UNKNOWN: typed('DEAD_LETTER_UNKNOWN: lists what there is'),
  FORMATS_DIFFER: postgresChecks,
  GENERATED_NOT_READ: typed('GENERATED_NOT_READ: the whole source is read again'),
  KEY_CHANGED: readings('a primary key that was changed and changed back'),
  NO_SUCH_LOG: typed('NO_SUCH_LOG: names the logs there are'),
  PUBLICATION_OPERATIONS: postgresChecks,
  RESNAPSHOT_UNDER_WAY: readings('a reading that cannot succeed is refused with its reason, and nothing waits for it'),
  SNAPSHOT_UNFINISHED: readings('flows with a warning; apply compares keys'),
  SOURCE_LOG_LOST: lostLog('a replication slot that was dropped while Connect was down'),
  SOURCE_WENT_BACK: lostLog('a log that began again'),
  TABLE_NOT_READ: readings('a reading that cannot succeed is refused with its reason, and nothing waits for it'),
  TARGET_MISMATCH: typed('TARGET_MISMATCH: its rights are given again'),
};

/** Hints that name a command which no test has run yet. */
export const open: readonly string[] = [
  'ADMIN_MISSING',
  'CASCADE_NOT_LOGGED',
  'COLUMN_MANGLED',
  'COLUMN_MISSING_IN_SOURCE',
  'CONNECTOR_FORGOT',
  'CONNECTOR_INVALID',
  'CONNECTOR_NOT_RUNNING',
  'CONNECTOR_NOT_STOPPED',
  'CONNECTOR_ROW_UNREADABLE',
  'CONNECTOR_SILENT',
  'CONNECTOR_STATEMENT_UNREADABLE',
  'CONNECTOR_TABLE_UNKNOWN',
  'CONNECTOR_TASK_FAILED',
  'CONNECT_UNAVAILABLE',
  'DATABASE_KIND_CHANGED',
  'DEMO_NOT_SETTLED',
  'DEPLOYMENT_MISSING',
  'ENVELOPE_REFUSED',
  'FIRST_SNAPSHOT_RUNS',
  'FORMATS_NOT_PINNED',
  'LANE_NOT_READ',
  'LEDGER_REFUSED',
  'LOG_NOT_BY_ROW',
  'NULL_HIDDEN',
  'PARKED_FULL',
  'PLAN_STALE',
  'PLAN_UNREADABLE',
  'PROCESSORS_BEHIND',
  'RECORD_OVERSIZE',
  'REDRIVE_REFUSED',
  'REPLAY_TAKEN_OVER',
  'SERVICE_NOT_STARTED',
  'SIDE_SCHEMA_OLD',
  'SLOT_AT_RISK',
  'SOURCE_NOT_CHECKED',
  'SOURCE_NOT_WHOLE',
  'SOURCE_REPLACED',
  'SOURCE_SLOW',
  'SWEEP_UNKNOWN_KEYS',
  'SWEEP_WAITS',
  'TABLE_ADDED',
  'TABLE_NOT_CAPTURED',
  'TABLE_NOT_LISTED',
  'TOPICS_MISSING',
  'WAL_NOT_LOGICAL',
];
