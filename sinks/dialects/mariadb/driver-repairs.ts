/**
 * What of the driver costs a sink most of its time in it, done cheaper, once for the process: see
 * `npm run bench -- --only sink-mariadb`. Nothing depends on it: where the driver's insides look different it is left as it is,
 * and test/property/mariadb-bulk.test.ts says so.
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

type Packet = { buf: Buffer; pos: number; readonly encoding: string };
type Write = (this: Packet, text: string) => void;

/** Texts in UTF-8 as long as this have a length of one byte. */
const SHORT_MAX = 63;
const ASCII_MAX = 127;

/**
 * A short text of ASCII is written as it is: the driver asks for its length in bytes first, and then has it written, each a call
 * out of JavaScript that costs more than the text. false: the driver has changed.
 */
export function repairDriver(): Promise<boolean> {
  repaired ??= repair();
  return repaired;
}

let repaired: Promise<boolean> | undefined;

async function repair(): Promise<boolean> {
  const entry = pathToFileURL(createRequire(import.meta.url).resolve('mariadb'));
  const found = await import(new URL('../lib/io/packet-output-stream.js', entry).href).catch(() => undefined);
  const packet = found?.default?.prototype as { writeDefaultBufferLengthEncodedString?: Write } | undefined;
  const write = packet?.writeDefaultBufferLengthEncodedString;
  if (packet === undefined || write === undefined) return false;
  packet.writeDefaultBufferLengthEncodedString = function (text) {
    const end = writtenAt(this, text);
    if (end === 0) write.call(this, text);
    else this.pos = end;
  };
  return true;
}

/** Where it ends; 0: not written. */
function writtenAt({ buf, pos, encoding }: Packet, text: string): number {
  const { length } = text;
  if (length > SHORT_MAX || encoding !== 'utf8' || pos + length >= buf.length) return 0;
  let at = pos;
  buf[at++] = length;
  let all = 0;
  for (let index = 0; index < length; index += 1) {
    const unit = text.charCodeAt(index);
    all |= unit;
    buf[at++] = unit;
  }
  return all <= ASCII_MAX ? at : 0;
}
