/** The way down: in the reverse order of dependence, and only what the state file names. */
import { watchdogName } from './description.ts';
import type { StackProgress } from './events.ts';
import { settle } from './settle.ts';
import type { ProcessRecord, StateFile } from './state.ts';
import { stopProcess } from './supervisor.ts';

/** Nobody loses what it stands on while it still writes. */
export async function stopRecords(
  stateFile: StateFile,
  records: readonly ProcessRecord[],
  progress: StackProgress,
): Promise<void> {
  const later = ['connect', 'registry', watchdogName];
  const stages = [
    records.filter(({ name }) => name === watchdogName),
    records.filter(({ name }) => name === 'connect'),
    records.filter(({ name }) => name === 'registry'),
    records.filter(({ name }) => !later.includes(name)),
  ];
  for (const stage of stages) await settle(stage.map((record) => stopRecord(stateFile, record, progress)));
}

async function stopRecord(stateFile: StateFile, record: ProcessRecord, progress: StackProgress): Promise<void> {
  const { name } = record;
  if (record.pid === process.pid) return;
  const startedAtMs = Date.now();
  progress({ type: 'stopping', name });
  const killed = await stopProcess(stateFile, record);
  progress({ type: 'stopped', name, durationMs: Date.now() - startedAtMs, killed });
}
