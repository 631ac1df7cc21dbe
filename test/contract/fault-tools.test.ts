/** The tools of the fault rows are themselves tried: a fault that only seems to happen makes every row pass. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { trendsOf } from '../soak/samples.ts';
import { choosePorts } from '../../stack/ports.ts';
import { ordered } from '../faults/harness.ts';
import { Link } from '../faults/link.ts';
import { rows } from '../faults/rows/index.ts';
import { until } from '../support/kafka.ts';

describe('a link', () => {
  let upstream: Server;
  let link: Link;
  let client: Socket;
  let answers = '';

  beforeEach(async () => {
    const ports = await choosePorts(['upstream', 'link'], {});
    upstream = createServer((socket) => {
      socket.on('data', (bytes) => socket.write(bytes)).on('error', () => {});
    }).listen(ports.upstream, '127.0.0.1');
    await once(upstream, 'listening');
    link = new Link('test', ports.link as number, ports.upstream as number, 1);
    await link.listen();
    client = await dial();
    answers = '';
    client.on('data', (bytes) => {
      answers += bytes.toString('utf8');
    });
  });

  afterEach(async () => {
    client.destroy();
    await link.close();
    upstream.close();
  });

  const dial = async (): Promise<Socket> => {
    const socket = connect(link.port, '127.0.0.1');
    socket.on('error', () => {});
    await once(socket, 'connect');
    return socket;
  };

  test('passes on what is sent', async () => {
    client.write('a');
    await until(() => answers === 'a', 'the echo');
    expect(link.hindered).toBe(0);
  });

  test('a silent cut tells nobody, and what was sent arrives after it', async () => {
    client.write('a');
    await until(() => answers === 'a', 'the echo');
    link.cut('silent');
    client.write('b');
    await until(() => link.hindered > 0, 'a piece held up');
    expect(answers).toBe('a');
    expect(client.destroyed).toBe(false);
    link.heal();
    await until(() => answers === 'ab', 'what was held up');
  });

  test('a reset breaks connections and refuses new ones', async () => {
    client.write('a');
    await until(() => answers === 'a', 'the echo');
    link.cut('reset');
    await until(() => client.destroyed, 'the end of the first connection');
    const second = connect(link.port, '127.0.0.1');
    second.on('error', () => {});
    await until(() => second.destroyed, 'the end of the second connection');
    expect(link.hindered).toBe(1);
  });

  test('a delay is as long as it says, in both directions', async () => {
    link.shape({ delayMs: 80, jitterMs: 0, bytesPerSecond: null, lossShare: 0, lossCorrelation: 0 });
    const startedMs = performance.now();
    client.write('a');
    await until(() => answers === 'a', 'the echo');
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(159);
    expect(link.hindered).toBe(2);
  });

  test('a narrow link keeps order and contents', async () => {
    link.shape({ delayMs: 0, jitterMs: 0, bytesPerSecond: 200_000, lossShare: 0, lossCorrelation: 0 });
    const text = Array.from({ length: 5_000 }, (_, index) => `${index},`).join('');
    const startedMs = performance.now();
    client.write(text);
    await until(() => answers.length === text.length, 'all of it');
    expect(answers).toBe(text);
    expect(performance.now() - startedMs).toBeGreaterThan((text.length / 200_000) * 1000 * 0.9);
  });
});

describe('crash points', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'seam-crash-'));
  });
  afterEach(() => rm(folder, { recursive: true, force: true }));

  const worker = async (order: string): Promise<{ signal: string | null; lines: string[]; fired: string }> => {
    const file = path.join(folder, 'worker');
    await writeFile(file, order);
    const program = `
      import { CrashPoints } from ${JSON.stringify(path.resolve('ops/run/crash-points.ts'))};
      const crash = new CrashPoints(${JSON.stringify(file)});
      for (let turn = 1; turn <= 3; turn += 1) {
        for (const point of ['before-lock', 'before-commit', 'after-commit']) {
          crash.at(point);
          process.stdout.write(turn + point + '\\n');
        }
        await new Promise((resolve) => setTimeout(resolve, 200));
      }`;
    const child = spawn(process.execPath, ['--input-type=module', '--eval', program]);
    let text = '';
    child.stdout.on('data', (bytes) => {
      text += bytes;
    });
    const [, signal] = (await once(child, 'close')) as [number | null, string | null];
    const fired = await readFile(`${file}.fired`, 'utf8').catch(() => '');
    return { signal, lines: text.split('\n').filter((line) => line !== ''), fired };
  };

  test('the process dies at the point and the hit that were ordered', async () => {
    const { signal, lines, fired } = await worker('before-commit:2');
    expect(signal).toBe('SIGKILL');
    expect(lines.at(-1)).toBe('2before-lock');
    expect(fired).toMatch(/^before-commit:2 in process \d+\n$/);
  });

  test('with COMMIT sent it dies after that turn and before the next', async () => {
    const { signal, lines } = await worker('commit-sent:1');
    expect(signal).toBe('SIGKILL');
    expect(lines.at(-1)).toBe('1after-commit');
  });

  test('standing still is no end', async () => {
    const startedMs = performance.now();
    const { signal, lines } = await worker('after-commit:1 block 300');
    expect(signal).toBeNull();
    expect(lines).toHaveLength(9);
    expect(performance.now() - startedMs).toBeGreaterThan(300);
  });

  test('a point that nobody knows lets it live', async () => {
    const { signal, fired } = await worker('never:1');
    expect(signal).toBeNull();
    expect(fired).toBe('');
  });
});

test('every row of the matrix is there, and says what it does and how that is proved', () => {
  expect(rows.map(({ id }) => id)).toEqual(Array.from({ length: 24 }, (_, index) => `F${index + 1}`));
  for (const { id, title, does, proof } of rows) for (const text of [title, does, proof]) expect(text, id).not.toBe('');
});

test('rows come in the same order for the same seed, and lasting ones last', () => {
  const ids = (seed: number) => ordered(rows, seed).map(({ id }) => id);
  expect(ids(5)).toEqual(ids(5));
  expect(ids(5)).not.toEqual(ids(6));
  const isLasting = ordered(rows, 5).map((row) => row.isLasting === true);
  expect(isLasting).toEqual([...isLasting].sort());
});

test('a trend is the slope of the process that lives, not of the one before it', () => {
  const sample = (minute: number, pid: number, rssMb: number) => ({
    atMs: minute * 60_000,
    processes: { worker: { pid, rssMb, files: 10, threads: 1 } },
    lagRecords: 0,
    waiting: 0,
    slotMb: 0,
    topicsMb: 0,
    canonicalRecords: 0,
  });
  const samples = [sample(0, 1, 500), sample(1, 2, 100), sample(2, 2, 103), sample(3, 2, 106)];
  expect(trendsOf(samples, 0)).toMatchObject([
    { name: 'worker', samples: 3, firstMb: 100, lastMb: 106, mbPerMinute: 3 },
  ]);
});
