import { quoteName } from '../../../core/databases/mariadb.ts';
import { InvariantError } from '../../../core/errors.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { Advance, FoundRow, Session, StatementName, StoredKey, TableShape, Values } from '../dialect.ts';
import { pick, pickOne } from '../values.ts';
import type { MariadbClient } from './client.ts';
import { columnsSql, foreignKeysSql, indexesSql, type MariadbShape, PRIVILEGES_SQL, shapesOf } from './describe.ts';
import {
  addSql,
  advanceSql,
  askedJson,
  insertSql,
  lookupSql,
  removeSql,
  storedKeysSql,
  updateSql,
  upsertSql,
} from './sql.ts';
import { statements } from './statements.ts';

type Upsert = { key: readonly Values[]; columns: readonly Values[]; onInsert: readonly Values[]; clock?: string };

export class MariadbSession implements Session {
  readonly echoTag: string;
  readonly #client: MariadbClient;
  #notBeforeUs = 0n;

  constructor(client: MariadbClient, echoTag: string) {
    this.#client = client;
    this.echoTag = echoTag;
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  /** There are no deferred constraints. */
  async begin(): Promise<void> {
    await this.#followClock();
    await this.#client.execute('START TRANSACTION');
  }

  async commit(): Promise<void> {
    await this.#client.execute('COMMIT');
  }

  /** The log takes its times from the session's clock, which stands still once it is set: only where the server's is behind. */
  async notBefore(timeUs: bigint): Promise<void> {
    if (timeUs <= this.#notBeforeUs) return;
    this.#notBeforeUs = timeUs;
    const seconds = `${timeUs / 1_000_000n}.${String(timeUs % 1_000_000n).padStart(6, '0')}`;
    await this.#client.execute(`SET SESSION timestamp = IF(${seconds} > UNIX_TIMESTAMP(SYSDATE(6)), ${seconds}, 0)`);
  }

  async #followClock(): Promise<void> {
    if (this.#notBeforeUs === 0n) return;
    await this.#client.execute('SET SESSION timestamp = DEFAULT');
    this.#notBeforeUs = 0n;
  }

  async rollback(): Promise<void> {
    await this.#client.execute('ROLLBACK');
  }

  async savepoint(): Promise<void> {
    await this.#client.execute('SAVEPOINT attempt');
  }

  async releaseSavepoint(): Promise<void> {
    await this.#client.execute('RELEASE SAVEPOINT attempt');
  }

  async rollbackToSavepoint(): Promise<void> {
    await this.#client.execute('ROLLBACK TO SAVEPOINT attempt');
  }

  async describe(tables: readonly string[]): Promise<ReadonlyMap<string, TableShape>> {
    if (tables.length === 0) return new Map();
    return shapesOf(tables, {
      columns: await this.#client.query(columnsSql(tables.length), tables),
      indexes: await this.#client.query(indexesSql(tables.length), tables),
      foreignKeys: await this.#client.query(foreignKeysSql(tables.length), tables),
      privileges: await this.#client.query(PRIVILEGES_SQL, []),
    });
  }

  async lookup(
    shape: TableShape,
    request: { match: readonly Values[]; columns: readonly string[]; lock?: boolean },
  ): Promise<readonly FoundRow[]> {
    const { match, columns, lock } = request;
    const text = lookupSql(shape, match, columns, { lock: lock === true, index: indexOver(shape, match) });
    const rows = await this.#client.query(text, [askedJson(match)], shape);
    return rows.map(([number, ...values]) => ({ index: Number(number) - 1, values }));
  }

  async storedKeys(
    shape: TableShape,
    { match, onlyRespelled }: { match: readonly Values[]; onlyRespelled: boolean },
  ): Promise<readonly StoredKey[]> {
    const text = storedKeysSql(shape, match, { onlyRespelled, index: indexOver(shape, match) });
    const rows = await this.#client.query(text, [askedJson(match)], shape);
    return rows.map(([number, ...values]) => ({ index: Number(number) - 1, values: values.map(String) }));
  }

  async insert(shape: TableShape, request: { columns: readonly Values[]; clock?: string }): Promise<void> {
    await this.#client.rows(shape, insertSql(shape, request.columns, request.clock));
  }

  makeReady(): void {}

  /** The database counts a new row once and a changed one twice; what is deleted goes apart, since none of it is added. */
  async advance(ledger: TableShape, { key, columns, ...rest }: Advance): Promise<{ written: number; added: number }> {
    const deleted = columns.find(({ column }) => column === 'deleted')?.values ?? [];
    const [kept, gone]: [number[], number[]] = [[], []];
    for (const [index, isDeleted] of deleted.entries()) (isDeleted === true ? gone : kept).push(index);
    const write = (rows: readonly number[]) =>
      this.#client.rows(ledger, advanceSql(ledger, { key: pick(key, rows), columns: pick(columns, rows), ...rest }));
    await write(gone);
    return { written: deleted.length, added: 2 * kept.length - (await write(kept)) };
  }

  async upsert(shape: TableShape, request: Upsert): Promise<void> {
    if (isOnlyUniqueKey(shape, request)) await this.#client.rows(shape, upsertSql(shape, request));
    else await this.#upsertInTwo(shape, request);
  }

  async update(
    shape: TableShape,
    request: { match: readonly Values[]; set: readonly Values[]; onlyIfDifferent: boolean; clock?: string },
  ): Promise<number> {
    return this.#client.rows(shape, updateSql(shape, request));
  }

  async add(
    shape: TableShape,
    request: { key: readonly Values[]; column: string; deltas: readonly string[]; insertMissing: boolean },
  ): Promise<number> {
    const { key, column, deltas, insertMissing } = request;
    const delta = { column, values: deltas };
    if (!insertMissing || isOnlyUniqueKey(shape, { key, columns: [delta], onInsert: [] })) {
      return this.#client.rows(shape, addSql(shape, key, delta, insertMissing));
    }
    const { found, missing } = await this.#split(shape, key);
    const [keyFound, keyMissing] = [pick(key, found), pick(key, missing)];
    await this.#client.rows(shape, addSql(shape, keyFound, pickOne(delta, found), false));
    await this.#client.rows(shape, insertSql(shape, [...keyMissing, pickOne(delta, missing)], undefined));
    return deltas.length;
  }

  async remove(shape: TableShape, match: readonly Values[]): Promise<number> {
    return this.#client.rows(shape, removeSql(shape, match));
  }

  async insertReturning(
    shape: TableShape,
    request: { columns: readonly Values[]; returning: string },
  ): Promise<string> {
    const built = insertSql(shape, request.columns, undefined);
    const values = request.columns.map((one) => one.values[0] as SqlValue);
    const [row] = await this.#client.query(`${built.text}\nRETURNING ${quoteName(request.returning)}`, values);
    if (row === undefined)
      throw new InvariantError({ code: 'NO_KEY_RETURNED', message: `${shape.table} returned no key` });
    return String(row[0]);
  }

  async run(statement: StatementName, parameters: readonly SqlValue[]): Promise<readonly (readonly SqlValue[])[]> {
    const rows = await this.#client.query(statements[statement], parameters);
    return Array.isArray(rows) ? rows : [];
  }

  async close(): Promise<void> {
    await this.#client.end();
  }

  /** ON DUPLICATE KEY UPDATE would change whichever row any unique index hits: here a duplicate must be an error. */
  async #upsertInTwo(shape: TableShape, { key, columns, onInsert, clock }: Upsert): Promise<void> {
    const withClock = clock === undefined ? {} : { clock };
    const { found, missing } = await this.#split(shape, key);
    if (columns.length > 0) {
      const request = {
        match: pick(key, found),
        set: pick(columns, found),
        onlyIfDifferent: clock === undefined,
        ...withClock,
      };
      await this.#client.rows(shape, updateSql(shape, request));
    }
    await this.#client.rows(shape, insertSql(shape, pick([...key, ...columns, ...onInsert], missing), clock));
  }

  async #split(shape: TableShape, key: readonly Values[]): Promise<{ found: number[]; missing: number[] }> {
    const rows = await this.lookup(shape, { match: key, columns: [], lock: true });
    const there = new Set(rows.map(({ index }) => index));
    const all = (key[0] as Values).values.map((_, index) => index);
    return { found: all.filter((index) => there.has(index)), missing: all.filter((index) => !there.has(index)) };
  }
}

/** The unique index that the asked columns cover whole. */
function indexOver(shape: TableShape, match: readonly Values[]): string | undefined {
  const asked = new Set(match.map(({ column }) => column));
  for (const [name, columns] of (shape as MariadbShape).indexes)
    if (columns.every((column) => asked.has(column))) return name;
  return undefined;
}

/** No other unique index holds a column that is written. */
function isOnlyUniqueKey(shape: TableShape, { key, columns, onInsert }: Upsert): boolean {
  const keyNames = key.map(({ column }) => column);
  const written = new Set([
    ...keyNames,
    ...columns.map(({ column }) => column),
    ...onInsert.map(({ column }) => column),
  ]);
  return shape.uniqueKeys.every((unique) => {
    const isKey = unique.length === keyNames.length && unique.every((column) => keyNames.includes(column));
    return isKey || !unique.some((column) => written.has(column));
  });
}
