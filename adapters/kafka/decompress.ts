import { gunzipSync } from 'node:zlib';
import { ZstdDecompress } from 'minizlib';
import { ContractError } from '../../core/errors.ts';

/** `chunkSize`, which the library's types leave out, is Node's own: how much memory waits for the output. */
const options: object = { chunkSize: 64 * 1024 };
const NOTHING = Buffer.alloc(0);

/**
 * One context for all batches: Node makes one for each, and a busy source's batches are so small that this took four fifths of
 * their time. See `npm run bench -- --only translate`.
 */
let zstd: ZstdDecompress | undefined;

/** Throws where the bytes are none of this codec; ContractError CODEC_UNSUPPORTED. `place` is for the error. */
export function decompress(bytes: Buffer, codec: number, place: string): Buffer {
  switch (codec) {
    case 0:
      return bytes;
    case 1:
      return gunzipSync(bytes);
    case 4:
      return unzstd(bytes);
    default:
      throw new ContractError({
        code: 'CODEC_UNSUPPORTED',
        message: `records are compressed with ${codec === 2 ? 'snappy' : codec === 3 ? 'lz4' : `codec ${codec}`}`,
        where: place,
        hint: 'set compression.type of the producer (for Connect: producer.override.compression.type) to none, gzip or zstd',
      });
  }
}

function unzstd(bytes: Buffer): Buffer {
  zstd ??= new ZstdDecompress(options);
  try {
    zstd.write(bytes);
    return (zstd.read() as Buffer | null) ?? NOTHING;
  } catch (error) {
    forgetDecompression();
    throw error;
  }
}

/** After bytes that ended too early: what comes next would be taken for their rest. */
export function forgetDecompression(): void {
  zstd = undefined;
}
