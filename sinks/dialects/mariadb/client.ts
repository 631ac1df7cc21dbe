/** One connection: values as text where doubles would lie, a silent server noticed. */
import { connect as connectSocket, type Socket } from 'node:net';
import mariadb, { type Connection as DriverConnection, type UpsertResult } from 'mariadb';
import type { SqlValue } from '../../../core/target.ts';
import type { Connection, TableShape } from '../dialect.ts';
import { bulkRows, driverValue } from './bulk.ts';
import { repairDriver } from './driver-repairs.ts';
import { errorOf, PACKETS_TOO_LARGE, STATEMENT_OUTDATED, unreachable } from './error-codes.ts';
import type { Built } from './sql.ts';

const CONNECT_TIMEOUT_MS = 10_000;
/** The server's own limits come first; past this it is taken for gone. */
const SILENCE_MARGIN_MS = 5_000;
/** Where the server has not said yet how much it takes at once. */
const PACKET_BYTES = 16 * 1024 * 1024;
/** What it said, by host and port: the driver has to be told before it connects, and cuts batches by it. */
const packetBytes = new Map<string, number>();

await repairDriver();

export class MariadbClient {
  readonly #connection: DriverConnection;
  readonly #socket: Socket;
  readonly #statementTimeoutMs: number;
  #isLost = false;

  private constructor(connection: DriverConnection, socket: Socket, statementTimeoutMs: number) {
    this.#connection = connection;
    this.#socket = socket;
    this.#statementTimeoutMs = statementTimeoutMs;
    connection.on('error', () => {
      this.#isLost = true;
    });
  }

  /** Connects again where the server takes more or less in one packet than was thought. */
  static async connect(connection: Connection, statementTimeoutMs: number): Promise<MariadbClient> {
    const place = `${connection.host}:${connection.port}`;
    for (;;) {
      const asked = packetBytes.get(place) ?? PACKET_BYTES;
      const client = await MariadbClient.#open(connection, statementTimeoutMs, asked);
      const said = await client.#packetBytes().catch(async (error: unknown) => {
        await client.end();
        throw error;
      });
      packetBytes.set(place, said);
      if (said === asked) return client;
      await client.end();
    }
  }

  static async #open(connection: Connection, statementTimeoutMs: number, maxAllowedPacket: number) {
    const socket = connectSocket({ host: connection.host, port: connection.port, noDelay: true });
    try {
      const opened = await mariadb.createConnection({
        ...connection,
        stream: () => socket,
        connectTimeout: CONNECT_TIMEOUT_MS,
        keepAliveDelay: CONNECT_TIMEOUT_MS,
        rowsAsArray: true,
        dateStrings: true,
        autoJsonMap: false,
        charset: 'utf8mb4',
        maxAllowedPacket,
        connectAttributes: { program_name: 'seam sink' },
      });
      return new MariadbClient(opened, socket, statementTimeoutMs);
    } catch (error) {
      socket.destroy();
      throw errorOf(error);
    }
  }

  async #packetBytes(): Promise<number> {
    const [row] = await this.query('SELECT @@max_allowed_packet', []);
    return Number(row?.[0]);
  }

  get isOpen(): boolean {
    return !this.#isLost && this.#connection.isValid();
  }

  get raw(): DriverConnection {
    return this.#connection;
  }

  async execute(text: string): Promise<void> {
    await this.#guarded(this.#connection.query(text));
  }

  /** `shape`: the table that it is about, for errors. */
  async query(text: string, values: readonly SqlValue[], shape?: TableShape): Promise<SqlValue[][]> {
    return this.#guarded(this.#connection.execute(text, values.map(driverValue)), shape);
  }

  /** Every row in one go; returns how many were found (or made). */
  async rows(shape: TableShape, built: Built): Promise<number> {
    const rows = bulkRows(shape, built.columns);
    if (rows.length === 0) return 0;
    const answer = this.#guarded(this.#connection.batch(built.text, rows), shape);
    const result = (await answer) as UpsertResult | UpsertResult[];
    return Array.isArray(result) ? result.reduce((sum, one) => sum + one.affectedRows, 0) : result.affectedRows;
  }

  async end(): Promise<void> {
    const isAlive = this.#connection.isValid();
    this.#isLost = true;
    if (isAlive) await this.#connection.end().catch(() => undefined);
    this.#socket.destroy();
  }

  /**
   * Half-open connections never answer: the socket is closed then. The driver's own `destroy` would first open another
   * connection to have the query killed: in the same silence the query would never end, and a refused KILL ends the process.
   */
  async #guarded<T>(query: Promise<T>, shape?: TableShape): Promise<T> {
    const silence = Promise.withResolvers<never>();
    const timer = setTimeout(() => {
      this.#isLost = true;
      this.#socket.destroy(new Error('no answer'));
      silence.reject(unreachable('no answer'));
    }, this.#statementTimeoutMs + SILENCE_MARGIN_MS);
    try {
      return await Promise.race([query, silence.promise]);
    } catch (error) {
      // the next session prepares it again, or asks how large a packet may be
      const { errno } = error as { errno?: number };
      if (errno === STATEMENT_OUTDATED || PACKETS_TOO_LARGE.has(errno ?? NaN)) this.#isLost = true;
      throw errorOf(error, shape);
    } finally {
      clearTimeout(timer);
    }
  }
}
