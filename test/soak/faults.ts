/** Short faults that heal by themselves, for pairs: no two of a pair hurt, or need, the same thing. */
import type { Random } from '../../demo/random.ts';
import type { FaultChain } from '../faults/chain.ts';
import { crashAt } from '../faults/crash.ts';
import { rowsOf } from '../faults/audit.ts';
import { bufferOf, newestRecords, writeTopic } from '../faults/raw-log.ts';

export type SoakFault = {
  readonly name: string;
  readonly hurts: string;
  /** Ends processes of which the memory is watched: only in the first half. */
  readonly restarts: boolean;
  run(chain: FaultChain, random: Random): Promise<string>;
};

const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));
const SINKS = ['erp', 'crm', 'pos', 'reporting'] as const;
const LINKS = ['workers-kafka', 'workers-erp', 'workers-pos', 'workers-reporting', 'connect-kafka', 'connect-crm'];

async function bounce(chain: FaultChain, server: string, signal?: NodeJS.Signals): Promise<string> {
  const pid = await chain.stopServer(server, signal);
  await chain.startServer(server);
  return `${server} (process ${pid}) ended by ${signal ?? 'its stop signal'} and started again`;
}

const sinkKilled: SoakFault = {
  name: 'sink killed in its transaction',
  hurts: 'sinks',
  restarts: true,
  async run(chain, random) {
    const order = `${random.pick(['after-rows', 'commit-sent', 'after-commit'])}:${1 + random.below(3)}`;
    const { worker, pid } = await crashAt(chain, `sink-${random.pick(SINKS)}`, order);
    return `${worker} (process ${pid}) died at ${order}`;
  },
};

const processorsKilled: SoakFault = {
  name: 'processors killed in their transaction',
  hurts: 'processors',
  restarts: true,
  async run(chain, random) {
    const order = `${random.pick(['before-produce', 'before-commit', 'after-commit'])}:${1 + random.below(3)}`;
    const { pid } = await crashAt(chain, 'processors', order);
    return `processors (process ${pid}) died at ${order}`;
  },
};

const sinkFrozen: SoakFault = {
  name: 'sink frozen for 12 s',
  hurts: 'sinks',
  restarts: false,
  async run(chain, random) {
    const worker = `sink-${random.pick(SINKS)}`;
    const pid = chain.workers.views().find(({ name }) => name === worker)?.pid;
    if (pid == null) throw new Error(`${worker} does not run`);
    process.kill(pid, 'SIGSTOP');
    await pause(12_000);
    process.kill(pid, 'SIGCONT');
    return `${worker} (process ${pid}) frozen for 12 s`;
  },
};

const brokerBounced: SoakFault = {
  name: 'broker restarted or killed',
  hurts: 'kafka',
  restarts: true,
  run: (chain, random) => bounce(chain, 'kafka', random.next() < 0.5 ? undefined : 'SIGKILL'),
};

const brokerFrozen: SoakFault = {
  name: 'broker frozen for 10 s',
  hurts: 'kafka',
  restarts: false,
  async run(chain) {
    const pid = await chain.signalServer('kafka', 'SIGSTOP');
    await pause(10_000);
    await chain.signalServer('kafka', 'SIGCONT');
    return `the broker (process ${pid}) frozen for 10 s`;
  },
};

const databaseBounced: SoakFault = {
  name: 'database restarted or killed',
  hurts: 'databases',
  restarts: true,
  run: (chain, random) =>
    random.next() < 0.5
      ? bounce(
          chain,
          random.pick(['postgres-reporting', 'postgres-crm', 'postgres-erp']),
          random.pick(['SIGQUIT', 'SIGINT']),
        )
      : bounce(chain, random.pick(['mariadb-pos', 'mariadb-logistics']), random.next() < 0.5 ? undefined : 'SIGKILL'),
};

const registryBounced: SoakFault = {
  name: 'registry killed for 10 s',
  hurts: 'registry',
  restarts: true,
  async run(chain) {
    const pid = await chain.stopServer('registry', 'SIGKILL');
    await pause(10_000);
    await chain.startServer('registry');
    return `registry (process ${pid}) killed, away for 10 s`;
  },
};

const linkCut: SoakFault = {
  name: 'link silent for 10 s',
  hurts: 'links',
  restarts: false,
  async run(chain, random) {
    const link = chain.links.get(random.pick(LINKS));
    link?.cut('silent');
    await pause(10_000);
    link?.heal();
    return `${link?.name} silent for 10 s, ${link?.hindered} pieces held up`;
  },
};

const linkSlow: SoakFault = {
  name: 'link slow and lossy for 20 s',
  hurts: 'links',
  restarts: false,
  async run(chain, random) {
    const link = chain.links.get(random.pick(LINKS));
    link?.shape({ delayMs: 100, jitterMs: 50, bytesPerSecond: null, lossShare: 0.1, lossCorrelation: 0.5 });
    await pause(20_000);
    link?.heal();
    return `${link?.name} slow and lossy for 20 s, ${link?.hindered} pieces late`;
  },
};

const clocksWrong: SoakFault = {
  name: 'clocks of the workers wrong for 20 s',
  hurts: 'clocks',
  restarts: false,
  async run(chain, random) {
    const offsetMs = random.pick([600_000, -600_000]);
    await chain.setClock(offsetMs);
    await pause(20_000);
    await chain.setClock(0);
    return `clocks of the workers ${offsetMs / 60_000} min off for 20 s`;
  },
};

const recordsRepeated: SoakFault = {
  name: 'raw records delivered twice',
  hurts: 'kafka',
  restarts: false,
  async run(chain, random) {
    const topic = random.pick(['raw.erp.erp.prc', 'raw.crm.crm.mbr', 'raw.pos.pos.tlog_ln']);
    const last = await newestRecords(chain, topic, 200n);
    const copies = last.map(({ partition, record }) => ({
      partition,
      key: bufferOf(record.key),
      value: bufferOf(record.value),
    }));
    await writeTopic(chain, topic, copies);
    return `${copies.length} records of ${topic} written again`;
  },
};

const sinkRewound: SoakFault = {
  name: 'sink reads again',
  hurts: 'databases',
  restarts: false,
  async run(chain, random) {
    const target = random.pick(SINKS);
    await rowsOf(
      chain.sessions,
      target,
      `UPDATE seam.sink_offset SET next_offset = CASE WHEN next_offset > 500 THEN next_offset - 500 ELSE 0 END,
              epoch = epoch + 1, owner = 'soak'`,
    );
    return `${target} reads 500 records of each partition again`;
  },
};

export const soakFaults: readonly SoakFault[] = [
  sinkKilled,
  processorsKilled,
  sinkFrozen,
  brokerBounced,
  brokerFrozen,
  databaseBounced,
  registryBounced,
  linkCut,
  linkSlow,
  clocksWrong,
  recordsRepeated,
  sinkRewound,
];

/** Two that hurt different things. */
export function pickPair(random: Random, mayRestart: boolean): [SoakFault, SoakFault] {
  const all = soakFaults.filter(({ restarts }) => mayRestart || !restarts);
  const first = random.pick(all);
  return [first, random.pick(all.filter(({ hurts }) => hurts !== first.hurts))];
}
