/** Small volumes under the servers' files, so that a disk can be full without filling the machine's. Needs the right to mount. */
import { execFile } from 'node:child_process';
import { mkdir, rm, statfs, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const SIZES_MB = { kafka: 1_500, postgres: 3_000, mariadb: 1_500 } as const;
const LEFT_BYTES = 64 * 1024;
const CHUNK_BYTES = 64 * 1024 * 1024;

export type Volume = keyof typeof SIZES_MB;

export class Volumes {
  readonly #directory: string;
  readonly #mounted: Volume[] = [];
  /** Why there are none; undefined while it is not known. */
  impossible: string | undefined = 'not asked for';

  constructor(directory: string) {
    this.#directory = directory;
  }

  async mount(): Promise<void> {
    if (process.getuid?.() !== 0) {
      this.impossible = 'needs root to mount small volumes';
      return;
    }
    try {
      for (const volume of Object.keys(SIZES_MB) as Volume[]) {
        const place = this.#placeOf(volume);
        await mkdir(place, { recursive: true });
        await run('mount', ['-t', 'tmpfs', '-o', `size=${SIZES_MB[volume]}m,mode=0755`, 'seam-faults', place]);
        this.#mounted.push(volume);
      }
      this.impossible = undefined;
    } catch (error) {
      this.impossible = `mount failed: ${(error as Error).message.split('\n')[0]}`;
    }
  }

  async unmount(): Promise<void> {
    for (const volume of this.#mounted.splice(0)) await run('umount', ['-l', this.#placeOf(volume)]);
  }

  /** Until hardly a page is free. Answers with what is left, as the system tells it. */
  async fill(volume: Volume): Promise<number> {
    const file = this.#fillerOf(volume);
    for (let index = 0; ; index += 1) {
      const free = await this.freeBytes(volume);
      if (free <= LEFT_BYTES) return free;
      const size = Math.min(CHUNK_BYTES, free - LEFT_BYTES / 2);
      await writeFile(file, Buffer.alloc(size, index), { flag: 'a' }).catch(() => {});
    }
  }

  async free(volume: Volume): Promise<void> {
    await rm(this.#fillerOf(volume), { force: true });
  }

  async freeBytes(volume: Volume): Promise<number> {
    const { bavail, bsize } = await statfs(this.#placeOf(volume));
    return bavail * bsize;
  }

  #placeOf(volume: Volume): string {
    return path.join(this.#directory, volume);
  }

  #fillerOf(volume: Volume): string {
    return path.join(this.#placeOf(volume), 'filler');
  }
}
