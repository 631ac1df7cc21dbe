const SLAB_BYTES = 256 * 1024;

/**
 * One large buffer that many small records are written into, one after the other: four times as fast as a buffer for each. It
 * lives as long as any record cut from it: fine for records on their way out, wrong for a cache.
 */
export class Slab {
  bytes = Buffer.allocUnsafeSlow(SLAB_BYTES);
  /** Where the next record begins. */
  used = 0;

  /** A view of what `write` wrote. It answers where that ends; negative: there is no room, and it is asked again. */
  cut(write: (bytes: Buffer, at: number) => number): Buffer {
    for (let attempt = 0; ; attempt += 1) {
      const start = this.used;
      const end = write(this.bytes, start);
      if (end >= 0) {
        this.used = end;
        return this.bytes.subarray(start, end);
      }
      this.renew(attempt);
    }
  }

  /** Empty, and larger with each attempt at one record. */
  renew(attempt: number): void {
    this.bytes = Buffer.allocUnsafeSlow(SLAB_BYTES * 2 ** attempt);
    this.used = 0;
  }
}
