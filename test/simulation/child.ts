/** The simulation runs in a process of its own: production code is loaded afresh, whole or with a deliberate bug. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('main.ts', import.meta.url));

export function runSimulation(options: readonly string[]): Promise<{ output: string; exitCode: number | null }> {
  const child = spawn(process.execPath, ['--max-semi-space-size=32', MAIN, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (exitCode) => resolve({ output, exitCode }));
  });
}
