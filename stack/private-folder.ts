/** Data and logs of the servers hold what rows hold: only the user that started the stack may look into their folders. */
import { chmod, mkdir } from 'node:fs/promises';

/** A folder of an earlier version had wider rights. */
export async function privateFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  await chmod(folder, 0o700);
}
