/** A zip file of entries that are stored as they are. The same entries give the same bytes. */
import { crc32 } from 'node:zlib';

const localHeaderSignature = 0x04034b50;
const directoryHeaderSignature = 0x02014b50;
const directoryEndSignature = 0x06054b50;
const zipVersion = 20;
/** 1980-01-01, the first day a zip file knows. */
const firstDosDate = 0x21;

export type ZipEntry = { readonly name: string; readonly content: Buffer };

export function storedZip(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const { name: text, content } of entries) {
    const name = Buffer.from(text);
    const common = commonHeader(name, content);
    const local = Buffer.concat([uint32(localHeaderSignature), common, name, content]);
    // After the shared part: comment length, disk number, two kinds of attributes, then where the entry starts.
    directory.push(
      Buffer.concat([
        uint32(directoryHeaderSignature),
        uint16(zipVersion),
        common,
        Buffer.alloc(10),
        uint32(offset),
        name,
      ]),
    );
    locals.push(local);
    offset += local.length;
  }
  const directorySize = directory.reduce((sum, entry) => sum + entry.length, 0);
  const counts = [uint16(0), uint16(0), uint16(directory.length), uint16(directory.length)];
  const end = [uint32(directoryEndSignature), ...counts, uint32(directorySize), uint32(offset), uint16(0)];
  return Buffer.concat([...locals, ...directory, ...end]);
}

/** The fields that a local header and a directory header share, for an entry that is stored as it is. */
function commonHeader(name: Buffer, content: Buffer): Buffer {
  const [flags, method, time] = [0, 0, 0];
  return Buffer.concat([
    ...[zipVersion, flags, method, time, firstDosDate].map(uint16),
    ...[crc32(content), content.length, content.length].map(uint32),
    ...[name.length, 0].map(uint16),
  ]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
