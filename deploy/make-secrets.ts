/**
 * Makes the password files that docker-compose.yml mounts: three for each system of deploy/deployment.json.
 *   node deploy/make-secrets.ts [DIRECTORY]      deploy/secrets when left out
 * A file that exists is kept: the database knows its password by then. Prints the names of the files made, never a password.
 */
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';

const passwordNames = ['admin', 'capture', 'sink'];

async function makeSecrets(directory: string): Promise<void> {
  const { systems } = JSON.parse(await readFile(new URL('deployment.json', import.meta.url), 'utf8')) as {
    systems: Record<string, unknown>;
  };
  await mkdir(directory, { recursive: true });
  // The folder keeps other users of this machine out. The files are readable: Compose mounts each one by itself with its
  // owner and mode, and the user in a container has another number than the one who runs this.
  await chmod(directory, 0o700);
  for (const system of Object.keys(systems)) {
    await mkdir(join(directory, system), { recursive: true, mode: 0o755 });
    for (const name of passwordNames) await makePassword(join(directory, system, name));
  }
}

/** Written beside and renamed: a file is there whole or not at all, whatever dies in between. */
async function makePassword(file: string): Promise<void> {
  if (existsSync(file)) return;
  const unfinished = `${file}.new`;
  await rm(unfinished, { force: true });
  await writeFile(unfinished, randomBytes(24).toString('hex'));
  await chmod(unfinished, 0o444);
  await rename(unfinished, file);
  process.stdout.write(`made ${relative('.', file)}\n`);
}

await makeSecrets(resolve(process.argv[2] ?? join(import.meta.dirname, 'secrets')));
