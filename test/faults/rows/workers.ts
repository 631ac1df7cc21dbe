/** Workers that die, hang or are pushed about. */
import { readFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { Row } from '../row.ts';
import { WORKER_LIMIT_MS } from '../row.ts';
import { isGone } from '../crash.ts';
import { rowsOf, type Target } from '../audit.ts';
import { awaits } from '../patience.ts';
import { openLog } from '../../../ops/log.ts';
import { createLogger } from '../../../adapters/logger.ts';
import type { FaultChain } from '../chain.ts';

const TARGETS: readonly Target[] = ['erp', 'crm', 'pos', 'reporting'];
/** How long an event loop stands still: well beyond a worker's session of 8 s. */
const BLOCK_MS = 20_000;
const TAKEOVER_LIMIT_MS = 90_000;

async function ownersOf(chain: FaultChain, target: Target): Promise<Map<string, { epoch: number; owner: string }>> {
  const rows = await rowsOf<{ place: string; epoch: string; owner: string }>(
    chain.sessions,
    target,
    `SELECT concat(topic, '/', ${target === 'pos' ? '`partition`' : 'partition'}) AS place, epoch, owner FROM seam.sink_offset`,
  );
  return new Map(rows.map(({ place, epoch, owner }) => [place, { epoch: Number(epoch), owner }]));
}

function pidOf(chain: FaultChain, worker: string): number {
  const pid = chain.workers.views().find(({ name }) => name === worker)?.pid;
  if (pid == null) throw new Error(`${worker} does not run`);
  return pid;
}

const sinkKilled: Row = {
  id: 'F1',
  title: 'sink killed between two steps of its transaction',
  does: 'SIGKILL of a sink after its rows, before the offset; with COMMIT sent and unanswered; and right after it.',
  proof: 'the worker wrote down the point before it died, and its process is gone',
  recoversWithinMs: WORKER_LIMIT_MS,
  isShort: true,
  async run(context) {
    for (const point of ['after-rows', 'commit-sent', 'after-commit']) {
      const target = context.random.pick(TARGETS);
      const fired = await context.crashAt(`sink-${target}`, `${point}:${1 + context.random.below(3)}`);
      await awaits(`process ${fired.pid} is gone`, 5_000, () => isGone(fired.pid));
      context.prove(`sink-${target} died at ${fired.order}, process ${fired.pid} is gone`);
      await context.flows();
    }
  },
};

const processorKilled: Row = {
  id: 'F2',
  isShort: true,
  leavesTransactions: true,
  title: 'processors killed within their transaction',
  does: 'SIGKILL of the processors before they produce, between produce and commit, and after the commit.',
  proof: 'the worker wrote down the point before it died, and its process is gone',
  recoversWithinMs: WORKER_LIMIT_MS,
  async run(context) {
    for (const point of ['before-commit', 'before-produce', 'after-commit']) {
      const fired = await context.crashAt('processors', `${point}:${1 + context.random.below(3)}`);
      await awaits(`process ${fired.pid} is gone`, 5_000, () => isGone(fired.pid));
      context.prove(`processors died at ${fired.order}, process ${fired.pid} is gone`);
      await context.flows();
    }
  },
};

const zombieSink: Row = {
  id: 'F6',
  title: 'sink frozen beyond its session, then back',
  does: 'SIGSTOP for longer than the session while another worker takes over, then SIGCONT; then an event loop that stands still before its transaction.',
  proof:
    'the leases name another owner under a higher epoch while the old one is frozen; after its return none of its writes landed',
  recoversWithinMs: WORKER_LIMIT_MS,
  async run(context) {
    const { chain, random } = context;
    const target = random.pick(TARGETS);
    const worker = `sink-${target}`;
    const others = chain.moreWorkers();
    try {
      await others.start({ [worker]: ['sink', target] });
      for (const kind of ['stopped', 'blocked']) {
        const pid = pidOf(chain, worker);
        const before = await awaitsOwnership(chain, target, pid);
        const thaw = await freeze(kind, { pid, worker }, context);
        try {
          const tookMs = await awaits(`another worker owns what process ${pid} had`, TAKEOVER_LIMIT_MS, async () => {
            const now = await ownersOf(chain, target);
            return before.every((place) => !(now.get(place)?.owner ?? '').endsWith(`-${pid}`));
          });
          context.prove(
            `${worker} ${kind}: its ${before.length} partitions went to another worker after ${Math.round(tookMs)} ms`,
          );
        } finally {
          await thaw();
        }
        await context.flows();
      }
    } finally {
      await others.stop();
    }
  },
};

/** Partitions that the process owns now, at least one. */
async function awaitsOwnership(chain: FaultChain, target: Target, pid: number): Promise<string[]> {
  let places: string[] = [];
  await awaits(`process ${pid} owns partitions of ${target}`, 60_000, async () => {
    const owners = await ownersOf(chain, target);
    places = [...owners].filter(([, { owner }]) => owner.endsWith(`-${pid}`)).map(([place]) => place);
    return places.length > 0;
  });
  return places;
}

async function freeze(
  kind: string,
  { pid, worker }: { pid: number; worker: string },
  context: Parameters<Row['run']>[0],
): Promise<() => Promise<void>> {
  if (kind === 'blocked') {
    await context.crashAt(worker, `before-lock:1 block ${BLOCK_MS}`);
    const endMs = performance.now() + BLOCK_MS;
    // the cause lasts as long as it was told to
    return () => pause(Math.max(0, endMs - performance.now()));
  }
  process.kill(pid, 'SIGSTOP');
  return async () => {
    process.kill(pid, 'SIGCONT');
  };
}

const hijack: Row = {
  id: 'F7',
  isShort: true,
  leavesTransactions: true,
  title: 'a second process takes the transactional id',
  does: 'Another producer opens the transactional id of a processor task while the task works, then tries to commit after the task has come back.',
  proof: 'the late commit of the second producer is refused, and nothing of it can be read',
  recoversWithinMs: 30_000,
  async run(context) {
    const { chain } = context;
    const log = openLog(chain.direct, 'faults-hijack', createLogger('error'));
    for (const id of ['seam-canonicalize-0', 'seam-flow-1']) {
      const hijacker = log.writer(id);
      await hijacker.open();
      // the rightful task finds itself fenced, leaves its group, comes back and fences in turn
      await context.flows();
      const work = { records: [forged(id)], groupId: 'faults-hijack', offsets: [] };
      const refusal = await hijacker.commit(work).then(
        () => null,
        (error: { code?: string }) => error.code ?? 'no code',
      );
      context.prove(`${id}: the second producer's commit was refused (${refusal})`, refusal !== null);
      await hijacker.close().catch(() => {});
    }
  },
};

/** Were it visible, the reader of committed records would find a record that is none. */
function forged(id: string) {
  return { topic: 'canonical.price', key: `forged by ${id}`, value: null, headers: {} };
}

const rebalanceStorm: Row = {
  id: 'F18',
  leavesTransactions: true,
  title: 'rebalance storm',
  does: 'A second processor worker and a second sink join and leave every three seconds for a minute.',
  proof: 'the leases changed hands many times, and each time something flowed',
  recoversWithinMs: WORKER_LIMIT_MS,
  async run(context) {
    const { chain, random } = context;
    const target = random.pick(TARGETS);
    const epochs = async () => [...(await ownersOf(chain, target)).values()].reduce((sum, one) => sum + one.epoch, 0);
    const before = await epochs();
    const endMs = performance.now() + 60_000;
    let joins = 0;
    while (performance.now() < endMs) {
      const others = chain.moreWorkers();
      await others.start({ processors: ['processors'], [`sink-${target}`]: ['sink', target] });
      joins += 1;
      await new Promise((resolve) => setTimeout(resolve, 3_000));
      await others.stop();
    }
    const changes = (await epochs()) - before;
    context.prove(
      `${joins} times two workers joined and left; leases of ${target} taken ${changes} times`,
      changes >= joins,
    );
  },
};

const clockSkew: Row = {
  id: 'F22',
  title: 'wrong clocks',
  does: "The workers' clocks go ten minutes ahead, ten minutes back from there to ten behind, and right again.",
  proof: "the ledger's own time stamps of processors show the shift in their log lines",
  recoversWithinMs: WORKER_LIMIT_MS,
  async run(context) {
    const { chain } = context;
    const minutes = 10;
    for (const offsetMs of [minutes * 60_000, -minutes * 60_000]) {
      await chain.setClock(offsetMs);
      const worker = context.random.pick(TARGETS);
      const pid = chain.workers.kill(`sink-${worker}`);
      await context.flows();
      context.prove(
        `clocks ${offsetMs / 60_000} min off: ${await logTimeShift(chain, `sink-${worker}`, offsetMs)} (process ${pid} started again in it)`,
      );
      await context.progress(200);
    }
    await chain.setClock(0);
  },
};

/** How far the newest line of the worker's own log is from this machine's time; one that isn't about `offsetMs` off is refused. */
async function logTimeShift(chain: FaultChain, worker: string, offsetMs: number): Promise<string> {
  const lines = (await readFile(`${chain.stateDirectory}/logs/${worker}.log`, 'utf8')).trim().split('\n');
  const times = lines.map(timeOfLine).filter((atMs) => !Number.isNaN(atMs));
  const shiftMs = (times.at(-1) ?? Number.NaN) - Date.now();
  const wrongByMs = Math.abs(shiftMs - offsetMs);
  if (!(wrongByMs <= 60_000)) throw new Error(`the log of ${worker} says ${shiftMs} ms off, not ${offsetMs} ms`);
  return `its log is ${Math.round(shiftMs / 1000)} s off`;
}

/** In ms since 1970; NaN for a line that is no log line, as Node's own warnings are. */
function timeOfLine(line: string): number {
  return Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? '');
}

export const workerRows: readonly Row[] = [sinkKilled, processorKilled, zombieSink, hijack, rebalanceStorm, clockSkew];
