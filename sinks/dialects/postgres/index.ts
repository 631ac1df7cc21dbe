import { readFileSync } from 'node:fs';
import { SHARED_SESSION_SETTINGS } from '../../../core/databases/postgres.ts';
import type { Dialect } from '../dialect.ts';
import { captureSettingsSql } from './capture-settings.ts';
import { PostgresClient } from './client.ts';
import { errorOf } from './error-codes.ts';
import { setOrigin } from './origin.ts';
import { quietLog } from './quiet-log.ts';
import { PostgresSession } from './session.ts';

export const postgres: Dialect = {
  name: 'postgres',
  sideSchemaSql: () => readFileSync(new URL('side-schema.sql', import.meta.url), 'utf8'),
  captureSettingsSql,
  quietLog,
  errorOf,

  open: async (connection, settings) => {
    const timeoutMs = String(settings.statementTimeoutMs);
    const client = await PostgresClient.connect(connection, settings.statementTimeoutMs, {
      ...SHARED_SESSION_SETTINGS,
      statement_timeout: timeoutMs,
      lock_timeout: timeoutMs,
      // A paused worker must not keep its locks: the next owner of the partition waits for them.
      idle_in_transaction_session_timeout: timeoutMs,
    });
    try {
      return new PostgresSession(client, await setOrigin(client.raw, settings.system, connection.user));
    } catch (error) {
      await client.end();
      throw errorOf(error);
    }
  },
};
