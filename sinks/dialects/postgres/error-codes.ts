/** PostgreSQL's and the socket's error codes → what to do. The one place where a driver's error becomes ours. */
import { ContractError, InvariantError, RecordError, SeamError, TransientError } from '../../../core/errors.ts';
import { ROW_MISSING, TableError, type TableShape, VALUE_HELD } from '../dialect.ts';
import { type ErrorNames, haltedTable, placeText } from '../place-of-error.ts';

type Disposition = 'transient' | 'record' | 'row-missing' | 'value-held' | 'table' | 'contract';

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
  '23001': 'row-missing', // foreign key that restricts: still referred to
  '23505': 'value-held', // unique index
  '23P01': 'value-held', // exclusion constraint

  '42': 'table', // table, column or right is missing, or of another type
  '0A000': 'table', // not possible with what the table is now: a view, a foreign table
  '55000': 'table', // not in the state for it: a view that can't be written, a published table without an identity
  '3F000': 'table', // no such schema
  '28': 'contract', // log-in refused
  '3D000': 'contract', // no such database
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

/** `shape`: the table that the statement was about. */
export function errorOf(error: unknown, shape?: TableShape): SeamError {
  if (error instanceof SeamError) return error;
  const driverError = error as DriverError;
  const code = driverError.code ?? '';
  if (SOCKET_CODES.has(code)) return unreachable(code, error);
  if (!SQLSTATE.test(code)) {
    return new InvariantError({ code: 'UNEXPECTED_ERROR', message: 'an error that no database raised', cause: error });
  }
  const disposition = DISPOSITIONS[code] ?? DISPOSITIONS[code.slice(0, 2)];
  const parts = { where: placeText(namesOf(driverError), shape, 'postgres'), cause: error };
  const table = haltedTable(shape);
  switch (disposition) {
    case 'transient':
      return new TransientError({ code: 'TARGET_BUSY', message: `postgres gave up with SQLSTATE ${code}`, ...parts });
    case 'record':
      return new RecordError({ code: 'TARGET_REFUSED', message: `row refused with SQLSTATE ${code}`, ...parts });
    case 'row-missing':
      return new RecordError({ code: ROW_MISSING, message: 'a row that this one refers to is not there', ...parts });
    case 'value-held':
      return new RecordError({ code: VALUE_HELD, message: 'another row has a value that must be unique', ...parts });
    case 'table':
      return table === undefined ? refusedStatement(code, parts) : altered(table, code, parts);
    default:
      return table === undefined ? refusedStatement(code, parts) : refusedAtTable(table, code, parts);
  }
}

const RIGHT_MISSING = '42501';
/** Our sessions refuse to read past rows that a policy hides. */
const RIGHTS_HINT =
  'give the table back its rights, and where it has row-level security: ALTER ROLE seam_sink BYPASSRLS; the sink goes on by itself';

type Parts = { readonly where: string; readonly cause: unknown };

function altered(table: string, code: string, parts: Parts): TableError {
  return new TableError({
    code: 'TARGET_ALTERED',
    table,
    message: `postgres can't write this table as it is now: SQLSTATE ${code}`,
    hint:
      code === RIGHT_MISSING ? RIGHTS_HINT : 'give the table back its columns and rights: the sink goes on by itself',
    ...parts,
  });
}

/** Whatever it is, the statement was about one table: the others of the target flow. */
function refusedAtTable(table: string, code: string, parts: Parts): TableError {
  return new TableError({
    code: 'TARGET_ERROR',
    table,
    message: `postgres refused a statement about this table with SQLSTATE ${code}`,
    hint: 'compare sinks/targets with the table; the sink tries it again by itself',
    ...parts,
  });
}

function refusedStatement(code: string, parts: Parts): ContractError {
  return new ContractError({
    code: 'TARGET_ERROR',
    message: `postgres refused a statement with SQLSTATE ${code}`,
    hint: 'compare sinks/targets with the tables and rights of the database, then start the sink again',
    ...parts,
  });
}

export function unreachable(reason: string, cause?: unknown): TransientError {
  return new TransientError({ code: 'TARGET_UNREACHABLE', message: `connection to postgres lost: ${reason}`, cause });
}

/** Names only: the error's own text and detail hold values. */
function namesOf({ schema, table, column, constraint }: DriverError): ErrorNames {
  return {
    table: table === undefined || table === '' ? undefined : `${schema}.${table}`,
    column: column === '' ? undefined : column,
    constraint: constraint === '' ? undefined : constraint,
  };
}
