/** Sources whose log is gone, or that are another server all of a sudden: what must never look like "nothing happened". */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { verifyDeployment } from '../../../ops/operations/verify-deployment.ts';
import { rowsOf } from '../audit.ts';
import type { FaultChain } from '../chain.ts';
import { isGone } from '../crash.ts';
import { seam } from '../operator.ts';
import { awaits, DEAR_POLL_MS, insist } from '../patience.ts';
import type { FaultContext, Row } from '../row.ts';

const execute = promisify(execFile);
const PURGE_LIMIT_MS = 60_000;
const HALT_LIMIT_MS = 120_000;
const FLOW_LIMIT_MS = 120_000;

/** A change that no log tells any more: were reading to go on as if nothing had happened, it would be missing for ever. */
type Gap = { readonly system: 'finance' | 'logistics'; readonly write: string; readonly read: string };

const financeGap: Gap = {
  system: 'finance',
  write: `INSERT INTO fin.inv (ext_ref, ord_ref, amt) VALUES ('faults-gap', 'FAULTS-GAP', 1.25)`,
  read: `SELECT count(*)::int AS n FROM reporting.invoice WHERE order_id = 'FAULTS-GAP'`,
};
const logisticsGap: Gap = {
  system: 'logistics',
  write: `INSERT INTO shp (shp_no, prod_cd, frm_loc, qty, stat) VALUES ('FAULTS-GAP', '999000001', 'B001', 1, 1)`,
  read: `SELECT count(*)::int AS n FROM reporting.shipment WHERE shipment_id = 'FAULTS-GAP'`,
};

const logLost: Row = {
  id: 'F11',
  title: 'replication slot dropped, binary log purged',
  does: 'While Connect is down the slot of one source is dropped and the unread log of another is purged, and rows are written that no log tells.',
  proof: 'the slot and the log files are gone from the catalogues',
  recoversWithinMs: 60_000,
  feedsOldVersions: true,
  isLasting: true,
  async run(context) {
    const { chain } = context;
    await chain.stopServer('connect');
    const { finance, logistics } = chain.sessions;
    await insist('the slot is dropped', () => finance.query(`SELECT pg_drop_replication_slot('seam_finance')`));
    await finance.query(financeGap.write);
    const slots = await finance.query(`SELECT 1 FROM pg_replication_slots WHERE slot_name = 'seam_finance'`);
    context.prove('the slot seam_finance is gone', slots.rows.length === 0);
    await logistics.query(logisticsGap.write);
    await logistics.query('FLUSH BINARY LOGS');
    const files = (await logistics.query('SHOW BINARY LOGS')) as { Log_name: string }[];
    // a file is kept while a transaction in it isn't checkpointed, or a reader that is gone isn't noticed: only a warning says so
    await awaits('one log file of logistics is left', PURGE_LIMIT_MS, async () => {
      await logistics.query(`PURGE BINARY LOGS TO '${files.at(-1)?.Log_name}'`);
      return ((await logistics.query('SHOW BINARY LOGS')) as unknown[]).length === 1;
    });
    context.prove(`of ${files.length} log files of logistics one is left`, files.length > 1);
    await chain.startServer('connect');
    for (const gap of [financeGap, logisticsGap]) await haltsAndRecovers(context, gap);
  },
};

const failedOver: Row = {
  id: 'F10',
  title: 'source failed over to a server that knows nothing of Seam',
  does: 'The PostgreSQL source dies; a copy of it without any slot answers at its address. The MariaDB source answers with another server id, its log begun again.',
  proof: 'the new server has no slot; the other one names another id',
  recoversWithinMs: 60_000,
  feedsOldVersions: true,
  isLasting: true,
  async run(context) {
    const { chain } = context;
    const pid = await chain.stopServer('postgres-finance', 'SIGKILL');
    context.prove(`the server of finance (process ${pid}) is gone`, await isGone(pid));
    const data = path.join(chain.stateDirectory, 'postgres', 'finance');
    await execute('cp', ['-a', data, `${data}-copy`]);
    await execute('sh', ['-c', `rm -rf "${data}" "${data}-copy/pg_replslot/"* "${data}-copy/postmaster.pid"`]);
    await execute('mv', [`${data}-copy`, data]);
    await chain.startServer('postgres-finance');
    const slots = await rowsOf(chain.sessions, 'finance', 'SELECT 1 FROM pg_replication_slots');
    context.prove('the server that answers for finance has no slot', slots.length === 0);
    await insist('finance takes the gap', () => chain.sessions.finance.query(financeGap.write));
    await chain.stopServer('connect');
    await chain.sessions.logistics.query('SET GLOBAL server_id = 4242');
    await chain.sessions.logistics.query(logisticsGap.write);
    await chain.sessions.logistics.query('RESET MASTER');
    await chain.startServer('connect');
    context.prove('logistics has another server id, and its log begins again');
    for (const gap of [financeGap, logisticsGap]) await haltsAndRecovers(context, gap);
  },
};

/** Nothing is read on as if nothing had happened; the difference is named; after the recovery everything is there. */
async function haltsAndRecovers(context: FaultContext, gap: Gap): Promise<void> {
  const { chain, prove, require } = context;
  let told = '';
  await awaits(
    `it is said what became of ${gap.system}`,
    HALT_LIMIT_MS,
    async () => {
      told = await seam(chain, ['connectors', 'status', gap.system]);
      return /SOURCE_(LOG_LOST|WENT_BACK|REPLACED)/.test(told);
    },
    DEAR_POLL_MS,
  );
  prove(`${gap.system} stands: ${/SOURCE_\w+/.exec(told)?.[0]}`);
  require('C8', `the gap of ${gap.system} was read over`, (await count(chain, gap)) === 0);
  const verified = await verifyDeployment(chain.direct, { targets: ['reporting'], patienceMs: 10_000 });
  require('C8', `verify does not see the gap of ${gap.system}`, !verified.equal);
  await seam(chain, ['connectors', 'recover', gap.system, '--delete', '1000', '--yes', '--reason', 'fault row'], {
    mustPass: true,
  });
  await awaits(`the gap of ${gap.system} is closed`, FLOW_LIMIT_MS, async () => (await count(chain, gap)) === 1);
  prove(`after the recovery the row that no log told is there`);
}

async function count(chain: FaultChain, { read }: Gap): Promise<number> {
  return (await rowsOf<{ n: number }>(chain.sessions, 'reporting', read))[0]?.n ?? 0;
}

export const sourceRows: readonly Row[] = [failedOver, logLost];
