/** An error that no table of codes names stops the table that the statement was about, and the target only where it was about none. */
import { expect, it } from 'vitest';
import { ContractError } from '../../core/errors.ts';
import { errorOf as mariadbError } from '../../sinks/dialects/mariadb/error-codes.ts';
import { errorOf as postgresError } from '../../sinks/dialects/postgres/error-codes.ts';
import { TableError, type TableShape } from '../../sinks/dialects/dialect.ts';

const shape = (table: string) => ({ table, columns: new Map(), uniqueIndexes: [] }) as unknown as TableShape;
const ofMariadb = Object.assign(new Error('You have an error'), {
  code: 'ER_PARSE_ERROR',
  errno: 1064,
  sqlMessage: 'near …',
});
const ofPostgres = Object.assign(new Error('unknown'), { code: '0B000' });

it.each([
  ['mariadb', (table?: TableShape) => mariadbError(ofMariadb, table)],
  ['postgres', (table?: TableShape) => postgresError(ofPostgres, table)],
])('%s', (_name, errorOf) => {
  const ofTable = errorOf(shape('shop.item'));
  expect(ofTable).toBeInstanceOf(TableError);
  expect(ofTable).toMatchObject({ code: 'TARGET_ERROR', table: 'shop.item', where: 'shop.item' });
  for (const ofTarget of [errorOf(shape('seam.applied')), errorOf()]) {
    expect(ofTarget).toBeInstanceOf(ContractError);
    expect(ofTarget).not.toBeInstanceOf(TableError);
  }
});
