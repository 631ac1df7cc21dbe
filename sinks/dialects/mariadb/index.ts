import { readFileSync } from 'node:fs';
import { PINNED_SETTINGS, setStatement } from '../../../core/databases/mariadb.ts';
import type { Dialect } from '../dialect.ts';
import { MariadbClient } from './client.ts';
import { setDomain } from './domain.ts';
import { errorOf } from './error-codes.ts';
import { MariadbSession } from './session.ts';

export const mariadb: Dialect = {
  name: 'mariadb',
  sideSchemaSql: () => readFileSync(new URL('side-schema.sql', import.meta.url), 'utf8'),
  // no user has settings of its own here: the connector's sessions get theirs from connector.json
  captureSettingsSql: () => undefined,
  quietLog: () => undefined,
  errorOf,

  open: async (connection, settings) => {
    const client = await MariadbClient.connect(connection, settings.statementTimeoutMs);
    try {
      await client.execute(sessionSql(Math.max(1, Math.ceil(settings.statementTimeoutMs / 1_000))));
      return new MariadbSession(client, await setDomain(client.raw, settings.owner, connection.user));
    } catch (error) {
      await client.end();
      throw errorOf(error);
    }
  },
};

/** Strict: what doesn't fit is an error, never cut. A paused worker must not keep its locks: the next owner waits for them. */
function sessionSql(timeoutSeconds: number): string {
  const seconds = String(timeoutSeconds);
  return setStatement({
    ...PINNED_SETTINGS,
    sql_mode: `'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,NO_AUTO_VALUE_ON_ZERO'`,
    transaction_isolation: `'READ-COMMITTED'`,
    max_statement_time: seconds,
    innodb_lock_wait_timeout: seconds,
    lock_wait_timeout: seconds,
    idle_transaction_timeout: seconds,
  });
}
