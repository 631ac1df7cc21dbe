/** Invariant 1, when everything has come to rest: every target holds what its sources say. */
import { negateDecimal } from '../../core/decimal.ts';
import type { SqlValue } from '../../core/target.ts';
import type { MemoryDatabase, Row } from '../support/memory-database.ts';
import { DESCRIPTION_MAX, folds, QUANTITY_MAX, type SystemName } from './systems.ts';

export type Rest = {
  readonly databases: ReadonlyMap<SystemName, MemoryDatabase>;
  /** Those that have a sink. */
  readonly targets: readonly SystemName[];
  /** Members whose phone went round for ever: set aside by the limit of hops. */
  readonly looping: ReadonlySet<string>;
};

/** The first difference. */
export function differenceOf(rest: Rest): string | undefined {
  return (
    products(rest) ?? members(rest) ?? contacts(rest) ?? lines(rest) ?? movements(rest) ?? entries(rest) ?? parked(rest)
  );
}

function rowsOf({ databases }: Rest, table: string): Row[] {
  const system = table.startsWith('rep.') ? 'reporting' : table.split('.')[0];
  return (databases.get(system as SystemName) as MemoryDatabase).rows(table);
}

function compare({ targets }: Rest, what: string, expected: readonly Row[], found: readonly Row[]): string | undefined {
  const system = what.startsWith('rep.') ? 'reporting' : what.split('.')[0];
  if (!targets.includes(system as SystemName)) return undefined;
  const text = (rows: readonly Row[]) => rows.map((row) => JSON.stringify(row, printed)).sort();
  const [wanted, got] = [text(expected), text(found)];
  const missing = wanted.find((row) => !got.includes(row));
  const extra = got.find((row) => !wanted.includes(row));
  if (missing === undefined && extra === undefined) return undefined;
  return `${what}: expected ${missing ?? 'nothing more'}, found ${extra ?? 'nothing'}`;
}

function printed(_name: string, value: unknown): unknown {
  return typeof value === 'bigint' ? Number(value) : value;
}

const isTooLong = ({ descr }: Row) => String(descr).length > DESCRIPTION_MAX;
const isTooMany = ({ qty }: Row) => Number(qty) >= QUANTITY_MAX;

function products(rest: Rest): string | undefined {
  const source = [...rowsOf(rest, 'erp.prod'), ...rowsOf(rest, 'erp.arch')].map(
    ({ no, descr, spec }) => ({ no, descr, spec }) as Row,
  );
  const bad = new Set(source.filter(isTooLong).map(({ no }) => no));
  const items = source
    .filter(({ no }) => !bad.has(no))
    .map(({ no, descr, spec }) => ({ prod: no ?? null, descr, spec }));
  const atTills = rowsOf(rest, 'pos.item').filter(({ prod }) => !bad.has(prod));
  return reported(rest, source) ?? compare(rest, 'pos.item', items as Row[], atTills);
}

/** Of products that are one row there, one has it, and the other is set aside. */
function reported(rest: Rest, source: readonly Row[]): string | undefined {
  const found = rowsOf(rest, 'rep.prod');
  const owners = new Set(found.map(({ no }) => no));
  const isSecond = ({ no }: Row) => !owners.has(no ?? null) && rivalsOf(rest, no).some((one) => owners.has(one));
  return compare(
    rest,
    'rep.prod',
    source.filter((row) => !isSecond(row)),
    found,
  );
}

/** Products of the source that the reporting store takes for this one. */
function rivalsOf(rest: Rest, no: SqlValue | undefined): SqlValue[] {
  return rowsOf(rest, 'erp.arch').flatMap((row) =>
    row.no !== no && folds(row.no ?? null) === folds(no ?? null) ? [row.no ?? null] : [],
  );
}

function members(rest: Rest): string | undefined {
  const source = rowsOf(rest, 'crm.mbr');
  const bad = new Set(source.filter(({ tier }) => tier === 'X').map(({ id }) => id));
  const tiers: Record<string, string> = { B: 'BASE', S: 'SILVER' };
  const wanted = source
    .filter(({ id }) => !bad.has(id))
    .map(({ id, nm, tier, pts }) => ({ id, nm, tier: tiers[String(tier)], pts: Number(pts) }) as Row);
  const held = (rows: readonly Row[], key: string) =>
    rows.map(({ [key]: id, nm, tier, pts }) => ({ id, nm, tier, pts }) as Row).filter(({ id }) => !bad.has(id));
  return (
    compare(rest, 'rep.mbr', wanted, held(rowsOf(rest, 'rep.mbr'), 'id')) ??
    compare(rest, 'pos.cust', wanted, held(rowsOf(rest, 'pos.cust'), 'no'))
  );
}

/** All systems agree. A till without the member's row waits for it. */
function contacts(rest: Rest): string | undefined {
  const phones: Record<string, Map<unknown, unknown>> = {
    crm: new Map(rowsOf(rest, 'crm.mbr').map(({ id, tel }) => [id, tel])),
    pos: new Map(rowsOf(rest, 'pos.cust').map(({ no, tel }) => [no, tel])),
    reporting: new Map(rowsOf(rest, 'rep.ctc').map(({ id, tel }) => [id, tel])),
  };
  const agreeing = rest.targets.filter((system) => system !== 'erp');
  for (const { id } of rowsOf(rest, 'crm.mbr')) {
    if (rest.looping.has(String(id))) continue;
    const held = agreeing.filter((system) => system !== 'pos' || phones.pos?.has(id) === true);
    const values = new Set(held.map((system) => phones[system]?.get(id) ?? null));
    if (values.size > 1) return `phone of ${id} in ${held.join(', ')}: ${[...values].join(', ')}`;
  }
  return undefined;
}

function lines(rest: Rest): string | undefined {
  const source = rowsOf(rest, 'pos.ln');
  const bad = new Set(source.filter(isTooMany).map(({ sale }) => sale));
  const wanted = source
    .filter(({ sale }) => !bad.has(sale))
    .map(({ sale, ln, prod, qty, cust }) => ({ sale, ln, prod, qty, cust }) as Row);
  return compare(
    rest,
    'rep.ln',
    wanted,
    rowsOf(rest, 'rep.ln').filter(({ sale }) => !bad.has(sale)),
  );
}

function movements(rest: Rest): string | undefined {
  const wanted = rowsOf(rest, 'pos.ln').map(({ sale, ln, loc, prod, qty, typ }) => ({
    id: `${sale}-${ln}`,
    loc,
    prod,
    qty: typ === 'S' ? negateDecimal(String(qty)) : qty,
  }));
  return compare(rest, 'erp.mv', wanted as Row[], rowsOf(rest, 'erp.mv'));
}

function entries(rest: Rest): string | undefined {
  const known = new Set(rowsOf(rest, 'crm.mbr').map(({ id }) => id));
  const all = rowsOf(rest, 'pos.ln').map(({ sale, ln, cust, amt, typ }) => {
    const points = Math.floor(Number(amt));
    return { ent: `${sale}-${ln}`, id: cust, pts: typ === 'S' ? points : -points } as Row;
  });
  const waiting = new Set(all.filter(({ id }) => id !== null && !known.has(id)).map(({ ent }) => ent));
  const wanted = all.filter(({ ent, id, pts }) => id !== null && Number(pts) !== 0 && !waiting.has(ent));
  const found = rowsOf(rest, 'crm.led').filter(({ ent }) => !waiting.has(ent));
  return compare(rest, 'crm.led', wanted, found);
}

/** 6: set aside is what is bad now, and nothing else waits. */
function parked(rest: Rest): string | undefined {
  const bad: Record<SystemName, string[]> = {
    crm: [],
    erp: [],
    pos: rowsOf(rest, 'erp.prod')
      .filter(isTooLong)
      .map(({ no }) => `product ${no}`),
    reporting: rowsOf(rest, 'pos.ln')
      .filter(isTooMany)
      .map(({ sale, ln }) => `sale-line ${sale}|${ln}`),
  };
  for (const [system, database] of rest.databases) {
    if (!rest.targets.includes(system)) continue;
    const letters = database.rows('seam.parked').filter(({ next_try_at }) => next_try_at === null);
    const found = new Set(letters.map(({ entity, key }) => `${entity} ${key}`));
    const extra = [...found].find((key) => !bad[system].includes(key) && !isSecondProduct(rest, system, key));
    const lacking = bad[system].find((key) => !found.has(key));
    if (extra !== undefined) return `${system}: ${extra} is set aside, and its newest record is good`;
    if (lacking !== undefined) return `${system}: ${lacking} is not set aside`;
  }
  return undefined;
}

function isSecondProduct(rest: Rest, system: SystemName, key: string): boolean {
  const no = key.replace(/^product /, '');
  return system === 'reporting' && no !== key && rivalsOf(rest, no).length > 0;
}
