/** The text of a statement in MariaDB's log is read defensively: what it may have done counts as done. */
import { describe, expect, it } from 'vitest';
import { mayAssign } from '../../ops/sources/checks/mariadb/log/assigned.ts';
import { follow, type LogEvent, type LogState, withLoss } from '../../ops/sources/checks/mariadb/log/follow.ts';
import { effectOf } from '../../ops/sources/checks/mariadb/log/statement.ts';

const CAPTURED = ['pos.cust', 'pos.tlog_ln', 'pos.größe', 'pos.a b'];
const effect = (sql: string, database = 'pos') => effectOf(sql, database, CAPTURED);

describe('a statement', () => {
  it.each([
    ['INSERT INTO cust VALUES (1)', ['pos.cust']],
    ['(INSERT INTO pos.cust SELECT 1)', ['pos.cust']],
    ['# note\n-- another\n/* and */ delete from CUST', ['pos.cust']],
    ['LOAD DATA INFILE x INTO TABLE cust', ['pos.cust']],
    ['ANALYZE FORMAT=JSON UPDATE cust SET a = 1', ['pos.cust']],
    ['INSERT INTO cust_old SELECT 1', []],
    ['UPDATE `a b` SET x = 1', ['pos.a b']],
    ['UPDATE gr\u00f6\u00dfe SET x = 1', ['pos.größe']],
    ['UPDATE gr\ufffd\ufffde SET x = 1', ['pos.größe']],
  ])('%s', (sql, tables) => expect(effect(sql)).toEqual({ kind: 'rows', tables }));

  it.each(['SELECT f()', 'DO f()', 'EXECUTE x', 'EIN NEUES WORT'])('%s may have changed anything', (sql) => {
    expect(effect(sql)).toEqual({ kind: 'unknown' });
  });

  it('of another database names that one', () => {
    expect(effect('UPDATE cust SET a = 1', 'other')).toEqual({ kind: 'rows', tables: [] });
    expect(effect('UPDATE pos.cust SET a = 1', 'other')).toEqual({ kind: 'rows', tables: ['pos.cust'] });
    expect(effect('DROP DATABASE pos', '')).toEqual({ kind: 'replaced', tables: CAPTURED });
    expect(effect('CREATE OR REPLACE TABLE cust (a INT)', 'other')).toEqual({ kind: 'none' });
  });

  it.each([
    ['UPDATE par SET body = 1 WHERE id = 2', false],
    [`UPDATE par SET body = 'x, id = 3' WHERE id = 2`, false],
    ['UPDATE par SET id = 3', true],
    ['UPDATE `par` p SET p.`id`=3 WHERE id = 1', true],
    ['UPDATE par SET body = (SELECT max(b) FROM o WHERE z = 1), id = 3 WHERE id = 2', true],
    ['INSERT INTO par VALUES (1, 2) ON DUPLICATE KEY UPDATE id = 3', true],
    ['INSERT INTO par VALUES (1, 2) ON DUPLICATE KEY UPDATE body = 3', false],
    ['UPDATE other SET body = 1', true],
    [`UPDATE par SET body = 'not closed`, true],
    ['CALL something()', true],
  ])('%s: may have changed the key %s', (sql, expected) => {
    expect(mayAssign(sql, 'lab.par', ['id'])).toBe(expected);
  });
});

describe('events', () => {
  const event = (type: string, info: string, start: number): LogEvent => {
    return { file: 'binlog.000001', start, end: start + 1, type, info };
  };
  const LOG = [
    ['Gtid', `XA START X'61',X'',1 GTID 0-1-1`],
    ['Table_map', 'table_id: 7 (pos.cust)'],
    ['Write_rows_v1', 'table_id: 7 flags: STMT_END_F'],
    ['XA_prepare', `XA PREPARE X'61',X'',1`],
    ['Gtid', 'BEGIN GTID 0-1-2'],
    ['Table_map', 'table_id: 9 (pos.head)'],
    ['Delete_rows_v1', 'table_id: 9 flags: STMT_END_F'],
    ['Gtid', 'GTID 0-1-3'],
    ['Query', `XA ROLLBACK X'61',X'',1`],
  ].map(([type = '', info = ''], index) => event(type, info, index));
  const parents = new Map([['pos.head', { byDeletion: ['pos.tlog_ln'], byKey: [] }]]);
  const ASKED = { captured: CAPTURED, parents, notesStatements: true };
  const start: LogState = { at: { file: 'binlog.000001', position: 0 }, losses: [], prepared: {} };

  it('that lose more tables than there is room for concern the whole source', () => {
    const at = { file: 'binlog.000001', position: 7 };
    let state = start;
    for (let count = 0; count < 100; count += 1) state = withLoss(state, 'replaced', `pos.t${count}`, at);
    expect(state.losses).toHaveLength(100);
    state = withLoss(state, 'partition', 'pos.t1', at);
    state = withLoss(state, 'replaced', 'pos.t100', { ...at, position: 9 });
    expect(state.losses).toEqual([
      { kind: 'partition', table: 'pos.t1', first: at, last: at },
      { kind: 'replaced', first: at, last: { ...at, position: 9 } },
    ]);
    expect(withLoss(state, 'replaced', 'pos.t5', at).losses).toHaveLength(2);
  });

  it('of a statement that nobody noted may have changed a key, where the server notes statements', () => {
    const byKey = [{ columns: ['id'], tables: ['pos.tlog_ln'] }];
    const moving = { ...ASKED, parents: new Map([['pos.head', { byDeletion: [], byKey }]]) };
    const rows = (first: number): LogEvent[] => [
      event('Table_map', 'table_id: 9 (pos.head)', first),
      event('Update_rows_v1', 'table_id: 9', first + 1),
      event('Update_rows_v1', 'table_id: 9 flags: STMT_END_F', first + 2),
    ];
    const noted = [
      event('Gtid', 'BEGIN GTID 0-1-1', 0),
      event('Annotate_rows', 'UPDATE pos.head SET n = 1', 1),
      ...rows(2),
    ];
    expect(follow(start, noted, moving).losses).toEqual([]);
    const after = follow(start, [...noted, ...rows(5)], moving).losses;
    expect(after).toMatchObject([{ kind: 'cascade', table: 'pos.tlog_ln', first: { position: 6 } }]);
    expect(follow(start, rows(0), { ...moving, notesStatements: false }).losses).toEqual([]);
  });

  it('give the same, wherever they are cut and stored between', () => {
    const whole = follow(start, LOG, ASKED);
    expect(whole.losses.map(({ kind, table }) => [kind, table])).toEqual([
      ['cascade', 'pos.tlog_ln'],
      ['two-phase', 'pos.cust'],
    ]);
    for (let cut = 0; cut <= LOG.length; cut += 1) {
      const first = follow(start, LOG.slice(0, cut), ASKED);
      const stored = JSON.parse(JSON.stringify(first)) as LogState;
      expect(follow(stored, LOG.slice(cut), ASKED)).toEqual(whole);
    }
  });
});
