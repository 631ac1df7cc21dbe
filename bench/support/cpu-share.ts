/**
 * Holds a process to a share of a core, as a container's limit does: so many of them can work at once that the machine's own
 * cores aren't what stops them. Linux only, with the right to make control groups (root, mostly).
 */
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import path from 'node:path';

/** Short, so that a process is never stopped for longer than a batch takes. */
const PERIOD_US = 10_000;

type Hierarchy = {
  readonly directory: string;
  readonly limit: (group: string, quotaUs: number) => Promise<void>;
};

export type HeldShare = {
  /** Back among the others; its group is gone after it. */
  release(): Promise<void>;
};

/** Throws where the system doesn't let it. */
export async function holdToShare(pid: number, cores: number): Promise<HeldShare> {
  const { directory, limit } = await hierarchyOf(await readFile('/proc/mounts', 'utf8'));
  const group = path.join(directory, `seam-bench-${pid}`);
  await mkdir(group);
  const join = (into: string) => writeFile(path.join(into, 'cgroup.procs'), String(pid));
  const release = async () => {
    // one that has ended is in no group any more
    await join(directory).catch(() => undefined);
    await rmdir(group);
  };
  try {
    await limit(group, Math.round(cores * PERIOD_US));
    await join(group);
  } catch (error) {
    await release();
    throw error;
  }
  return { release };
}

/** Version 1 has one for processor time; in version 2 it is part of the only one. */
async function hierarchyOf(mounts: string): Promise<Hierarchy> {
  for (const line of mounts.split('\n')) {
    const [, directory = '', type, options = ''] = line.split(' ');
    if (type === 'cgroup' && options.split(',').includes('cpu')) return { directory, limit: limitOfVersion1 };
    if (type !== 'cgroup2') continue;
    const controllers = await readFile(path.join(directory, 'cgroup.subtree_control'), 'utf8');
    if (controllers.split(/\s/).includes('cpu')) return { directory, limit: limitOfVersion2 };
  }
  throw new Error('no control group for processor time is mounted here');
}

async function limitOfVersion1(group: string, quotaUs: number): Promise<void> {
  await writeFile(path.join(group, 'cpu.cfs_period_us'), String(PERIOD_US));
  await writeFile(path.join(group, 'cpu.cfs_quota_us'), String(quotaUs));
}

async function limitOfVersion2(group: string, quotaUs: number): Promise<void> {
  await writeFile(path.join(group, 'cpu.max'), `${quotaUs} ${PERIOD_US}`);
}
