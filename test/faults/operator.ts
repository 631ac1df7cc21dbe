/** What an operator does after a halt, where no command does it: kept in one place, to be replaced by commands. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { canonicalEnd } from '../../demo/day.ts';
import { openLogAdmin } from '../../ops/log.ts';
import { commandsOf, type FaultChain } from './chain.ts';
import { insist } from './patience.ts';
import { bufferOf, committedOf, moveGroup, readTopic, writeTopic } from './raw-log.ts';

const execute = promisify(execFile);
const CANONICALIZE = 'seam-canonicalize';

export type Typed = {
  /** Else its exit code says something that is looked for in what it prints. */
  readonly mustPass?: boolean;
  readonly killAfterMs?: number;
};

/** A command as an operator types it; answers with all that it printed. */
export async function seam(chain: FaultChain, args: readonly string[], typed: Typed = {}): Promise<string> {
  const program = path.resolve(import.meta.dirname, '..', '..', 'cli', 'main.ts');
  try {
    const { stdout, stderr } = await execute(
      process.execPath,
      [program, ...args, '--deployment', chain.deploymentFile],
      { timeout: typed.killAfterMs ?? 0, killSignal: 'SIGKILL' },
    );
    return `${stdout}${stderr}`;
  } catch (error) {
    if (typed.mustPass === true) throw error;
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    return `${stdout}${stderr}`;
  }
}

/**
 * The record is nobody's: those before it that wait with it are written again behind it, and reading goes on after it. The
 * processors stand still meanwhile.
 */
export async function stepOver(
  chain: FaultChain,
  topic: string,
  { partition, offset }: { partition: number; offset: bigint },
): Promise<void> {
  await chain.workers.halt('processors');
  const committed = await committedOf(chain, CANONICALIZE, topic);
  const startOf = (one: number, latest: bigint) => (one === partition ? (committed.get(one) ?? 0n) : latest);
  const waiting = (await readTopic(chain, topic, startOf))
    .filter((one) => one.partition === partition && one.record.offset < offset)
    .map(({ record }) => ({ partition, key: bufferOf(record.key), value: bufferOf(record.value) }));
  await writeTopic(chain, topic, waiting);
  await insist('the group is moved', () => moveGroup(chain, CANONICALIZE, topic, [{ partition, offset: offset + 1n }]));
  await chain.workers.start({ processors: commandsOf(chain).processors ?? [] });
}

export function processorsReason(chain: FaultChain): string {
  return chain.workers.views().find(({ name }) => name === 'processors')?.status?.reason ?? '';
}

export async function canonicalCount(chain: FaultChain): Promise<bigint> {
  const admin = await openLogAdmin(chain.direct);
  return canonicalEnd(admin).finally(() => admin.close());
}
