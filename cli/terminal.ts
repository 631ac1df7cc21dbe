/** What a person sees: results on standard output, progress on standard error; a live line only where there is a terminal. */
import { createInterface } from 'node:readline/promises';
import type { WriteStream } from 'node:tty';
import colors from 'picocolors';
import { EXIT_CODES } from '../core/errors.ts';

const blockCells = 24;

export type Terminal = {
  /** A line that stays. */
  line(text: string): void;
  /** The one line at the bottom that is rewritten; without a terminal it is not shown at all. */
  live(text: string): void;
  /** Removes the live line. */
  close(): void;
  isLive: boolean;
};

export function openTerminal(stream: NodeJS.WriteStream = process.stderr): Terminal {
  const isLive = stream.isTTY === true && process.env.TERM !== 'dumb' && process.env.CI === undefined;
  let shown = '';
  const clear = () => {
    if (shown !== '') stream.write('\r\u001b[2K');
    shown = '';
  };
  return {
    isLive,
    line(text) {
      clear();
      stream.write(`${text}\n`);
    },
    live(text) {
      if (!isLive || text === shown) return;
      clear();
      shown = cut(text, (stream as WriteStream).columns ?? 80);
      stream.write(shown);
    },
    close: clear,
  };
}

/** One cell less than there is: a full line would wrap, and could not be taken back. */
function cut(text: string, columns: number): string {
  return text.length < columns ? text : `${text.slice(0, columns - 2)}…`;
}

export function bar(done: number, total: number): string {
  const filled = total === 0 ? blockCells : Math.floor((Math.min(done, total) / total) * blockCells);
  return `[${'█'.repeat(filled)}${'·'.repeat(blockCells - filled)}]`;
}

export const seconds = (durationMs: number): string => `${(durationMs / 1000).toFixed(1)} s`;

export const megabytes = (bytes: number): string => `${(bytes / 1_000_000).toFixed(0)} MB`;

/** Columns as wide as their widest cell; the last one is left as it is. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const text = (row: readonly string[]) =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0))).join('  ');
  return `${rows.map(text).join('\n')}\n`;
}

/** Colours obey NO_COLOR and are left out where there is no terminal. */
export const paint = colors.createColors(
  process.env.NO_COLOR === undefined && process.stderr.isTTY === true && process.env.TERM !== 'dumb',
);

/** A command that changes something has printed its plan by now: --yes, or a person who says so. Else exit code 5. */
export async function agreed(options: { readonly yes?: boolean }, question: string): Promise<boolean> {
  if (options.yes === true) return true;
  if (process.stdin.isTTY === true && process.stderr.isTTY === true) {
    const lines = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await lines.question(`${question} [y/N] `).finally(() => lines.close());
    if (/^y(es)?$/i.test(answer.trim())) return true;
  }
  process.stderr.write('nothing changed: pass --yes to apply this plan\n');
  process.exitCode = EXIT_CODES.refused;
  return false;
}

/**
 * Ctrl-C asks the work to stop and clean up; a second one leaves at once. The signal's reason is an `InterruptedError`,
 * for which the command line exits with 130.
 */
export async function interruptible<Result>(work: (signal: AbortSignal) => Promise<Result>): Promise<Result> {
  const controller = new AbortController();
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(130);
    controller.abort(new InterruptedError());
  };
  process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
  try {
    return await work(controller.signal);
  } catch (error) {
    throw controller.signal.aborted ? controller.signal.reason : error;
  } finally {
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
  }
}

export class InterruptedError extends Error {
  override readonly name = 'InterruptedError';
  constructor() {
    super('interrupted');
  }
}
