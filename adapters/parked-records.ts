/**
 * Records that a sink has set aside in its target's database, from an operator's side: `seam.parked`, `seam.discarded`. Works
 * with the sink's own user and rights. Asking only marks records: the running sink tries them, so there is one writer.
 */
import type { Connection, SqlError } from 'mariadb';
import type pg from 'pg';
import type { DialectName } from '../core/target.ts';
import { connectMariadb } from './mariadb-client.ts';
import { connectPostgres } from './postgres-client.ts';
import { whenReachable } from './reachable.ts';
import { type SideSchemaAccess, sideSchemaError } from './side-schema.ts';

/** `behind`: not looked at, an earlier one of its key is refused; `waiting`: for another row, by itself; `asked`: about to be tried. */
export type ParkedState = 'refused' | 'behind' | 'waiting' | 'asked';

export type ParkedRow = {
  readonly id: bigint;
  readonly entity: string;
  readonly key: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly code: string;
  readonly reason: string;
  readonly attempts: number;
  readonly parkedAtMs: number;
  readonly state: ParkedState;
  readonly askedBy: string | null;
  readonly askedAtMs: number | null;
};

export type EntityKey = { readonly entity: string; readonly key: string };
export type Contents = { readonly value: Uint8Array | null; readonly meta: Uint8Array | null };

type Cell = string | number | bigint | Uint8Array | null;
type Query = (sql: string, values?: readonly unknown[]) => Promise<readonly (readonly Cell[])[]>;
type Name = 'list' | 'contents' | 'ask' | 'record' | 'remove' | 'free' | 'discarded';

const POSTGRES_LIST = `SELECT id, entity, key, topic, partition, "offset", reason_code, reason, attempts,
  (extract(epoch FROM parked_at) * 1000)::bigint, next_try_at IS NOT NULL, asked_by,
  (extract(epoch FROM asked_at) * 1000)::bigint FROM seam.parked ORDER BY id`;
const MARIADB_LIST = `SELECT id, entity, \`key\`, topic, \`partition\`, \`offset\`, reason_code, reason, attempts,
  TIMESTAMPDIFF(MICROSECOND, '1970-01-01', parked_at) DIV 1000, next_try_at IS NOT NULL, asked_by,
  TIMESTAMPDIFF(MICROSECOND, '1970-01-01', asked_at) DIV 1000 FROM seam.parked ORDER BY id`;

/** A time long past is due at once, whatever the clocks of database and sink say. */
const SQL: Readonly<Record<DialectName, Readonly<Record<Name, string>>>> = {
  postgres: {
    list: POSTGRES_LIST,
    contents: 'SELECT value, meta FROM seam.parked WHERE id = $1',
    ask: `UPDATE seam.parked SET next_try_at = '1970-01-02Z', asked_by = $3, asked_at = clock_timestamp()
      WHERE entity = $1 AND key = $2 AND (next_try_at IS NULL OR reason_code = 'VALUE_HELD')`,
    record: `INSERT INTO seam.discarded (id, entity, key, topic, partition, "offset", contents_hash, reason_code, reason,
        parked_at, attempts, discarded_at, discarded_by, discard_reason)
      SELECT id, entity, key, topic, partition, "offset", encode(sha256(coalesce(value, ''::bytea)), 'hex'), reason_code,
        reason, parked_at, attempts, clock_timestamp(), $2, $3 FROM seam.parked WHERE id = $1 FOR UPDATE`,
    remove: 'DELETE FROM seam.parked WHERE id = $1 RETURNING entity, key',
    free: `SELECT 1 FROM seam.parked WHERE entity = $1 AND key = $2 AND next_try_at IS NULL
      AND reason_code <> 'KEY_PARKED'`,
    discarded: `SELECT id, entity, key, topic, partition, "offset", reason_code, reason, attempts,
      (extract(epoch FROM parked_at) * 1000)::bigint, discarded_by, discard_reason,
      (extract(epoch FROM discarded_at) * 1000)::bigint, contents_hash FROM seam.discarded ORDER BY id`,
  },
  mariadb: {
    list: MARIADB_LIST,
    contents: 'SELECT value, meta FROM seam.parked WHERE id = ?',
    ask: `UPDATE seam.parked SET next_try_at = '1970-01-02', asked_by = ?, asked_at = UTC_TIMESTAMP(6)
      WHERE entity = ? AND \`key\` = ? AND (next_try_at IS NULL OR reason_code = 'VALUE_HELD')`,
    record: `INSERT INTO seam.discarded (id, entity, \`key\`, topic, \`partition\`, \`offset\`, contents_hash, reason_code, reason,
        parked_at, attempts, discarded_at, discarded_by, discard_reason)
      SELECT id, entity, \`key\`, topic, \`partition\`, \`offset\`, SHA2(COALESCE(value, ''), 256), reason_code,
        reason, parked_at, attempts, UTC_TIMESTAMP(6), ?, ? FROM seam.parked WHERE id = ?`,
    remove: 'DELETE FROM seam.parked WHERE id = ? RETURNING entity, `key`',
    free: `SELECT 1 FROM seam.parked WHERE entity = ? AND \`key\` = ? AND next_try_at IS NULL
      AND reason_code <> 'KEY_PARKED'`,
    discarded: `SELECT id, entity, \`key\`, topic, \`partition\`, \`offset\`, reason_code, reason, attempts,
      TIMESTAMPDIFF(MICROSECOND, '1970-01-01', parked_at) DIV 1000, discarded_by, discard_reason,
      TIMESTAMPDIFF(MICROSECOND, '1970-01-01', discarded_at) DIV 1000, contents_hash FROM seam.discarded ORDER BY id`,
  },
};

const WAITS_BY_ITSELF = new Set(['PARENT_MISSING', 'VALUE_HELD', 'BEHIND_DEAD_LETTER']);
const BEHIND = 'KEY_PARKED';
/** Another row has its unique value: after so many attempts a person should look, and it is tried all the same. */
const HELD = 'VALUE_HELD';
const HELD_ATTEMPTS_MAX = 6;
const STATEMENT_MS_MAX = 30_000;
const SILENCE_MS_MAX = STATEMENT_MS_MAX + 5_000;

export type DiscardedRow = Pick<
  ParkedRow,
  'id' | 'entity' | 'key' | 'topic' | 'partition' | 'offset' | 'code' | 'reason' | 'attempts' | 'parkedAtMs'
> & {
  readonly by: string;
  readonly why: string;
  readonly atMs: number;
  readonly contentsHash: string;
};

export class ParkedRecords {
  readonly #sql: Readonly<Record<Name, string>>;
  readonly #isPostgres: boolean;
  readonly #query: Query;
  readonly close: () => Promise<void>;

  private constructor(dialect: DialectName, query: Query, close: () => Promise<void>) {
    this.#sql = SQL[dialect];
    this.#isPostgres = dialect === 'postgres';
    this.#query = query;
    this.close = close;
  }

  static async open(system: string, access: SideSchemaAccess): Promise<ParkedRecords> {
    const { host, port, database, user, password } = access;
    if (access.dialect === 'postgres') {
      const client = await whenReachable(access, () => connectPostgres({ host, port, database, user, password }));
      return new ParkedRecords('postgres', queryPostgres(system, client), () => client.end());
    }
    const connection = await whenReachable(access, () =>
      connectMariadb({
        ...{ host, port, user, password },
        rowsAsArray: true,
        queryTimeout: STATEMENT_MS_MAX,
        socketTimeout: SILENCE_MS_MAX,
      }),
    );
    return new ParkedRecords('mariadb', queryMariadb(system, connection), () => connection.end());
  }

  async list(): Promise<ParkedRow[]> {
    const rows = await this.#query(this.#sql.list);
    return rows.map((row) => {
      const [code, isTimed] = [String(row[6]), Boolean(row[10]) && row[10] !== 0n];
      const isStuck = code === HELD && Number(row[8]) >= HELD_ATTEMPTS_MAX;
      const byTime: ParkedState = isStuck ? 'refused' : WAITS_BY_ITSELF.has(code) ? 'waiting' : 'asked';
      return {
        ...placed(row),
        state: isTimed ? byTime : code === BEHIND ? 'behind' : 'refused',
        askedBy: row[11] === null ? null : String(row[11]),
        askedAtMs: row[12] === null ? null : Number(row[12]),
      };
    });
  }

  async discarded(): Promise<DiscardedRow[]> {
    const rows = await this.#query(this.#sql.discarded);
    return rows.map((row) => ({
      ...placed(row),
      by: String(row[10]),
      why: String(row[11]),
      atMs: Number(row[12]),
      contentsHash: String(row[13]),
    }));
  }

  /** undefined: it is not there any more. */
  async contents(id: bigint): Promise<Contents | undefined> {
    const [row] = await this.#query(this.#sql.contents, [id]);
    return row === undefined ? undefined : { value: row[0] as Uint8Array | null, meta: row[1] as Uint8Array | null };
  }

  /** All that is set aside of these keys, those behind as well. */
  async ask(keys: readonly EntityKey[], by: string): Promise<void> {
    for (const { entity, key } of keys) {
      await this.#query(this.#sql.ask, this.#isPostgres ? [entity, key, by] : [by, entity, key]);
    }
  }

  /** Returns what was there to be discarded; where nothing refused is left of a key, what waits behind is asked for. */
  async discard(ids: readonly bigint[], by: string, reason: string): Promise<bigint[]> {
    const done: bigint[] = [];
    await this.#query('BEGIN');
    try {
      const keys = new Map<string, EntityKey>();
      for (const id of ids) {
        await this.#query(this.#sql.record, this.#isPostgres ? [id, by, reason] : [by, reason, id]);
        const [row] = await this.#query(this.#sql.remove, [id]);
        if (row === undefined) continue;
        done.push(id);
        keys.set(`${row[0]}\n${row[1]}`, { entity: String(row[0]), key: String(row[1]) });
      }
      for (const { entity, key } of keys.values()) {
        const refused = await this.#query(this.#sql.free, [entity, key]);
        if (refused.length === 0) await this.ask([{ entity, key }], by);
      }
      await this.#query('COMMIT');
      return done;
    } catch (error) {
      await this.#query('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }
}

function placed(row: readonly Cell[]) {
  const [id, entity, key, topic, partition, offset, code, reason, attempts, parkedAtMs] = row;
  return {
    id: BigInt(id as bigint | string),
    entity: String(entity),
    key: String(key),
    topic: String(topic),
    partition: Number(partition),
    offset: BigInt(offset as bigint | string),
    code: String(code),
    reason: String(reason),
    attempts: Number(attempts),
    parkedAtMs: Number(parkedAtMs),
  };
}

function queryPostgres(system: string, client: pg.Client): Query {
  return async (text, values = []) => {
    try {
      return (await client.query({ text, values: [...values], rowMode: 'array' })).rows as Cell[][];
    } catch (error) {
      throw sideSchemaError(system, error, (error as { code?: string }).code);
    }
  };
}

function queryMariadb(system: string, connection: Connection): Query {
  return async (text, values = []) => {
    try {
      const rows: unknown = await connection.query(text, [...values]);
      return Array.isArray(rows) ? (rows as Cell[][]) : [];
    } catch (error) {
      throw sideSchemaError(system, error, (error as SqlError).sqlState ?? undefined);
    }
  };
}
