/** Why: a Connect worker outside UTC shifts TIMESTAMP in a snapshot of MariaDB by hours, and no record shows it. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ensureComponents } from '../../stack/artifacts.ts';
import { compile } from '../../stack/compile.ts';
import { silent } from '../../stack/events.ts';
import { findJava } from '../../stack/java.ts';
import { currentStackSettings } from '../../stack/settings.ts';
import { jarsFolder } from '../../stack/unpack.ts';

const settings = currentStackSettings();
let folder: string;
let java: string;
let classPath: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'seam-converter-'));
  java = (await findJava(settings)).file;
  const names = ['kafka', 'avro-converter', 'java-compiler'] as const;
  const directories = await ensureComponents(names, { settings, progress: silent });
  const [kafka, converter, compiler] = names.map((name) => path.join(directories.get(name) as string, jarsFolder));
  const libraries = [kafka as string, converter as string];
  const jar = path.join(folder, 'probe.jar');
  await compile({
    java,
    compilerJar: path.join(compiler as string, (await readdir(compiler as string))[0] as string),
    libraries,
    sources: path.join(import.meta.dirname, '..', 'fixtures', 'converter'),
    jar,
    env: settings.baseEnvironment,
  });
  classPath = [jar, ...libraries.map((library) => path.join(library, '*'))].join(path.delimiter);
}, 240_000);

afterAll(() => rm(folder, { recursive: true, force: true }));

async function configuredIn(zone: string): Promise<string> {
  const args = [`-Duser.timezone=${zone}`, '-cp', classPath, 'ZoneProbe'];
  const { stdout } = await promisify(execFile)(java, args, { env: settings.baseEnvironment });
  return stdout.trim();
}

describe('a Connect worker', () => {
  test.each(['UTC', 'Etc/UTC', 'GMT', 'Z'])('in %s is taken', async (zone) => {
    expect(await configuredIn(zone)).toBe('configured');
  });

  test.each([
    'Europe/Berlin',
    'Europe/London',
    'America/New_York',
  ])('in %s is refused with what to do', async (zone) => {
    expect(await configuredIn(zone)).toMatch(new RegExp(`^refused: .*${zone}.*-Duser\\.timezone=UTC`));
  });
});
