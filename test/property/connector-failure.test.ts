/** Failures of MariaDB's connector, as Kafka Connect kept them on the real stack (Debezium 3.5.0), get a name and no part of a statement. */
import { describe, expect, it } from 'vitest';
import { knownFailure } from '../../ops/sources/connector-failure.ts';

const BEFORE =
  'org.apache.kafka.connect.errors.ConnectException: An exception occurred in the change event producer. This connector will be stopped.\n\tat io.debezium.pipeline.ErrorHandler.setProducerThrowable(ErrorHandler.java:67)\n';
const unparsed = (statement: string) =>
  `${BEFORE}Caused by: io.debezium.text.ParsingException: DDL statement couldn't be parsed. Please open a GitHub issue at https://github.com/debezium/dbz/issues with the statement '${statement}'\nno viable alternative at input '${statement}'\nCaused by: org.antlr.v4.runtime.NoViableAltException`;

describe('a failed connector', () => {
  it('says which table has rows of another shape', () => {
    const error = knownFailure(
      'seam-pos',
      `${BEFORE}Caused by: io.debezium.DebeziumException: Error processing row in t_ver, internal schema size 2, but row size 4 , restart connector with schema recovery mode.\n\tat x`,
    );
    expect(error).toMatchObject({
      code: 'CONNECTOR_ROW_UNREADABLE',
      hint: expect.stringContaining('seam connectors recover pos --yes'),
    });
    expect(error?.message).toContain('t_ver with 4 columns, and the connector knows 2');
  });

  it.each([
    ['ALTER TABLE t ADD SYSTEM VERSIONING', 'ALTER TABLE t …'],
    [`CREATE TABLE \`t\` (\n  \`id\` inet6 DEFAULT 'geheim'`, 'CREATE TABLE `t` …'],
    [`ALTER USER x IDENTIFIED BY 'geheim'`, 'ALTER …'],
    [`/* geheim */ UPDATE`, 'a statement …'],
  ])('says what it could not read, and no value: %s', (statement, told) => {
    const error = knownFailure('seam-pos', unparsed(statement));
    expect(error?.code).toBe('CONNECTOR_STATEMENT_UNREADABLE');
    expect(error?.message).toContain(`: ${told}`);
    expect(JSON.stringify(error)).not.toContain('geheim');
    expect(error?.message).not.toContain('geheim');
  });

  it('says which table was added without its columns', () => {
    const trace = `${BEFORE}Caused by: io.debezium.DebeziumException: Encountered change event for table sakila.category whose schema isn't known to this connector`;
    expect(knownFailure('seam-sakila', trace)).toMatchObject({
      code: 'CONNECTOR_TABLE_UNKNOWN',
      message: expect.stringContaining('sakila.category'),
    });
  });

  it('that failed of something else keeps its own words', () => {
    expect(knownFailure('seam-pos', `${BEFORE}Caused by: java.io.IOException: gone`)).toBeUndefined();
  });
});
