/** Tables that change their shape while people write to them. */
import { rowsOf } from '../audit.ts';
import { canonicalCount, processorsReason, stepOver } from '../operator.ts';
import { awaits, DEAR_POLL_MS, insist } from '../patience.ts';
import { readTopic } from '../raw-log.ts';
import type { FaultContext, Row } from '../row.ts';

const LOCATIONS = 'raw.erp.erp.loc';
const LOCATION = 'W001';

const schemaChanged: Row = {
  id: 'F14',
  title: 'schema changes in mid-stream',
  does: 'Under writes: a nullable column, a NOT NULL one with a default, a wider type, in both kinds of database. Then a mapped column is renamed.',
  proof:
    'the catalogue has the new columns; after the renaming the processors name the table, and every other one flows',
  recoversWithinMs: 30_000,
  feedsOldVersions: true,
  async run(context) {
    const { erp, pos } = context.chain.sessions;
    await insist('erp takes the columns', async () => {
      await erp.query('ALTER TABLE erp.prc ADD COLUMN IF NOT EXISTS src_cd varchar(4)');
      await erp.query('ALTER TABLE erp.prc ADD COLUMN IF NOT EXISTS pri integer NOT NULL DEFAULT 1');
    });
    await context.flows();
    await erp.query('ALTER TABLE erp.prc ALTER COLUMN rem TYPE varchar(400)');
    await pos.query(
      'ALTER TABLE tlog_ln ADD COLUMN IF NOT EXISTS rgn VARCHAR(4) NULL, ADD COLUMN IF NOT EXISTS pri INT NOT NULL DEFAULT 1',
    );
    await pos.query('ALTER TABLE tlog_ln MODIFY COLUMN prod_cd VARCHAR(20) NOT NULL');
    await context.flows();
    const columns = await rowsOf<{ n: number }>(
      context.chain.sessions,
      'erp',
      `SELECT count(*)::int AS n FROM information_schema.columns WHERE table_name = 'prc' AND column_name IN ('src_cd', 'pri')`,
    );
    context.prove(
      'columns were added and widened in both kinds of database, and changes went on arriving',
      columns[0]?.n === 2,
    );
    await rename(context);
  },
};

/** The table stops before a record is misread; the others flow; undone, it goes on. */
async function rename({ chain, prove, require }: FaultContext): Promise<void> {
  const { erp } = chain.sessions;
  const ends = new Map<number, bigint>();
  await readTopic(chain, LOCATIONS, (partition, latest) => {
    ends.set(partition, latest);
    return latest;
  });
  await erp.query('ALTER TABLE erp.loc RENAME COLUMN opn_dt TO opened_on');
  await erp.query(`UPDATE erp.loc SET nm = 'Renamed' WHERE loc_cd = '${LOCATION}'`);
  await awaits('the processors name the table', 60_000, () => /table erp\.loc of erp/.test(processorsReason(chain)));
  const reason = processorsReason(chain);
  const [unread] = await readTopic(chain, LOCATIONS, (partition) => ends.get(partition) ?? 0n);
  const before = await canonicalCount(chain);
  await awaits(
    'the other tables go on',
    60_000,
    async () => (await canonicalCount(chain)) > before + 200n,
    DEAR_POLL_MS,
  );
  prove(`the renamed column stopped its table alone: ${reason.slice(0, 160)}`);
  const sql = `SELECT name FROM reporting.location WHERE location_id = '${LOCATION}'`;
  const [row] = await rowsOf<{ name: string }>(chain.sessions, 'reporting', sql);
  require('C8', 'a record of the changed table was written', row?.name !== 'Renamed');
  await erp.query('ALTER TABLE erp.loc RENAME COLUMN opened_on TO opn_dt');
  if (unread === undefined) throw new Error('the change of the renamed table was not captured');
  await stepOver(chain, LOCATIONS, { partition: unread.partition, offset: unread.record.offset });
  await erp.query(`UPDATE erp.loc SET nm = 'Renamed and back' WHERE loc_cd = '${LOCATION}'`);
  await awaits('the table flows again', 60_000, async () => {
    return (await rowsOf<{ name: string }>(chain.sessions, 'reporting', sql))[0]?.name === 'Renamed and back';
  });
}

export const schemaRows: readonly Row[] = [schemaChanged];
