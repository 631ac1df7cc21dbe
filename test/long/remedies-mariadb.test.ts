/** Why: as remedies.test.ts; here what becomes of a MariaDB source, whose connector knows tables only as they were when it read them. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { OnCall } from '../support/on-call.ts';
import { follow } from '../support/operator.ts';

const TABLES = 'table.include.list';
const HISTORY = 'schema.history.internal.kafka.topic';
const STATUS = 'seam connectors status pos';

let on: OnCall;

beforeAll(async () => {
  on = await OnCall.begin();
}, 300_000);
afterAll(() => on?.end());

const sale = (id: number) =>
  `INSERT INTO tlog_hdr (bskt_no, str_cd, cust_no, sold_ts, tot_amt) VALUES (${id}, '000330', '', '2017-03-01 10:00:00', 5)`;
const line = (id: number) =>
  `INSERT INTO tlog_ln (bskt_no, ln_no, str_cd, prod_cd, qty, net_amt, disc_amt, sold_ts)
   VALUES (${id}, 1, '000330', '900', 1, 5, 0, '2017-03-01 10:00:00')`;

async function inOwnSession(...statements: string[]): Promise<void> {
  const session = await on.chain.sessions.pos.getConnection();
  try {
    for (const sql of statements) await session.query(sql);
  } finally {
    await session.release();
  }
}

describe('a MariaDB source', () => {
  it('SOURCE_REPLACED: another server is accepted, and read from its start', async () => {
    const [before] = (await on.pos('SELECT @@server_id AS id')) as { id: bigint }[];
    await on.pos('SET GLOBAL server_id = 4711');
    const said = await on.says('SOURCE_REPLACED', STATUS);
    await on.does(said, 'SOURCE_REPLACED');
    await on.posFlows();
    await on.pos(`SET GLOBAL server_id = ${before?.id}`);
    const back = await on.says('SOURCE_REPLACED', STATUS);
    await on.does(back, 'SOURCE_REPLACED');
    await on.posFlows();
    await on.isWell(STATUS);
  });

  it('TABLE_ADDED: the source is read again with the table', async () => {
    await on.putSettings('seam-pos', (config) => ({ ...config, [TABLES]: 'pos.tlog_hdr,pos.tlog_ln' }));
    const said = await on.says('TABLE_ADDED', 'seam connectors apply pos --yes');
    await on.does(said, 'TABLE_ADDED');
    await on.posFlows();
    await on.isWell(STATUS);
  });

  it('CONNECTOR_TABLE_UNKNOWN: the source is read again with the table', async () => {
    const before = await on.connect.config('seam-pos');
    const history = { [HISTORY]: 'schema-history.pos.lacking' };
    const lacking = { ...history, [TABLES]: 'pos.tlog_hdr,pos.tlog_ln', 'snapshot.mode': 'recovery' };
    await on.putSettings('seam-pos', (config) => ({ ...config, ...lacking }));
    await on.posFlows();
    await on.putSettings('seam-pos', () => ({ ...before, ...history }));
    await on.pos(
      `UPDATE cust SET nm = 'of a table that is not known' WHERE cust_no = LPAD('${on.member - 1}', 10, '0')`,
    );
    const said = await on.says('CONNECTOR_TABLE_UNKNOWN', STATUS);
    await on.does(said, 'CONNECTOR_TABLE_UNKNOWN');
    await on.posFlows();
    await on.isWell(STATUS);
  });

  it('CONNECTOR_ROW_UNREADABLE: its cause is removed, and the source read again', async () => {
    await inOwnSession(
      sale(71),
      "SET SESSION binlog_row_image = 'MINIMAL'",
      'UPDATE tlog_hdr SET tot_amt = 7 WHERE bskt_no = 71',
    );
    const said = await on.says('CONNECTOR_ROW_UNREADABLE', STATUS);
    const [status, recovery] = await follow(on.desk, said.text, 'CONNECTOR_ROW_UNREADABLE');
    expect(status?.command).toBe(STATUS);
    expect(recovery?.exitCode, recovery?.text).toBe(0);
    await on.isReported(`SELECT total::text FROM reporting.sale WHERE sale_id = '71'`, '7.00');
    await on.posFlows();
    await on.isWell(STATUS);
  });

  it('CASCADE_NOT_LOGGED: the server notes statements, and the table is read again', async () => {
    await on.pos(sale(81));
    await on.pos(line(81));
    await on.pos('SET GLOBAL binlog_annotate_row_events = OFF');
    await on.pos(
      'ALTER TABLE tlog_ln ADD CONSTRAINT of_receipt FOREIGN KEY (bskt_no) REFERENCES tlog_hdr (bskt_no) ON UPDATE CASCADE',
    );
    const said = await on.says('CASCADE_NOT_LOGGED', STATUS);
    await inOwnSession(
      'SET SESSION binlog_annotate_row_events = OFF',
      'UPDATE tlog_hdr SET bskt_no = 82 WHERE bskt_no = 81',
    );
    await on.pos('SET GLOBAL binlog_annotate_row_events = ON');
    const [reading] = await follow(on.desk, said.text, 'CASCADE_NOT_LOGGED');
    // a deletion of so few rows needs its number, and says so
    if (reading?.exitCode !== 0) await on.does(reading as never, 'SWEEP_UNCONFIRMED');
    await on.isReported(`SELECT count(*)::int FROM reporting.sale_line WHERE sale_id = '82'`, 1);
    await on.pos('ALTER TABLE tlog_ln DROP FOREIGN KEY of_receipt');
    await on.posFlows();
  });
});
