/**
 * Why: legacy databases hold what nobody expects, and a value that is rounded, cut or lost on the way is found out by an
 * auditor. Each row here is written by hand into a source by plain SQL and must arrive right in every target.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { planRedrive, RETRY_ATTEMPTS_MAX, retryDeadLetters } from '../../ops/operations/dead-letters-redrive.ts';
import { verifyDeployment } from '../../ops/operations/verify-deployment.ts';
import { arrives, type RunningChain, startChain } from '../support/running-chain.ts';

let chain: RunningChain;
const took: [string, number][] = [];

beforeAll(async () => {
  chain = await startChain();
}, 480_000);
afterAll(async () => {
  const lines = took.map(([what, ms]) => `  ${what.padEnd(64)}${ms.toFixed(0).padStart(7)} ms`);
  process.stdout.write(`\nfrom the source's commit to the row in the target:\n${lines.join('\n')}\n`);
  await chain?.stop();
});

const crm = (sql: string, values: unknown[] = []) => chain.sessions.crm.query(sql, values);
const erp = (sql: string, values: unknown[] = []) => chain.sessions.erp.query(sql, values);
const pos = (sql: string, values: unknown[] = []) => chain.sessions.pos.query(sql, values);
const logistics = (sql: string, values: unknown[] = []) => chain.sessions.logistics.query(sql, values);
const reported = async (sql: string) => (await chain.sessions.reporting.query({ text: sql, rowMode: 'array' })).rows;
const erpRows = async (sql: string) => (await chain.sessions.erp.query({ text: sql, rowMode: 'array' })).rows;
const crmRows = async (sql: string) => (await chain.sessions.crm.query({ text: sql, rowMode: 'array' })).rows;
const posRows = async (sql: string) => ((await pos(sql)) as object[]).map((row) => Object.values(row).map(plain));
const plain = (value: unknown) => (typeof value === 'bigint' ? value.toString() : value);

async function timed<T>(what: string, expected: T, read: () => Promise<T>): Promise<void> {
  took.push([what, await arrives(expected, read)]);
}

/** MariaDB's log has whole seconds: what was done there in this one counts as newer than what is done elsewhere now. */
async function nextSecond(): Promise<void> {
  const second = async () => String((await crmRows('SELECT extract(epoch FROM clock_timestamp())::bigint'))[0]);
  const now = await second();
  await arrives(true, async () => (await second()) !== now);
}

describe('values written by hand arrive right', () => {
  it.each([
    ['quotes', `O'Hara "the \\ boss"; DROP TABLE mbr; --`],
    ['emoji and combining characters', '🧾👩‍👩‍👧 e\u0301 Z\u0351\u036b'],
    ['Chinese', '王小明 龘龖'],
    ['right to left', 'עברית العربية'],
  ])('text: %s', async (name, text) => {
    const id = 1_000 + name.length;
    await crm('INSERT INTO crm.mbr (mbr_id, nm) VALUES ($1, $2)', [id, text]);
    const customer = String(id).padStart(10, '0');
    await timed(`${name}: crm → pos`, [[text]], () => posRows(`SELECT nm FROM cust WHERE cust_no = '${customer}'`));
    await timed(`${name}: crm → reporting`, [[text]], () =>
      reported(`SELECT full_name FROM reporting.member WHERE member_id = '${id}'`),
    );
  });

  it('a 64-bit integer above 2^53, and 0.1 + 0.2 in a decimal', async () => {
    await pos(
      `INSERT INTO tlog_hdr (bskt_no, str_cd, cust_no, sold_ts, tot_amt)
       VALUES (9007199254740993, '000330', '', '2017-03-01 10:00:00.123', 0.1 + 0.2)`,
    );
    await pos(
      `INSERT INTO tlog_ln (bskt_no, ln_no, str_cd, cust_no, prod_cd, qty, net_amt, disc_amt, typ_cd, sold_ts)
       VALUES (9007199254740993, 1, '000330', NULL, '25671', 2, 0.1 + 0.2, 0, 'S', '2017-03-01 10:00:00.123')`,
    );
    await timed(
      '9007199254740993 and 0.1 + 0.2: pos → reporting',
      [['9007199254740993', '0.30', '2017-03-01T15:00:00.123Z']],
      () => reported(`SELECT sale_id, total, sold_at FROM reporting.sale WHERE sale_id LIKE '9007%'`),
    );
    await timed('the same: pos → erp, as a movement and in the stock', [['-2.000', '-2.000']], () =>
      erpRows(
        `SELECT m.qty::text, s.qoh::text FROM erp.stk_mvmt m JOIN erp.stk s USING (loc_cd, prod_no)
         WHERE m.mvmt_id = '9007199254740993-1'`,
      ),
    );
  });

  it('zero dates and NULL dates', async () => {
    await crm(
      `INSERT INTO crm.mbr (mbr_id, nm, brth_dt) VALUES (2001, 'no birthday', NULL), (2002, 'born', '0001-01-01')`,
    );
    await timed(
      'NULL date and year 1: crm → reporting',
      [
        ['2001', null],
        ['2002', '0001-01-01'],
      ],
      () =>
        reported(
          `SELECT member_id, birth_date::text FROM reporting.member WHERE member_id IN ('2001', '2002') ORDER BY 1`,
        ),
    );
    await logistics(
      `INSERT INTO shp (shp_no, prod_cd, frm_loc, qty, stat, shp_dt) VALUES ('SH-ZERO', '25671', '000330', 1, 0, '0000-00-00 00:00:00')`,
    );
    await timed("'0000-00-00' reads as no date: logistics → reporting", [['SH-ZERO', null]], () =>
      reported(`SELECT shipment_id, shipped_at FROM reporting.shipment WHERE shipment_id = 'SH-ZERO'`),
    );
  });

  it('a 1 MB text survives an update of another column', async () => {
    const text = randomText(1_000_000);
    const image = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    await erp(
      `INSERT INTO erp.prod (prod_no, descr, dept, brnd_cd, unit_cst, spec_txt, img) VALUES ('900001', 'first', 'TEST', 'N', 1.2345, $1, $2)`,
      [text, image],
    );
    const digest = createHash('md5').update(text).digest('hex');
    const read = () =>
      reported(
        `SELECT description, unit_cost, md5(specification), encode(image, 'hex') FROM reporting.product WHERE product_id = '900001'`,
      );
    await timed(
      '1 MB of text and bytes 0 to 255: erp → reporting',
      [['first', '1.2345', digest, image.toString('hex')]],
      read,
    );
    await erp(`UPDATE erp.prod SET descr = 'second' WHERE prod_no = '900001'`);
    await timed('another column of that row', [['second', '1.2345', digest, image.toString('hex')]], read);
  });

  it('a key change takes the old row away', async () => {
    await crm(`INSERT INTO crm.mbr (mbr_id, nm, tel) VALUES (3001, 'moves', '555 3001')`);
    const customers = () => posRows(`SELECT cust_no, tel_no FROM cust WHERE nm = 'moves'`);
    await timed('before the key change: crm → pos', [['0000003001', '555 3001']], customers);
    await crm('UPDATE crm.mbr SET mbr_id = 3002 WHERE mbr_id = 3001');
    await timed('key change: crm → pos', [['0000003002', '555 3001']], customers);
    await timed('key change: crm → reporting', [['3002']], () =>
      reported(`SELECT member_id FROM reporting.member WHERE full_name = 'moves'`),
    );
  });

  it('a delete and re-insert, in one transaction and in two', async () => {
    await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (4001, 'old'), (4002, 'old')`);
    const names = () => posRows(`SELECT nm FROM cust WHERE cust_no IN ('0000004001', '0000004002') ORDER BY cust_no`);
    await arrives([['old'], ['old']], names);
    await crm(
      `BEGIN; DELETE FROM crm.mbr WHERE mbr_id = 4001; INSERT INTO crm.mbr (mbr_id, nm) VALUES (4001, 'new'); COMMIT`,
    );
    await crm('DELETE FROM crm.mbr WHERE mbr_id = 4002');
    await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (4002, 'new')`);
    await timed('delete and re-insert: crm → pos', [['new'], ['new']], names);
  });

  it('a phone edited on both sides settles, and a trigger on the target travels', async () => {
    await crm(`INSERT INTO crm.mbr (mbr_id, nm, tel) VALUES (5001, 'both', '555 1')`);
    const till = () => posRows(`SELECT tel_no FROM cust WHERE cust_no = '0000005001'`);
    const desk = () => crmRows('SELECT tel FROM crm.mbr WHERE mbr_id = 5001');
    await timed('phone: crm → pos', [['555 1']], till);
    await pos(`UPDATE cust SET tel_no = '555 2' WHERE cust_no = '0000005001'`);
    await timed('phone: pos → crm', [['555 2']], desk);
    await pos(
      `INSERT INTO tlog_ln (bskt_no, ln_no, str_cd, cust_no, prod_cd, qty, net_amt, disc_amt, typ_cd, sold_ts)
       VALUES (77, 1, '000330', '0000005001', '25671', 1, 700.00, 0, 'S', '2017-03-01 10:00:00')`,
    );
    await timed('points, and the tier that a trigger makes of them: pos → crm → pos', [['S', '700']], async () =>
      (await posRows(`SELECT tier_cd, pts FROM cust WHERE cust_no = '0000005001'`)).map((row) => row.map(String)),
    );
  });

  it('a trigger that gives what Seam writes the till’s own form has its way in every system, however soon', async () => {
    await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (5002, 'abroad')`);
    const till = () => posRows(`SELECT tel_no FROM cust WHERE cust_no = '0000005002'`);
    const desk = () => crmRows('SELECT tel FROM crm.mbr WHERE mbr_id = 5002');
    await arrives([[null]], till);
    await pos(`CREATE TRIGGER own_form BEFORE UPDATE ON cust FOR EACH ROW
      SET NEW.tel_no = IF(NEW.tel_no LIKE '00%', CONCAT('+', SUBSTRING(NEW.tel_no, 3)), NEW.tel_no)`);
    for (const number of ['49 30 1', '49 30 2', '49 30 3']) {
      await nextSecond();
      await crm('UPDATE crm.mbr SET tel = $1 WHERE mbr_id = 5002', [`00${number}`]);
      await timed(`a phone and what a trigger makes of it: crm → pos → crm`, [[`+${number}`]], desk);
      expect(await till()).toEqual([[`+${number}`]]);
    }
    await pos('DROP TRIGGER own_form');
  });

  it('a table without a primary key: insert, update, delete, truncate', async () => {
    const rows = () => reported('SELECT competitor, market_units FROM reporting.market_survey ORDER BY 1');
    await crm(
      `INSERT INTO crm.mkt_srvy VALUES (201709, '25671', 'A', 1, 1.10, NULL), (201709, '25671', 'B', 2, 1.20, NULL)`,
    );
    await timed(
      'no primary key, insert: crm → reporting',
      [
        ['A', '1'],
        ['B', '2'],
      ],
      rows,
    );
    await crm(`UPDATE crm.mkt_srvy SET units = 9007199254740993 WHERE comp = 'A'`);
    await crm(`DELETE FROM crm.mkt_srvy WHERE comp = 'B'`);
    await timed('no primary key, update and delete', [['A', '9007199254740993']], rows);
    await crm('TRUNCATE crm.mkt_srvy');
    await timed('truncate', [], rows);
    await crm(`INSERT INTO crm.mkt_srvy VALUES (201710, '25671', 'C', 3, 1.30, NULL)`);
    await timed('a row after the truncate', [['C', '3']], rows);
  });

  it('a row that its mapping refuses stops its key, until it is corrected at its source or given up; others flow', async () => {
    await crm(`INSERT INTO crm.mbr (mbr_id, nm, tel, stat_cd) VALUES (6001, 'refused', '555 0199', 'Z')`);
    await crm(`INSERT INTO crm.mbr (mbr_id, nm) VALUES (6002, 'accepted')`);
    const members = () =>
      reported(`SELECT member_id FROM reporting.member WHERE member_id IN ('6001', '6002') ORDER BY 1`);
    await timed('the row after a refused one: crm → reporting', [['6002']], members);
    const listed = async () => (await deadLetter('list', '--stage', 'canonicalize')).json;
    const counts = async () => listed().then(({ deadLetters, waitingBehind }) => [deadLetters, waitingBehind]);
    await arrives([1, 0], counts);
    expect(await members()).toEqual([['6002']]);
    const [cause] = (await listed()).causes;
    expect(cause).toMatchObject({
      where: { kind: 'stage', name: 'canonicalize' },
      system: 'crm',
      code: 'CODE_UNKNOWN',
    });
    const [id] = cause.ids;
    expect(id).toMatch(/^canonicalize:raw\.crm\.crm\.mbr\/\d+\/\d+$/);

    const shown = await deadLetter('show', id);
    const fields = Object.fromEntries(shown.json.contents.map(({ name, value }: Shown) => [name, value]));
    expect(fields).toMatchObject({ operation: 'c', stat_cd: 'Z', nm: '(personal)', tel: '(personal)' });
    expect(shown.json).toMatchObject({ waitingBehind: 0, key: [{ name: 'mbr_id', value: '6001' }] });
    expect(`${shown.text}${JSON.stringify(await listed())}`).not.toMatch(/refused',|555 0199/);

    const again = await deadLetter('retry', '--id', id, '--yes');
    expect(again.json.answers).toMatchObject([{ outcome: 'refused-again', code: 'CODE_UNKNOWN' }]);
    expect(again.exitCode).toBe(1);
    await crm(`UPDATE crm.mbr SET stat_cd = 'A' WHERE mbr_id = 6001`);
    await timed('the corrected row, by itself', [['6001'], ['6002']], members);
    expect(await listed()).toMatchObject({ deadLetters: 0, waitingBehind: 0, discarded: 0 });

    await crm(`INSERT INTO crm.mbr (mbr_id, nm, stat_cd) VALUES (6003, 'given up', 'Z')`);
    await arrives([1, 0], counts);
    const [other] = (await listed()).causes;
    expect((await deadLetter('discard', '--id', other.ids[0], '--reason', 'a test row')).exitCode).toBe(5);
    expect(await counts()).toEqual([1, 0]);
    const given = await deadLetter('discard', '--stage', 'canonicalize', '--reason', 'a test row', '--yes');
    expect(given.json.answers).toMatchObject([{ outcome: 'discarded', detail: 'nothing waited behind' }]);
    expect(given.exitCode).toBe(0);
    expect(await listed()).toMatchObject({ deadLetters: 0, waitingBehind: 0, discarded: 1 });
  });

  it('a value that one target cannot hold stops one key there and no other, until it is corrected at its source', async () => {
    await crm(`INSERT INTO crm.mbr (mbr_id, nm, pts_bal) VALUES (7001, 'rich', 9007199254740993), (7002, 'poor', 1)`);
    await timed('beyond the target: crm → reporting', [['9007199254740993']], () =>
      reported(`SELECT points_balance FROM reporting.member WHERE member_id = '7001'`),
    );
    const names = () => posRows(`SELECT nm FROM cust WHERE cust_no IN ('0000007001', '0000007002') ORDER BY cust_no`);
    await timed('the key beside it: crm → pos', [['poor']], names);
    const listed = async () => (await deadLetter('list', '--target', 'pos')).json;
    await arrives([1, 0], () => listed().then(({ deadLetters, waitingBehind }) => [deadLetters, waitingBehind]));
    expect(await names()).toEqual([['poor']]);
    const [cause] = (await listed()).causes;
    const shown = await deadLetter('show', cause.ids[0]);
    expect(shown.json.contents).toContainEqual({ name: 'fullName', value: '(personal)' });
    expect(shown.json.contents).toContainEqual({ name: 'pointsBalance', value: '9007199254740993' });
    expect(shown.text).not.toContain('rich');
    const answer = await deadLetter('retry', '--target', 'pos', '--code', cause.code, '--yes');
    expect(answer.json.answers).toMatchObject([{ outcome: 'refused-again', code: cause.code }]);
    expect(answer.exitCode).toBe(1);
    await crm('UPDATE crm.mbr SET pts_bal = 5 WHERE mbr_id = 7001');
    await timed('the corrected row, by itself', [['rich'], ['poor']], names);
    await arrives([0, 0], () => listed().then(({ deadLetters, waitingBehind }) => [deadLetters, waitingBehind]));
  });

  it('a record that was refused five times is left out, unless somebody insists', async () => {
    await crm(`INSERT INTO crm.mbr (mbr_id, nm, pts_bal) VALUES (7003, 'richer', 9007199254740993)`);
    const refused = { target: 'pos' };
    const plan = () => planRedrive(chain.deployment, refused);
    await arrives(1, async () => (await plan()).keys.length);
    for (let attempt = 1; attempt <= RETRY_ATTEMPTS_MAX; attempt += 1) {
      const answers = await retryDeadLetters(chain.deployment, await plan(), { patienceMs: 30_000 });
      expect(answers).toMatchObject([
        { outcome: 'refused-again', detail: expect.stringContaining(`attempt ${attempt}`) },
      ]);
    }
    const left = await deadLetter('retry', '--target', 'pos', '--yes');
    expect(left.json.answers).toMatchObject([
      { outcome: 'attempts-exhausted', detail: `refused ${RETRY_ATTEMPTS_MAX} times; --force tries it again` },
    ]);
    expect(left.exitCode).toBe(5);
    const insisted = await deadLetter('retry', '--target', 'pos', '--force', '--yes');
    expect(insisted.json.answers).toMatchObject([
      { outcome: 'refused-again', detail: expect.stringContaining(`attempt ${RETRY_ATTEMPTS_MAX + 1}`) },
    ]);
    // what one target can't hold is no difference in the others
    const beside = await verifyDeployment(chain.deployment, { targets: ['pos', 'reporting'], patienceMs: 2_000 });
    expect(beside.tables.flatMap((table) => table.differences)).toEqual([]);
    expect(beside.refused).toMatchObject({ 'pos pos.cust VALUE_OUT_OF_RANGE': 1 });
    await crm('UPDATE crm.mbr SET pts_bal = 6 WHERE mbr_id = 7003');
    await arrives(0, async () => (await plan()).keys.length);
    expect(await posRows(`SELECT pts FROM cust WHERE cust_no = '0000007003'`)).toEqual([[6]]);
  });

  it('in the end every target equals its sources', async () => {
    const result = await verifyDeployment(chain.deployment, { targets: [], patienceMs: 30_000 });
    expect(result.tables.flatMap((table) => table.differences)).toEqual([]);
    expect(result.rowsCompared).toBeGreaterThan(30);
  });

  it('a row changed, lost or left behind in a target is found, by key and column', async () => {
    const reporting = (sql: string) => chain.sessions.reporting.query(sql);
    await reporting(`UPDATE reporting.member SET full_name = 'somebody else' WHERE member_id = '6002'`);
    await reporting(`DELETE FROM reporting.member WHERE member_id = '5001'`);
    await reporting(`UPDATE seam.applied SET deleted = false WHERE entity = 'member' AND key = '3001'`);
    const result = await verifyDeployment(chain.deployment, { targets: ['reporting'], patienceMs: 2_000 });
    expect(result.equal).toBe(false);
    const found = result.tables.flatMap((table) => table.differences);
    expect(found.map(({ key, kind, columns }) => [key, kind, columns.join()]).sort()).toEqual([
      ['3001', 'extra', ''],
      ['5001', 'missing', ''],
      ['6002', 'different', 'full_name'],
    ]);
    expect(JSON.stringify(result)).not.toContain('somebody else');
  });
});

type Shown = { readonly name: string; readonly value: string };

/** The command as an operator types it, on the running chain. */
async function deadLetter(...args: readonly string[]) {
  const program = path.join(import.meta.dirname, '..', '..', 'cli', 'main.ts');
  const words = [program, 'dead-letter', ...args, '--json', '--deployment', chain.deploymentFile];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'pipe'] });
  let [text, errors] = ['', ''];
  child.stdout.on('data', (bytes) => {
    text += bytes;
  });
  child.stderr.on('data', (bytes) => {
    errors += bytes;
  });
  const exitCode = await new Promise<number | null>((resolve) => child.once('close', resolve));
  if (text === '' && exitCode !== 5) throw new Error(`exit ${exitCode}: ${errors}`);
  return { text: `${text}${errors}`, json: text === '' ? undefined : JSON.parse(text), exitCode };
}

/** Without repetition, so that PostgreSQL stores it out of line. */
function randomText(length: number): string {
  let text = '';
  for (let block = 0; text.length < length; block += 1) {
    text += createHash('sha256').update(String(block)).digest('base64');
  }
  return text.slice(0, length);
}
