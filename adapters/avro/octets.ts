import avro, { type Type } from 'avsc';
import type { Internals, Tap } from './tap.ts';

const plain = avro.Type.forSchema('bytes') as unknown as Internals<Buffer>;
const LOOP_MAX = 32;

/** avsc insists on a Buffer, and copies a few bytes with a call out of JavaScript. */
function write(tap: Tap, value: unknown): void {
  if (!(value instanceof Uint8Array)) {
    plain._write(tap, value);
    return;
  }
  tap.writeLong(value.length);
  const start = tap.pos;
  tap.pos += value.length;
  if (value.length > LOOP_MAX) {
    if (tap.pos <= tap.buf.length) tap.buf.set(value, start);
    return;
  }
  for (let index = 0; index < value.length; index += 1) tap.buf[start + index] = value[index] as number;
}

/** Avro's bytes, of any Uint8Array. */
export const octets = Object.create(plain, { _write: { value: write } }) as Type;
