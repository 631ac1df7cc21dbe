/** Links that are cut, slow or lossy. */
import { rowsOf, targets } from '../audit.ts';
import type { FaultChain } from '../chain.ts';
import type { Shape } from '../link.ts';
import { awaits } from '../patience.ts';
import type { FaultContext, Row } from '../row.ts';

const SHORT_MS = 5_000;
const LONG_MS = 120_000;
const SHAPED_MS = 20_000;
const PAIRS = [
  'workers-kafka',
  'workers-erp',
  'workers-pos',
  'workers-reporting',
  'workers-registry',
  'connect-kafka',
  'connect-crm',
  'connect-pos',
];

function linkOf(chain: FaultChain, name: string) {
  const link = chain.links.get(name);
  if (link === undefined) throw new Error(`no link ${name}`);
  return link;
}

const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

async function cutFor(context: FaultContext, name: string, durationMs: number): Promise<void> {
  const link = linkOf(context.chain, name);
  const { connections } = link;
  link.cut('silent');
  await pause(durationMs);
  const { hindered } = link;
  link.heal();
  const what = `${name} silent for ${durationMs / 1000} s: ${connections} connections half open, ${hindered} pieces held up`;
  // the registry is asked once for each schema: nobody may be talking to it just now
  context.prove(what, name === 'workers-registry' || hindered > 0);
}

const cut: Row = {
  id: 'F16',
  title: 'network cut between any pair',
  does: 'Each link in turn goes silent for 5 s with its connections half open; one breaks by reset; one of them is silent for two minutes.',
  proof: 'the link counted what it held up',
  recoversWithinMs: 60_000,
  async run(context) {
    for (const name of PAIRS) {
      await cutFor(context, name, SHORT_MS);
      await context.flows();
    }
    const broken = linkOf(context.chain, context.random.pick(PAIRS.filter((name) => name !== 'workers-registry')));
    broken.cut('reset');
    await pause(SHORT_MS);
    context.prove(`${broken.name} reset: ${broken.hindered} attempts to connect were refused`);
    broken.heal();
    await context.flows();
    await cutFor(
      context,
      context.random.pick(['workers-kafka', 'workers-pos', 'workers-erp', 'connect-kafka']),
      LONG_MS,
    );
  },
};

const SHAPES: readonly (readonly [string, Shape])[] = [
  ['300 ms ± 50 ms', { delayMs: 300, jitterMs: 50, bytesPerSecond: null, lossShare: 0, lossCorrelation: 0 }],
  [
    '20 % lost, 75 % correlated',
    { delayMs: 0, jitterMs: 0, bytesPerSecond: null, lossShare: 0.2, lossCorrelation: 0.75 },
  ],
  ['1 Mbit/s', { delayMs: 0, jitterMs: 0, bytesPerSecond: 125_000, lossShare: 0, lossCorrelation: 0 }],
];

const slow: Row = {
  id: 'F17',
  title: 'slow and lossy network',
  does: 'The links of the workers to Kafka and to one database are delayed, then lossy, then narrow.',
  proof: 'the links counted late pieces; no lease changed hands while they were slow',
  recoversWithinMs: 60_000,
  async run(context) {
    const { chain } = context;
    for (const [what, shape] of SHAPES) {
      const links = ['workers-kafka', `workers-${context.random.pick(['erp', 'pos', 'reporting'])}`].map((name) =>
        linkOf(chain, name),
      );
      const before = await epochs(chain);
      for (const link of links) link.shape(shape);
      await pause(SHAPED_MS);
      await context.progress(20);
      const late = links.map(({ name, hindered }) => `${name} ${hindered}`).join(', ');
      for (const link of links) link.heal();
      const taken = (await epochs(chain)) - before;
      context.prove(`${what}: late pieces ${late}; leases taken ${taken} times`);
      context.require('C6', `${what}: leases changed hands ${taken} times while the network was slow`, taken === 0);
      await context.flows();
    }
  },
};

async function epochs(chain: FaultChain): Promise<number> {
  let sum = 0;
  for (const target of targets) {
    const [row] = await rowsOf<{ n: unknown }>(chain.sessions, target, 'SELECT sum(epoch) AS n FROM seam.sink_offset');
    sum += Number(row?.n ?? 0);
  }
  return sum;
}

const diskFull: Row = {
  id: 'F15',
  title: 'disk full: target and source, then broker',
  does: 'The small volume under the databases, then the one under the broker, is filled for 30 s.',
  proof: 'the system tells that no space is left, and somebody was refused',
  recoversWithinMs: 90_000,
  impossible: (chain) => chain.volumes.impossible,
  async run(context) {
    const { chain } = context;
    for (const volume of ['postgres', 'mariadb', 'kafka'] as const) {
      const left = await chain.volumes.fill(volume);
      await pause(30_000);
      context.prove(
        `${volume}: ${left} bytes were left, and after 30 s ${await chain.volumes.freeBytes(volume)}`,
        left < 100_000,
      );
      await chain.volumes.free(volume);
      // a server that ended for want of space is started by whoever runs it, as its keeper would
      for (const server of chain.servers) {
        if (server.startsWith(volume)) await awaits(`${server} runs`, 120_000, () => startAgain(chain, server));
      }
      if (volume === 'mariadb') for (const system of ['pos', 'logistics'] as const) await goesOn(context, system);
      await context.flows();
    }
  },
};

const SPACE_LOOKED_FOR_MS = 75_000;

/** MariaDB looks for space once a minute. It was seen to wait although there was space again; the test then restarts the server. */
async function goesOn({ chain, prove }: FaultContext, system: 'pos' | 'logistics'): Promise<void> {
  const sql = `SELECT COUNT(*) AS n FROM information_schema.processlist WHERE state LIKE 'Waiting for someone to free space%'`;
  try {
    await awaits(`mariadb-${system} has found the space`, SPACE_LOOKED_FOR_MS, async () => {
      const [row] = await rowsOf<{ n: unknown }>(chain.sessions, system, sql);
      return Number(row?.n) === 0;
    });
  } catch {
    const pid = await chain.stopServer(`mariadb-${system}`, 'SIGKILL');
    await chain.startServer(`mariadb-${system}`);
    prove(`mariadb-${system} (process ${pid}) still waited for space that was there, and was started again`);
  }
}

async function startAgain(chain: FaultChain, server: string): Promise<boolean> {
  await chain.startServer(server);
  return true;
}

export const networkRows: readonly Row[] = [cut, slow, diskFull];
