/** The servers of a run: started once by the code under test itself, used by every round. */
import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { type Code, copyCode } from './code.ts';
import { openSession, type Servers, type Session } from './databases.ts';
import type { Kind, Names } from './plan.ts';

type StackModule = typeof import('../../stack/stack.ts');
export type Service = 'kafka' | 'connect' | 'postgres' | 'mariadb';

const HELP_SECONDS = 1.5;
const SLOWNESS_MAX = 3;
const SERVERS = [
  { name: 'lab', kind: 'postgres' },
  { name: 'labm', kind: 'mariadb' },
] as const;
const SERVICE: Readonly<Record<Service, string>> = {
  kafka: 'kafka',
  connect: 'connect',
  postgres: 'postgres-lab',
  mariadb: 'mariadb-labm',
};

export class World {
  readonly code: Code;
  readonly servers: Servers;
  readonly folder: string;
  readonly node: string;
  readonly connectUrl: string;
  readonly #stack: StackModule;
  readonly #deployment: Readonly<Record<string, unknown>>;
  /** How many times longer than usual a command takes here: other work shares the machine. */
  slowness = 1;
  #runs = 0;

  private constructor(
    folder: string,
    code: Code,
    stack: StackModule,
    described: Awaited<ReturnType<StackModule['startStack']>>,
  ) {
    this.folder = folder;
    this.code = code;
    this.#stack = stack;
    this.node = path.join(code.folder, 'node_modules', '.bin', 'node');
    this.connectUrl = described.connect.url;
    const server = (name: string) => {
      const found = described.databases[name];
      if (found === undefined) throw new Error(`the stack has no ${name}`);
      return { host: found.host, port: found.port, user: found.adminUser, password: found.adminPassword };
    };
    this.servers = { postgres: server('lab'), mariadb: server('labm') };
    this.#deployment = {
      kafka: { bootstrapServers: described.kafka.bootstrapServers, partitions: 2, replicationFactor: 1 },
      registry: { url: described.registry.url },
      connect: { url: described.connect.url, secretsDirectory: described.secretsDirectory },
      processors: {},
      sinks: {},
    };
  }

  static async start(from: string | undefined): Promise<World> {
    const folder = await mkdtemp(path.join(tmpdir(), 'seam-stranger-'));
    const code = await copyCode(path.join(folder, 'project'), from);
    const stack = (await import(path.join(code.folder, 'stack', 'stack.ts'))) as StackModule;
    const described = await stack.startStack({
      stateDirectory: path.join(folder, 'stack'),
      databases: [...SERVERS],
      ownerPid: process.pid,
    });
    const world = new World(folder, code, stack, described);
    await world.#allowTwoPhases();
    return world;
  }

  /** As application servers with distributed transactions ask for it. */
  async #allowTwoPhases(): Promise<void> {
    const admin = await openSession('postgres', this.servers.postgres, 'postgres');
    await admin.run(`ALTER SYSTEM SET max_prepared_transactions = 20`).finally(() => admin.close());
    await this.restart('postgres');
  }

  /** Nobody may be connected while a database is copied: a short maintenance window. */
  async backup({ postgres }: Names): Promise<void> {
    await this.#withoutSessions(postgres, (admin) =>
      admin.run(`CREATE DATABASE ${postgres}_copy TEMPLATE ${postgres}`),
    );
  }

  async restore({ postgres }: Names): Promise<void> {
    await this.#withoutSessions(postgres, async (admin) => {
      await dropSlots(admin, postgres);
      await admin.run(`DROP DATABASE ${postgres} WITH (FORCE)`);
      await admin.run(`ALTER DATABASE ${postgres}_copy RENAME TO ${postgres}`);
    });
  }

  async #withoutSessions(database: string, work: (admin: Session) => Promise<void>): Promise<void> {
    const admin = await openSession('postgres', this.servers.postgres, 'postgres');
    try {
      await admin.run(`ALTER DATABASE ${database} ALLOW_CONNECTIONS false`);
      await endSessions(admin, database);
      await work(admin);
    } finally {
      await admin.run(`ALTER DATABASE ${database} ALLOW_CONNECTIONS true`).catch(() => {});
      await admin.close();
    }
  }

  /** Kafka Connect never forgets a connector's name, so each run of a plan has names of its own. */
  nextNames(): Names {
    this.#runs += 1;
    return { postgres: `p${this.#runs}`, mariadb: `m${this.#runs}` };
  }

  noteSlowness({ seconds, out }: { readonly seconds: number; readonly out: string }): string {
    this.slowness = Math.min(SLOWNESS_MAX, Math.max(1, seconds / HELP_SECONDS));
    return out;
  }

  async makeDatabases(names: Names): Promise<void> {
    const admin = await openSession('postgres', this.servers.postgres, 'postgres');
    await admin.run(`CREATE DATABASE ${names.postgres}`).finally(() => admin.close());
    const postgres = await openSession('postgres', this.servers.postgres, names.postgres);
    await postgres.run('CREATE SCHEMA app').finally(() => postgres.close());
    const mariadb = await openSession('mariadb', this.servers.mariadb, 'mysql');
    await mariadb.run(`CREATE DATABASE \`${names.mariadb}\` CHARACTER SET utf8mb4`).finally(() => mariadb.close());
  }

  async writeDeployment(names: Names): Promise<string> {
    const systems: Record<string, unknown> = {};
    for (const kind of ['postgres', 'mariadb'] as const satisfies readonly Kind[]) {
      const { host, port, user, password } = this.servers[kind];
      const passwordDirectory = path.join(this.folder, 'passwords', names[kind]);
      await mkdir(passwordDirectory, { recursive: true, mode: 0o700 });
      const secrets = {
        admin: password,
        capture: randomBytes(12).toString('hex'),
        sink: randomBytes(12).toString('hex'),
      };
      for (const [name, secret] of Object.entries(secrets))
        await writeFile(path.join(passwordDirectory, name), secret, { mode: 0o600 });
      systems[names[kind]] = { kind, host, port, database: names[kind], passwordDirectory, adminUser: user };
    }
    const file = path.join(this.folder, `${names.postgres}.json`);
    await writeFile(file, JSON.stringify({ ...this.#deployment, systems }, null, 2), { mode: 0o600 });
    return file;
  }

  async restart(service: Service, signal?: NodeJS.Signals): Promise<void> {
    await this.#stack.restartService(path.join(this.folder, 'stack'), SERVICE[service], signal);
  }

  /** What an operator who gives a system up would do; the next round must not meet anything of this one. */
  async clear(names: Names, teardown: Readonly<Record<Kind, string>>): Promise<void> {
    for (const system of Object.values(names))
      await fetch(`${this.connectUrl}/connectors/seam-${system}`, { method: 'DELETE' }).catch(() => {});
    const postgres = await openSession('postgres', this.servers.postgres, 'postgres');
    try {
      await dropSlots(postgres, names.postgres);
      await postgres.run(`DROP DATABASE IF EXISTS ${names.postgres}_copy WITH (FORCE)`);
      const inside = await openSession('postgres', this.servers.postgres, names.postgres);
      for (const [gid] of await inside.rows(`SELECT gid FROM pg_prepared_xacts WHERE database = current_database()`))
        await inside.run(`ROLLBACK PREPARED '${gid}'`);
      await inside
        .run(teardown.postgres.replaceAll(/^--.*$/gm, ''))
        .catch(() => {})
        .finally(() => inside.close());
      await postgres.run(`DROP DATABASE IF EXISTS ${names.postgres} WITH (FORCE)`);
    } finally {
      await postgres.close();
    }
    const mariadb = await openSession('mariadb', this.servers.mariadb, 'mysql');
    try {
      const statements = teardown.mariadb.replaceAll(/^-- .*$/gm, '').split('--;;');
      for (const id of await openTwoPhases(mariadb)) await mariadb.run(`XA ROLLBACK ${id}`).catch(() => {});
      for (const sql of [...statements, `DROP DATABASE IF EXISTS \`${names.mariadb}\``])
        await mariadb.run(sql).catch(() => {});
      for (const pin of ['time_zone = DEFAULT', `binlog_format = 'ROW'`, `binlog_row_image = 'FULL'`])
        await mariadb.run(`SET GLOBAL ${pin}`).catch(() => {});
    } finally {
      await mariadb.close();
    }
  }

  async stop(): Promise<void> {
    await this.#stack.stopStack({ stateDirectory: path.join(this.folder, 'stack'), removeData: true });
    await rm(this.folder, { recursive: true, force: true });
  }
}

/** Formats that the server prints for `XA ROLLBACK`. */
async function openTwoPhases(session: Session): Promise<string[]> {
  const rows = await session.rows(`XA RECOVER FORMAT = 'SQL'`);
  return rows.flatMap((row) => row.at(-1) ?? []);
}

/** Those that come back at once are ended too. */
async function endSessions(admin: Session, database: string): Promise<void> {
  const others = `FROM pg_stat_activity WHERE datname = '${database}'`;
  const deadlineMs = Date.now() + 10_000;
  while (Date.now() < deadlineMs && (await admin.rows(`SELECT 1 ${others}`)).length > 0) {
    await admin.rows(`SELECT pg_terminate_backend(pid) ${others}`);
    await pause(200);
  }
}

/** A connector that was just deleted lets go of its slot a moment later. */
async function dropSlots(session: Awaited<ReturnType<typeof openSession>>, database: string): Promise<void> {
  const deadlineMs = Date.now() + 30_000;
  while (Date.now() < deadlineMs) {
    await session.rows(
      `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '${database}' AND NOT active`,
    );
    if ((await session.rows(`SELECT 1 FROM pg_replication_slots WHERE database = '${database}'`)).length === 0) return;
    await pause(300);
  }
}
