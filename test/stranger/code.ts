/**
 * The project under test: a copy of this work tree, or of any commit, in a folder of its own, without the retail chain. What is
 * tried is what a user has: the ordinary command line and workers, with folders that a person could have written.
 */
import { execFile } from 'node:child_process';
import { cp, mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = path.join(import.meta.dirname, '..', '..');
const ROOM = 256 * 2 ** 20;

/** Files of neighbours that a person copies when a system is added (README). */
export type Templates = {
  readonly connector: Readonly<Record<'postgres' | 'mariadb', string>>;
  readonly setup: Readonly<Record<'postgres' | 'mariadb', string>>;
  readonly teardown: Readonly<Record<'postgres' | 'mariadb', string>>;
  /** Change events spell names that Avro can't hold with `_`; otherwise as the database does. */
  readonly spelling: 'avro' | 'own';
};

export type Code = { readonly folder: string; readonly templates: Templates };

/** `from`: a commit of this repository, a folder, or nothing for this work tree. */
export async function copyCode(folder: string, from: string | undefined): Promise<Code> {
  await mkdir(folder, { recursive: true });
  const isFolder =
    from === undefined ||
    (await readdir(from).then(
      () => true,
      () => false,
    ));
  if (isFolder) await copyFolder(from ?? root, folder);
  else await copyCommit(from, folder);
  await symlink(path.join(root, 'node_modules'), path.join(folder, 'node_modules'));
  const templates = await readTemplates(folder);
  await removeRetail(folder);
  return { folder, templates };
}

async function copyFolder(from: string, folder: string): Promise<void> {
  const { stdout } = await run('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: from,
    maxBuffer: ROOM,
  });
  for (const name of stdout.split('\0').filter((one) => one !== '')) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await cp(path.join(from, name), path.join(folder, name), { recursive: true }).catch(
      (error: NodeJS.ErrnoException) => {
        if (error.code !== 'ENOENT') throw error;
      },
    );
  }
}

async function copyCommit(commit: string, folder: string): Promise<void> {
  const archive = path.join(folder, '..', 'code.tar');
  await run('git', ['archive', '--format=tar', '-o', archive, commit], { cwd: root, maxBuffer: ROOM });
  await run('tar', ['-xf', archive, '-C', folder]);
  await rm(archive);
}

async function readTemplates(folder: string): Promise<Templates> {
  const partner = 'test/fixtures/loyalty-partner/connectors/loyalty-partner';
  const read = (name: string) => readFile(path.join(folder, name), 'utf8');
  const pair = async (name: string) => ({
    postgres: await read(`${partner}/${name}`),
    mariadb: await read(`connectors/pos/${name}`),
  });
  const connector = await pair('connector.json');
  const spelling = JSON.parse(connector.postgres).config['field.name.adjustment.mode'] === 'avro' ? 'avro' : 'own';
  return { connector, setup: await pair('setup.sql'), teardown: await pair('teardown.sql'), spelling };
}

async function removeRetail(folder: string): Promise<void> {
  for (const parent of ['connectors', 'sinks/targets']) {
    for (const entry of await readdir(path.join(folder, parent), { withFileTypes: true }))
      if (entry.isDirectory()) await rm(path.join(folder, parent, entry.name), { recursive: true });
  }
  for (const name of await readdir(path.join(folder, 'avro')))
    if (name.endsWith('.avsc') && name !== 'record-meta.avsc') await rm(path.join(folder, 'avro', name));
  const noSteps = `import type { Step } from '../../core/step.ts';\n\nexport const steps: readonly Step[] = [];\n`;
  await writeFile(path.join(folder, 'processors/steps/index.ts'), noSteps);
}
