/** The parts of the local stack that need no server: what is fetched, how it is fetched, and who may be ended. */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import yauzl from 'yauzl';
import { stackProgress } from '../../cli/stack-progress.ts';
import { exitCodeOf, formatError } from '../../core/errors.ts';
import { ensureComponents } from '../../stack/artifacts.ts';
import { type ComponentName, components } from '../../stack/components.ts';
import { downloadArtifact } from '../../stack/download.ts';
import type { StackEvent } from '../../stack/events.ts';
import { withFileLock } from '../../stack/file-lock.ts';
import { findJava, parseJavaMajor } from '../../stack/java.ts';
import { type ArtifactLock, fingerprint, readArtifactLock } from '../../stack/lock.ts';
import { choosePorts } from '../../stack/ports.ts';
import { isAlive, startTokenOf } from '../../stack/process-identity.ts';
import { serviceManifestJar } from '../../stack/service-manifest.ts';
import { readStackSettings } from '../../stack/settings.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'seam-stack-test-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe('artifacts.lock.json', () => {
  const lock = readArtifactLock();

  it('pins every component by path, size and SHA-256', () => {
    expect(Object.keys(lock.components).sort()).toEqual(Object.keys(components).sort());
    for (const { artifacts } of Object.values(lock.components)) {
      expect(artifacts.length).toBeGreaterThan(0);
      for (const { path: file, sha256, sizeBytes } of artifacts) {
        expect(file).toMatch(/^[\w.-]+(\/[\w.-]+)+\.(jar|tar\.gz)$/);
        expect(sha256).toMatch(/^[0-9a-f]{64}$/);
        expect(sizeBytes).toBeGreaterThan(0);
      }
    }
  });

  it('was made for the versions that versions.json names', () => {
    for (const [name, component] of Object.entries(components)) {
      const paths = lock.components[name as ComponentName].artifacts.map((artifact) => artifact.path);
      for (const { group, artifact, version } of component.roots) {
        const wanted = `${group.replaceAll('.', '/')}/${artifact}/${version}/`;
        expect(paths.some((file) => file.startsWith(wanted))).toBe(true);
      }
    }
  });

  it('gives every component one version of each library', () => {
    for (const { artifacts } of Object.values(lock.components)) {
      const libraries = artifacts.map((artifact) => artifact.path.split('/').slice(0, -2).join('/'));
      expect(new Set(libraries).size).toBe(libraries.length);
    }
  });
});

describe('fetching', () => {
  const body = Buffer.alloc(300_000, 'seam');
  const artifact = {
    path: 'org/example/thing/1/thing-1.jar',
    sha256: createHash('sha256').update(body).digest('hex'),
    sizeBytes: body.length,
  };
  let server: Server;
  let baseUrl: string;
  let ranges: (string | undefined)[];
  /** How a request is answered; by default in full, or from where it asks. */
  let breakOffAfter: number | undefined;
  let served: Buffer;
  let supportsRanges: boolean;

  beforeEach(async () => {
    [ranges, breakOffAfter, served, supportsRanges] = [[], undefined, body, true];
    server = createServer((request, response) => {
      const { range } = request.headers;
      ranges.push(range);
      const from = supportsRanges && range !== undefined ? Number(/\d+/.exec(range)?.[0]) : 0;
      response.writeHead(from > 0 ? 206 : 200, { 'content-length': served.length - from });
      if (breakOffAfter === undefined) return response.end(served.subarray(from));
      response.write(served.subarray(from, breakOffAfter), () => setTimeout(() => response.destroy(), 50));
      breakOffAfter = undefined;
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterEach(() => new Promise((resolve) => server.close(resolve)));

  const fetchTo = (file: string, onBytes: (bytes: number) => void = () => {}) =>
    downloadArtifact({ baseUrl, artifact, file, onBytes });

  it('goes on where a broken connection stopped', async () => {
    breakOffAfter = 100_000;
    const file = path.join(folder, 'thing.jar');
    const progress: number[] = [];
    await fetchTo(file, (bytes) => progress.push(bytes));
    expect(await readFile(file)).toEqual(body);
    expect(ranges).toEqual([undefined, 'bytes=100000-']);
    expect(progress.at(-1)).toBe(body.length);
  });

  it('goes on where an earlier run stopped', async () => {
    const file = path.join(folder, 'thing.jar');
    await writeFile(`${file}.part`, body.subarray(0, 250_000));
    await fetchTo(file);
    expect(await readFile(file)).toEqual(body);
    expect(ranges).toEqual(['bytes=250000-']);
  });

  it('starts again where the repository knows no ranges', async () => {
    supportsRanges = false;
    const file = path.join(folder, 'thing.jar');
    await writeFile(`${file}.part`, Buffer.alloc(1_000, 'x'));
    await fetchTo(file);
    expect(await readFile(file)).toEqual(body);
  });

  it('fetches a spoiled part again, from its start', async () => {
    const file = path.join(folder, 'thing.jar');
    await writeFile(`${file}.part`, Buffer.alloc(250_000, 'x'));
    await fetchTo(file);
    expect(await readFile(file)).toEqual(body);
  });

  it('refuses bytes that do not match the lock', async () => {
    served = Buffer.alloc(body.length, 'evil');
    const file = path.join(folder, 'thing.jar');
    await expect(fetchTo(file)).rejects.toMatchObject({ code: 'ARTIFACT_CORRUPT' });
    await expect(stat(file)).rejects.toThrow();
  });

  it('asks nothing of the network when the file is there', async () => {
    const file = path.join(folder, 'thing.jar');
    await writeFile(file, body);
    await fetchTo(file);
    expect(ranges).toEqual([]);
  });

  it('fills the cache once, also when two start at the same time', async () => {
    const settings = { ...readStackSettings({ SEAM_CACHE: folder }), mavenUrl: baseUrl };
    const lock = { components: { kafka: { kind: 'jars', artifacts: [artifact] } } } as unknown as ArtifactLock;
    const events: StackEvent[] = [];
    const fill = () => ensureComponents(['kafka'], { settings, lock, progress: (event) => events.push(event) });
    const [first, second] = await Promise.all([fill(), fill()]);
    expect(first).toEqual(second);
    expect(await readFile(path.join(first.get('kafka') as string, 'jars', 'thing-1.jar'))).toEqual(body);
    expect(ranges).toHaveLength(1);
    expect(events.filter(({ type }) => type === 'unpacked')).toHaveLength(1);
  });

  it('names the mirror setting when the repository is away', async () => {
    const closed = { baseUrl: 'http://127.0.0.1:1', artifact, file: path.join(folder, 'x'), onBytes: () => {} };
    const error = await downloadArtifact(closed).catch((reason: unknown) => reason);
    expect(formatError(error)).toMatch(/where: http:\/\/127\.0\.0\.1:1\/org\/example[\s\S]*hint: .*SEAM_MAVEN_URL/);
    expect(exitCodeOf(error)).toBe(6);
  }, 30_000);
});

describe('Java', () => {
  it.each([
    ['openjdk version "17.0.15" 2025-04-15', 17],
    ['openjdk version "21" 2023-09-19', 21],
    ['openjdk version "25-ea" 2025-09-16', 25],
    ['java version "1.8.0_392"', 8],
    ['something else', null],
  ])('%s is %s', (text, major) => {
    expect(parseJavaMajor(text)).toBe(major);
  });

  it('missing is one clear error of three lines, with exit code 2', async () => {
    const settings = { javaHome: folder, baseEnvironment: {} };
    const error = await findJava(settings).catch((reason: unknown) => reason);
    expect(formatError(error).split('\n')).toEqual([
      'no Java found: the stack needs a JDK or JRE 17 or newer [JAVA_MISSING]',
      `  where: JAVA_HOME=${folder}`,
      expect.stringMatching(/^ {2}hint: {2}(apt-get|brew|winget) install /),
    ]);
    expect(exitCodeOf(error)).toBe(2);
  });
});

describe('processes', () => {
  it('are told apart from later ones with the same id by their start', async () => {
    const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
    const pid = child.pid as number;
    const startToken = (await startTokenOf(pid)) as string;
    expect(await isAlive({ pid, startToken })).toBe(true);
    expect(await isAlive({ pid, startToken: 'another start' })).toBe(false);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill('SIGKILL');
    await ended;
    expect(await isAlive({ pid, startToken })).toBe(false);
  });

  it('release a file lock when they are killed', async () => {
    const file = path.join(folder, 'lock');
    const program = `
      import { withFileLock } from ${JSON.stringify(new URL('../../stack/file-lock.ts', import.meta.url).href)};
      await withFileLock(${JSON.stringify(file)}, { waitMsMax: 0 }, async () => {
        process.stdout.write('held');
        await new Promise((resolve) => setTimeout(resolve, 60_000));
      });`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program]);
    await new Promise((resolve) => child.stdout.once('data', resolve));
    const take = (waitMsMax: number) => withFileLock(file, { waitMsMax }, async () => 'mine');
    await expect(take(0)).rejects.toMatchObject({ code: 'STACK_BUSY' });
    const waiting = take(10_000);
    child.kill('SIGKILL');
    expect(await waiting).toBe('mine');
    await sleep(1);
  });
});

describe('ports', () => {
  it('stay the same while they are free, and all differ', async () => {
    const first = await choosePorts(['a', 'b', 'c'], {});
    expect(new Set(Object.values(first)).size).toBe(3);
    expect(await choosePorts(['a', 'b', 'c'], first)).toEqual(first);
  });

  it('give way to somebody else', async () => {
    const { a: taken } = await choosePorts(['a'], {});
    const other = createServer().listen(taken, '127.0.0.1');
    await new Promise((resolve) => other.once('listening', resolve));
    expect((await choosePorts(['a'], { a: taken as number })).a).not.toBe(taken);
    await new Promise((resolve) => other.close(resolve));
  });
});

describe('progress', () => {
  const shown = (isLive: boolean) => {
    const lines: string[] = [];
    const live: string[] = [];
    const progress = stackProgress({
      isLive,
      line: (text) => void lines.push(text),
      live: (text) => void (isLive && live.push(text)),
      close: () => {},
    });
    return { lines, live, progress };
  };
  const download = (receivedBytes: number): StackEvent => {
    const counts = { filesDone: 1, filesTotal: 2 };
    return { type: 'download', name: 'artifacts', receivedBytes, totalBytes: 100_000_000, ...counts };
  };

  it('is one line per event without a terminal, and one per five seconds for downloads', () => {
    vi.useFakeTimers();
    const { lines, progress } = shown(false);
    for (let megabytes = 0; megabytes < 60; megabytes++) {
      progress(download(megabytes * 1_000_000));
      vi.advanceTimersByTime(200);
    }
    progress({ type: 'starting', name: 'kafka' });
    progress({ type: 'ready', name: 'kafka', durationMs: 2_345, address: '127.0.0.1:20001' });
    vi.useRealTimers();
    expect(lines).toEqual([
      '  fetching [██████··················] 25 MB of 100 MB, 1 of 2 files',
      '  fetching [████████████············] 50 MB of 100 MB, 1 of 2 files',
      '  kafka starting',
      expect.stringContaining('kafka ready in 2.3 s'),
    ]);
  });

  it('is a live line on a terminal, which shows what is awaited', () => {
    const { lines, live, progress } = shown(true);
    progress({ type: 'starting', name: 'kafka' });
    progress({ type: 'starting', name: 'connect' });
    progress({ type: 'ready', name: 'kafka', durationMs: 1_000, address: '127.0.0.1:20001' });
    expect(lines).toHaveLength(1);
    expect(live.at(-1)).toBe('  waiting for connect 0 s');
  });
});

describe('the service manifest', () => {
  it('is a zip file that others can read', async () => {
    const zip = await yauzl.fromBufferPromise(
      serviceManifestJar({ 'a.Service': ['x.One', 'x.Two'], 'b.Other': ['y'] }),
    );
    const contents: Record<string, string> = {};
    for await (const entry of zip.eachEntry()) {
      const chunks = await (await zip.openReadStreamPromise(entry)).toArray();
      contents[entry.fileName] = Buffer.concat(chunks).toString();
    }
    expect(contents).toEqual({
      'META-INF/services/a.Service': 'x.One\nx.Two\n',
      'META-INF/services/b.Other': 'y\n',
    });
  });

  it('changes the fingerprint of its component', () => {
    const component = readArtifactLock().components['avro-converter'];
    expect(fingerprint(component, { a: ['b'] })).not.toBe(fingerprint(component));
    expect(fingerprint(component, {}, 'class A {}')).not.toBe(fingerprint(component, {}, 'class B {}'));
  });
});
