/** Files that hold secrets or contents of rows: only the user that runs Seam may read them. */
import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';

/**
 * Replaces the file whole. A file that existed with wider rights gets mode 0600 before it gets the text, and a reader sees the old
 * text or the new one.
 */
export async function writePrivateFile(file: string, text: string): Promise<void> {
  const fresh = `${file}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  try {
    await writeFile(fresh, text, { mode: 0o600, flag: 'wx' });
    await rename(fresh, file);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
