/** The measures that the chain is known by, taken from the systems themselves. */
import type { Sessions } from './sessions.ts';

export type StockAccuracy = { readonly positions: number; readonly exact: number; readonly percent: number };
export type Distribution = {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
};
export type PointsFreshness = {
  readonly within2sPercent: number;
  readonly latencyMs: Distribution;
  readonly missing: number;
};
export type FlowCounts = {
  readonly orders: number;
  readonly plans: number;
  readonly shipments: number;
  readonly invoices: number;
};

const FRESH_MS = 2_000;

/** Per store and product: opening count − sold + returned + the clerks' corrections = stock on hand in the ERP, to the unit. */
export async function stockAccuracy(sessions: Sessions): Promise<StockAccuracy> {
  const expected = new Map<string, bigint>();
  const add = (location: string, product: string, quantity: string, sign: bigint) => {
    const key = `${location}|${product}`;
    expected.set(key, (expected.get(key) ?? 0n) + sign * thousandths(quantity));
  };
  const opening = await sessions.erp.query('SELECT loc_cd, prod_no, qty::text FROM erp.stk_open');
  for (const row of opening.rows) add(row.loc_cd, row.prod_no, row.qty, 1n);
  const corrections = await sessions.erp.query(
    'SELECT loc_cd, prod_no, sum(qty)::text AS qty FROM erp.stk_adj GROUP BY 1, 2',
  );
  for (const row of corrections.rows) add(row.loc_cd, row.prod_no, row.qty, 1n);
  const sold = (await sessions.pos.query(
    `SELECT str_cd, prod_cd, CAST(SUM(IF(typ_cd = 'R', qty, -qty)) AS CHAR) AS qty FROM tlog_ln GROUP BY str_cd, prod_cd`,
  )) as { str_cd: string; prod_cd: string; qty: string }[];
  for (const row of sold) add(row.str_cd, row.prod_cd, row.qty, 1n);
  const onHand = await sessions.erp.query('SELECT loc_cd, prod_no, qoh::text FROM erp.stk');
  const actual = new Map(onHand.rows.map((row) => [`${row.loc_cd}|${row.prod_no}`, thousandths(row.qoh)]));
  const positions = new Set([...expected.keys(), ...actual.keys()]);
  let exact = 0;
  for (const key of positions) if ((expected.get(key) ?? 0n) === (actual.get(key) ?? 0n)) exact += 1;
  return { positions: positions.size, exact, percent: (100 * exact) / positions.size };
}

function thousandths(text: string): bigint {
  const [whole = '0', fraction = ''] = text.split('.');
  const digits = BigInt(`${whole.replace('-', '')}${fraction.padEnd(3, '0')}`);
  return whole.startsWith('-') ? -digits : digits;
}

/** From just before the till's commit was sent to the moment the points were written on the member's record: one clock. */
export async function pointsFreshness(
  sessions: Sessions,
  journal: ReadonlyMap<string, number>,
): Promise<PointsFreshness> {
  const applied = await sessions.crm.query({
    text: `SELECT key, (extract(epoch FROM applied_at) * 1000)::float8 AS applied_ms FROM seam.applied
           WHERE entity = 'points-entry' AND key = ANY($1)`,
    values: [[...journal.keys()]],
  });
  const appliedMs = new Map(applied.rows.map((row) => [row.key as string, Number(row.applied_ms)]));
  const latencies: number[] = [];
  let missing = 0;
  for (const [entry, committedMs] of journal) {
    const at = appliedMs.get(entry);
    if (at === undefined) missing += 1;
    else latencies.push(at - committedMs);
  }
  const fresh = latencies.filter((latencyMs) => latencyMs <= FRESH_MS).length;
  const total = latencies.length + missing;
  return { within2sPercent: total === 0 ? 100 : (100 * fresh) / total, latencyMs: distribution(latencies), missing };
}

export function distribution(values: readonly number[]): Distribution {
  const sorted = [...values].sort((left, right) => left - right);
  const at = (share: number) => Math.round(sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0);
  return { count: sorted.length, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: Math.round(sorted.at(-1) ?? 0) };
}

export async function flowCounts(sessions: Sessions): Promise<FlowCounts> {
  const one = async (session: Sessions['erp'], sql: string) => Number((await session.query(sql)).rows[0]?.n ?? 0);
  const shipped = (await sessions.logistics.query('SELECT COUNT(*) AS n FROM shp WHERE stat > 0')) as { n: bigint }[];
  return {
    orders: await one(sessions.crm, 'SELECT count(*) AS n FROM crm.web_ord'),
    plans: await one(sessions.erp, `SELECT count(*) AS n FROM erp.prod_plan WHERE stat = 'C'`),
    shipments: Number(shipped[0]?.n ?? 0),
    invoices: await one(sessions.finance, 'SELECT count(*) AS n FROM fin.inv'),
  };
}
