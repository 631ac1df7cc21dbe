/** Why: at 3 a.m. a server that is away must be named, with what was tried where, and not be a stack trace. */
import { createServer } from 'node:net';
import { expect, it } from 'vitest';
import { queryRows } from '../../adapters/sql-script.ts';
import type { SeamError } from '../../core/errors.ts';
import { exitCodeOf } from '../../core/errors.ts';

/** A port on which nothing listens any more. */
async function closedPort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

it.each([
  'postgres',
  'mariadb',
] as const)('%s: a database that is away is named, with the attempts made', async (kind) => {
  const port = await closedPort();
  const connection = { kind, host: '127.0.0.1', port, database: 'erp', user: 'somebody', password: 'secret' };
  const error = await queryRows(connection, 'SELECT 1').catch((caught: SeamError) => caught);
  expect(error).toMatchObject({
    code: 'DATABASE_UNREACHABLE',
    message: expect.stringContaining('10 attempts'),
    where: `127.0.0.1:${port}, database erp, user somebody`,
  });
  expect(exitCodeOf(error)).toBe(6);
  expect(JSON.stringify(error)).not.toContain('secret');
});
