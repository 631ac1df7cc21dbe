/** The same memory as a Buffer, which avsc, the drivers and whoever reads texts or numbers out of bytes ask for. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
