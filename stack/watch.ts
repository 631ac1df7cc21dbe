/** Starts the watchdog of a stack that belongs to a process: when the owner dies, by whatever cause, the stack goes too. */
import { fileURLToPath } from 'node:url';
import { ConfigError } from '../core/errors.ts';
import { watchdogName } from './description.ts';
import { startTokenOf } from './process-identity.ts';
import type { StackSettings } from './settings.ts';
import type { StateFile } from './state.ts';
import { spawnService } from './supervisor.ts';

export async function startWatchdog(stateFile: StateFile, ownerPid: number, settings: StackSettings): Promise<void> {
  const startToken = await startTokenOf(ownerPid);
  if (startToken === null) {
    throw new ConfigError({
      code: 'NO_SUCH_OWNER',
      message: `the owner of the stack does not run: process ${ownerPid}`,
    });
  }
  const program = fileURLToPath(new URL('./watchdog.ts', import.meta.url));
  await spawnService(stateFile, {
    name: watchdogName,
    file: process.execPath,
    args: [program, stateFile.stateDirectory, String(ownerPid), startToken],
    env: settings.baseEnvironment,
    cwd: stateFile.stateDirectory,
    stopSignal: 'SIGTERM',
    stopLimitMs: 5_000,
  });
}
