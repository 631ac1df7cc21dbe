/** Records that no sound producer would write: poison, duplicates, old versions, a whole past. */
import path from 'node:path';
import { createLogger } from '../../../adapters/logger.ts';
import { openLog } from '../../../ops/log.ts';
import { appendToLane, readLetters } from '../../../ops/redrive.ts';
import { placeText } from '../../../processors/dead-letter.ts';
import { redriveRecord } from '../../../processors/redrive.ts';
import { lettersOf } from '../checker.ts';
import { commandsOf } from '../chain.ts';
import { rowsOf, type Target } from '../audit.ts';
import { seam } from '../operator.ts';
import { awaits, DEAR_POLL_MS, insist } from '../patience.ts';
import {
  bufferOf,
  committedOf,
  moveGroup,
  type Placed,
  newestRecords,
  readTopic,
  type Written,
  writeTopic,
} from '../raw-log.ts';
import { type FaultContext, type Row, WORKER_LIMIT_MS } from '../row.ts';
import type { FaultChain } from '../chain.ts';

const PRICES = 'raw.erp.erp.prc';
const CANONICALIZE = 'seam-canonicalize';
const SPOILED = '999000009';
const MEMBER = 810_200;
const REPLAY_LIMIT_MS = 300_000;
/** Late enough to have begun, early enough not to be done. */
const REPLAY_KILL_MS = 4_000;
const REPEATED_RECORDS = 800n;

const poison: Row = {
  id: 'F13',
  title: 'poison records',
  does: 'Bytes that are no Avro, and records cut short, into a raw topic. The next record of the key heals them; others of it are given up. At a source a value that one target cannot hold, then its correction.',
  proof: 'each one is found set aside under its own place or key, while other keys go on',
  recoversWithinMs: WORKER_LIMIT_MS,
  isShort: true,
  async run(context) {
    const { chain, expected } = context;
    const { erp } = chain.sessions;
    await erp.query(
      `INSERT INTO erp.prod (prod_no, descr, dept, brnd_cd, unit_cst) VALUES ('${SPOILED}', 'Spoiled', 'GROCERY', 'N', 1)`,
    );
    await erp.query(`INSERT INTO erp.prc VALUES ('${SPOILED}', '01', 1, DATE '2017-01-01', 'spoiled')`);
    const sample = await captured(chain, SPOILED);
    const value = bufferOf(sample.record.value) as Buffer;
    const key = bufferOf(sample.record.key);
    const spoiled = [Buffer.from('no Avro at all'), value.subarray(0, 12), value.subarray(0, value.length - 3)];
    const records: Written[] = spoiled.map((bytes) => ({ partition: sample.partition, key, value: bytes }));
    await setAside(context, records);
    context.prove(`${records.length} spoiled records of one key were set aside`);
    await erp.query(`UPDATE erp.prc SET amt = 2 WHERE prod_no = '${SPOILED}'`);
    await noneIsSetAside(chain);
    expected.deadLetters.clear();
    await arrived(chain, 2);
    context.prove('the next sound record of the key took their place');
    await setAside(context, records);
    await context.flows();
    await giveUp(context);
    await tooLarge(context);
  },
};

async function setAside({ chain, expected }: FaultContext, records: readonly Written[]): Promise<void> {
  for (const { partition, offset } of await writeTopic(chain, PRICES, records)) {
    expected.deadLetters.add(`${PRICES}/${partition}/${offset}`);
  }
  await awaits(
    'the spoiled records are set aside',
    60_000,
    async () => {
      const letters = await lettersOf(chain);
      return [...expected.deadLetters].every((place) => letters.has(place));
    },
    DEAR_POLL_MS,
  );
}

/** What an operator does with records that no later one heals. */
async function giveUp({ chain, expected, prove }: FaultContext): Promise<void> {
  const log = openLog(chain.direct, 'faults-operator', createLogger('error'));
  const asked = { by: 'faults', reason: 'spoiled on purpose' };
  for (const { place, original } of await readLetters(log, 'canonicalize')) {
    if (!expected.deadLetters.has(placeText(place))) continue;
    await appendToLane(log, [redriveRecord('canonicalize', 'discard', place, original, asked)]);
  }
  expected.deadLetters.clear();
  await noneIsSetAside(chain);
  await chain.sessions.erp.query(`UPDATE erp.prc SET amt = 3 WHERE prod_no = '${SPOILED}'`);
  await arrived(chain, 3);
  prove('others were given up, and the key goes on');
}

function noneIsSetAside(chain: FaultChain): Promise<number> {
  return awaits('nothing is set aside any more', 60_000, async () => (await lettersOf(chain)).size === 0, DEAR_POLL_MS);
}

function arrived(chain: FaultChain, amount: number): Promise<number> {
  return awaits('the sound record arrived', 60_000, async () => {
    const sql = `SELECT amount::int AS n FROM reporting.price WHERE product_id = '${SPOILED}'`;
    return (await rowsOf<{ n: number }>(chain.sessions, 'reporting', sql))[0]?.n === amount;
  });
}

/** The newest raw record that names the product. */
async function captured(chain: FaultChain, product: string): Promise<Placed> {
  let found: Placed | undefined;
  await awaits(
    `product ${product} is captured`,
    60_000,
    async () => {
      const last = await newestRecords(chain, PRICES, 200n);
      found = last.findLast(({ record }) => Buffer.from(record.value ?? []).includes(product));
      return found !== undefined;
    },
    DEAR_POLL_MS,
  );
  return found as Placed;
}

/** More points than a till's column holds: the till waits for the correction, everybody else has the value. */
async function tooLarge({ chain, prove, flows }: FaultContext): Promise<void> {
  const { crm } = chain.sessions;
  await crm.query(
    `INSERT INTO crm.mbr (mbr_id, nm, jn_dt) VALUES ($1, 'Poison', CURRENT_DATE) ON CONFLICT DO NOTHING`,
    [MEMBER],
  );
  await crm.query('UPDATE crm.mbr SET pts_bal = 3000000000 WHERE mbr_id = $1', [MEMBER]);
  const parked = () =>
    rowsOf(chain.sessions, 'pos', `SELECT 1 FROM seam.parked WHERE entity = 'member' AND \`key\` = '${MEMBER}'`);
  await awaits('pos has set the member aside', 30_000, async () => (await parked()).length > 0);
  await awaits('reporting has the value', 30_000, async () => {
    const sql = `SELECT 1 FROM reporting.member WHERE member_id = '${MEMBER}' AND points_balance = 3000000000`;
    return (await rowsOf(chain.sessions, 'reporting', sql)).length === 1;
  });
  prove('a value too large for pos was set aside there alone; reporting has it');
  await flows();
  await crm.query('UPDATE crm.mbr SET pts_bal = 0 WHERE mbr_id = $1', [MEMBER]);
  await awaits('the correction takes its place', 30_000, async () => (await parked()).length === 0);
  prove('the correction at its source healed it');
}

const duplicates: Row = {
  id: 'F19',
  isShort: true,
  title: 'records delivered twice',
  does: 'The last records of several raw topics are written once more, in order, as a producer that repeats itself would; and sinks read again from before.',
  proof: 'the raw topics are longer by the copies, and the sinks counted records that were old or unchanged',
  recoversWithinMs: WORKER_LIMIT_MS,
  feedsOldVersions: true,
  async run(context) {
    const { chain } = context;
    const before = idle(chain);
    let copies = 0;
    for (const topic of [PRICES, 'raw.crm.crm.mbr', 'raw.pos.pos.tlog_ln', 'raw.pos.pos.cust']) {
      const last = await newestRecords(chain, topic, REPEATED_RECORDS);
      copies += (await writeTopic(chain, topic, last.map(copyOf))).length;
    }
    for (const target of ['erp', 'crm', 'pos'] as const) await rewind(chain, target, 300);
    await context.flows();
    const counted = idle(chain) - before;
    context.prove(
      `${copies} raw records written again; sinks met ${counted} old or unchanged ones`,
      copies > 0 && counted > 0,
    );
  },
};

const copyOf = ({ partition, record }: Placed) => ({
  partition,
  key: bufferOf(record.key),
  value: bufferOf(record.value),
});

/** Records that changed nothing, over all sinks. */
function idle(chain: FaultChain): number {
  return chain.workers
    .views()
    .reduce((sum, { totals }) => sum + (totals.stale ?? 0) + (totals.unchanged ?? 0) + (totals.superseded ?? 0), 0);
}

/** As an operator's replay does it: the offset goes back under a new epoch. */
async function rewind(chain: FaultChain, target: Target, records: number | null): Promise<number> {
  const to = records === null ? '0' : `CASE WHEN next_offset > ${records} THEN next_offset - ${records} ELSE 0 END`;
  const sql = `UPDATE seam.sink_offset SET next_offset = ${to}, epoch = epoch + 1, owner = 'faults'`;
  const [sum] = await rowsOf<{ n: unknown }>(
    chain.sessions,
    target,
    'SELECT sum(next_offset) AS n FROM seam.sink_offset',
  );
  await rowsOf(chain.sessions, target, sql);
  return Number(sum?.n ?? 0);
}

const outOfOrder: Row = {
  id: 'F20',
  title: 'versions out of order',
  does: "Four versions of one price are fed as 3, 2, 4, 1, with everything else of their partition, and the processors never see them in the source's order.",
  proof: 'the raw records are read back in that order; the final price is version 4',
  recoversWithinMs: WORKER_LIMIT_MS,
  feedsOldVersions: true,
  async run(context) {
    const { chain } = context;
    await chain.workers.halt('processors');
    const before = await committedOf(chain, CANONICALIZE, PRICES);
    for (const version of [1, 2, 3, 4]) {
      await chain.sessions.erp.query(`UPDATE erp.prc SET amt = 7000 + $1 WHERE prod_no = '999000000'`, [version]);
    }
    const unread = await untilCaptured(chain, before);
    const fed = shuffled(unread);
    const records = fed.map(copyOf);
    const places = await writeTopic(chain, PRICES, records);
    const starts = new Map(
      [...Map.groupBy(places, (place) => place.partition)].map(([partition, own]) => [partition, least(own)]),
    );
    for (const [partition, offset] of starts) {
      await insist('the group is empty and moved', () =>
        moveGroup(chain, CANONICALIZE, PRICES, [{ partition, offset }]),
      );
    }
    await writeTopic(chain, PRICES, (await passedOver(chain, unread, starts)).map(copyOf));
    context.prove(`fed ${versionsOf(fed).join(', ')} and nothing else of them`, versionsOf(fed).join() === '3,2,4,1');
    await chain.workers.start({ processors: commandsOf(chain).processors ?? [] });
    await awaits('version 4 is in reporting', 60_000, async () => {
      const sql = `SELECT amount::int AS n FROM reporting.price WHERE product_id = '999000000'`;
      const [row] = await rowsOf<{ n: number }>(chain.sessions, 'reporting', sql);
      return row?.n === 7004;
    });
  },
};

const least = (places: readonly { readonly offset: bigint }[]): bigint =>
  places.reduce((least, { offset }) => (offset < least ? offset : least), places[0]?.offset ?? 0n);

/** People go on: what was captured between the reading and the copies would be skipped by the move. */
async function passedOver(
  chain: FaultChain,
  unread: readonly Placed[],
  starts: ReadonlyMap<number, bigint>,
): Promise<Placed[]> {
  const next = new Map<number, bigint>();
  for (const { partition, record } of unread) next.set(partition, record.offset + 1n);
  const since = await readTopic(chain, PRICES, (partition, latest) => next.get(partition) ?? latest);
  return since.filter(({ partition, record }) => record.offset < (starts.get(partition) ?? 0n));
}

/** All that the processors have not read, once the four versions are among it. */
async function untilCaptured(chain: FaultChain, before: ReadonlyMap<number, bigint>): Promise<Placed[]> {
  let unread: Placed[] = [];
  await awaits(
    'four versions are captured',
    60_000,
    async () => {
      unread = await readTopic(chain, PRICES, (partition) => before.get(partition) ?? 0n);
      return versionsOf(unread).length === 4;
    },
    DEAR_POLL_MS,
  );
  return unread;
}

/** The row's new contents come last in the record. */
const versionOf = ({ record }: Placed): number | undefined => {
  const amounts = [
    ...Buffer.from(record.value ?? [])
      .toString('latin1')
      .matchAll(/700([1-4])\.00/g),
  ];
  return amounts.length === 0 ? undefined : Number(amounts.at(-1)?.[1]);
};
const versionsOf = (records: readonly Placed[]) => records.flatMap((one) => versionOf(one) ?? []);

/** The four versions change places among themselves; all others stay. */
function shuffled(records: readonly Placed[]): Placed[] {
  const versions = records.filter((one) => versionOf(one) !== undefined);
  const order = [3, 2, 4, 1].map((wanted) => versions.find((one) => versionOf(one) === wanted) as Placed);
  return records.map((one) => (versionOf(one) === undefined ? one : (order.shift() as Placed)));
}

const replay: Row = {
  id: 'F21',
  title: 'replay while everybody works',
  does: 'A sink reads everything again from the beginning of the log under writes, and is killed on the way. An operator replays the last minutes of another target by command; the command is killed, and run again.',
  proof:
    'the stored offsets went back to the beginning, and came to where they had been; the second run of the command says that it is done',
  recoversWithinMs: 60_000,
  async run(context) {
    const { chain } = context;
    const before = await rewind(chain, 'reporting', null);
    await context.crashAt('sink-reporting', 'after-rows:5');
    context.prove('sink-reporting died in the middle of reading everything again');
    const tookMs = await awaits('reporting has read everything again', REPLAY_LIMIT_MS, async () => {
      const sql = 'SELECT sum(next_offset) AS n FROM seam.sink_offset';
      const [sum] = await rowsOf<{ n: unknown }>(chain.sessions, 'reporting', sql);
      return Number(sum?.n ?? 0) >= before;
    });
    context.prove(`reporting: offsets of ${before} records went to 0 and back in ${Math.round(tookMs)} ms`);
    await context.flows();
    await replayByCommand(context);
  },
};

async function replayByCommand({ chain, prove }: FaultContext): Promise<void> {
  const plan = path.join(chain.stateDirectory, 'replay-plan.json');
  const scope = ['--target', 'erp', '--from', '3m', '--rate', '1000', '--batch', '50'];
  await seam(chain, ['replay', 'plan', ...scope, '--reason', 'fault row', '--output', plan], { mustPass: true });
  const apply = ['replay', 'apply', plan, '--yes'];
  const first = await seam(chain, apply, { mustPass: true, killAfterMs: REPLAY_KILL_MS }).catch(
    (error: Error) => error,
  );
  prove('the command was killed while it replayed', first instanceof Error);
  const second = await seam(chain, apply, { mustPass: true });
  prove(`run again, it ended: ${second.trim().split('\n').at(-1)?.slice(0, 120)}`);
}

export const feedRows: readonly Row[] = [poison, duplicates, outOfOrder, replay];
