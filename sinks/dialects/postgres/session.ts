import { partsOf, quoteName } from '../../../core/databases/postgres.ts';
import { invariant } from '../../../core/errors.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { Advance, FoundRow, Session, StatementName, StoredKey, TableShape, Values } from '../dialect.ts';
import type { PostgresClient } from './client.ts';
import { nameCommitTime } from './origin.ts';
import { COLUMNS_SQL, type ColumnRow, TABLES_SQL, type TableRow, tableShape } from './describe.ts';
import { addSql, advanceSql, insertSql, lookupSql, removeSql, storedKeysSql, updateSql, upsertSql } from './sql.ts';
import { statements } from './statements.ts';

export class PostgresSession implements Session {
  readonly echoTag: string;
  readonly #client: PostgresClient;
  #notBeforeUs = 0n;

  constructor(client: PostgresClient, echoTag: string) {
    this.#client = client;
    this.echoTag = echoTag;
  }

  get isOpen(): boolean {
    return this.#client.isOpen;
  }

  async begin(options?: { checkAtOnce?: boolean }): Promise<void> {
    this.#notBeforeUs = 0n;
    const atOnce = options?.checkAtOnce === true ? '; SET CONSTRAINTS ALL IMMEDIATE' : '';
    await this.#client.execute(`BEGIN ISOLATION LEVEL READ COMMITTED${atOnce}`);
  }

  async commit(): Promise<void> {
    // A transaction that failed before answers COMMIT with ROLLBACK, and no error.
    const answer = await this.#client.execute(`${nameCommitTime(this.#notBeforeUs)}; COMMIT`);
    invariant(answer === 'COMMIT', `postgres answered COMMIT with ${answer}`);
  }

  async notBefore(timeUs: bigint): Promise<void> {
    if (timeUs > this.#notBeforeUs) this.#notBeforeUs = timeUs;
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
    await this.#client.execute('ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt');
  }

  async describe(tables: readonly string[]): Promise<ReadonlyMap<string, TableShape>> {
    const parts = tables.map((table) => partsOf(table, 'public'));
    const parameters = [parts.map(([schema]) => schema), parts.map(([, name]) => name)];
    const columns = (await this.#client.query(COLUMNS_SQL, parameters)).rows as unknown as ColumnRow[];
    const found = (await this.#client.query(TABLES_SQL, parameters)).rows as unknown as TableRow[];
    return new Map(
      found.map((row) => {
        const table = tables[row[0] - 1] as string;
        const own = columns.filter((column) => column[0] === row[0]);
        return [table, tableShape(table, row, own)];
      }),
    );
  }

  async lookup(
    shape: TableShape,
    request: { match: readonly Values[]; columns: readonly string[]; lock?: boolean },
  ): Promise<readonly FoundRow[]> {
    const built = lookupSql(shape, request.match, request.columns, request.lock === true);
    const result = await this.#client.rows(built);
    return result.rows.map((row) => ({ index: (row[0] as number) - 1, values: row.slice(1) as SqlValue[] }));
  }

  async storedKeys(
    shape: TableShape,
    request: { match: readonly Values[]; onlyRespelled: boolean },
  ): Promise<readonly StoredKey[]> {
    const { rows } = await this.#client.rows(storedKeysSql(shape, request.match, request.onlyRespelled));
    return rows.map(([row, ...values]) => ({ index: (row as number) - 1, values: values as string[] }));
  }

  async insert(shape: TableShape, request: { columns: readonly Values[]; clock?: string }): Promise<void> {
    await this.#client.rows(insertSql(shape, request.columns, request.clock));
  }

  makeReady(shape: TableShape, columns: readonly Values[]): void {
    this.#client.makeReady(shape, columns);
  }

  async advance(ledger: TableShape, request: Advance): Promise<{ written: number; added: number }> {
    const { rows } = await this.#client.rows(advanceSql(ledger, request));
    const [written, added] = rows[0] as [number, number];
    return { written, added };
  }

  async upsert(
    shape: TableShape,
    request: { key: readonly Values[]; columns: readonly Values[]; onInsert: readonly Values[]; clock?: string },
  ): Promise<void> {
    await this.#client.rows(upsertSql(shape, request));
  }

  async update(
    shape: TableShape,
    request: { match: readonly Values[]; set: readonly Values[]; onlyIfDifferent: boolean; clock?: string },
  ): Promise<number> {
    return (await this.#client.rows(updateSql(shape, request))).rowCount ?? 0;
  }

  async add(
    shape: TableShape,
    request: { key: readonly Values[]; column: string; deltas: readonly string[]; insertMissing: boolean },
  ): Promise<number> {
    const { key, column, deltas, insertMissing } = request;
    // An UPDATE locks in the order of its plan: lock in key order first, or two workers wait for each other.
    if (!insertMissing) await this.#client.rows(lookupSql(shape, key, [], true));
    const built = addSql(shape, key, { column, values: deltas }, insertMissing);
    return (await this.#client.rows(built)).rowCount ?? 0;
  }

  async remove(shape: TableShape, match: readonly Values[]): Promise<number> {
    return (await this.#client.rows(removeSql(shape, match))).rowCount ?? 0;
  }

  async insertReturning(
    shape: TableShape,
    request: { columns: readonly Values[]; returning: string },
  ): Promise<string> {
    const built = insertSql(shape, request.columns, undefined);
    const text = `${built.text}\nRETURNING t.${quoteName(request.returning)}::text`;
    const result = await this.#client.rows({ ...built, text });
    return result.rows[0]?.[0] as string;
  }

  async run(statement: StatementName, parameters: readonly SqlValue[]): Promise<readonly (readonly SqlValue[])[]> {
    return (await this.#client.query(statements[statement], parameters)).rows as SqlValue[][];
  }

  async close(): Promise<void> {
    await this.#client.end();
  }
}
