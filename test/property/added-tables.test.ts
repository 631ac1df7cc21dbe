/** A table added to a running MariaDB connector stops the whole source at its first change: refused beforehand, with what heals. */
import { describe, expect, it } from 'vitest';
import { refuseAddedTables } from '../../ops/operations/added-tables.ts';
import type { ConnectorPlan } from '../../ops/operations/connectors.ts';

function plan(kind: string, from: string | null, to: string): ConnectorPlan {
  const config = { 'connector.class': `io.debezium.connector.${kind}`, 'table.include.list': to };
  const changes = from === to ? [] : [{ setting: 'table.include.list', from, to }];
  return { system: 'sakila', name: 'seam-sakila', action: from === null ? 'create' : 'change', changes, config };
}

const MARIADB = 'mariadb.MariaDbConnector';
const STREAMS = { file: 'binlog.000001', pos: 4 };
const refused = (one: ConnectorPlan, offset: Record<string, unknown> | undefined = STREAMS) => {
  try {
    refuseAddedTables(one, offset);
    return undefined;
  } catch (error) {
    return error;
  }
};

describe('a table list', () => {
  it('that gains a table is refused, and names it', () => {
    expect(refused(plan(MARIADB, 'a.film', 'a.film, a.category'))).toMatchObject({
      code: 'TABLE_ADDED',
      message: expect.stringContaining('a.category:'),
      hint: expect.stringContaining('seam connectors recover sakila --yes'),
    });
  });

  it.each([
    ['that loses one', plan(MARIADB, 'a.film,a.category', 'a.film'), STREAMS],
    ['in another order', plan(MARIADB, 'a.film,a.category', 'a.category, a.film'), STREAMS],
    ['of a new connector', plan(MARIADB, null, 'a.film'), undefined],
    ['before the first snapshot has ended', plan(MARIADB, 'a.film', 'a.film,a.b'), { ...STREAMS, snapshot: 'INITIAL' }],
    ['of PostgreSQL', plan('postgresql.PostgresConnector', 'a.film', 'a.film,a.b'), { lsn: 1 }],
  ])('%s is not', (_, one, offset) => expect(refused(one, offset)).toBeUndefined());
});
