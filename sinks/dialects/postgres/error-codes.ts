/** PostgreSQL's and the socket's error codes → what to do. The one place where a driver's error becomes ours. */
import { ContractError, InvariantError, RecordError, SeamError, TransientError } from '../../../core/errors.ts';
import { ROW_MISSING } from '../dialect.ts';

type Disposition = 'transient' | 'record' | 'row-missing' | 'contract';

/** By SQLSTATE, or by its class (first two letters). The longer one decides; what isn't listed stops the target. */
const DISPOSITIONS: Readonly<Record<string, Disposition>> = {
  '08': 'transient', // connection
  '53': 'transient', // out of memory, disk or connections
  '40001': 'transient', // serialization failure
  '40P01': 'transient', // deadlock
  '55P03': 'transient', // lock timeout
  '55006': 'transient', // object in use
  '57014': 'transient', // statement timeout
  '57P01': 'transient', // shut down by the administrator
  '57P02': 'transient', // crash of another backend
  '57P03': 'transient', // starting up
  '57P05': 'transient', // idle session timeout
  '25P03': 'transient', // idle in transaction timeout
  '25006': 'transient', // read only: a standby during a fail-over
  '58030': 'transient', // input/output error

  '21': 'record', // two keys of the batch are one row of the target: written one by one
  '22': 'record', // value out of range, too long, malformed
  '23': 'record', // constraint
  '44000': 'record', // check option of a view
  P0001: 'record', // raised by the target's own trigger
  '23503': 'row-missing', // foreign key

  '42': 'contract', // table, column or right is missing
  '28': 'contract', // log-in refused
  '3D000': 'contract', // no such database
  '3F000': 'contract', // no such schema
};

const SOCKET_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
]);

const SQLSTATE = /^[0-9A-Z]{5}$/;

type DriverError = Error & {
  readonly code?: string;
  readonly schema?: string;
  readonly table?: string;
  readonly column?: string;
  readonly constraint?: string;
};

export function errorOf(error: unknown): SeamError {
  if (error instanceof SeamError) return error;
  const driverError = error as DriverError;
  const code = driverError.code ?? '';
  if (SOCKET_CODES.has(code)) return unreachable(code, error);
  if (!SQLSTATE.test(code)) {
    return new InvariantError({ code: 'UNEXPECTED_ERROR', message: 'an error that no database raised', cause: error });
  }
  const disposition = DISPOSITIONS[code] ?? DISPOSITIONS[code.slice(0, 2)];
  const parts = { where: place(driverError), cause: error };
  switch (disposition) {
    case 'transient':
      return new TransientError({ code: 'TARGET_BUSY', message: `postgres gave up with SQLSTATE ${code}`, ...parts });
    case 'record':
      return new RecordError({ code: 'TARGET_REFUSED', message: `row refused with SQLSTATE ${code}`, ...parts });
    case 'row-missing':
      return new RecordError({ code: ROW_MISSING, message: 'a row that this one refers to is not there', ...parts });
    default:
      return new ContractError({
        code: 'TARGET_ERROR',
        message: `postgres refused a statement with SQLSTATE ${code}`,
        hint: 'compare sinks/targets with the tables and rights of the database; the cause is in the log',
        ...parts,
      });
  }
}

export function unreachable(reason: string, cause?: unknown): TransientError {
  return new TransientError({ code: 'TARGET_UNREACHABLE', message: `connection to postgres lost: ${reason}`, cause });
}

/** Names only: the error's own text and detail hold values. */
function place(error: DriverError): string {
  const table = error.table === undefined ? undefined : `${error.schema}.${error.table}`;
  const parts = [table, error.column && `column ${error.column}`, error.constraint && `constraint ${error.constraint}`];
  return parts.filter((part) => part !== undefined && part !== '').join(', ') || 'postgres';
}
