/** A server that refuses to read one table (a column or the table is gone, a right is missing) says nothing of the others. */

type ServerError = {
  readonly code?: unknown;
  readonly errno?: unknown;
  readonly severity?: unknown;
  readonly fatal?: unknown;
};

/** The error's number alone: its text may hold values. undefined: not the server's answer, or the connection is lost. */
export function refusalOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const { code, errno, severity, fatal } = error as ServerError;
  if (severity === 'ERROR') return `PostgreSQL refuses to read it with SQLSTATE ${code}`;
  if (typeof errno === 'number' && typeof code === 'string' && code.startsWith('ER_') && fatal !== true)
    return `MariaDB refuses to read it with error ${errno} ${code}`;
  return undefined;
}
