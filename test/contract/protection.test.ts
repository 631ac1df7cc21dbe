/** Small holes through which contents of rows or passwords reached files, logs and errors that others may read. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../adapters/clock.ts';
import { ConnectClient } from '../../adapters/connect-client.ts';
import { connectPostgres } from '../../adapters/postgres-client.ts';
import { writePrivateFile } from '../../adapters/private-file.ts';
import { Registry } from '../../adapters/registry.ts';
import { formatError } from '../../core/errors.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import type { QuietLog } from '../../sinks/dialects/dialect.ts';
import { startDatabases, type TestDatabase, type TestDatabases } from '../support/databases.ts';

let databases: TestDatabases;
let postgres: TestDatabase;
const log = dialects.postgres.quietLog('seam_sink') as QuietLog;

beforeAll(async () => {
  databases = await startDatabases();
  postgres = databases.all.find(({ dialect }) => dialect === 'postgres') as TestDatabase;
  await postgres.execute('CREATE TABLE shop.person (id int PRIMARY KEY, name text CHECK (length(name) < 20))');
}, 240_000);
afterAll(() => databases?.stop());

const modeOf = async (file: string) => ((await stat(file)).mode & 0o777).toString(8);

describe("PostgreSQL's own log", () => {
  /** As the sink; the session is a new one, so that it has the role's settings. */
  async function refuse(name: string): Promise<void> {
    const client = await connectPostgres(postgres.sink);
    await expect(client.query('INSERT INTO shop.person VALUES (1, $1)', [name])).rejects.toThrow('violates check');
    await client.end();
  }
  const serverLog = () => readFile(path.join(databases.stateDirectory, 'logs', 'postgres-onpostgres.log'), 'utf8');

  it('has a refused row whole until set-up asks it not to', async () => {
    await refuse('Anna of the long name, before');
    await expect.poll(serverLog, { timeout: 20_000 }).toContain('Anna of the long name, before');
    expect(await postgres.rows(log.isQuietSql)).toEqual([]);
    expect(await postgres.rows(log.mayApplySql)).toHaveLength(1);

    await postgres.execute(log.applySql);
    expect(await postgres.rows(log.isQuietSql)).toHaveLength(1);
    await refuse('Anna of the long name, after');
    // what an administrator does is logged as before: and it is logged after the refusal
    await expect(postgres.rows('SELECT 1/0 AS marker')).rejects.toThrow('division by zero');
    await expect.poll(serverLog, { timeout: 20_000 }).toContain('1/0 AS marker');
    expect(await serverLog()).not.toContain('Anna of the long name, after');
  });

  it('is not ours to change without the right, and the grant that is named gives it', async () => {
    await postgres.execute(
      `CREATE ROLE "o'wner" LOGIN PASSWORD 'owner' CREATEROLE; GRANT seam_sink TO "o'wner" WITH ADMIN OPTION`,
    );
    const owner = await connectPostgres({ ...postgres.sink, user: "o'wner", password: 'owner' });
    expect((await owner.query(log.mayApplySql)).rows).toEqual([]);
    await expect(owner.query(log.applySql)).rejects.toThrow('permission denied');
    await postgres.execute(log.grantSql("o'wner"));
    expect((await owner.query(log.mayApplySql)).rows).toHaveLength(1);
    await owner.query(log.applySql);
    await owner.end();
  });
});

describe('files', () => {
  it('a file that everybody could read is not open for a moment while it gets its new text', async () => {
    const folder = await mkdtemp(path.join(tmpdir(), 'seam-private-'));
    const file = path.join(folder, 'replay-plan.json');
    await writeFile(file, 'of an earlier version', { mode: 0o644 });
    await writePrivateFile(file, 'fresh');
    expect(await modeOf(file)).toBe('600');
    expect(await readFile(file, 'utf8')).toBe('fresh');
    expect(await readdir(folder)).toEqual(['replay-plan.json']);
  });

  it("the servers' folders and logs belong to the user that started them", async () => {
    expect(await modeOf(path.join(databases.stateDirectory, 'mariadb'))).toBe('700');
    const logs = path.join(databases.stateDirectory, 'logs');
    for (const name of await readdir(logs)) expect([name, await modeOf(path.join(logs, name))]).toEqual([name, '600']);
  });
});

describe('addresses', () => {
  const secret = 'p@ss:w/ord';
  const url = `http://seam:${encodeURIComponent(secret)}@127.0.0.1:9/apis/ccompat/v7`;

  it.each([
    ['registry', () => new Registry({ url, attemptsMax: 1 }, systemClock).load([7])],
    ['Kafka Connect', () => new ConnectClient(url).names()],
  ])('the %s that does not answer is named without its password', async (_, ask) => {
    const text = formatError(await ask().catch((error: unknown) => error));
    expect(text).toContain('127.0.0.1:9');
    expect(text).not.toContain(encodeURIComponent(secret));
    expect(text).not.toContain('seam:');
  });
});

describe('numbers of the command line', () => {
  const seam = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['cli/main.ts', ...args], { timeout: 60_000 }).catch((error) => error);

  it.each([
    ['verify', '--patience', 'abc'],
    ['verify', '--patience', '-1'],
    ['verify', '--patience', '1e9'],
    ['verify', '--limit', '0x10'],
    ['dead-letter', 'retry', '--patience', 'NaN'],
    ['stack', 'logs', '--lines', 'many'],
  ])('%s %s %s %s is refused before anything starts', async (...args) => {
    const { code, stderr } = await seam(...args);
    expect(code).toBe(2);
    expect(stderr).toContain(args.at(-2));
  });
});
