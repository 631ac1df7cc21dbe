/**
 * Failures of a MariaDB connector by name. Its own texts name a mode that is no way out, or hold the statement that it could not
 * read, and with it values and passwords: no part of them is shown here beyond names.
 */
import { ContractError } from '../../core/errors.ts';

const ROW = /Error processing row in (\S+), internal schema size (\d+), but row size (\d+)/;
const STATEMENT = /DDL statement couldn't be parsed[\s\S]*?with the statement '([^\n]*)/;
const UNKNOWN_TABLE = /Encountered change event for table (\S+) whose schema isn't known/;
/** As much of a statement as holds names only. */
const WHAT_AND_TABLE =
  /^\s*((?:CREATE|ALTER|DROP|RENAME)\s+(?:OR\s+REPLACE\s+)?TABLE\s+(?:IF\s+(?:NOT\s+)?EXISTS\s+)?[\w$.`]+)/i;
const WHAT = /^\s*(\w+)/;

/** `trace`: the task's, as Kafka Connect keeps it. undefined: none of these. */
export function knownFailure(connector: string, trace: string): ContractError | undefined {
  const where = `kafka connect, connector ${connector}`;
  const system = connector.replace(/^seam-/, '');
  const [, rowTable, known, found] = ROW.exec(trace) ?? [];
  if (rowTable !== undefined) return rowUnreadable({ where, system, table: rowTable, counts: [known, found] });
  const statement = STATEMENT.exec(trace)?.[1];
  if (statement !== undefined) return statementUnreadable(where, system, statement);
  const table = UNKNOWN_TABLE.exec(trace)?.[1];
  return table === undefined ? undefined : tableUnknown(where, system, table);
}

type Row = { readonly where: string; readonly system: string; readonly table: string; readonly counts: unknown[] };

function rowUnreadable({ where, system, table, counts: [known, found] }: Row): ContractError {
  return new ContractError({
    code: 'CONNECTOR_ROW_UNREADABLE',
    message: `the log has a row of ${table} with ${found} columns, and the connector knows ${known}: the table was made again or has hidden columns, or binlog_row_image is not FULL`,
    where,
    hint: `remove the cause, which this names: seam connectors status ${system}; then read all of it again: seam connectors recover ${system} --yes`,
  });
}

function statementUnreadable(where: string, system: string, statement: string): ContractError {
  const what = (WHAT_AND_TABLE.exec(statement) ?? WHAT.exec(statement))?.[1] ?? 'a statement';
  return new ContractError({
    code: 'CONNECTOR_STATEMENT_UNREADABLE',
    message: `the connector cannot read a statement in the log that changes a definition: ${what} …`,
    where,
    hint: `start behind it, which reads all of it again: seam connectors recover ${system} --yes`,
  });
}

function tableUnknown(where: string, system: string, table: string): ContractError {
  return new ContractError({
    code: 'CONNECTOR_TABLE_UNKNOWN',
    message: `the connector does not know the columns of ${table}: it was captured before they were read`,
    where,
    hint: `run: seam connectors recover ${system} --yes`,
  });
}
