/** Servers that stop, die, freeze or come back. */
import { isGone } from '../crash.ts';
import { canonicalCount, processorsReason, stepOver } from '../operator.ts';
import { awaits, DEAR_POLL_MS } from '../patience.ts';
import { bufferOf, newestRecords, writeTopic } from '../raw-log.ts';
import { BROKER_LIMIT_MS, DATABASE_LIMIT_MS, type FaultContext, type Row } from '../row.ts';

async function bounce(context: FaultContext, name: string, signal?: NodeJS.Signals, downMs = 0): Promise<void> {
  const { chain } = context;
  const pid = await chain.stopServer(name, signal);
  context.prove(`${name} ended by ${signal ?? 'its stop signal'}, process ${pid} is gone`, await isGone(pid));
  if (downMs > 0) await new Promise((resolve) => setTimeout(resolve, downMs));
  await chain.startServer(name);
}

const connectKilled: Row = {
  id: 'F3',
  leavesTransactions: true,
  title: 'Connect worker killed',
  does: 'SIGKILL of the Connect JVM, then it is started again.',
  proof: 'its process is gone',
  recoversWithinMs: 90_000,
  async run(context) {
    await bounce(context, 'connect', 'SIGKILL');
  },
};

const brokerBounced: Row = {
  id: 'F4',
  leavesTransactions: true,
  title: 'broker restarted and killed, five times',
  does: 'Orderly stop and SIGKILL in turn, with progress in between.',
  proof: 'each time its process is gone',
  recoversWithinMs: BROKER_LIMIT_MS,
  async run(context) {
    for (let time = 0; time < 5; time += 1) {
      await bounce(context, 'kafka', time % 2 === 0 ? 'SIGKILL' : undefined);
      await context.flows();
      await context.progress(200);
    }
  },
};

const brokerPaused: Row = {
  id: 'F5',
  title: 'broker paused for 30 s',
  does: 'SIGSTOP, 30 s later SIGCONT: a long pause of its memory management.',
  proof: 'a connection to it gets no answer meanwhile',
  recoversWithinMs: BROKER_LIMIT_MS,
  async run(context) {
    const { chain } = context;
    const before = chain.workers.views().map(({ totals }) => totals.applied ?? 0);
    const pid = await chain.signalServer('kafka', 'SIGSTOP');
    await new Promise((resolve) => setTimeout(resolve, 30_000));
    const { readFile } = await import('node:fs/promises');
    const state = /\) (\w) /.exec(await readFile(`/proc/${pid}/stat`, 'utf8'))?.[1];
    await chain.signalServer('kafka', 'SIGCONT');
    context.prove(
      `the broker's process ${pid} stood still (state ${state}) for 30 s; applied before: ${before.join(', ')}`,
      state === 'T',
    );
  },
};

const targetRestarted: Row = {
  id: 'F8',
  isShort: true,
  title: 'target database restarted, hard and soft',
  does: 'PostgreSQL by immediate shutdown, MariaDB by SIGKILL, PostgreSQL fast; each started again at once.',
  proof: 'each time its process is gone',
  recoversWithinMs: DATABASE_LIMIT_MS,
  async run(context) {
    await bounce(context, 'postgres-reporting', 'SIGQUIT');
    await context.flows();
    await bounce(context, 'mariadb-logistics', 'SIGKILL');
    await context.flows();
    await bounce(context, 'postgres-reporting', 'SIGINT', 3_000);
  },
};

const sourceRestarted: Row = {
  id: 'F9',
  title: 'source database restarted, hard and soft',
  does: 'The same to databases that are captured: the connectors resume from where they were, nobody restarts them.',
  proof: 'each time its process is gone',
  recoversWithinMs: 60_000,
  async run(context) {
    await bounce(context, 'postgres-erp', 'SIGINT');
    await context.flows();
    await bounce(context, 'mariadb-pos', 'SIGKILL');
    await context.flows();
    await bounce(context, 'postgres-crm', 'SIGQUIT', 5_000);
  },
};

const registryDown: Row = {
  id: 'F12',
  title: 'schema registry down',
  does: 'It is stopped for 30 s; known schema ids keep flowing; a worker that starts meanwhile waits for it. Then a record with an id that nobody knows.',
  proof: 'nobody answers at its port, and changes arrive all the same',
  recoversWithinMs: 30_000,
  feedsOldVersions: true,
  async run(context) {
    const { chain } = context;
    const pid = await chain.stopServer('registry', 'SIGKILL');
    context.prove(`the registry's process ${pid} is gone`, await isGone(pid));
    await context.flows();
    context.prove('changes arrived while it was away');
    const killed = chain.workers.kill('sink-reporting');
    await awaits('a sink that starts without the registry is there', 30_000, () => {
      const view = chain.workers.views().find(({ name }) => name === 'sink-reporting');
      return view?.pid != null && view.pid !== killed;
    });
    await new Promise((resolve) => setTimeout(resolve, 20_000));
    await chain.startServer('registry');
    await context.flows();
    await unknownId(context);
  },
};

const PRICES = 'raw.erp.erp.prc';

/** A schema id that the registry doesn't know is no bad record: the table stops and says so, the others go on. */
async function unknownId({ chain, prove }: FaultContext): Promise<void> {
  const [sample] = await newestRecords(chain, PRICES, 20n);
  if (sample === undefined) throw new Error('no record to change');
  const value = bufferOf(sample.record.value) as Buffer;
  const unknown = Buffer.concat([Buffer.from([0, 0x7f, 0xff, 0xff, 0x01]), value.subarray(5)]);
  const record = { partition: sample.partition, key: bufferOf(sample.record.key), value: unknown };
  const [place] = await writeTopic(chain, PRICES, [record]);
  await awaits('the processors name the unknown schema', 60_000, () =>
    processorsReason(chain).includes('UNKNOWN_SCHEMA_ID'),
  );
  const before = await canonicalCount(chain);
  await awaits(
    'the other tables go on',
    60_000,
    async () => (await canonicalCount(chain)) > before + 200n,
    DEAR_POLL_MS,
  );
  prove(`an unknown schema id stopped its table alone, with its reason shown: ${processorsReason(chain).slice(0, 80)}`);
  if (place === undefined) throw new Error('the record was not written');
  await stepOver(chain, PRICES, place);
}

export const serverRows: readonly Row[] = [
  connectKilled,
  brokerBounced,
  brokerPaused,
  targetRestarted,
  sourceRestarted,
  registryDown,
];
