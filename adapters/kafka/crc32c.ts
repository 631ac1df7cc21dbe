/** CRC-32C (Castagnoli), which brokers check every record batch by. Eight bytes a step, over eight tables. */
const POLYNOMIAL = 0x82f63b78;
const TABLES = makeTables();

export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  const [t0, t1, t2, t3, t4, t5, t6, t7] = TABLES as Tables;
  let crc = -1;
  let at = from;
  for (const last = to - 8; at <= last; at += 8) {
    crc ^=
      byteAt(bytes, at) | (byteAt(bytes, at + 1) << 8) | (byteAt(bytes, at + 2) << 16) | (byteAt(bytes, at + 3) << 24);
    crc =
      look(t7, crc & 0xff) ^
      look(t6, (crc >>> 8) & 0xff) ^
      look(t5, (crc >>> 16) & 0xff) ^
      look(t4, crc >>> 24) ^
      look(t3, byteAt(bytes, at + 4)) ^
      look(t2, byteAt(bytes, at + 5)) ^
      look(t1, byteAt(bytes, at + 6)) ^
      look(t0, byteAt(bytes, at + 7));
  }
  for (; at < to; at += 1) crc = look(t0, (crc ^ byteAt(bytes, at)) & 0xff) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

type Tables = [Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array, Int32Array];

function makeTables(): Int32Array[] {
  const tables = Array.from({ length: 8 }, () => new Int32Array(256));
  const first = tables[0] as Int32Array;
  for (let index = 0; index < 256; index += 1) {
    let crc = index;
    for (let bit = 0; bit < 8; bit += 1) crc = (crc & 1) === 0 ? crc >>> 1 : (crc >>> 1) ^ POLYNOMIAL;
    first[index] = crc;
  }
  for (let table = 1; table < 8; table += 1) {
    for (let index = 0; index < 256; index += 1) {
      const crc = look(tables[table - 1] as Int32Array, index);
      (tables[table] as Int32Array)[index] = (crc >>> 8) ^ look(first, crc & 0xff);
    }
  }
  return tables;
}

function look(table: Int32Array, index: number): number {
  return table[index] as number;
}

function byteAt(bytes: Uint8Array, index: number): number {
  return bytes[index] as number;
}
