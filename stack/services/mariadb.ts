/** One MariaDB server for one system, from the binaries that a Maven artifact brings. */
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { createConnection } from 'mariadb';
import { ConfigError } from '../../core/errors.ts';
import { isDirectory } from '../artifacts.ts';
import type { ComponentName } from '../components.ts';
import { host } from '../ports.ts';
import { privateFolder } from '../private-folder.ts';
import { runProgram } from '../run-program.ts';
import versions from '../versions.json' with { type: 'json' };
import { copyTemplate, type DatabaseServer, ensureTemplate, serviceNameOf, writeSecret } from './database.ts';
import { componentOf, portOf, probeTimeoutMs, type Service, type ServiceContext } from './service.ts';

export const mariadbAdmin = 'root';

const firstServerId = 1001;

/** In this order; what `mariadb-install-db` feeds to the server, without the shell script around it. */
const systemTables = [
  'mariadb_system_tables.sql',
  'mariadb_performance_tables.sql',
  'mariadb_system_tables_data.sql',
  'fill_help_tables.sql',
  'maria_add_gis_sp_bootstrap.sql',
  'mariadb_sys_schema.sql',
];

const cleanUp = "DELETE FROM mysql.global_priv WHERE User = '' OR Host <> 'localhost';";

export function mariadbComponent(): ComponentName {
  const platform = `${process.platform}-${process.arch}`;
  switch (platform) {
    case 'linux-x64':
      return 'mariadb-linux64';
    case 'darwin-arm64':
      return 'mariadb-macos-arm64';
    case 'win32-x64':
      return 'mariadb-winx64';
    default:
      throw new ConfigError({
        code: 'PLATFORM_UNSUPPORTED',
        message: `there is no MariaDB ${versions.mariadb} to fetch for this platform`,
        where: platform,
        hint: 'use docker compose for the stack (docker-compose.yml)',
      });
  }
}

export function mariadbService(context: ServiceContext, server: DatabaseServer, index: number): Service {
  const name = serviceNameOf(server);
  const port = portOf(context, name);
  const base = componentOf(context, mariadbComponent());
  const folder = path.join(context.stateDirectory, 'mariadb');
  const dataDirectory = path.join(folder, server.name);
  const initFile = path.join(folder, `${server.name}.init.sql`);
  const temporaryDirectory = path.join(folder, `${server.name}.tmp`);
  return {
    name,
    address: `${host}:${port}/${server.name}`,
    portNames: [name],
    readyLimitMs: 180_000,
    async prepare() {
      await writeSecret(initFile, initStatements(server));
      await privateFolder(folder);
      await mkdir(temporaryDirectory, { recursive: true });
      if (await isDirectory(dataDirectory)) return;
      const template = await ensureTemplate(await templateName(base), context.settings, (directory) =>
        initialise(directory, base, context),
      );
      await copyTemplate(template, dataDirectory, async () => {});
    },
    command: () => ({
      name,
      file: programOf(base),
      args: [
        ...commonArguments(base, dataDirectory, temporaryDirectory),
        ...serverArguments(port, firstServerId + index, initFile),
      ],
      env: context.settings.baseEnvironment,
      cwd: dataDirectory,
      stopSignal: 'SIGTERM',
      stopLimitMs: 30_000,
    }),
    probe: () => probe(server, port),
  };
}

const programOf = (base: string): string =>
  path.join(base, 'bin', process.platform === 'win32' ? 'mysqld.exe' : 'mariadbd');

/** A server that starts removes the temporary tables that it finds: with one directory for all, those of its neighbours. */
function commonArguments(base: string, dataDirectory: string, temporaryDirectory: string): string[] {
  const directories = {
    basedir: base,
    datadir: dataDirectory,
    tmpdir: temporaryDirectory,
    'lc-messages-dir': shareOf(base),
  };
  const options = [
    '--no-defaults',
    ...Object.entries(directories).map(([name, directory]) => `--${name}=${directory}`),
  ];
  return process.getuid?.() === 0 ? [...options, '--user=root'] : options;
}

function serverArguments(port: number, serverId: number, initFile: string): string[] {
  return [
    `--port=${port}`,
    `--bind-address=${host}`,
    '--skip-name-resolve',
    // No socket file: clients use TCP, and a path below the state folder can be longer than the 107 bytes a socket may have.
    '--socket=',
    '--pid-file=mariadb.pid',
    // Otherwise the server makes itself a 4096-bit key at every start, which takes from 10 to 40 s. Loopback only.
    '--disable-ssl',
    `--init-file=${initFile}`,
    `--server-id=${serverId}`,
    '--log-bin=binlog',
    '--binlog-format=ROW',
    '--binlog-row-image=FULL',
    '--binlog-expire-logs-seconds=604800',
    '--gtid-strict-mode=OFF',
    '--log-bin-trust-function-creators=1',
    '--character-set-server=utf8mb4',
    '--collation-server=utf8mb4_general_ci',
    '--default-time-zone=+00:00',
    // Legacy systems hold zero dates and truncated texts: their server must take them.
    '--sql-mode=',
    '--max-allowed-packet=64M',
    '--max-connections=100',
    '--innodb-buffer-pool-size=128M',
    '--innodb-log-file-size=96M',
    '--performance-schema=OFF',
  ];
}

/**
 * Read by the server before it takes connections, at every start: so no port is ever open without a password.
 * Kept out of the binary log, or every restart would show up as changes.
 */
function initStatements({ name, adminPassword }: DatabaseServer): string {
  const accounts = ['localhost', host].map((from) => `'${mariadbAdmin}'@'${from}'`);
  return [
    'SET SESSION sql_log_bin = 0;',
    `CREATE DATABASE IF NOT EXISTS \`${name}\` CHARACTER SET utf8mb4;`,
    ...accounts.flatMap((account) => [
      `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY '${adminPassword}';`,
      `ALTER USER ${account} IDENTIFIED BY '${adminPassword}';`,
      `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION;`,
    ]),
    '',
  ].join('\n');
}

async function templateName(base: string): Promise<string> {
  const settings = createHash('sha256')
    .update([...systemTables, cleanUp].join('\n'))
    .digest('hex');
  return `mariadb-${versions.mariadb}-${path.basename(base).slice(-12)}-${settings.slice(0, 8)}`;
}

async function initialise(directory: string, base: string, context: ServiceContext): Promise<void> {
  const sql = await Promise.all(systemTables.map((file) => readFile(systemTableFile(base, file), 'utf8')));
  const input = [
    'CREATE DATABASE IF NOT EXISTS mysql;',
    'USE mysql;',
    'SET @auth_root_socket = NULL;',
    // The rows for the name of this host, which may change, go; so do the anonymous users, and root from elsewhere.
    ...sql.map((text) => text.replace(/^.*@current_hostname.*$/gm, '')),
    cleanUp,
    '',
  ].join('\n');
  const bootstrap = ['--bootstrap', '--log-warnings=0', '--enforce-storage-engine=', '--max-allowed-packet=8M'];
  const args = [
    ...commonArguments(base, directory, directory),
    ...bootstrap,
    '--innodb-log-file-size=4M',
    '--skip-log-bin',
  ];
  await runProgram(programOf(base), args, { cwd: directory, env: context.settings.baseEnvironment, input });
}

const systemTableFile = (base: string, file: string): string => path.join(shareOf(base), file);

/** The macOS artifact has one folder more. */
function shareOf(base: string): string {
  const nested = path.join(base, 'share', 'mysql');
  return existsSync(nested) ? nested : path.join(base, 'share');
}

async function probe(server: DatabaseServer, port: number): Promise<void> {
  const { name: database, adminPassword: password } = server;
  const limits = { connectTimeout: probeTimeoutMs, queryTimeout: probeTimeoutMs };
  const connection = await createConnection({ host, port, user: mariadbAdmin, password, database, ...limits });
  try {
    await connection.query('SELECT 1');
  } finally {
    await connection.end();
  }
}
