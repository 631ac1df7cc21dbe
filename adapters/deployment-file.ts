import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseConfig } from '../core/config.ts';
import { type DatabaseAccess, Deployment } from '../core/deployment.ts';
import { ConfigError } from '../core/errors.ts';

export async function readDeployment(file: string): Promise<Deployment> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (cause) {
    throw new ConfigError({
      code: 'DEPLOYMENT_MISSING',
      message: 'no deployment file',
      where: file,
      hint: 'run: npm run seam -- stack up   (writes it for the local stack), or pass --deployment FILE',
      cause,
    });
  }
  return parseConfig(Deployment, parseJson(text, file), file);
}

function parseJson(text: string, file: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new ConfigError({
      code: 'CONFIG_INVALID',
      message: `not JSON: ${(cause as Error).message}`,
      where: file,
      cause,
    });
  }
}

export type PasswordName = 'capture' | 'sink' | 'admin';

export async function readPassword(access: DatabaseAccess, name: PasswordName): Promise<string> {
  const file = join(access.passwordDirectory, name);
  try {
    return (await readFile(file, 'utf8')).trimEnd();
  } catch (cause) {
    throw new ConfigError({
      code: 'SECRET_MISSING',
      message: `no ${name} password`,
      where: file,
      hint: `put the password of the ${name} user into this file, readable by you alone (mode 0600)`,
      cause,
    });
  }
}
