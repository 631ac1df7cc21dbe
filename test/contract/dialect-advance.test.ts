/** The guard of the straight way, as each real database carries it out: what is news and what isn't. */
import { afterEach, describe, expect, it } from 'vitest';
import { SIDE_TABLES, type Session, type TableShape } from '../../sinks/dialects/dialect.ts';
import { dialects } from '../../sinks/dialects/index.ts';
import { column } from '../../sinks/dialects/values.ts';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';

type State = { readonly at: number; readonly hash?: string; readonly deleted?: boolean };
type Case = readonly [name: string, before: State | undefined, now: State, isNews: boolean];

const CASES: readonly Case[] = [
  ['a key that is new', undefined, { at: 5 }, true],
  ['a key that is new, deleted', undefined, { at: 5, deleted: true }, true],
  ['a newer record', { at: 5 }, { at: 6 }, true],
  ['a newer record with the same contents', { at: 5, hash: 'a' }, { at: 6, hash: 'a' }, true],
  ['an older record', { at: 5, hash: 'a' }, { at: 4, hash: 'b' }, false],
  ['the record itself', { at: 5 }, { at: 5 }, false],
  ['the record itself with other contents', { at: 5, hash: 'a' }, { at: 5, hash: 'b' }, true],
  ['a newer deletion', { at: 5 }, { at: 6, deleted: true }, true],
  ['an older deletion', { at: 5 }, { at: 4, deleted: true }, false],
  ['a deletion in the place of a record', { at: 5 }, { at: 5, deleted: true }, true],
  ['a newer record of a deleted key', { at: 5, deleted: true }, { at: 6 }, true],
  ['an older record of a deleted key', { at: 5, deleted: true }, { at: 4 }, false],
  ['a record in the place of a deletion', { at: 5, deleted: true }, { at: 5 }, true],
  ['a newer deletion of a deleted key', { at: 5, deleted: true }, { at: 6, deleted: true }, false],
  ['the deletion itself', { at: 5, deleted: true }, { at: 5, deleted: true }, false],
  // a signed comparison, or one of texts, would turn these round
  ['a newer record past 0x7f', { at: 0x7f }, { at: 0x80 }, true],
  ['an older record past 0x7f', { at: 0xff }, { at: 0x7f }, false],
  ['a newer record past 0xff', { at: 0xff }, { at: 0x100 }, true],
  ['a newer record past a space and a letter', { at: 0x41 }, { at: 0x61 }, true],
  ['an older record that differs as a letter does by its case', { at: 0x61 }, { at: 0x41 }, false],
];

describeDialects((suite) => {
  const sessions: Session[] = [];
  const open = async () => {
    const [session, ledger] = await opened(suite);
    sessions.push(session);
    return { session, ledger };
  };
  afterEach(async () => {
    for (const session of sessions.splice(0)) await session.close();
  });

  it.each(CASES)('%s', async (_, before, now, isNews) => {
    const { session, ledger } = await open();
    if (before !== undefined) await advance(session, ledger, { key: before });
    const was = await ledgerOf(suite);
    const written = await advance(session, ledger, { beside: { at: 1 }, key: now });
    expect(written === undefined).toBe(!isNews);
    if (written === undefined) return expect(await ledgerOf(suite)).toEqual(was);
    const isAdded = before === undefined && now.deleted !== true;
    expect(written).toEqual({ written: 2, added: isAdded ? 2 : 1 });
    expect(await ledgerOf(suite)).toEqual([rowOf('beside', { at: 1 }), rowOf('key', now)]);
  });

  describe('of several rows', () => {
    it('counts those added that were not there and are not deleted', async () => {
      const { session, ledger } = await open();
      await advance(session, ledger, { a: { at: 1 }, b: { at: 1 }, c: { at: 1, deleted: true } });
      const now = {
        a: { at: 2 },
        b: { at: 2, deleted: true },
        c: { at: 2 },
        d: { at: 2, deleted: true },
        e: { at: 2 },
      };
      expect(await advance(session, ledger, now)).toEqual({ written: 5, added: 1 });
      expect(await ledgerOf(suite)).toEqual(Object.entries(now).map(([key, state]) => rowOf(key, state)));
    });
  });
});

async function opened({ name, database }: DialectSuite): Promise<[Session, TableShape]> {
  const session = await dialects[name].open(database.sink, {
    statementTimeoutMs: 10_000,
    owner: 'test',
    system: 'shop',
  });
  const shapes = await session.describe([SIDE_TABLES.applied]);
  return [session, shapes.get(SIDE_TABLES.applied) as TableShape];
}

/** In a transaction as the sink's: undefined where it has to be rolled back, since something was no news. */
async function advance(session: Session, ledger: TableShape, states: Readonly<Record<string, State>>) {
  const [keys, all] = [Object.keys(states), Object.values(states)];
  const nothing = keys.map(() => 0);
  await session.begin();
  try {
    const answer = await session.advance(ledger, {
      key: [
        column(
          'entity',
          keys.map(() => 'test'),
        ),
        column('key', keys),
      ],
      columns: [
        column(
          'position',
          all.map(({ at }) => positionOf(at)),
        ),
        column('hash', all.map(hashOf)),
        column(
          'deleted',
          all.map(({ deleted = false }) => deleted),
        ),
        column('hops', nothing),
        column(
          'seam_wrote',
          keys.map(() => true),
        ),
        column('commit_time_us', nothing),
      ],
      clock: 'applied_at',
    });
    if (answer.written === keys.length) {
      await session.commit();
      return answer;
    }
  } catch (error) {
    expect(error).toMatchObject({ class: 'record' });
  }
  await session.rollback();
  return undefined;
}

async function ledgerOf(suite: DialectSuite): Promise<unknown[]> {
  const key = suite.name === 'mariadb' ? '`key`' : 'key';
  const rows = await suite.rows(`SELECT ${key} AS k, position, hash, deleted FROM seam.applied ORDER BY 1`);
  return rows.map(({ k, position, hash, deleted }) => [
    k,
    Buffer.from(position as Uint8Array).toString('hex'),
    Buffer.from(hash as Uint8Array).toString('hex'),
    Boolean(deleted),
  ]);
}

function rowOf(key: string, state: State): unknown[] {
  return [key, positionOf(state.at).toString('hex'), hashOf(state).toString('hex'), state.deleted ?? false];
}

function positionOf(at: number): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16BE(at, 18);
  return bytes;
}

function hashOf({ hash = 'h', deleted = false }: State): Buffer {
  return deleted ? Buffer.alloc(0) : Buffer.alloc(16, hash);
}
