/** MariaDB's, the driver's and the socket's error codes → what to do. The one place where a driver's error becomes ours. */
import { ContractError, InvariantError, RecordError, SeamError, TransientError } from '../../../core/errors.ts';
import { ROW_MISSING, TableError, type TableShape, VALUE_HELD } from '../dialect.ts';
import { type ErrorNames, haltedTable, placeText } from '../place-of-error.ts';

type Disposition = 'transient' | 'record' | 'row-missing' | 'value-held' | 'table';

export const STATEMENT_OUTDATED = 0;
/** By the server, which closes the connection then, and by the driver, which knows the server's limit. */
export const PACKETS_TOO_LARGE: ReadonlySet<number> = new Set([1153, 45_046]);

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
  1138: 'record', // NULL
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
  1062: 'value-held', // duplicate
  1169: 'value-held', // duplicate
  1586: 'value-held', // duplicate, with the index's name

  1031: 'table', // the table's engine can't do it
  1036: 'table', // read only
  1044: 'table', // no right to the database
  1049: 'table', // no such database
  1051: 'table', // no such table
  1054: 'table', // no such column
  1142: 'table', // no right to the table
  1143: 'table', // no right to the column
  1146: 'table', // no such table
  1176: 'table', // no such index
  1288: 'table', // a view that can't be written
  1347: 'table', // of another kind
  1348: 'table', // a view's column that can't be written
  1356: 'table', // a view without its tables
  1370: 'table', // no right to a routine: of a trigger
  1449: 'table', // the definer of a trigger or view is gone
  1471: 'table', // a view that takes no rows
  1906: 'table', // a generated column
  1932: 'table', // no such table in the engine
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

type DriverError = Error & { readonly code?: string; readonly errno?: number; readonly sqlMessage?: string | null };

/** `shape`: the table that the statement was about. */
export function errorOf(error: unknown, shape?: TableShape): SeamError {
  if (error instanceof SeamError) return error;
  const { code, errno } = error as DriverError;
  if (CONNECTION_CODES.has(code ?? '')) return unreachable(code ?? '', error);
  if (errno === undefined || code === undefined) {
    return new InvariantError({ code: 'UNEXPECTED_ERROR', message: 'an error that no database raised', cause: error });
  }
  const parts = { where: placeText(namesOf(error as DriverError, shape), shape, 'mariadb'), cause: error };
  const table = haltedTable(shape);
  const number = `error ${errno} ${code}`;
  if (PACKETS_TOO_LARGE.has(errno)) return packetTooLarge(table, parts);
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
    case 'value-held':
      return new RecordError({ code: VALUE_HELD, message: 'another row has a value that must be unique', ...parts });
    case 'table':
      return table === undefined ? refusedStatement(number, parts) : altered(table, number, parts);
    default:
      return table === undefined ? refusedStatement(number, parts) : refusedAtTable(table, number, parts);
  }
}

type Parts = { readonly where: string; readonly cause: unknown };

function altered(table: string, number: string, parts: Parts): TableError {
  return new TableError({
    code: 'TARGET_ALTERED',
    table,
    message: `mariadb can't write this table as it is now: ${number}`,
    hint: 'give the table back its columns and rights: the sink goes on by itself',
    ...parts,
  });
}

/** Not even a dead letter could hold the record here, so its table stands still. */
function packetTooLarge(table: string | undefined, parts: Parts): ContractError {
  const text = {
    code: 'TARGET_PACKET_TOO_SMALL',
    message: 'a record is larger than what the server takes at once (max_allowed_packet)',
    hint: "as the server's administrator: SET GLOBAL max_allowed_packet = 67108864; the sink tries it again by itself",
    ...parts,
  };
  return table === undefined ? new ContractError(text) : new TableError({ ...text, table });
}

/** Whatever it is, the statement was about one table: the others of the target flow. */
function refusedAtTable(table: string, number: string, parts: Parts): TableError {
  return new TableError({
    code: 'TARGET_ERROR',
    table,
    message: `mariadb refused a statement about this table with ${number}`,
    hint: 'compare sinks/targets with the table; the sink tries it again by itself',
    ...parts,
  });
}

function refusedStatement(number: string, parts: Parts): ContractError {
  return new ContractError({
    code: 'TARGET_ERROR',
    message: `mariadb refused a statement with ${number}`,
    hint: 'compare sinks/targets with the tables and rights of the database, then start the sink again',
    ...parts,
  });
}

/** The server names columns and indexes in its text alone, which holds values too: only these names are taken out of it. */
const COLUMN_NAMES = [
  /column (?:`[^`]*`\.`[^`]*`\.)?[`']([^`']+)[`'] at row \d+$/,
  /^Column '([^']+)' cannot be null/,
  /^Field '([^']+)' doesn't have a default/,
];
const INDEX_NAME = /for key '([^']+)'$/;
const CHECK_NAME = /^CONSTRAINT `([^`]+)` failed for/;
const REFERENCE = /a foreign key constraint fails \(`([^`]+)`\.`([^`]+)`, CONSTRAINT `([^`]+)` FOREIGN KEY/;

function namesOf({ sqlMessage }: DriverError, shape: TableShape | undefined): ErrorNames {
  const text = (sqlMessage ?? '').trimEnd();
  const column = COLUMN_NAMES.map((pattern) => pattern.exec(text)?.[1]).find((name) => name !== undefined);
  const index = INDEX_NAME.exec(text)?.[1];
  const reference = REFERENCE.exec(text);
  return {
    table: reference === null ? undefined : `${reference[1]}.${reference[2]}`,
    column: column !== undefined && shape?.columns.has(column) === true ? column : undefined,
    constraint:
      reference?.[3] ?? CHECK_NAME.exec(text)?.[1] ?? shape?.uniqueIndexes.find(({ name }) => name === index)?.name,
  };
}

export function unreachable(reason: string, cause?: unknown): TransientError {
  return new TransientError({ code: 'TARGET_UNREACHABLE', message: `connection to mariadb lost: ${reason}`, cause });
}
