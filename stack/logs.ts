/** The log files of a stack, also of one that no longer runs. */
import { existsSync } from 'node:fs';
import { open, readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { ConfigError } from '../core/errors.ts';

const pollMs = 300;

export type LogOptions = {
  stateDirectory: string;
  /** Empty: all. */
  services: readonly string[];
  print: (line: string) => void;
};

type LogFile = { service: string; file: string };

export async function printLogs(options: LogOptions & { lines: number }): Promise<void> {
  const files = await logFiles(options);
  for (const { service, file } of files) {
    const all = (await readFile(file, 'utf8')).trimEnd().split('\n');
    for (const line of options.lines > 0 ? all.slice(-options.lines) : [])
      options.print(labelled(service, line, files));
  }
}

/** Goes on until the signal; a file that appears later is followed from its beginning. */
export async function followLogs(options: LogOptions & { signal: AbortSignal }): Promise<void> {
  const offsets = new Map<string, number>();
  for (const { file } of await logFiles(options)) offsets.set(file, (await stat(file)).size);
  while (!options.signal.aborted) {
    const files = await logFiles(options);
    for (const { service, file } of files) {
      const { text, offset } = await readFrom(file, offsets.get(file) ?? 0);
      offsets.set(file, offset);
      for (const line of text === '' ? [] : text.trimEnd().split('\n')) options.print(labelled(service, line, files));
    }
    await sleep(pollMs, undefined, { signal: options.signal });
  }
}

const labelled = (service: string, line: string, files: readonly LogFile[]): string =>
  files.length === 1 ? line : `${service} | ${line}`;

async function logFiles({ stateDirectory, services }: LogOptions): Promise<LogFile[]> {
  const folder = path.join(stateDirectory, 'logs');
  const names = existsSync(folder) ? await readdir(folder) : [];
  const known = names.filter((name) => name.endsWith('.log')).map((name) => name.slice(0, -'.log'.length));
  const unknown = services.filter((service) => !known.includes(service));
  if (unknown.length > 0 || known.length === 0) {
    throw new ConfigError({
      code: 'NO_SUCH_LOG',
      message: known.length === 0 ? 'there are no logs' : `no log of ${unknown.join(', ')}`,
      where: folder,
      hint: known.length === 0 ? 'seam stack up' : `there are: ${known.join(', ')}`,
    });
  }
  const wanted = services.length === 0 ? known : services;
  return wanted.map((service) => ({ service, file: path.join(folder, `${service}.log`) }));
}

/** Whole lines only: what is half written comes with the next call. */
async function readFrom(file: string, offset: number): Promise<{ text: string; offset: number }> {
  const handle = await open(file);
  try {
    const { size } = await handle.stat();
    if (size <= offset) return { text: '', offset: size };
    const { buffer } = await handle.read(Buffer.alloc(size - offset), 0, size - offset, offset);
    const end = buffer.lastIndexOf(0x0a) + 1;
    return { text: buffer.subarray(0, end).toString('utf8'), offset: offset + end };
  } finally {
    await handle.close();
  }
}
