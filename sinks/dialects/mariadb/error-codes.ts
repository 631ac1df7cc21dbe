/** MariaDB's, the driver's and the socket's error codes → what to do. The one place where a driver's error becomes ours. */
import { ContractError, InvariantError, RecordError, SeamError, TransientError } from '../../../core/errors.ts';
import { ROW_MISSING } from '../dialect.ts';

type Disposition = 'transient' | 'record' | 'row-missing' | 'contract';

export const STATEMENT_OUTDATED = 0;

/** By error number; what isn't listed stops the target. */
const DISPOSITIONS: Readonly<Record<number, Disposition>> = {
  // The bulk protocol's answer, without number or text, when a table was altered since the statement was prepared.
  [STATEMENT_OUTDATED]: 'transient',
  1021: 'transient', // disk full
  1037: 'transient', // out of memory
  1040: 'transient', // too many connections
  1041: 'transient', // out of memory
  1053: 'transient', // shutting down
  1114: 'transient', // table full
  1129: 'transient', // host blocked after too many errors
  1159: 'transient', // timeout while reading a packet
  1161: 'transient', // timeout while writing a packet
  1180: 'transient', // error during commit
  1203: 'transient', // too many connections of this user
  1205: 'transient', // lock timeout
  1213: 'transient', // deadlock
  1290: 'transient', // read only: a replica during a fail-over
  1927: 'transient', // connection killed
  1969: 'transient', // statement timeout
  4031: 'transient', // idle transaction timeout

  1048: 'record', // NULL in a NOT NULL column
  1062: 'record', // duplicate
  1138: 'record', // NULL
  1169: 'record', // unique
  1264: 'record', // out of range
  1265: 'record', // truncated
  1292: 'record', // malformed value
  1364: 'record', // no default
  1366: 'record', // text that the character set lacks
  1406: 'record', // too long
  1411: 'record', // malformed value
  1467: 'record', // auto-increment exhausted
  1644: 'record', // SIGNAL of the target's own trigger
  1690: 'record', // out of range
  4025: 'record', // CHECK constraint
  1451: 'row-missing', // foreign key: still referred to
  1452: 'row-missing', // foreign key
  1216: 'row-missing',
  1217: 'row-missing',
};

/** Answers of the driver and the socket: the server is away. */
const CONNECTION_CODES = new Set([
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ER_CONNECTION_ALREADY_CLOSED',
  'ER_CMD_NOT_EXECUTED_DESTROYED',
  'ER_SOCKET_UNEXPECTED_CLOSE',
  'ER_UNEXPECTED_PACKET',
  'ER_CONNECTION_TIMEOUT',
  'ER_CMD_CONNECTION_CLOSED',
  'ER_SOCKET',
  'ER_SOCKET_TIMEOUT',
  'ER_PING_TIMEOUT',
]);

type DriverError = Error & { readonly code?: string; readonly errno?: number };

export function errorOf(error: unknown): SeamError {
  if (error instanceof SeamError) return error;
  const { code, errno } = error as DriverError;
  if (CONNECTION_CODES.has(code ?? '')) return unreachable(code ?? '', error);
  if (errno === undefined || code === undefined) {
    return new InvariantError({ code: 'UNEXPECTED_ERROR', message: 'an error that no database raised', cause: error });
  }
  const parts = { where: 'mariadb', cause: error };
  switch (DISPOSITIONS[errno]) {
    case 'transient':
      return new TransientError({
        code: 'TARGET_BUSY',
        message: `mariadb gave up with error ${errno} ${code}`,
        ...parts,
      });
    case 'record':
      return new RecordError({ code: 'TARGET_REFUSED', message: `row refused with error ${errno} ${code}`, ...parts });
    case 'row-missing':
      return new RecordError({ code: ROW_MISSING, message: 'a row that this one refers to is not there', ...parts });
    default:
      return new ContractError({
        code: 'TARGET_ERROR',
        message: `mariadb refused a statement with error ${errno} ${code}`,
        hint: 'compare sinks/targets with the tables and rights of the database; the cause is in the log',
        ...parts,
      });
  }
}

export function unreachable(reason: string, cause?: unknown): TransientError {
  return new TransientError({ code: 'TARGET_UNREACHABLE', message: `connection to mariadb lost: ${reason}`, cause });
}
