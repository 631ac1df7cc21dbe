/**
 * A TCP proxy between two of the chain's programs: what a bad network does to a connection, without any rights on the machine.
 *
 *   open ── cut('silent'): nothing passes, nobody is told; what was sent arrives after the cut, as TCP would repeat it
 *        ── cut('reset'):  connections break, new ones are refused
 *        ── shape({...}):  delay, rate, and stalls of a retransmission's length: what lost packets look like from above
 */
import { createServer, connect, type Server, type Socket } from 'node:net';
import { Random } from '../../demo/random.ts';

export type Shape = {
  readonly delayMs: number;
  readonly jitterMs: number;
  /** Per connection and direction. */
  readonly bytesPerSecond: number | null;
  /** Share of chunks that come late by a retransmission, and how likely the next one is too. */
  readonly lossShare: number;
  readonly lossCorrelation: number;
};

export type Cut = 'silent' | 'reset';

const HOST = '127.0.0.1';
const RETRANSMISSION_MS = 250;
const BUFFER_BYTES_MAX = 1_000_000;
const CONNECT_AGAIN_MS = 100;

export class Link {
  readonly name: string;
  readonly port: number;
  #upstreamPort: number;
  readonly #random: Random;
  readonly #pipes = new Set<Pipe>();
  readonly #waiting = new Set<Socket>();
  #server: Server | undefined;
  #cut: Cut | null = null;
  #shape: Shape | null = null;
  /** Since the last cut or shape: shows that the fault met somebody. */
  hindered = 0;

  constructor(name: string, port: number, upstreamPort: number, seed: number) {
    this.name = name;
    this.port = port;
    this.#upstreamPort = upstreamPort;
    this.#random = new Random(seed);
  }

  async listen(): Promise<void> {
    this.#server = createServer({ allowHalfOpen: true }, (client) => this.#accept(client));
    await new Promise<void>((resolve, reject) => {
      this.#server?.once('error', reject).listen(this.port, HOST, resolve);
    });
  }

  cut(kind: Cut): void {
    this.#cut = kind;
    this.hindered = 0;
    if (kind === 'reset') this.#breakAll();
  }

  shape(shape: Shape | null): void {
    this.#shape = shape;
    this.hindered = 0;
  }

  heal(): void {
    this.#cut = null;
    this.#shape = null;
    for (const pipe of this.#pipes) pipe.wake();
    for (const client of this.#waiting) this.#forward(client);
    this.#waiting.clear();
  }

  get connections(): number {
    return this.#pipes.size / 2;
  }

  async close(): Promise<void> {
    this.#breakAll();
    await new Promise<void>((resolve) => this.#server?.close(() => resolve()) ?? resolve());
  }

  #accept(client: Socket): void {
    client.on('error', () => client.destroy());
    if (this.#cut !== null) this.hindered += 1;
    if (this.#cut === 'reset') client.resetAndDestroy();
    else if (this.#cut === 'silent') this.#waiting.add(client);
    else this.#forward(client);
  }

  #forward(client: Socket): void {
    if (client.destroyed) return;
    const server = connect({ port: this.#upstreamPort, host: HOST, allowHalfOpen: true });
    const isStopped = () => this.#cut === 'silent';
    const lateByMs = () => this.#lateByMs();
    const options = { isStopped, lateByMs, rate: () => this.#shape?.bytesPerSecond ?? null };
    const there = new Pipe(client, server, { ...options, onHindered: () => this.#noteHindered() });
    const back = new Pipe(server, client, { ...options, onHindered: () => this.#noteHindered() });
    for (const pipe of [there, back]) this.#pipes.add(pipe);
    const end = () => {
      for (const pipe of [there, back]) this.#pipes.delete(pipe);
      for (const pipe of [there, back]) pipe.stop();
    };
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.#broke(end));
      socket.on('close', () => this.#broke(end));
    }
  }

  /** In a silent cut nobody hears that the other side has gone. */
  #broke(end: () => void): void {
    if (this.#cut !== 'silent') end();
    else setTimeout(() => this.#broke(end), CONNECT_AGAIN_MS).unref();
  }

  #noteHindered(): void {
    this.hindered += 1;
  }

  #wasLate = false;
  #lateByMs(): number {
    const shape = this.#shape;
    if (shape === null) return 0;
    const share = this.#wasLate ? shape.lossCorrelation : shape.lossShare;
    this.#wasLate = shape.lossShare > 0 && this.#random.next() < share;
    const jitterMs = (this.#random.next() * 2 - 1) * shape.jitterMs;
    return Math.max(0, shape.delayMs + jitterMs) + (this.#wasLate ? RETRANSMISSION_MS : 0);
  }

  #breakAll(): void {
    for (const pipe of this.#pipes) pipe.stop();
    for (const client of this.#waiting) client.resetAndDestroy();
    this.#pipes.clear();
    this.#waiting.clear();
  }
}

type PipeOptions = {
  readonly isStopped: () => boolean;
  readonly lateByMs: () => number;
  readonly rate: () => number | null;
  readonly onHindered: () => void;
};

/** One direction of one connection. */
class Pipe {
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: PipeOptions;
  readonly #queue: { readonly bytes: Buffer | null; readonly dueMs: number }[] = [];
  #queuedBytes = 0;
  #lastDueMs = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(from: Socket, to: Socket, options: PipeOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    from.on('data', (bytes) => this.#add(bytes));
    from.on('end', () => this.#add(null));
    to.on('drain', () => this.wake());
  }

  wake(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#flow();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#queue.length = 0;
    for (const socket of [this.#from, this.#to]) socket.destroy();
  }

  /** Order is kept: a late chunk holds up those behind it, as in TCP. */
  #add(bytes: Buffer | null): void {
    const lateMs = this.#options.lateByMs();
    const rate = this.#options.rate();
    const sendMs = rate === null ? 0 : ((bytes?.length ?? 0) / rate) * 1000;
    const nowMs = performance.now();
    this.#lastDueMs = Math.max(nowMs + lateMs, Math.max(this.#lastDueMs, nowMs) + sendMs);
    if (lateMs > 0 || sendMs > 0 || this.#options.isStopped()) this.#options.onHindered();
    this.#queue.push({ bytes, dueMs: this.#lastDueMs });
    this.#queuedBytes += bytes?.length ?? 0;
    if (this.#queuedBytes > BUFFER_BYTES_MAX) this.#from.pause();
    if (this.#timer === undefined) this.#flow();
  }

  #flow(): void {
    while (this.#queue.length > 0 && !this.#options.isStopped()) {
      const [first] = this.#queue;
      if (first === undefined || this.#to.destroyed) return;
      const restMs = first.dueMs - performance.now();
      if (restMs > 0.5) {
        this.#timer = setTimeout(() => this.wake(), restMs);
        return;
      }
      this.#queue.shift();
      this.#queuedBytes -= first.bytes?.length ?? 0;
      if (first.bytes === null) this.#to.end();
      else if (!this.#to.write(first.bytes)) break;
    }
    if (this.#queuedBytes <= BUFFER_BYTES_MAX && this.#from.isPaused()) this.#from.resume();
  }
}
