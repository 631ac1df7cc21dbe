/** The header of a request with a name of the client that is not unusual, and the length in front of it. */
const ROOM_BYTES = 256;

/**
 * A request that is written already, in place of kafkajs' encoder of it, with room in front for what kafkajs puts there. Its own
 * way copies a request of megabytes twice, each time into a new buffer of up to double the size that it fills with zeros before:
 * more than to write it, and as so much was asked for, V8 collects its old space several times a second. See
 * `npm run bench -- --only translate`.
 */
export class WholeRequest {
  readonly #bytes: Buffer;
  #start = ROOM_BYTES;

  /** `write` leaves that many bytes free in front. */
  constructor(write: (room: number) => Buffer) {
    this.#bytes = write(ROOM_BYTES);
  }

  /** Returns itself; undefined where there is no room. */
  putInFront(head: Buffer): this | undefined {
    if (head.length > this.#start) return undefined;
    this.#start -= head.length;
    head.copy(this.#bytes, this.#start);
    return this;
  }

  // ---- what kafkajs asks of an encoder -----------------------------------------------------------------------------

  get buf(): Buffer {
    return this.buffer;
  }

  get buffer(): Buffer {
    return this.#bytes.subarray(this.#start);
  }

  size(): number {
    return this.#bytes.length - this.#start;
  }
}
