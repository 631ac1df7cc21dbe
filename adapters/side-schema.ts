/**
 * What sinks wrote beside the rows of a system's database, read for the processors: hashes of what Seam wrote (`seam.echo`,
 * `seam.applied`) and ids that the database assigned itself (`seam.identity`). Written in one transaction with the rows, so
 * whoever sees a row's change event finds them there.
 *
 * One small pool for each system, opened when it is first needed. A database that is away is a TransientError: its own
 * events wait, those of other systems flow.
 */
import mariadb, { type Pool as MariadbPool, type SqlError } from 'mariadb';
import pg from 'pg';
import { PINNED_SETTINGS as MARIADB_SETTINGS, setStatement } from '../core/databases/mariadb.ts';
import { PINNED_SETTINGS, startOptions } from '../core/databases/postgres.ts';
import { ContractError, InvariantError, type SeamError, TransientError } from '../core/errors.ts';
import type { DialectName } from '../core/target.ts';

export type SideSchemaAccess = {
  readonly dialect: DialectName;
  readonly host: string;
  readonly port: number;
  readonly database: string;
  readonly user: string;
  readonly password: string;
};

type Entry = {
  readonly hashes: ReadonlyMap<string, number>;
  readonly current: { readonly hash: string; readonly deleted: boolean; readonly hops: number } | undefined;
};
type Cell = string | number | bigint | boolean | null;
type Row = readonly Cell[];
type Name = 'echo' | 'applied' | 'identity';

/** `?` stands for the keys, of one entity, which is the first value. */
const SELECT: Readonly<Record<DialectName, Readonly<Record<Name, string>>>> = {
  postgres: {
    echo: `SELECT key, encode(hash, 'hex'), hops FROM seam.echo WHERE entity = $1 AND key = ANY ($2)`,
    applied: `SELECT key, encode(hash, 'hex'), hops, deleted FROM seam.applied WHERE entity = $1 AND key = ANY ($2)`,
    identity: `SELECT local_key, canonical_key FROM seam.identity WHERE entity = $1 AND local_key = ANY ($2)`,
  },
  mariadb: {
    echo: 'SELECT `key`, LOWER(HEX(hash)), hops FROM seam.echo WHERE entity = ? AND `key` IN (?)',
    applied: 'SELECT `key`, LOWER(HEX(hash)), hops, deleted FROM seam.applied WHERE entity = ? AND `key` IN (?)',
    identity: 'SELECT local_key, canonical_key FROM seam.identity WHERE entity = ? AND local_key IN (?)',
  },
};

const KEYS_MAX = 1_000;
const CONNECTIONS_MAX = 2;
const CONNECT_MS_MAX = 5_000;
const STATEMENT_MS_MAX = 15_000;
/** Below the socket's own limit of silence, or that would end connections that nobody uses. */
const IDLE_MS = 15_000;

export class SideSchemas {
  readonly #access: ReadonlyMap<string, SideSchemaAccess>;
  readonly #readers = new Map<string, Reader>();

  constructor(access: ReadonlyMap<string, SideSchemaAccess>) {
    this.#access = access;
  }

  async lookup(
    system: string,
    requests: readonly { readonly entity: string; readonly key: string }[],
  ): Promise<ReadonlyMap<string, Entry>> {
    const found = new Map<string, { hashes: Map<string, number>; current: Entry['current'] }>();
    const entryOf = (entity: string, key: Cell) => {
      const name = nameOf(entity, String(key));
      const entry = found.get(name) ?? { hashes: new Map<string, number>(), current: undefined };
      found.set(name, entry);
      return entry;
    };
    for (const [entity, keys] of byEntity(requests, ({ key }) => key)) {
      for (const [key, hash, hops] of await this.#select(system, 'echo', entity, keys)) {
        entryOf(entity, key as Cell).hashes.set(String(hash), Number(hops));
      }
      for (const [key, hash, hops, deleted] of await this.#select(system, 'applied', entity, keys)) {
        entryOf(entity, key as Cell).current = { hash: String(hash), hops: Number(hops), deleted: Boolean(deleted) };
      }
    }
    return found;
  }

  async canonicalIds(
    system: string,
    requests: readonly { readonly entity: string; readonly localKey: string }[],
  ): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    for (const [entity, keys] of byEntity(requests, ({ localKey }) => localKey)) {
      for (const [localKey, canonicalKey] of await this.#select(system, 'identity', entity, keys)) {
        found.set(nameOf(entity, String(localKey)), String(canonicalKey));
      }
    }
    return found;
  }

  async close(): Promise<void> {
    const readers = [...this.#readers.values()];
    this.#readers.clear();
    await Promise.all(readers.map((reader) => reader.end().catch(() => {})));
  }

  async #select(system: string, name: Name, entity: string, keys: readonly string[]): Promise<Row[]> {
    const reader = this.#readerOf(system);
    const rows: Row[] = [];
    for (let start = 0; start < keys.length; start += KEYS_MAX) {
      rows.push(...(await reader.select(name, entity, keys.slice(start, start + KEYS_MAX))));
    }
    return rows;
  }

  #readerOf(system: string): Reader {
    let reader = this.#readers.get(system);
    if (reader === undefined) {
      const access = this.#access.get(system);
      if (access === undefined) {
        throw new InvariantError({ code: 'SIDE_SCHEMA_UNKNOWN', message: `no access to the side schema of ${system}` });
      }
      reader = access.dialect === 'postgres' ? new PostgresReader(system, access) : new MariadbReader(system, access);
      this.#readers.set(system, reader);
    }
    return reader;
  }
}

interface Reader {
  select(name: Name, entity: string, keys: readonly string[]): Promise<Row[]>;
  end(): Promise<void>;
}

class PostgresReader implements Reader {
  readonly #system: string;
  readonly #pool: pg.Pool;

  constructor(system: string, { host, port, database, user, password }: SideSchemaAccess) {
    this.#system = system;
    this.#pool = new pg.Pool({
      ...{ host, port, database, user, password },
      max: CONNECTIONS_MAX,
      application_name: 'seam processors',
      connectionTimeoutMillis: CONNECT_MS_MAX,
      idleTimeoutMillis: IDLE_MS,
      statement_timeout: STATEMENT_MS_MAX,
      query_timeout: STATEMENT_MS_MAX + CONNECT_MS_MAX,
      keepAlive: true,
      options: startOptions(PINNED_SETTINGS),
    });
    // an idle connection that breaks is replaced by the next query
    this.#pool.on('error', () => {});
  }

  async select(name: Name, entity: string, keys: readonly string[]): Promise<Row[]> {
    try {
      const query = {
        name: `seam_${name}`,
        text: SELECT.postgres[name],
        values: [entity, keys],
        rowMode: 'array' as const,
      };
      return (await this.#pool.query(query)).rows as Row[];
    } catch (error) {
      throw sideSchemaError(this.#system, error, (error as { code?: string }).code);
    }
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }
}

class MariadbReader implements Reader {
  readonly #system: string;
  readonly #pool: MariadbPool;

  constructor(system: string, { host, port, user, password }: SideSchemaAccess) {
    this.#system = system;
    this.#pool = mariadb.createPool({
      ...{ host, port, user, password },
      connectionLimit: CONNECTIONS_MAX,
      minimumIdle: 0,
      connectTimeout: CONNECT_MS_MAX,
      acquireTimeout: 2 * CONNECT_MS_MAX,
      idleTimeout: IDLE_MS / 1_000,
      queryTimeout: STATEMENT_MS_MAX,
      socketTimeout: STATEMENT_MS_MAX + CONNECT_MS_MAX,
      rowsAsArray: true,
      charset: 'utf8mb4',
      initSql: setStatement(MARIADB_SETTINGS),
      connectAttributes: { program_name: 'seam processors' },
    });
  }

  async select(name: Name, entity: string, keys: readonly string[]): Promise<Row[]> {
    const marks = keys.map(() => '?').join(', ');
    try {
      return (await this.#pool.query(SELECT.mariadb[name].replace('(?)', `(${marks})`), [entity, ...keys])) as Row[];
    } catch (error) {
      const { sqlState } = error as SqlError;
      throw sideSchemaError(this.#system, error, sqlState ?? undefined);
    }
  }

  async end(): Promise<void> {
    await this.#pool.end();
  }
}

/** SQLSTATE classes that no waiting mends: log-in, missing table or right, missing database or schema. */
const BROKEN = new Set(['28', '42', '3D', '3F']);

/** The drivers' texts may hold keys: only the code leaves this function. */
export function sideSchemaError(system: string, cause: unknown, code: string | undefined): SeamError {
  if (cause instanceof TypeError)
    return new InvariantError({ code: 'LEDGER_BROKEN', message: 'the ledger reader failed', cause });
  const where = `side schema of ${system}`;
  if (code !== undefined && BROKEN.has(code.slice(0, 2))) {
    return new ContractError({
      code: 'LEDGER_REFUSED',
      message: `the database refuses to show what Seam wrote: SQLSTATE ${code}`,
      where,
      hint: `run: seam setup apply ${system} --yes`,
      cause,
    });
  }
  return new TransientError({
    code: 'LEDGER_UNREACHABLE',
    message: `the database doesn't answer${code === undefined ? '' : `: ${code}`}`,
    where,
    hint: 'its own changes wait until it is back; those of other systems flow',
    cause,
  });
}

/** As the processors' `ledgerKey`. */
function nameOf(entity: string, key: string): string {
  return `${entity}\n${key}`;
}

function byEntity<T extends { readonly entity: string }>(
  requests: readonly T[],
  keyOf: (request: T) => string,
): Map<string, string[]> {
  const keys = new Map<string, string[]>();
  for (const request of requests) {
    const known = keys.get(request.entity);
    if (known === undefined) keys.set(request.entity, [keyOf(request)]);
    else known.push(keyOf(request));
  }
  return keys;
}
