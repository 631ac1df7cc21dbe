/**
 * PostgreSQL writes a refused row whole into the server's log (`DETAIL: Failing row contains …`), and what a trigger raises. For the sessions
 * of the sink this is switched off: Seam keeps the refused record itself, as a dead letter. Only a superuser may set it, or a role with
 * `GRANT SET ON PARAMETER`: where neither holds, set-up goes on and names it.
 */
import { quoteName } from '../../../core/databases/postgres.ts';
import type { QuietLog } from '../dialect.ts';

/** The second and the third keep statements' values out of the log where the server logs slow or all statements. */
const SETTINGS = {
  log_min_messages: 'fatal',
  log_parameter_max_length: '0',
  log_parameter_max_length_on_error: '0',
} as const;

export function quietLog(user: string): QuietLog {
  const names = Object.keys(SETTINGS);
  const alter = Object.entries(SETTINGS).map(([name, value]) => `ALTER ROLE ${user} SET ${name} = '${value}';`);
  const entries = Object.entries(SETTINGS).map(([name, value]) => `'${name}=${value}'`);
  const allowed = names.map((name) => `has_parameter_privilege('${name}', 'SET')`);
  return {
    applySql: `-- Keeps the contents of refused rows out of the server's log, for the sessions of the user that writes.\n${alter.join('\n')}\n`,
    isQuietSql: `SELECT 1 FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole AND r.rolname = '${user}'
      WHERE s.setdatabase = 0 AND s.setconfig @> ARRAY[${entries.join(', ')}]`,
    mayApplySql: `SELECT 1 WHERE ${allowed.join(' AND ')}`,
    finding: `the server's log may show contents of refused rows: ${names.join(', ')} are not set for ${user}`,
    grantSql: (administrator) => `GRANT SET ON PARAMETER ${names.join(', ')} TO ${quoteName(administrator)};`,
  };
}
