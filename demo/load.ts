/** Fills the legacy systems as they stood before Seam came: eight weeks of sales, the assortment, stock, members. */
import type { Basket, Product, RetailData } from './retail-data.ts';
import { FIRST_LIVE_WEEK, money } from './retail-data.ts';
import type { Sessions } from './sessions.ts';

const COST_SHARE_PERCENT = 62;
const SPARE_STOCK_UNITS = 25;
const SURVEYED_PRODUCTS = 60;
const LONG_SPECIFICATION_EVERY = 500;
const CHUNK_ROWS = 5_000;

export type LoadReport = {
  readonly saleLines: number;
  readonly products: number;
  readonly members: number;
  readonly stockRows: number;
};

export async function loadHistory(sessions: Sessions, data: RetailData): Promise<LoadReport> {
  const history = data.baskets.filter((basket) => basket.week < FIRST_LIVE_WEEK);
  const [stockRows] = await Promise.all([loadErp(sessions, data), loadCrm(sessions, data), loadPos(sessions, history)]);
  return {
    saleLines: history.reduce((sum, basket) => sum + basket.lines.length, 0),
    products: data.products.length,
    members: data.households.length,
    stockRows,
  };
}

export function storeCode(storeId: string): string {
  return storeId.padStart(6, '0');
}

export function customerNumber(householdId: number): string {
  return String(householdId).padStart(10, '0');
}

async function loadErp(sessions: Sessions, data: RetailData): Promise<number> {
  const locations = [
    ...data.stores.map((store) => [storeCode(store), `Store ${store}`, 'S']),
    ['W001', 'Central warehouse', 'W'],
    ['B001', 'Central bakery and deli kitchen', 'B'],
  ];
  await insertPostgres(
    sessions.erp,
    'erp.loc',
    { loc_cd: 'text', nm: 'text', typ_cd: 'text', tz: 'text', opn_dt: 'date' },
    locations.map(([code, name, kind], index) => [
      code,
      name,
      kind,
      'America/New_York',
      index % 5 === 4 ? null : '1998-03-01',
    ]),
  );
  await insertPostgres(
    sessions.erp,
    'erp.prod',
    {
      prod_no: 'text',
      descr: 'text',
      dept: 'text',
      ctgry: 'text',
      brnd_cd: 'text',
      pkg: 'text',
      unit_cst: 'numeric',
      del_fg: 'text',
      spec_txt: 'text',
    },
    data.products.map((product, index) => [
      product.productId,
      product.description,
      product.department,
      product.category === '' ? null : product.category,
      product.isPrivateBrand ? 'P' : 'N',
      product.packageSize === '' ? null : product.packageSize,
      unitCost(product),
      'N',
      index % LONG_SPECIFICATION_EVERY === 0 ? longSpecification(product.productId) : null,
    ]),
  );
  await insertPostgres(
    sessions.erp,
    'erp.prc',
    { prod_no: 'text', zn: 'text', amt: 'numeric', vld_frm: 'date' },
    data.products.map((product) => [product.productId, '01', money(product.priceCents), '2017-01-01']),
  );
  return loadOpeningStock(sessions, data.baskets);
}

/** Cost as text with four digits: cents × 62 % is exact in ten-thousandths. */
function unitCost(product: Product): string {
  const tenThousandths = product.priceCents * COST_SHARE_PERCENT;
  return `${Math.floor(tenThousandths / 10_000)}.${String(tenThousandths % 10_000).padStart(4, '0')}`;
}

/** Large and without repetition, so that PostgreSQL stores it out of line and leaves it out of later updates. */
function longSpecification(seed: string): string {
  let state = BigInt(seed) + 1n;
  const words: string[] = [];
  for (let index = 0; index < 1_500; index += 1) {
    state = (state * 6364136223846793005n + 1442695040888963407n) % 2n ** 64n;
    words.push(state.toString(36));
  }
  return words.join(' ');
}

async function loadOpeningStock(sessions: Sessions, baskets: readonly Basket[]): Promise<number> {
  const units = new Map<string, number>();
  for (const basket of baskets) {
    for (const line of basket.lines) {
      const key = `${storeCode(basket.storeId)}|${line.productId}`;
      units.set(key, (units.get(key) ?? 0) + Number(line.quantity));
    }
  }
  const rows = [...units].map(([key, sold]) => {
    const [location, product] = key.split('|');
    return [location, product, String(sold + SPARE_STOCK_UNITS)];
  });
  await insertPostgres(sessions.erp, 'erp.stk_open', { loc_cd: 'text', prod_no: 'text', qty: 'numeric' }, rows);
  await sessions.erp.query(
    `INSERT INTO erp.stk (loc_cd, prod_no, qoh, cnt_dt) SELECT loc_cd, prod_no, qty, DATE '2016-12-31' FROM erp.stk_open`,
  );
  return rows.length;
}

async function loadCrm(sessions: Sessions, data: RetailData): Promise<void> {
  await insertPostgres(
    sessions.crm,
    'crm.mbr',
    {
      mbr_id: 'int',
      nm: 'text',
      eml: 'text',
      tel: 'text',
      brth_dt: 'date',
      tier_cd: 'text',
      stat_cd: 'text',
      pts_bal: 'bigint',
      jn_dt: 'date',
      ref: 'uuid',
    },
    data.households.map(({ householdId, name, email, phone }) => [
      householdId,
      name,
      householdId % 7 === 0 ? null : email,
      householdId % 11 === 0 ? null : phone,
      householdId % 3 === 0
        ? null
        : `19${String(40 + (householdId % 60)).padStart(2, '0')}-0${1 + (householdId % 9)}-15`,
      'B',
      'A',
      0,
      '2015-06-01',
      `00000000-0000-4000-8000-${String(householdId).padStart(12, '0')}`,
    ]),
  );
  await insertPostgres(
    sessions.crm,
    'crm.mkt_srvy',
    { wk: 'int', prod: 'text', comp: 'text', units: 'bigint', avg_prc: 'numeric', srv_dt: 'date' },
    surveyRows(data),
  );
}

/** The survey that marketing buys: units sold by two competitors in town, for the best sellers of each week. */
function surveyRows(data: RetailData): unknown[][] {
  const best = [...data.products].sort((left, right) => right.unitsSold - left.unitsSold).slice(0, SURVEYED_PRODUCTS);
  return best.flatMap((product, rank) =>
    Array.from({ length: FIRST_LIVE_WEEK }, (_, index) => [
      201_701 + index,
      product.productId,
      rank % 2 === 0 ? 'Northside Foods' : 'Łódź Market',
      Math.ceil(product.unitsSold / 3) + rank + index,
      money(Math.max(1, product.priceCents + (rank % 5) - 2)),
      '2017-03-01',
    ]),
  );
}

async function loadPos(sessions: Sessions, baskets: readonly Basket[]): Promise<void> {
  for (let start = 0; start < baskets.length; start += CHUNK_ROWS / 10) {
    await writeBaskets(sessions, baskets.slice(start, start + CHUNK_ROWS / 10));
  }
}

/** As the tills write them: header and lines of a basket in one transaction. */
export async function writeBaskets(sessions: Sessions, baskets: readonly Basket[]): Promise<void> {
  const connection = await sessions.pos.getConnection();
  try {
    await connection.beginTransaction();
    await connection.batch(
      'INSERT INTO tlog_hdr (bskt_no, str_cd, cust_no, sold_ts, tot_amt, tndr_cd) VALUES (?, ?, ?, ?, ?, ?)',
      baskets.map((basket) => headerRow(basket)),
    );
    await connection.batch(
      `INSERT INTO tlog_ln (bskt_no, ln_no, str_cd, cust_no, prod_cd, qty, net_amt, disc_amt, typ_cd, sold_ts)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      baskets.flatMap((basket) => lineRows(basket)),
    );
    await connection.commit();
  } catch (error) {
    await connection.rollback();
    throw error;
  } finally {
    await connection.release();
  }
}

function headerRow(basket: Basket): unknown[] {
  const totalCents = basket.lines.reduce((sum, line) => sum + Math.round(Number(line.amount) * 100), 0);
  const tender = basket.basketId % 3n === 0n ? 'CASH' : 'CARD';
  return [basket.basketId, storeCode(basket.storeId), cardOf(basket), basket.soldAt, money(totalCents), tender];
}

function lineRows(basket: Basket): unknown[][] {
  return basket.lines.map((line, index) => [
    basket.basketId,
    index + 1,
    storeCode(basket.storeId),
    cardOf(basket),
    line.productId,
    line.quantity,
    line.amount,
    line.discount,
    'S',
    basket.soldAt,
  ]);
}

/** One basket in ten is sold without a member's card: '' as this till software writes it. */
function cardOf(basket: Basket): string {
  return basket.basketId % 10n === 0n ? '' : customerNumber(basket.householdId);
}

async function insertPostgres(
  session: Sessions['erp'],
  table: string,
  columns: Readonly<Record<string, string>>,
  rows: readonly (readonly unknown[])[],
): Promise<void> {
  const names = Object.keys(columns);
  const arrays = Object.values(columns).map((type, index) => `$${index + 1}::${type}[]`);
  const statement = `INSERT INTO ${table} (${names.join(', ')}) SELECT * FROM unnest(${arrays.join(', ')})`;
  for (let start = 0; start < rows.length; start += CHUNK_ROWS) {
    const chunk = rows.slice(start, start + CHUNK_ROWS);
    await session.query(
      statement,
      names.map((_, column) => chunk.map((row) => row[column])),
    );
  }
}
