/** Targets that refuse, lock and deadlock; transactions that are too large for anybody's memory. */
import { writeFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import pg from 'pg';
import { rowsOf } from '../audit.ts';
import type { FaultChain } from '../chain.ts';
import { awaits, DEAR_POLL_MS, insist } from '../patience.ts';
import { type FaultContext, type Row, WORKER_LIMIT_MS } from '../row.ts';

const REFUSED_PRODUCT = '999000003';
/** Longer than a sink waits for one statement. */
const LOCK_MS = 35_000;
const LARGE_ROWS = 1_000_000;
const RSS_MAX_MB = 512;
const LARGE_LIMIT_MS = 600_000;

const rejects: Row = {
  id: 'F24',
  title: 'target refuses, locks and deadlocks',
  does: 'A constraint refuses one key for a while; rows stay locked longer than a statement may take; a deadlock is made whose victim is the sink.',
  proof: 'the key is set aside; a backend of the sink waits for the lock; the server counts a deadlock',
  recoversWithinMs: WORKER_LIMIT_MS,
  async run(context) {
    await refuseKey(context);
    await context.flows();
    await holdLock(context);
    await context.flows();
    await makeDeadlock(context);
  },
};

async function refuseKey({ chain, prove, flows }: FaultContext): Promise<void> {
  const { reporting } = chain.sessions;
  await reporting.query(
    `ALTER TABLE reporting.price ADD CONSTRAINT refused CHECK (product_id <> '${REFUSED_PRODUCT}') NOT VALID`,
  );
  const parked = () =>
    rowsOf<{ reason_code: string }>(
      chain.sessions,
      'reporting',
      `SELECT reason_code FROM seam.parked WHERE key LIKE '${REFUSED_PRODUCT}%'`,
    );
  await awaits('several versions of the refused key are set aside', 180_000, async () => (await parked()).length >= 3);
  await flows();
  const reasons = [...new Set((await parked()).map(({ reason_code }) => reason_code))];
  prove(`${(await parked()).length} versions of one key were set aside (${reasons.join(', ')}), others flowed`);
  await reporting.query('ALTER TABLE reporting.price DROP CONSTRAINT refused');
  await awaits('the key flows again', 60_000, async () => {
    // what an operator's retry does
    await reporting.query('UPDATE seam.parked SET next_try_at = now()');
    return (await parked()).length === 0;
  });
}

async function holdLock({ chain, prove }: FaultContext): Promise<void> {
  const holder = await connection(chain, 'reporting');
  try {
    await holder.query('BEGIN');
    await holder.query(`SELECT 1 FROM reporting.price WHERE product_id LIKE '99900000_' FOR UPDATE`);
    await awaits('a sink waits for the lock', 30_000, async () => (await waiting(chain)) > 0);
    prove('a backend of the sink waits for the locked rows');
    await new Promise((resolve) => setTimeout(resolve, LOCK_MS));
    await holder.query('COMMIT');
  } finally {
    await holder.end();
  }
}

async function waiting(chain: FaultChain): Promise<number> {
  const sql = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'seam_sink' AND wait_event_type = 'Lock'`;
  return (await rowsOf<{ n: number }>(chain.sessions, 'reporting', sql))[0]?.n ?? 0;
}

/** We join the circle before the sink's own look for deadlocks, a second after it began to wait, and look much later ourselves. */
async function makeDeadlock({ chain, prove }: FaultContext): Promise<void> {
  const deadlocks = async () => {
    const sql = `SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = 'reporting'`;
    return (await rowsOf<{ n: number }>(chain.sessions, 'reporting', sql))[0]?.n ?? 0;
  };
  const before = await deadlocks();
  const rival = await connection(chain, 'reporting');
  try {
    await rival.query(`SET deadlock_timeout = '60s'`);
    await rival.query('BEGIN');
    await rival.query(`SELECT 1 FROM reporting.price WHERE product_id LIKE '99900000_' FOR UPDATE`);
    await awaits('a sink waits for us', 30_000, async () => (await waiting(chain)) > 0);
    await rival.query('SELECT 1 FROM seam.sink_offset FOR UPDATE');
    await rival.query('COMMIT');
  } finally {
    await rival.end();
  }
  await awaits('the server has counted it', 30_000, async () => (await deadlocks()) > before);
  prove(`the server counted ${(await deadlocks()) - before} deadlock`);
}

async function connection(chain: FaultChain, system: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: chain.stack.databases[system]?.adminUrl });
  await client.connect();
  return client;
}

const large: Row = {
  id: 'F23',
  title: 'a transaction of a million rows, and a snapshot under writes',
  does: 'One COMMIT of a million rows at a source; after it the connector is asked to read a table again while people write to it.',
  proof: 'the rows are counted in the target; the raw topic holds the rows read again',
  recoversWithinMs: 60_000,
  isLasting: true,
  async run(context) {
    const { chain } = context;
    const watch = watchMemory(chain);
    const startedMs = performance.now();
    await insist(
      'the large transaction commits',
      () =>
        chain.sessions.crm.query(
          `INSERT INTO crm.mkt_srvy (wk, prod, comp, units, avg_prc, srv_dt)
         SELECT 300000 + g / 1000, (700000000 + g % 1000)::text, 'Large', g, 1.25, DATE '2017-03-01'
         FROM generate_series(1, ${LARGE_ROWS}) g`,
        ),
      LARGE_LIMIT_MS,
    );
    await awaits('all rows are in the target', LARGE_LIMIT_MS, async () => {
      const sql = `SELECT count(*)::int AS n FROM reporting.market_survey WHERE competitor = 'Large'`;
      const [row] = await rowsOf<{ n: number }>(chain.sessions, 'reporting', sql);
      await pause(2_000);
      return row?.n === LARGE_ROWS;
    });
    const seconds = Math.round((performance.now() - startedMs) / 1000);
    const { peaks, restarts } = watch.stop();
    context.prove(`${LARGE_ROWS} rows of one transaction arrived in ${seconds} s; peak memory: ${inWords(peaks)}`);
    const tooLarge = peaks.filter(({ mb }) => mb > RSS_MAX_MB);
    context.require('C6', `more than ${RSS_MAX_MB} MB were needed: ${inWords(tooLarge)}`, tooLarge.length === 0);
    context.require('C6', `${restarts} workers were started again`, restarts === 0);
    await snapshotAgain(context);
  },
};

const pause = (durationMs: number) => new Promise((resolve) => setTimeout(resolve, durationMs));

/** An incremental snapshot: its rows are read while newer changes of the same rows flow past. */
async function snapshotAgain({ chain, prove, random }: FaultContext): Promise<void> {
  const topic = 'raw.erp.erp.prc';
  const { readTopic } = await import('../raw-log.ts');
  const before = new Map<number, bigint>();
  await readTopic(chain, topic, (partition, latest) => {
    before.set(partition, latest);
    return latest;
  });
  const signal = JSON.stringify({ 'data-collections': ['erp.prc'], type: 'incremental' });
  await chain.sessions.erp.query(`INSERT INTO seam.signal (id, type, data) VALUES ($1, 'execute-snapshot', $2)`, [
    `faults-${random.below(1_000_000_000)}`,
    signal,
  ]);
  const [prices] = await rowsOf<{ n: number }>(chain.sessions, 'erp', 'SELECT count(*)::int AS n FROM erp.prc');
  let read = 0;
  await awaits(
    'the table was read again',
    120_000,
    async () => {
      read = (await readTopic(chain, topic, (partition) => before.get(partition) ?? 0n)).length;
      return read >= (prices?.n ?? 0);
    },
    DEAR_POLL_MS,
  );
  prove(`the snapshot read ${prices?.n} rows again under writes: ${read} raw records`);
}

function watchMemory(chain: FaultChain) {
  const starts = () => chain.workers.views().reduce((sum, view) => sum + view.starts, 0);
  const before = starts();
  const peakKb = new Map<string, number>();
  // 5 sets the peak back to what is used now (proc_pid_clear_refs(5)): an earlier row's is not this row's
  for (const { pid } of chain.workers.views()) if (pid !== null) writeFileSync(`/proc/${pid}/clear_refs`, '5');
  const timer = setInterval(async () => {
    for (const { name, pid } of chain.workers.views()) {
      const status = pid === null ? '' : await readFile(`/proc/${pid}/status`, 'utf8').catch(() => '');
      const kb = Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0);
      peakKb.set(name, Math.max(peakKb.get(name) ?? 0, kb));
    }
  }, 1_000);
  return {
    stop: () => {
      clearInterval(timer);
      const peaks = [...peakKb].map(([worker, kb]): Peak => ({ worker, mb: Math.round(kb / 1024) }));
      return { peaks: peaks.sort((one, other) => other.mb - one.mb), restarts: starts() - before };
    },
  };
}

interface Peak {
  readonly worker: string;
  readonly mb: number;
}

const inWords = (peaks: readonly Peak[]) => peaks.map(({ worker, mb }) => `${worker} ${mb} MB`).join(', ');

export const targetRows: readonly Row[] = [rejects, large];
