/**
 * When each transaction of the target became visible to others. The database's own commit times don't tell it: in a session with
 * a replication origin, as our sink's is, every commit carries the time of the session's first one. A notice does: it is
 * sent when the transaction has committed, and what it takes on its way counts against everybody alike.
 */
import pg from 'pg';
import type { BenchDatabase } from '../support/bench-database.ts';

const CHANNEL = 'bench_committed';

export type CommitTimes = {
  readonly ofTransaction: (xid: string) => number | undefined;
  forget(): void;
  close(): Promise<void>;
};

/** One notice a transaction, however many statements it has: equal ones are sent once. */
export async function watchCommits(database: BenchDatabase, tables: readonly string[]): Promise<CommitTimes> {
  await database.query(`CREATE FUNCTION bench.tell_commit() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_notify('${CHANNEL}', pg_current_xact_id()::text); RETURN NULL; END $$`);
  for (const table of tables) {
    await database.query(
      `CREATE TRIGGER tell_commit AFTER INSERT ON ${table} FOR EACH STATEMENT EXECUTE FUNCTION bench.tell_commit()`,
    );
  }
  const times = new Map<string, number>();
  const client = new pg.Client({ ...database.sink });
  client.on('notification', ({ payload = '' }) => times.set(payload, Date.now()));
  await client.connect();
  await client.query(`LISTEN ${CHANNEL}`);
  return { ofTransaction: (xid) => times.get(xid), forget: () => times.clear(), close: () => client.end() };
}
