import { settingAssignments } from '../../../core/databases/postgres.ts';

/** After a source's setup.sql: pins how values are printed in the sessions that the connector opens. Can be run again. */
export function captureSettingsSql(user: string): string {
  const alter = settingAssignments().map(
    (assignment) =>
      `  EXECUTE format('ALTER ROLE ${user} IN DATABASE %I SET ${assignment.replaceAll("'", "''")}', current_database());`,
  );
  return `-- How values are printed for the user that reads, in this database only: so that a setting of the database, the role or the server
-- does not change what is captured. The connector's next sessions have them. row_security = off: a read whose rows a policy hides
-- fails instead of answering less.
DO $$ BEGIN
${alter.join('\n')}
END $$;
`;
}
