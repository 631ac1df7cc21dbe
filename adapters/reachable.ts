/** A database that is just starting is waited for, with a limit; then the error says what was tried where. */
import { setTimeout as pause } from 'node:timers/promises';
import { ConfigError, TransientError } from '../core/errors.ts';

const ATTEMPTS_MAX = 10;
const ATTEMPT_PAUSE_MS = 1_000;
/** PostgreSQL and MariaDB: no such user, wrong password, no such database. */
const REFUSALS = new Set([
  '28P01',
  '28000',
  '3D000',
  'ER_ACCESS_DENIED_ERROR',
  'ER_DBACCESS_DENIED_ERROR',
  'ER_BAD_DB_ERROR',
]);

export type DatabaseAddress = {
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
};

export async function whenReachable<T>(address: DatabaseAddress, connect: () => Promise<T>): Promise<T> {
  const where = `${address.host}:${address.port}, database ${address.database}, user ${address.user}`;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await connect();
    } catch (cause) {
      const code = String((cause as { code?: unknown }).code ?? 'no code');
      if (REFUSALS.has(code)) {
        throw new ConfigError({
          code: 'DATABASE_REFUSED',
          message: `the database refuses the connection: ${code}`,
          where,
          hint: 'compare user, password file and database name with the deployment file',
          cause,
        });
      }
      if (attempt >= ATTEMPTS_MAX) {
        throw new TransientError({
          code: 'DATABASE_UNREACHABLE',
          message: `the database does not answer: ${code} (${ATTEMPTS_MAX} attempts, ${ATTEMPT_PAUSE_MS} ms apart)`,
          where,
          hint: 'start it, or correct host and port in the deployment file; of the local stack: seam stack up',
          cause,
        });
      }
    }
    await pause(ATTEMPT_PAUSE_MS);
  }
}
