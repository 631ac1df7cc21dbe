/**
 * A trading day: tills, clerks, web customers, planners, drivers and accountants, each working in their own system only.
 * None of them knows of Seam. What they write goes into a journal, so that freshness is measured from their commit.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { DateTime } from 'luxon';
import { customerNumber, storeCode, writeBaskets } from './load.ts';
import { Random } from './random.ts';
import type { Basket, Product, RetailData } from './retail-data.ts';
import { FIRST_LIVE_WEEK, money } from './retail-data.ts';
import type { Sessions } from './sessions.ts';

export type WorkloadCounts = Record<string, number>;
export type WorkloadOptions = {
  readonly seed: number;
  readonly pace: number;
  /** People whose system is away try again later; without this the day ends at the first failure. */
  readonly onFailure?: (actor: string, error: unknown) => void;
};

type Actor = { readonly name: string; readonly everyMs: number; act(): Promise<number> };

const ID_ROUND = 10_000_000_000_000n;
const CANCELLED_ORDER_EVERY = 12;
const SIGN_UP_IDS_FROM = 900_000;

export class Workload {
  readonly counts: WorkloadCounts = {};
  /** Points entry → ms since 1970, just before the commit of the sale line that earns it was sent. */
  readonly journal = new Map<string, number>();
  readonly #sessions: Sessions;
  readonly #data: RetailData;
  readonly #random: Random;
  readonly #pace: number;
  readonly #onFailure: WorkloadOptions['onFailure'];
  readonly #live: readonly Basket[];
  readonly #sold: Basket[] = [];
  readonly #signedUp: number[] = [];
  readonly #kitchen: readonly Product[];
  #nextBasket = 0;
  #nextOrder = 70_000_000;
  #nextSignUp = SIGN_UP_IDS_FROM;

  constructor(sessions: Sessions, data: RetailData, options: WorkloadOptions) {
    this.#sessions = sessions;
    this.#data = data;
    this.#random = new Random(options.seed);
    this.#pace = options.pace;
    this.#onFailure = options.onFailure;
    this.#live = data.baskets.filter((basket) => basket.week >= FIRST_LIVE_WEEK);
    this.#kitchen = data.products.filter((product) => /DELI|PASTRY|SALAD/.test(product.department));
  }

  /** Everybody works until the signal; then those who finish what was begun go on until `drained`. */
  async trade(signal: AbortSignal): Promise<void> {
    await Promise.all([...this.#traders(), ...this.#finishers()].map((actor) => this.#work(actor, signal)));
  }

  /** Planners, drivers and accountants finish the open orders. Resolves when each has its shipment and paid invoice. */
  async finish(signal: AbortSignal): Promise<void> {
    const done = new AbortController();
    const either = AbortSignal.any([signal, done.signal]);
    const working = this.#finishers().map((actor) => this.#work(actor, either));
    while (!signal.aborted && (await this.openOrders()) > 0) await pause(250);
    done.abort();
    await Promise.all(working);
  }

  /** Orders without a paid invoice, cancelled ones left out. */
  async openOrders(): Promise<number> {
    const orders = await this.#sessions.crm.query(`SELECT ord_no::text AS ord FROM crm.web_ord WHERE stat = 'N'`);
    const paid = await this.#sessions.finance.query(`SELECT ord_ref AS ord FROM fin.inv WHERE stat = 'P'`);
    const paidOrders = new Set(paid.rows.map((row) => row.ord));
    return orders.rows.filter((row) => !paidOrders.has(row.ord)).length;
  }

  async #work(actor: Actor, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const startedMs = Date.now();
      const done = await this.#attempt(actor);
      this.counts[actor.name] = (this.counts[actor.name] ?? 0) + done;
      const restMs = actor.everyMs / this.#pace - (Date.now() - startedMs);
      await pause(Math.max(1, restMs), undefined, { signal }).catch(() => {});
    }
  }

  async #attempt(actor: Actor): Promise<number> {
    if (this.#onFailure === undefined) return actor.act();
    try {
      return await actor.act();
    } catch (error) {
      this.#onFailure(actor.name, error);
      return 0;
    }
  }

  #traders(): Actor[] {
    return [
      { name: 'baskets sold', everyMs: 400, act: () => this.#sellBasket() },
      { name: 'returns', everyMs: 2_500, act: () => this.#returnLine() },
      { name: 'sale corrections', everyMs: 3_000, act: () => this.#correctLine() },
      { name: 'sales voided', everyMs: 6_000, act: () => this.#voidBasket() },
      { name: 'web orders', everyMs: 700, act: () => this.#orderOnline() },
      { name: 'price changes', everyMs: 1_500, act: () => this.#changePrice() },
      { name: 'price zone moves', everyMs: 9_000, act: () => this.#moveZone() },
      { name: 'phone edits in crm', everyMs: 600, act: () => this.#editPhoneInCrm() },
      { name: 'phone edits in pos', everyMs: 600, act: () => this.#editPhoneInPos() },
      { name: 'profile edits', everyMs: 2_000, act: () => this.#editProfile() },
      { name: 'stock corrections', everyMs: 2_000, act: () => this.#correctStock() },
      { name: 'members signed up', everyMs: 3_500, act: () => this.#signUp() },
      { name: 'members deleted', everyMs: 8_000, act: () => this.#deleteMember() },
      { name: 'products delisted', everyMs: 7_000, act: () => this.#delistProduct() },
    ];
  }

  #finishers(): Actor[] {
    return [
      { name: 'plans started', everyMs: 400, act: () => this.#startPlans() },
      { name: 'plans completed', everyMs: 400, act: () => this.#completePlans() },
      { name: 'shipments sent', everyMs: 400, act: () => this.#sendShipments() },
      { name: 'shipments delivered', everyMs: 1_500, act: () => this.#deliverShipments() },
      { name: 'invoices paid', everyMs: 500, act: () => this.#payInvoices() },
    ];
  }

  async #sellBasket(): Promise<number> {
    const original = this.#live[this.#nextBasket % this.#live.length] as Basket;
    const round = BigInt(Math.floor(this.#nextBasket / this.#live.length));
    this.#nextBasket += 1;
    const basket = { ...original, basketId: original.basketId + round * ID_ROUND, soldAt: storeClock() };
    const committedAtMs = Date.now();
    await writeBaskets(this.#sessions, [basket]);
    this.#sold.push(basket);
    this.#note(basket, committedAtMs);
    return 1;
  }

  #note(basket: Basket, committedAtMs: number): void {
    if (basket.basketId % 10n === 0n) return;
    basket.lines.forEach((line, index) => {
      if (Number(line.amount) >= 1) this.journal.set(`${basket.basketId}-${index + 1}`, committedAtMs);
    });
  }

  /** A line written twice has no single commit to measure from. */
  #forget(entryId: string): void {
    this.journal.delete(entryId);
  }

  async #returnLine(): Promise<number> {
    const basket = this.#sold.length === 0 ? undefined : this.#random.pick(this.#sold);
    const line = basket?.lines[0];
    if (basket === undefined || line === undefined) return 0;
    const number = basket.basketId + 5n * ID_ROUND + BigInt(this.counts.returns ?? 0) * 1_000n * ID_ROUND;
    await this.#sessions.pos.query(
      `INSERT IGNORE INTO tlog_ln (bskt_no, ln_no, str_cd, cust_no, prod_cd, qty, net_amt, disc_amt, typ_cd, sold_ts)
       VALUES (?, 1, ?, ?, ?, ?, ?, 0, 'R', ?)`,
      [
        number,
        storeCode(basket.storeId),
        customerNumber(basket.householdId),
        line.productId,
        line.quantity,
        line.amount,
        storeClock(),
      ],
    );
    return 1;
  }

  async #correctLine(): Promise<number> {
    if (this.#sold.length === 0) return 0;
    const basket = this.#random.pick(this.#sold);
    this.#forget(`${basket.basketId}-1`);
    const result = await this.#sessions.pos.query(
      'UPDATE tlog_ln SET qty = qty + 1, net_amt = net_amt + 1.25 WHERE bskt_no = ? AND ln_no = 1',
      [basket.basketId],
    );
    return result.affectedRows;
  }

  async #voidBasket(): Promise<number> {
    if (this.#sold.length < 10) return 0;
    const index = this.#random.below(this.#sold.length - 5);
    const [basket] = this.#sold.splice(index, 1);
    if (basket === undefined) return 0;
    const connection = await this.#sessions.pos.getConnection();
    try {
      await connection.beginTransaction();
      await connection.query('DELETE FROM tlog_ln WHERE bskt_no = ?', [basket.basketId]);
      await connection.query('DELETE FROM tlog_hdr WHERE bskt_no = ?', [basket.basketId]);
      await connection.commit();
    } finally {
      await connection.release();
    }
    basket.lines.forEach((_, line) => {
      this.#forget(`${basket.basketId}-${line + 1}`);
    });
    return 1;
  }

  async #orderOnline(): Promise<number> {
    const product = this.#random.pick(this.#kitchen);
    const order = this.#nextOrder;
    this.#nextOrder += 1;
    await this.#sessions.crm.query(
      `INSERT INTO crm.web_ord (ord_no, mbr_id, prod, str, qty, unit_prc, ord_ts, stat, msg)
       VALUES ($1, $2, $3, $4, $5, $6, clock_timestamp(), 'N', $7)`,
      [
        order,
        this.#member(),
        product.productId,
        storeCode(this.#random.pick(this.#data.stores)),
        1 + this.#random.below(5),
        money(product.priceCents),
        order % 4 === 0 ? 'Happy birthday, 小明! 🎂 "from all of us"' : null,
      ],
    );
    if (order % CANCELLED_ORDER_EVERY === 0) {
      await this.#sessions.crm.query(`UPDATE crm.web_ord SET stat = 'X' WHERE ord_no = $1`, [order]);
    }
    return 1;
  }

  async #changePrice(): Promise<number> {
    const product = this.#random.pick(this.#data.products);
    const amount = money(Math.max(1, product.priceCents + this.#random.below(40) - 20));
    await this.#sessions.erp.query('UPDATE erp.prc SET amt = $2, vld_frm = CURRENT_DATE WHERE prod_no = $1', [
      product.productId,
      amount,
    ]);
    return 1;
  }

  /** The zone is part of the key: the old price goes, the new one comes. */
  async #moveZone(): Promise<number> {
    const product = this.#random.pick(this.#data.products);
    const result = await this.#sessions.erp.query(
      `UPDATE erp.prc SET zn = CASE zn WHEN '01' THEN '02' ELSE '01' END WHERE prod_no = $1`,
      [product.productId],
    );
    return result.rowCount ?? 0;
  }

  async #editPhoneInCrm(): Promise<number> {
    const phone = `+1 555 2${String(this.#random.below(1_000_000)).padStart(6, '0')}`;
    const result = await this.#sessions.crm.query('UPDATE crm.mbr SET tel = $2 WHERE mbr_id = $1', [
      this.#oftenEdited(),
      phone,
    ]);
    return result.rowCount ?? 0;
  }

  async #editPhoneInPos(): Promise<number> {
    const phone = `(555) 3${String(this.#random.below(1_000_000)).padStart(6, '0')}`;
    const result = await this.#sessions.pos.query('UPDATE cust SET tel_no = ? WHERE cust_no = ?', [
      phone,
      customerNumber(this.#oftenEdited()),
    ]);
    return result.affectedRows;
  }

  async #editProfile(): Promise<number> {
    const result = await this.#sessions.crm.query(`UPDATE crm.mbr SET nm = $2 WHERE mbr_id = $1`, [
      this.#member(),
      `${this.#random.pick(this.#data.households).name} ${this.#random.below(100)}`,
    ]);
    return result.rowCount ?? 0;
  }

  async #correctStock(): Promise<number> {
    const basket = this.#random.pick(this.#live);
    const line = this.#random.pick(basket.lines);
    await this.#sessions.erp.query(
      `INSERT INTO erp.stk_adj (loc_cd, prod_no, qty, who, ts) VALUES ($1, $2, $3, 'clerk', now())`,
      [storeCode(basket.storeId), line.productId, this.#random.below(11) - 5],
    );
    return 1;
  }

  async #signUp(): Promise<number> {
    const id = this.#nextSignUp;
    this.#nextSignUp += 1;
    await this.#sessions.crm.query(
      `INSERT INTO crm.mbr (mbr_id, nm, eml, tel, tier_cd, stat_cd, pts_bal, jn_dt) VALUES ($1, $2, $3, $4, 'B', 'A', 0, CURRENT_DATE)`,
      [id, `New member ${id}`, `new${id}@example.org`, `+1 555 4${id}`],
    );
    this.#signedUp.push(id);
    return 1;
  }

  async #deleteMember(): Promise<number> {
    const id = this.#signedUp.shift();
    if (id === undefined) return 0;
    const result = await this.#sessions.crm.query('DELETE FROM crm.mbr WHERE mbr_id = $1', [id]);
    return result.rowCount ?? 0;
  }

  async #delistProduct(): Promise<number> {
    const product = this.#random.pick(this.#data.products);
    const result = await this.#sessions.erp.query(
      `UPDATE erp.prod SET del_fg = 'Y' WHERE prod_no = $1 AND del_fg = 'N'`,
      [product.productId],
    );
    return result.rowCount ?? 0;
  }

  async #startPlans(): Promise<number> {
    const result = await this.#sessions.erp.query(`UPDATE erp.prod_plan SET stat = 'R' WHERE stat = 'P'`);
    return result.rowCount ?? 0;
  }

  async #completePlans(): Promise<number> {
    const result = await this.#sessions.erp.query(
      `UPDATE erp.prod_plan SET stat = 'C', cmpl_ts = now() AT TIME ZONE 'America/New_York' WHERE stat = 'R'`,
    );
    return result.rowCount ?? 0;
  }

  async #sendShipments(): Promise<number> {
    const result = await this.#sessions.logistics.query(
      'UPDATE shp SET stat = 1, shp_dt = UTC_TIMESTAMP(6) WHERE stat = 0',
    );
    return result.affectedRows;
  }

  async #deliverShipments(): Promise<number> {
    const result = await this.#sessions.logistics.query('UPDATE shp SET stat = 2 WHERE stat = 1');
    return result.affectedRows;
  }

  async #payInvoices(): Promise<number> {
    const result = await this.#sessions.finance.query(
      `UPDATE fin.inv SET stat = 'P', paid_ts = clock_timestamp() WHERE stat = 'O'`,
    );
    return result.rowCount ?? 0;
  }

  #member(): number {
    return this.#random.pick(this.#data.households).householdId;
  }

  /** A few members are edited again and again, so that two people meet on one record. */
  #oftenEdited(): number {
    return (this.#data.households[this.#random.below(40)] ?? this.#random.pick(this.#data.households)).householdId;
  }
}

/** The tills' wall clock: New York time without a zone. */
function storeClock(): string {
  return DateTime.now().setZone('America/New_York').toFormat('yyyy-MM-dd HH:mm:ss.SSS');
}
