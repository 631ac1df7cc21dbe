/**
 * A jar with nothing but `META-INF/services`: it tells Connect which plugin classes lie beside it. Without, Connect finds
 * them by opening every class of every jar, which takes it a minute of processor time at each start.
 */
import { crc32 } from 'node:zlib';

const localHeaderSignature = 0x04034b50;
const directoryHeaderSignature = 0x02014b50;
const directoryEndSignature = 0x06054b50;
const zipVersion = 20;
/** 1980-01-01, the first day a zip file knows: the same input gives the same bytes. */
const firstDosDate = 0x21;

export type Services = Readonly<Record<string, readonly string[]>>;

export function serviceManifestJar(services: Services): Buffer {
  const locals: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [service, classes] of Object.entries(services)) {
    const name = Buffer.from(`META-INF/services/${service}`);
    const content = Buffer.from(`${classes.join('\n')}\n`);
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
