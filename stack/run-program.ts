/** Runs one program to its end (initdb, a bootstrap, a format), with text on its standard input. */
import { spawn } from 'node:child_process';
import { TransientError } from '../core/errors.ts';

export type RunOptions = {
  cwd: string;
  env: Record<string, string>;
  uid?: number;
  gid?: number;
  input?: string;
};

const keptOutputMax = 8_000;

export async function runProgram(file: string, args: readonly string[], options: RunOptions): Promise<void> {
  const { input, ...spawnOptions } = options;
  let output = '';
  const keep = (chunk: Buffer) => {
    output = (output + chunk.toString()).slice(-keptOutputMax);
  };
  const exitCode = await new Promise<number | string | null>((resolve) => {
    const child = spawn(file, args, { ...spawnOptions, stdio: 'pipe', windowsHide: true });
    child.stdout.on('data', keep);
    child.stderr.on('data', keep);
    child.stdin.on('error', () => {});
    child.on('error', (error) => resolve(error.message));
    child.on('close', (code, signal) => resolve(code ?? signal));
    child.stdin.end(input ?? '');
  });
  if (exitCode === 0) return;
  throw new TransientError({
    code: 'PROGRAM_FAILED',
    message: `a program that prepares the stack failed: ${exitCode}`,
    where: [file, ...args].join(' '),
    hint: `its last words: ${output.trim().split('\n').slice(-3).join(' / ') || 'none'}`,
  });
}
