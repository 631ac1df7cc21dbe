/**
 * Why: a stack that leaves a server behind, or loses one, makes every later test and demo lie. So it is interrupted and
 * killed here at the worst moments, and each time nothing may be left: no process, no open port.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findByEnvironment } from '../../stack/process-identity.ts';
import { readStack, restartService, type StackEvent, startStack, stopService, stopStack } from '../../stack/stack.ts';
import { StateFile } from '../../stack/state.ts';
import { serviceMark } from '../../stack/supervisor.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const databases = [
  { name: 'erp', kind: 'postgres' as const },
  { name: 'pos', kind: 'mariadb' as const },
];
let stateDirectory: string;
let children: ChildProcess[];

beforeEach(async () => {
  stateDirectory = await mkdtemp(path.join(tmpdir(), 'seam-lifecycle-'));
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await stopStack({ stateDirectory, removeData: true });
  await rm(stateDirectory, { recursive: true, force: true });
});

describe('seam stack', () => {
  it('starts, finds what runs, replaces what died, and leaves nothing', async () => {
    const up = await seam('up');
    expect(up.exitCode, up.output).toBe(0);
    const status = await seam('status', '--json');
    expect(status.exitCode).toBe(0);
    const first = JSON.parse(status.standardOutput);
    expect(Object.keys(first.databases).sort()).toEqual(['crm', 'erp', 'finance', 'logistics', 'pos', 'reporting']);
    expect(await allAnswer(portsOf(first))).toBe(true);

    const again = await seam('up');
    expect(again.output.match(/ runs /g)).toHaveLength(9);
    expect((await readStack(stateDirectory))?.processes).toEqual(first.processes);

    await stopService(stateDirectory, 'postgres-crm', 'SIGKILL');
    expect((await seam('status')).exitCode).toBe(1);
    expect((await seam('up')).exitCode).toBe(0);
    const healed = await readStack(stateDirectory);
    expect(healed?.databases).toEqual(first.databases);
    expect(processOf(healed, 'postgres-crm')).not.toEqual(processOf(first, 'postgres-crm'));
    expect(processOf(healed, 'kafka')).toEqual(processOf(first, 'kafka'));

    expect((await seam('down')).exitCode).toBe(0);
    expect((await seam('status')).exitCode).toBe(1);
    await expectNothingLeft(portsOf(first));
  });

  it('takes back what it has started when it is interrupted half-way', async () => {
    const up = startSeam('up');
    await untilStarted('mariadb-pos');
    up.child.kill('SIGINT');
    expect(await up.exitCode).toBe(130);
    await expectNothingLeft(Object.values(StateFile.read(stateDirectory)?.state.ports ?? {}));
  });

  it('is found and ended by down when its starter was killed half-way', async () => {
    const up = startSeam('up');
    await untilStarted('mariadb-pos');
    up.child.kill('SIGKILL');
    await up.exitCode;
    const ports = Object.values(StateFile.read(stateDirectory)?.state.ports ?? {});
    expect((await seam('down')).exitCode).toBe(0);
    await expectNothingLeft(ports);
  });
});

describe('startStack', () => {
  it('goes on from what a killed starter left', async () => {
    const up = startSeam('up');
    await untilStarted('mariadb-pos');
    up.child.kill('SIGKILL');
    await up.exitCode;
    const stack = await startStack({ stateDirectory, databases });
    expect(await allAnswer(portsOf(stack))).toBe(true);
  });

  it('keeps the data and the port of a server that crashed', async () => {
    const only = ['postgres-erp'];
    const stack = await startStack({ stateDirectory, databases, only });
    await inErp(stack, 'CREATE TABLE kept (id bigint PRIMARY KEY); INSERT INTO kept VALUES (1)');
    await restartService(stateDirectory, 'postgres-erp', 'SIGKILL');
    const after = await readStack(stateDirectory);
    expect(after?.databases).toEqual(stack.databases);
    expect(await inErp(stack, 'SELECT id FROM kept')).toEqual([{ id: '1' }]);
  });

  it('adds a system to a stack that runs', async () => {
    await startStack({ stateDirectory, databases: databases.slice(0, 1), only: ['postgres-erp'] });
    const events: StackEvent[] = [];
    const more = [...databases.slice(0, 1), { name: 'seventh', kind: 'postgres' as const }];
    const only = ['postgres-erp', 'postgres-seventh'];
    await startStack({ stateDirectory, databases: more, only, progress: (event) => events.push(event) });
    expect(events.filter(({ type }) => type === 'running')).toMatchObject([{ name: 'postgres-erp' }]);
    expect(events.filter(({ type }) => type === 'ready')).toMatchObject([{ name: 'postgres-seventh' }]);
  });

  it('refuses a database of another kind until its state is removed', async () => {
    const erp = (kind: 'postgres' | 'mariadb') => ({
      stateDirectory,
      databases: [{ name: 'erp', kind }],
      only: [`${kind}-erp`],
    });
    await startStack(erp('postgres'));
    await expect(startStack(erp('mariadb'))).rejects.toMatchObject({
      code: 'DATABASE_KIND_CHANGED',
      hint: 'use another --state-directory, or remove this one: seam stack down --remove-data --yes',
    });
    expect((await seam('down', '--remove-data', '--yes')).exitCode).toBe(0);
    expect(Object.keys((await startStack(erp('mariadb'))).databases)).toEqual(['erp']);
  });

  it('runs beside another one', async () => {
    const other = await mkdtemp(path.join(tmpdir(), 'seam-lifecycle-'));
    try {
      const only = ['postgres-erp'];
      const [one, two] = await Promise.all([
        startStack({ stateDirectory, databases, only }),
        startStack({ stateDirectory: other, databases, only }),
      ]);
      await inErp(one, 'CREATE TABLE of_one (id int)');
      await expect(inErp(two, 'SELECT * FROM of_one')).rejects.toThrow();
      await stopStack({ stateDirectory: other });
      expect(await inErp(one, 'SELECT * FROM of_one')).toEqual([]);
    } finally {
      await stopStack({ stateDirectory: other, removeData: true });
    }
  });

  it('goes with the process that owns it', async () => {
    const program = `
      import { startStack } from ${JSON.stringify(new URL('../../stack/stack.ts', import.meta.url).href)};
      await startStack({ stateDirectory: ${JSON.stringify(stateDirectory)}, databases: ${JSON.stringify(databases)},
        only: ['postgres-erp', 'mariadb-pos'], ownerPid: process.pid });
      process.stdout.write('up');
      setInterval(() => {}, 1000);`;
    const owner = spawn(process.execPath, ['--input-type=module', '-e', program], { cwd: root });
    children.push(owner);
    await new Promise((resolve) => owner.stdout.once('data', resolve));
    const stack = await readStack(stateDirectory);
    owner.kill('SIGKILL');
    await until(() => !existsSync(stateDirectory), 30_000);
    await until(() => findByEnvironment(serviceMark, stateDirectory).length === 0, 10_000);
    await expectNothingLeft(Object.values(stack?.databases ?? {}).map(({ port }) => port));
  });
});

type Outcome = { exitCode: number | null; output: string; standardOutput: string };

function startSeam(...args: string[]): { child: ChildProcess; exitCode: Promise<number | null>; texts: string[][] } {
  const command = [path.join(root, 'cli', 'main.ts'), 'stack', ...args, '--state-directory', stateDirectory];
  const child = spawn(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
  children.push(child);
  const texts: string[][] = [[], []];
  child.stdout?.on('data', (chunk) => texts[0]?.push(String(chunk)));
  child.stderr?.on('data', (chunk) => texts[1]?.push(String(chunk)));
  const exitCode = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, exitCode, texts };
}

async function seam(...args: string[]): Promise<Outcome> {
  const { exitCode, texts } = startSeam(...args);
  return { exitCode: await exitCode, output: texts.flat().join(''), standardOutput: texts[0]?.join('') ?? '' };
}

const untilStarted = (name: string): Promise<void> =>
  until(async () => {
    const text = await readFile(path.join(stateDirectory, 'state.json'), 'utf8').catch(() => '{}');
    return (JSON.parse(text).processes ?? []).some((process: { name: string }) => process.name === name);
  }, 120_000);

async function until(condition: () => boolean | Promise<boolean>, limitMs: number): Promise<void> {
  const deadline = Date.now() + limitMs;
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`not within ${limitMs} ms`);
    await sleep(50);
  }
}

type Described = { processes: { name: string; pid: number }[] } | null;
const processOf = (stack: Described, name: string) => stack?.processes.find((process) => process.name === name);

type Addresses = Pick<Awaited<ReturnType<typeof startStack>>, 'kafka' | 'connect' | 'registry' | 'databases'>;

function portsOf({ kafka, connect, registry, databases }: Addresses): number[] {
  const urls = [`http://${kafka.bootstrapServers}`, connect.url, registry.url];
  return [...urls.map((url) => Number(new URL(url).port)), ...Object.values(databases).map(({ port }) => port)];
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

const allAnswer = async (ports: number[]): Promise<boolean> => (await Promise.all(ports.map(answers))).every(Boolean);

async function expectNothingLeft(ports: number[]): Promise<void> {
  expect(findByEnvironment(serviceMark, stateDirectory)).toEqual([]);
  expect(await Promise.all(ports.map(answers))).toEqual(ports.map(() => false));
}

async function inErp(stack: Addresses, sql: string): Promise<unknown[]> {
  const client = new Client(stack.databases.erp?.adminUrl);
  await client.connect();
  try {
    return (await client.query(sql)).rows;
  } finally {
    await client.end();
  }
}
