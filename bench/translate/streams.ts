/** The Kafka Streams program: compiled when it is needed, one virtual machine for all rounds. */
import { execFile, spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { findJava } from '../../stack/java.ts';
import { javaOptions } from '../../stack/services/kafka.ts';
import { jarsFolder } from '../../stack/unpack.ts';
import { componentDirectories } from '../support/peer-connect.ts';
import type { Servers } from '../support/servers.ts';
import { until } from '../support/until.ts';
import { onCore } from '../support/worker-process.ts';

export type StreamsProgram = {
  readonly pid: number;
  start(order: { applicationId: string; input: string; output: string; tuned: boolean }): void;
  /** Throws what the program said went wrong. */
  check(): void;
  release(): Promise<void>;
  stop(): Promise<void>;
};

const LIMIT_MS = 120_000;
const HEAP = '512m';

export async function startStreams(
  servers: Servers,
  { canonicalId, core, signal }: { canonicalId: number; core: number; signal: AbortSignal },
): Promise<StreamsProgram> {
  const { settings, stack } = servers;
  const jars = (await componentDirectories(['kafka-streams'], settings)).get('kafka-streams') as string;
  const folder = path.join(stack.stateDirectory, 'streams');
  const classes = path.join(folder, 'classes');
  await mkdir(classes, { recursive: true });
  const classPath = path.join(jars, jarsFolder, '*');
  const java = (await findJava(settings)).file;
  const javac = path.join(path.dirname(java), path.basename(java).replace('java', 'javac'));
  const source = path.join(import.meta.dirname, 'translate-streams.java');
  await promisify(execFile)(javac, ['-cp', classPath, '-d', classes, source], { env: settings.baseEnvironment });
  const options = [...javaOptions(HEAP, folder, 'sustained'), '-cp', `${classes}${path.delimiter}${classPath}`];
  const args = [stack.kafka.bootstrapServers, stack.registry.url, path.join(folder, 'state'), String(canonicalId)];
  const [file = '', ...rest] = onCore(core, [java, ...options, 'TranslateStreams', ...args]);
  const child = spawn(file, rest, { stdio: ['pipe', 'pipe', 'inherit'], env: settings.baseEnvironment });
  let said = '';
  let failure: string | undefined;
  createInterface({ input: child.stdout }).on('line', (line) => {
    said = line;
    if (line.startsWith('failed')) failure = line;
  });
  const check = () => {
    if (failure !== undefined) throw new Error(`Kafka Streams ${failure}`);
    if (child.exitCode !== null) throw new Error(`Kafka Streams ended with ${child.exitCode}`);
  };
  const hasSaid = (word: string) => {
    check();
    return said === word ? true : undefined;
  };
  const heard = (word: string) =>
    until(() => hasSaid(word), `Kafka Streams says ${word}`, { limitMs: LIMIT_MS, signal });
  await heard('ready');
  return {
    pid: child.pid ?? Number.NaN,
    check,
    start({ applicationId, input, output, tuned }) {
      child.stdin.write(`start ${applicationId} ${input} ${output} ${tuned ? 'tuned' : 'default'}\n`);
    },
    async release() {
      child.stdin.write('stop\n');
      await heard('stopped');
    },
    async stop() {
      if (child.exitCode !== null) return;
      const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
      child.stdin.end();
      const timer = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
      await ended;
      clearTimeout(timer);
    },
  };
}
