/** One connection: sets of rows as arrays, answers as text, a silent server noticed. */
import pg from 'pg';
import { startOptions } from '../../../core/databases/postgres.ts';
import type { SqlValue } from '../../../core/target.ts';
import type { Connection, TableShape, Values } from '../dialect.ts';
import { binaryArray } from './array-binary.ts';
import { arrayText } from './array-text.ts';
import { errorOf, unreachable } from './error-codes.ts';
import { type Built, columnOf } from './sql.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** The server's own limits come first; past this it is taken for gone. */
const SILENCE_MARGIN_MS = 5_000;

const OID_BOOL = 16;
const OID_BYTEA = 17;
const OID_INT8 = 20;
const OID_INT2 = 21;
const OID_INT4 = 23;

const PARSERS: Readonly<Record<number, (text: string) => unknown>> = {
  [OID_BOOL]: (text) => text === 't',
  [OID_BYTEA]: (text) => Buffer.from(text.slice(2), 'hex'),
  [OID_INT8]: BigInt,
  [OID_INT2]: Number,
  [OID_INT4]: Number,
};

const types = {
  getTypeParser: (oid: number) => PARSERS[oid] ?? ((text: string) => text),
} as unknown as pg.CustomTypesConfig;

/** The driver sends a Buffer in the binary format, anything else as text. */
function arrayOf(shape: TableShape, { column, values }: Values): Buffer | string {
  return binaryArray(columnOf(shape, column).sqlType, values) ?? arrayText(values);
}

export class PostgresClient {
  readonly #client: pg.Client;
  readonly #statementTimeoutMs: number;
  /** Of columns that were made ready. */
  readonly #arrays = new WeakMap<Values, Buffer | string>();
  #lost: Error | undefined;

  private constructor(client: pg.Client, statementTimeoutMs: number) {
    this.#client = client;
    this.#statementTimeoutMs = statementTimeoutMs;
    client.on('error', (error) => {
      this.#lost = error;
    });
    client.on('end', () => {
      this.#lost ??= new Error('closed');
    });
  }

  static async connect(connection: Connection, statementTimeoutMs: number, settings: Record<string, string>) {
    const client = new pg.Client({
      ...connection,
      application_name: 'seam sink',
      connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
      keepAlive: true,
      types,
      options: startOptions(settings),
    });
    const connected = new PostgresClient(client, statementTimeoutMs);
    try {
      await client.connect();
    } catch (error) {
      await client.end().catch(() => undefined);
      throw (error as { code?: string }).code === undefined ? unreachable('no answer', error) : errorOf(error);
    }
    return connected;
  }

  get isOpen(): boolean {
    return this.#lost === undefined;
  }

  get raw(): pg.Client {
    return this.#client;
  }

  /** Returns the server's command tag, of the last statement. */
  async execute(text: string): Promise<string> {
    const results: unknown = await this.#guarded(this.#client.query(text));
    const last = Array.isArray(results) ? results.at(-1) : results;
    return (last as pg.QueryResult).command;
  }

  /** Planned again each time: a plan kept from when a table was empty would scan it for as long as the session lives. */
  async query(
    text: string,
    values: readonly SqlValue[] | readonly unknown[],
    shape?: TableShape,
  ): Promise<pg.QueryArrayResult> {
    const config = { text, values: [...values], rowMode: 'array' as const };
    return this.#guarded(this.#client.query(config), shape);
  }

  /** One array parameter for each column. */
  async rows({ text, shape, values }: Built): Promise<pg.QueryArrayResult> {
    return this.query(
      text,
      values.map((column) => this.#arrays.get(column) ?? arrayOf(shape, column)),
      shape,
    );
  }

  makeReady(shape: TableShape, columns: readonly Values[]): void {
    for (const column of columns) this.#arrays.set(column, arrayOf(shape, column));
  }

  async end(): Promise<void> {
    if (this.isOpen) await this.#client.end().catch(() => undefined);
    this.#lost ??= new Error('closed');
  }

  /** Half-open connections never answer: the socket is closed then, and the query fails. */
  async #guarded<T>(query: Promise<T>, shape?: TableShape): Promise<T> {
    const timer = setTimeout(() => {
      this.#lost = new Error('no answer');
      const { stream } = (this.#client as unknown as { connection: { stream: { destroy(error: Error): void } } })
        .connection;
      stream.destroy(this.#lost);
    }, this.#statementTimeoutMs + SILENCE_MARGIN_MS);
    try {
      return await query;
    } catch (error) {
      if (this.#lost !== undefined && (error as { code?: string }).code === undefined) {
        throw unreachable(this.#lost.message, error);
      }
      throw errorOf(error, shape);
    } finally {
      clearTimeout(timer);
    }
  }
}
