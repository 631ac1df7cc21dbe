const SHORT_TEXT = 48;
/** One large value shall not hold its memory for ever. */
const KEPT_BYTES_MAX = 4 * 1024 ** 2;

/**
 * Bytes one after the other into memory that grows and is used again: hot loops make no garbage with it. `ensure` comes before
 * every write but `text`, which sees to its own room.
 */
export class ByteWriter {
  bytes: Buffer;
  at = 0;
  readonly #size: number;

  constructor(size = 1 << 12) {
    this.#size = size;
    this.bytes = Buffer.allocUnsafe(size);
  }

  /** What was written is done with. */
  begin(): void {
    this.at = 0;
    if (this.bytes.length > KEPT_BYTES_MAX) this.bytes = Buffer.allocUnsafe(this.#size);
  }

  ensure(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const larger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + count));
    this.bytes.copy(larger, 0, 0, this.at);
    this.bytes = larger;
  }

  int8(value: number): void {
    this.bytes[this.at++] = value;
  }

  int16(value: number): void {
    const { bytes, at } = this;
    bytes[at] = value >>> 8;
    bytes[at + 1] = value;
    this.at = at + 2;
  }

  int32(value: number): void {
    const { bytes, at } = this;
    bytes[at] = value >>> 24;
    bytes[at + 1] = value >>> 16;
    bytes[at + 2] = value >>> 8;
    bytes[at + 3] = value;
    this.at = at + 4;
  }

  /** As UTF-8. */
  text(value: string): void {
    this.ensure(value.length * 3);
    if (value.length > SHORT_TEXT || !this.#ascii(value)) this.at += this.bytes.write(value, this.at, 'utf8');
  }

  /** A call out of JavaScript costs more than a short text. */
  #ascii(value: string): boolean {
    const { bytes, at } = this;
    for (let index = 0; index < value.length; index += 1) {
      const unit = value.charCodeAt(index);
      if (unit > 127) return false;
      bytes[at + index] = unit;
    }
    this.at = at + value.length;
    return true;
  }
}
