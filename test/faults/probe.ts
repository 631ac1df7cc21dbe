/** Is it flowing? A change is made in every source, and looked for where it must arrive: steps and both databases. */
import { awaits, insist } from './patience.ts';
import { rowsOf, type Target } from './audit.ts';
import type { Sessions } from '../../demo/sessions.ts';

const PRODUCT = '999000000';
const MEMBER = 810_100;
const SHIPMENT = 'PROBE';
const ORDER = 'PROBE';
const FIRST_BASKET = 7_100_000_000_000_000n;

/** `atLeast`: a later probe may have written meanwhile. */
type Arrival = { readonly at: Target; readonly sql: string; readonly atLeast: number };

export class Probe {
  readonly #sessions: Sessions;
  #number = 0;

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  async prepare(): Promise<void> {
    const { erp, crm, logistics, finance } = this.#sessions;
    await erp.query(
      `INSERT INTO erp.prod (prod_no, descr, dept, brnd_cd, unit_cst) VALUES ('${PRODUCT}', 'Probe', 'GROCERY', 'N', 1)`,
    );
    await erp.query(`INSERT INTO erp.prc VALUES ('${PRODUCT}', '01', 0, DATE '2017-01-01', 'probe')`);
    await crm.query(`INSERT INTO crm.mbr (mbr_id, nm, jn_dt) VALUES (${MEMBER}, 'Probe', CURRENT_DATE)`);
    await logistics.query(
      `INSERT INTO shp (shp_no, prod_cd, frm_loc, qty, stat) VALUES ('${SHIPMENT}', '999000001', 'B001', 0, 2)`,
    );
    await finance.query(`INSERT INTO fin.inv (ext_ref, ord_ref, amt, stat) VALUES ('probe', '${ORDER}', 0, 'P')`);
  }

  /** Writes, then waits for all of it: ms from the first write to the last arrival. */
  async arrives(limitMs: number): Promise<number> {
    const number = ++this.#number;
    const startedMs = performance.now();
    const arrivals = await this.#write(number);
    for (const { at, sql, atLeast } of arrivals) {
      const leftMs = Math.max(1, limitMs - (performance.now() - startedMs));
      await awaits(`change ${number} is in ${at}`, leftMs, async () => {
        const [row] = await rowsOf<{ value: unknown }>(this.#sessions, at, sql);
        return Number(row?.value ?? 0) >= atLeast;
      });
    }
    return performance.now() - startedMs;
  }

  async #write(number: number): Promise<Arrival[]> {
    const { erp, crm, pos, logistics, finance } = this.#sessions;
    const basket = String(FIRST_BASKET + BigInt(number));
    await insist('erp takes the price', () =>
      erp.query(`UPDATE erp.prc SET amt = $1::numeric / 100 WHERE prod_no = '${PRODUCT}'`, [number]),
    );
    await insist('crm takes the member', () =>
      crm.query(`UPDATE crm.mbr SET nm = $1 WHERE mbr_id = ${MEMBER}`, [`Probe ${number}`]),
    );
    await insist('pos takes the sale', () =>
      pos.query(
        `INSERT IGNORE INTO tlog_ln (bskt_no, ln_no, str_cd, cust_no, prod_cd, qty, net_amt, disc_amt, typ_cd, sold_ts)
         VALUES (?, 1, '000330', '0000${MEMBER}', '${PRODUCT}', 1, 5, 0, 'S', '2017-03-01 12:00:00.000')`,
        [basket],
      ),
    );
    await insist('logistics takes the shipment', () =>
      logistics.query(`UPDATE shp SET qty = ? WHERE shp_no = '${SHIPMENT}'`, [number]),
    );
    await insist('finance takes the invoice', () =>
      finance.query(`UPDATE fin.inv SET amt = $1 WHERE ord_ref = '${ORDER}'`, [number]),
    );
    const line = `'${basket}-1'`;
    return [
      { at: 'erp', sql: `SELECT count(*) AS value FROM erp.stk_mvmt WHERE mvmt_id = ${line}`, atLeast: 1 },
      { at: 'crm', sql: `SELECT count(*) AS value FROM crm.pts_led WHERE ent_id = ${line}`, atLeast: 1 },
      {
        at: 'reporting',
        sql: `SELECT count(*) AS value FROM reporting.sale_line WHERE sale_id = '${basket}'`,
        atLeast: 1,
      },
      {
        at: 'reporting',
        sql: `SELECT (amount * 100)::int AS value FROM reporting.price WHERE product_id = '${PRODUCT}'`,
        atLeast: number,
      },
      {
        at: 'reporting',
        sql: `SELECT quantity::int AS value FROM reporting.shipment WHERE shipment_id = '${SHIPMENT}'`,
        atLeast: number,
      },
      {
        at: 'reporting',
        sql: `SELECT amount::int AS value FROM reporting.invoice WHERE order_id = '${ORDER}'`,
        atLeast: number,
      },
      {
        at: 'pos',
        sql: `SELECT CAST(amt * 100 AS SIGNED) AS value FROM prc WHERE prod_cd = '${PRODUCT}'`,
        atLeast: number,
      },
      {
        at: 'pos',
        sql: `SELECT CAST(substring(nm, 7) AS SIGNED) AS value FROM cust WHERE cust_no = '0000${MEMBER}'`,
        atLeast: number,
      },
    ];
  }
}
