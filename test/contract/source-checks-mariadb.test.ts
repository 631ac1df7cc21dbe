/**
 * Why: MariaDB loses changes in ways that no row event tells, and no connector says so: statements in the log, partitions, swapped
 * tables, two-phase commits that are undone. Each is done here to a real server, and must be found for its table, as the
 * capture user, with no value of a row in what is said.
 */
import mariadb, { type Connection } from 'mariadb';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { SourceMapping } from '../../core/mapping.ts';
import { openSource, type SourceSession } from '../../ops/resnapshot/source-session.ts';
import type { ReadConnection } from '../../ops/verify/source-rows.ts';
import type { CheckedSource, Finding } from '../../ops/sources/checks/check.ts';
import { mariadbChecks } from '../../ops/sources/checks/mariadb/index.ts';
import { endOfLog, logFiles } from '../../ops/sources/checks/mariadb/log/events.ts';
import { forgetLosses } from '../../ops/sources/checks/mariadb/log/look.ts';
import { noteReadAgain } from '../../ops/sources/checks/mariadb/log/state.ts';
import { startDatabases, type TestDatabase, type TestDatabases } from '../support/databases.ts';

const TABLES = ['lab.par', 'lab.chi', 'lab.parts', 'lab.odd name'];
const SECRET = 'geheim-4711';

let databases: TestDatabases;
let admin: TestDatabase;
let app: Connection;
let login: ReadConnection;
let session: SourceSession;

beforeAll(async () => {
  databases = await startDatabases();
  admin = databases.all.find(({ dialect }) => dialect === 'mariadb') as TestDatabase;
  await admin.execute(`
CREATE DATABASE lab CHARACTER SET utf8mb4;
--;;
CREATE DATABASE elsewhere;
--;;
CREATE TABLE elsewhere.notes (id INT PRIMARY KEY, body VARCHAR(50));
--;;
CREATE TABLE lab.notes (id INT PRIMARY KEY, body VARCHAR(50));
--;;
CREATE TABLE seam.signal (id VARCHAR(64) NOT NULL PRIMARY KEY, type VARCHAR(32) NOT NULL, data TEXT NULL);
--;;
CREATE USER seam_cdc@'%' IDENTIFIED BY 'cdc';
--;;
GRANT REPLICATION SLAVE, BINLOG MONITOR, RELOAD ON *.* TO seam_cdc@'%';
--;;
GRANT SELECT, INSERT, UPDATE, DELETE ON seam.signal TO seam_cdc@'%';
--;;
CREATE USER app@'%' IDENTIFIED BY 'app';
--;;
GRANT ALL ON *.* TO app@'%' WITH GRANT OPTION;`);
  const { host, port } = admin.sink;
  app = await mariadb.createConnection({ host, port, user: 'app', password: 'app' });
  login = { kind: 'mariadb', host, port, database: 'seam', user: 'seam_cdc', password: 'cdc' };
  session = await openSource(login);
}, 240_000);

afterAll(async () => {
  await session?.close();
  await app?.end();
  await databases?.stop();
});

/** As the connector does beside the application, which can do nothing while its own transaction is prepared. */
const SIGNAL = `REPLACE INTO seam.signal VALUES ('w', 'snapshot-window-open', NULL)`;

async function run(...statements: string[]): Promise<void> {
  for (const statement of statements) {
    if (statement === SIGNAL) await session.query(statement);
    else await app.query(statement);
  }
}

beforeEach(async () => {
  await run(
    `SET SESSION binlog_format = 'ROW', binlog_row_image = 'FULL'`,
    'DROP DATABASE lab',
    'CREATE DATABASE lab CHARACTER SET utf8mb4',
    'USE lab',
    'CREATE TABLE par (id INT PRIMARY KEY, body VARCHAR(50))',
    'CREATE TABLE chi (par_id INT, n INT, PRIMARY KEY (par_id, n))',
    `CREATE TABLE parts (id INT PRIMARY KEY, body VARCHAR(50)) PARTITION BY RANGE (id)
       (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (1000))`,
    'CREATE TABLE `odd name` (id INT PRIMARY KEY)',
    'CREATE TABLE notes (id INT PRIMARY KEY, body VARCHAR(50))',
    `INSERT INTO par VALUES (1, '${SECRET}'), (2, 'b')`,
    `INSERT INTO parts VALUES (1, 'a'), (11, 'b')`,
  );
  for (const table of ['par', 'chi', 'parts', '`odd name`']) await run(`GRANT SELECT ON lab.${table} TO seam_cdc@'%'`);
  await session.query('DELETE FROM seam.signal');
  await forgetLosses(session);
});

/** As `seam resnapshot` notes it: the table's rows were read from here on. */
async function readAgain(...tables: string[]): Promise<void> {
  const end = await endOfLog(session);
  if (end === undefined) throw new Error('the server writes no log');
  await noteReadAgain(session, tables, end);
}

function source(offset?: CheckedSource['offset']): CheckedSource {
  const mapping: SourceMapping = { system: 'lab', tables: {} };
  return { system: 'lab', session, config: {}, offset, mapping, tables: TABLES };
}

type Found = { readonly id: string; readonly table: string | undefined };

/** With a session of its own for each look, as the watch does. */
async function findings(asked: CheckedSource): Promise<(Finding & { id: string })[]> {
  const own = await openSource(login);
  try {
    const found: (Finding & { id: string })[] = [];
    for (const check of mariadbChecks) {
      for (const finding of await check.find({ ...asked, session: own })) found.push({ ...finding, id: check.id });
    }
    return found;
  } finally {
    await own.close();
  }
}

async function look(): Promise<Found[]> {
  const found = await findings(source());
  const told = JSON.stringify(found);
  expect(told).not.toContain(SECRET);
  const rows = await session.query<{ data: string }>('SELECT data FROM seam.signal');
  expect(JSON.stringify(rows)).not.toContain(SECRET);
  return found.map(({ id, table }) => ({ id, table }));
}

const statementOf = (table: string) => [{ id: 'LOG_STATEMENT', table }];

describe('changes that the log holds as text', () => {
  beforeEach(() => run(`SET SESSION binlog_format = 'STATEMENT'`));

  it.each([
    ['INSERT', `INSERT INTO par VALUES (11, '${SECRET}')`, 'lab.par'],
    ['UPDATE', `UPDATE par SET body = '${SECRET}' WHERE id = 1`, 'lab.par'],
    ['DELETE behind a comment', '/* by hand */ DELETE FROM `par` WHERE id = 1', 'lab.par'],
    ['REPLACE', `REPLACE INTO lab.par VALUES (1, '${SECRET}')`, 'lab.par'],
    ['a comment that is carried out', '/*!50000 UPDATE par SET body = 1 */', 'lab.par'],
    ['SET STATEMENT', `SET STATEMENT max_statement_time = 9 FOR UPDATE par SET body = 'x'`, 'lab.par'],
    ['a statement that hits no row', 'DELETE FROM chi WHERE n = 1', 'lab.chi'],
    ['an odd name', 'INSERT INTO `odd name` VALUES (1)', 'lab.odd name'],
  ])('%s', async (_, statement, table) => {
    await run(statement);
    expect(await look()).toEqual(statementOf(table));
  });

  it('in another database, by the whole name', async () => {
    await run('USE elsewhere', `UPDATE lab.par SET body = '${SECRET}'`, 'USE lab');
    expect(await look()).toEqual(statementOf('lab.par'));
  });

  it('of several tables', async () => {
    await run(`INSERT INTO chi VALUES (1, 1)`, `UPDATE par p JOIN chi c ON c.par_id = p.id SET p.body = 'x', c.n = 2`);
    expect((await look()).map(({ table }) => table).sort()).toEqual(['lab.chi', 'lab.par']);
  });

  it('a function that changes rows may change any', async () => {
    await run(
      `SET SESSION binlog_format = 'ROW'`,
      `CREATE FUNCTION hidden() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO par VALUES (20, 'f'); RETURN 1; END`,
      `SET SESSION binlog_format = 'STATEMENT'`,
      'SELECT hidden()',
    );
    expect(await look()).toEqual([{ id: 'LOG_STATEMENT', table: undefined }]);
  });

  it('of a table that is not captured: a trigger or a view may have changed one that is', async () => {
    await run(`INSERT INTO notes VALUES (1, 'x')`);
    expect(await look()).toEqual([{ id: 'LOG_STATEMENT_ELSEWHERE', table: undefined }]);
  });

  it('from MIXED, which is what the server comes with', async () => {
    await run(`SET SESSION binlog_format = 'MIXED'`, `INSERT INTO par VALUES (21, 'm')`);
    expect(await look()).toEqual(statementOf('lab.par'));
  });

  it('stay known until the table was read again, whatever comes in between', async () => {
    await run(`INSERT INTO par VALUES (11, 'x')`);
    expect(await look()).toEqual(statementOf('lab.par'));
    await readAgain('lab.chi');
    expect(await look()).toEqual(statementOf('lab.par'));
    await readAgain('lab.par');
    expect(await look()).toEqual([]);
    await run(`INSERT INTO par VALUES (12, 'x')`);
    expect(await look()).toEqual(statementOf('lab.par'));
  });
});

describe('changes without a row event', () => {
  it.each([
    ['TRUNCATE PARTITION', ['ALTER TABLE parts TRUNCATE PARTITION p0'], 'PARTITION_CHANGED', ['lab.parts']],
    ['DROP PARTITION', ['/* x */ ALTER TABLE lab.parts DROP PARTITION p0'], 'PARTITION_CHANGED', ['lab.parts']],
    [
      'EXCHANGE PARTITION',
      [
        'CREATE TABLE px (id INT PRIMARY KEY, body VARCHAR(50))',
        'ALTER TABLE `parts` EXCHANGE PARTITION p0 WITH TABLE px',
      ],
      'PARTITION_CHANGED',
      ['lab.parts'],
    ],
    ['CONVERT PARTITION', ['ALTER TABLE parts CONVERT PARTITION p0 TO TABLE gone'], 'PARTITION_CHANGED', ['lab.parts']],
    ['CREATE OR REPLACE', ['CREATE OR REPLACE TABLE par (id INT PRIMARY KEY)'], 'TABLE_REPLACED', ['lab.par']],
    [
      'a swap of two names',
      ['CREATE TABLE par_new LIKE par', 'RENAME TABLE par TO par_old, par_new TO par'],
      'TABLE_REPLACED',
      ['lab.par'],
    ],
    [
      'ALTER … RENAME',
      ['ALTER TABLE par RENAME TO par_old', 'CREATE TABLE other LIKE par_old', 'ALTER TABLE other RENAME par'],
      'TABLE_REPLACED',
      ['lab.par'],
    ],
    ['DROP and CREATE', ['DROP TABLE par', 'CREATE TABLE par (id INT PRIMARY KEY)'], 'TABLE_REPLACED', ['lab.par']],
    ['ALTER IGNORE', ['ALTER IGNORE TABLE par ADD UNIQUE (body)'], 'TABLE_REPLACED', ['lab.par']],
    [
      'XA ROLLBACK',
      [...prepared(`INSERT INTO par VALUES (70, 'xa')`), `XA ROLLBACK 'x'`],
      'TWO_PHASE_LOST',
      ['lab.par'],
    ],
    [
      'XA open while a table is read again',
      [...prepared(`INSERT INTO par VALUES (71, 'xa')`), SIGNAL, `XA COMMIT 'x'`],
      'TWO_PHASE_LOST',
      ['lab.par'],
    ],
  ])('%s', async (_, statements, id, tables) => {
    await run(...statements);
    for (const table of tables) await run(`GRANT SELECT ON ${table} TO seam_cdc@'%'`);
    expect(await look()).toEqual(tables.map((table) => ({ id, table })));
  });

  it('everyday work is none of them', async () => {
    await run(
      `INSERT INTO par VALUES (31, 'row')`,
      'CREATE TABLE IF NOT EXISTS par (id INT PRIMARY KEY)',
      'ALTER TABLE par ADD COLUMN extra INT',
      'ALTER TABLE par RENAME COLUMN extra TO more, ADD INDEX partition_truncate (more)',
      'CREATE OR REPLACE TABLE copy_of_par AS SELECT * FROM par',
      'ALTER TABLE parts REORGANIZE PARTITION p1 INTO (PARTITION p1 VALUES LESS THAN (500), PARTITION p2 VALUES LESS THAN (2000))',
      'ALTER TABLE parts ADD PARTITION (PARTITION p3 VALUES LESS THAN (3000))',
      'CREATE PROCEDURE later() DELETE FROM par WHERE id = 31',
      'CALL later()',
      'DROP PROCEDURE later',
      'OPTIMIZE TABLE par',
      'TRUNCATE TABLE chi',
      ...prepared(`INSERT INTO par VALUES (72, 'xa', 1)`),
      `XA COMMIT 'x'`,
      'DROP TABLE copy_of_par',
    );
    expect(await look()).toEqual([]);
  });
});

function prepared(statement: string): string[] {
  return [`XA START 'x'`, statement, `XA END 'x'`, `XA PREPARE 'x'`];
}

describe('settings and shapes', () => {
  it.each(['MINIMAL', 'NOBLOB'])('a server whose log is not by row, or is cut down: %s', async (image) => {
    try {
      await run(`SET GLOBAL binlog_format = 'MIXED'`, `SET GLOBAL binlog_row_image = '${image}'`);
      await run('SET GLOBAL binlog_expire_logs_seconds = 600');
      const found = await look();
      expect(found.map(({ id }) => id)).toEqual(['LOG_NOT_BY_ROW', 'LOG_NOT_BY_ROW', 'LOG_KEPT_SHORTLY']);
    } finally {
      await run(`SET GLOBAL binlog_format = 'ROW'`, `SET GLOBAL binlog_row_image = 'FULL'`);
      await run('SET GLOBAL binlog_expire_logs_seconds = 604800');
    }
  });

  it.each([
    ['system versioning', 'ALTER TABLE par ADD SYSTEM VERSIONING'],
    ['a hidden column with a hash', 'ALTER TABLE par ADD COLUMN num TEXT, ADD UNIQUE (num)'],
    ['a type that the connector cannot read', 'ALTER TABLE par ADD COLUMN at INET6'],
  ])('%s', async (_, statement) => {
    await run(statement);
    expect(await look()).toEqual([{ id: 'TABLE_SHAPE_UNREADABLE', table: 'lab.par' }]);
  });

  it('rules of foreign keys that change rows, and none of those that refuse', async () => {
    await run(
      'ALTER TABLE chi ADD CONSTRAINT moves FOREIGN KEY (par_id) REFERENCES par (id) ON UPDATE CASCADE ON DELETE CASCADE',
    );
    expect(await look()).toEqual([]);
    const lost = { id: 'CASCADE_LOST', table: 'lab.chi' };
    await run('INSERT INTO chi VALUES (1, 1)', `UPDATE par SET body = 'set id = 3' WHERE id = 1`, 'DELETE FROM notes');
    expect(await look()).toEqual([]);
    await run('UPDATE par SET id = 3 WHERE id = 1');
    expect(await look()).toEqual([lost]);
    await readAgain('lab.chi');
    expect(await look()).toEqual([]);
    await run('DELETE FROM par WHERE id = 3');
    expect(await look()).toEqual([lost]);
    await readAgain('lab.chi');
    // a session that turns the notes off hides whether a key was changed
    await run('INSERT INTO par VALUES (5, NULL)', 'SET SESSION binlog_annotate_row_events = 0');
    await run(`UPDATE par SET body = 'x' WHERE id = 5`, 'SET SESSION binlog_annotate_row_events = 1');
    expect(await look()).toEqual([lost]);
    await readAgain('lab.chi');
    // where the server makes none, nobody can tell
    await run('SET GLOBAL binlog_annotate_row_events = 0');
    try {
      expect(await look()).toEqual([{ id: 'CASCADE_NOT_LOGGED', table: 'lab.chi' }]);
    } finally {
      await run('SET GLOBAL binlog_annotate_row_events = 1');
    }
    await run(
      'ALTER TABLE chi DROP FOREIGN KEY moves',
      'ALTER TABLE chi ADD CONSTRAINT refuses FOREIGN KEY (par_id) REFERENCES par (id) ON UPDATE RESTRICT',
    );
    expect(await look()).toEqual([]);
  });
});

describe('rules of foreign keys that set NULL', () => {
  it('when the parent gets another key', async () => {
    await run(
      'ALTER TABLE chi ADD COLUMN other INT NULL, ADD CONSTRAINT forgets FOREIGN KEY (other) REFERENCES par (id) ON UPDATE SET NULL',
      'INSERT INTO chi VALUES (1, 1, 1)',
    );
    expect(await look()).toEqual([]);
    await run('UPDATE par SET id = 3 WHERE id = 1');
    expect(await look()).toEqual([{ id: 'CASCADE_LOST', table: 'lab.chi' }]);
    await readAgain('lab.chi');
    expect(await look()).toEqual([]);
  });

  it('in the table of the parent itself', async () => {
    await run(
      'ALTER TABLE par ADD COLUMN boss INT, ADD CONSTRAINT led FOREIGN KEY (boss) REFERENCES par (id) ON DELETE SET NULL',
      'INSERT INTO par (id, boss) VALUES (7, NULL), (8, 7)',
    );
    expect(await look()).toEqual([]);
    await run('DELETE FROM par WHERE id = 7');
    expect(await look()).toEqual([{ id: 'CASCADE_LOST', table: 'lab.par' }]);
    await readAgain('lab.par');
    expect(await look()).toEqual([]);
  });
});

describe('the place up to which the log was looked through', () => {
  it('goes over files of the log, and begins at what the connector read', async () => {
    const at = await endOfLog(session);
    await run(`SET SESSION binlog_format = 'STATEMENT'`, `INSERT INTO par VALUES (41, 'x')`, 'FLUSH BINARY LOGS');
    await run('INSERT INTO chi VALUES (1, 1)', 'FLUSH BINARY LOGS', `SET SESSION binlog_format = 'ROW'`);
    await session.query(`DELETE FROM seam.signal`);
    const found = await findings(source({ file: at?.file, pos: at?.position }));
    const statements = found.filter(({ id }) => id === 'LOG_STATEMENT');
    expect(statements.map(({ table }) => table)).toEqual(['lab.par', 'lab.chi']);
  });

  it('a log that was purged before it was looked at is a loss of its own', async () => {
    await run('SET GLOBAL slave_connections_needed_for_purge = 0', 'FLUSH BINARY LOGS', 'FLUSH BINARY LOGS');
    const last = await endOfLog(session);
    // the server keeps a file that its engine may still need
    await expect
      .poll(
        async () => {
          await run(`PURGE BINARY LOGS TO '${last?.file}'`);
          return (await logFiles(session))[0];
        },
        { timeout: 60_000 },
      )
      .toBe(last?.file);
    expect(await look()).toEqual([{ id: 'LOG_INCOMPLETE', table: undefined }]);
    await readAgain(...TABLES.slice(1));
    expect(await look()).toHaveLength(1);
    await readAgain(...TABLES);
    expect(await look()).toEqual([]);
  });
});
