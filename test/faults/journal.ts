/**
 * A writer that keeps its own truth: before each write the intent, after it what the database answered. A reply that was lost
 * stays unknown until the source is read. Afterwards nothing that was acknowledged may be missing, first in the source and
 * then in every target: looked up by plain SQL, without Seam's mappings.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { insist } from './patience.ts';
import { rowsOf, type Target } from './audit.ts';
import type { Sessions } from '../../demo/sessions.ts';

type State = 'intent' | 'ok' | 'fail' | 'unknown';
type Entry = { readonly writer: string; readonly key: string; readonly value: number; state: State };

type Place = { readonly system: Target; readonly what: string; readonly sql: string };

/** `sql` of a place: one row for each key, as `key` and `value`, both numbers or text. */
type Writer = {
  readonly name: string;
  readonly keys: readonly string[];
  /** Another value for a key that is there, or a new key each time. */
  readonly kind: 'counter' | 'insert';
  write(sessions: Sessions, key: string, value: number): Promise<unknown>;
  readonly source: Place;
  readonly targets: readonly Place[];
};

const WRITE_EVERY_MS = 150;
const KEYS = Array.from({ length: 8 }, (_, index) => index + 1);
const PRODUCTS = KEYS.map((index) => `99900000${index}`);
const MEMBERS = KEYS.map((index) => String(810_000 + index));
const FIRST_BASKET = 7_000_000_000_000_000n;
const LAST_BASKET = 7_099_999_999_999_999n;

/** A statement that was refused was not carried out; anything else may have been. */
const REFUSED = /^(22|23|40|42)/;

const writers: readonly Writer[] = [
  {
    name: 'prices',
    keys: PRODUCTS,
    kind: 'counter',
    write: (sessions, key, value) =>
      sessions.erp.query('UPDATE erp.prc SET amt = $2::numeric / 100 WHERE prod_no = $1', [key, value]),
    source: { system: 'erp', what: 'erp.prc', sql: priceSql('erp.prc', 'prod_no', 'amt') },
    targets: [
      { system: 'reporting', what: 'reporting.price', sql: priceSql('reporting.price', 'product_id', 'amount') },
      { system: 'pos', what: 'pos.prc', sql: priceSql('pos.prc', 'prod_cd', 'amt') },
    ],
  },
  {
    name: 'members',
    keys: MEMBERS,
    kind: 'counter',
    write: (sessions, key, value) =>
      sessions.crm.query('UPDATE crm.mbr SET nm = $2 WHERE mbr_id = $1', [Number(key), `Journal ${value}`]),
    source: { system: 'crm', what: 'crm.mbr', sql: memberSql('crm.mbr', 'mbr_id', 'nm') },
    targets: [
      { system: 'reporting', what: 'reporting.member', sql: memberSql('reporting.member', 'member_id', 'full_name') },
      { system: 'pos', what: 'pos.cust', sql: memberSql('pos.cust', 'cust_no + 0', 'nm') },
    ],
  },
  {
    name: 'sales',
    keys: [],
    kind: 'insert',
    write: (sessions, key, value) =>
      sessions.pos.query(
        `INSERT INTO tlog_ln (bskt_no, ln_no, str_cd, cust_no, prod_cd, qty, net_amt, disc_amt, typ_cd, sold_ts)
         VALUES (?, 1, '000330', '0000810001', ?, 1, ?, 0, 'S', '2017-03-01 12:00:00.000')`,
        [key, PRODUCTS[0], String(value)],
      ),
    source: { system: 'pos', what: 'pos.tlog_ln', sql: saleSql('pos.tlog_ln', 'bskt_no', 'net_amt') },
    targets: [
      { system: 'reporting', what: 'reporting.sale_line', sql: saleSql('reporting.sale_line', 'sale_id', 'amount') },
    ],
  },
];

export class Journal {
  readonly #sessions: Sessions;
  readonly #entries: Entry[] = [];
  #sequence = 0;
  /** Start, then writes, from the last look on. */
  #checked = 0;

  constructor(sessions: Sessions) {
    this.#sessions = sessions;
  }

  async prepare(): Promise<void> {
    for (const product of PRODUCTS) {
      await this.#sessions.erp.query(
        `INSERT INTO erp.prod (prod_no, descr, dept, brnd_cd, unit_cst) VALUES ($1, 'Journal', 'GROCERY', 'N', 1)`,
        [product],
      );
      await this.#sessions.erp.query(`INSERT INTO erp.prc VALUES ($1, '01', 0, DATE '2017-01-01', 'journal')`, [
        product,
      ]);
    }
    for (const member of MEMBERS) {
      await this.#sessions.crm.query(`INSERT INTO crm.mbr (mbr_id, nm, jn_dt) VALUES ($1, 'Journal 0', CURRENT_DATE)`, [
        Number(member),
      ]);
    }
  }

  /** Writes until the signal; a system that is away is tried again with the next entry. */
  async write(signal: AbortSignal): Promise<void> {
    await Promise.all(writers.map((writer) => this.#writeOne(writer, signal)));
  }

  async #writeOne(writer: Writer, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const value = ++this.#sequence;
      const key = writer.kind === 'insert' ? String(FIRST_BASKET + BigInt(value)) : (writer.keys[value % 8] as string);
      const entry: Entry = { writer: writer.name, key, value, state: 'intent' };
      this.#entries.push(entry);
      try {
        await writer.write(this.#sessions, key, value);
        entry.state = 'ok';
      } catch (error) {
        const { code, sqlState } = error as { code?: unknown; sqlState?: unknown };
        entry.state = REFUSED.test(String(sqlState ?? code ?? '')) ? 'fail' : 'unknown';
      }
      await pause(WRITE_EVERY_MS, undefined, { signal }).catch(() => {});
    }
  }

  counts(): Record<State, number> {
    const counts = { intent: 0, ok: 0, fail: 0, unknown: 0 };
    for (const { state } of this.#entries.slice(this.#checked)) counts[state] += 1;
    return counts;
  }

  /** Nobody writes any more, and what was written has arrived: every line names something lost, invented or left behind. */
  async check(): Promise<string[]> {
    const faults: string[] = [];
    for (const writer of writers) {
      const entries = this.#entries.filter((entry) => entry.writer === writer.name);
      const source = await this.#read(writer.source);
      faults.push(...sourceFaults(writer, entries, source));
      for (const place of writer.targets) {
        const target = await this.#read(place);
        for (const [key, value] of source) {
          if (target.get(key) !== value)
            faults.push(`${place.what} ${key}: ${target.get(key)}, its source has ${value}`);
        }
        for (const key of target.keys()) if (!source.has(key)) faults.push(`${place.what} ${key}: not in its source`);
      }
    }
    this.#checked = this.#entries.length;
    return faults.slice(0, 20);
  }

  async #read({ system, what, sql }: Place): Promise<Map<string, number>> {
    const rows = await insist(`${what} is read`, () =>
      rowsOf<{ key: unknown; value: unknown }>(this.#sessions, system, sql),
    );
    return new Map(rows.map(({ key, value }) => [String(key), Number(value)]));
  }
}

function sourceFaults(
  { kind, source }: Writer,
  entries: readonly Entry[],
  rows: ReadonlyMap<string, number>,
): string[] {
  const faults: string[] = [];
  if (kind === 'insert') {
    for (const { key, state } of entries) {
      if (state === 'ok' && !rows.has(key)) faults.push(`${source.what} ${key}: acknowledged, and not there`);
      if (state === 'fail' && rows.has(key)) faults.push(`${source.what} ${key}: refused, and there`);
    }
    return faults;
  }
  for (const [key, own] of Map.groupBy(entries, (entry) => entry.key)) {
    const value = rows.get(key) ?? 0;
    const acknowledged = Math.max(0, ...own.filter(({ state }) => state === 'ok').map((entry) => entry.value));
    const written = own.find((entry) => entry.value === value);
    if (value < acknowledged) faults.push(`${source.what} ${key}: ${value}, though ${acknowledged} was acknowledged`);
    if (value !== 0 && (written === undefined || written.state === 'fail')) {
      faults.push(`${source.what} ${key}: ${value} was never written`);
    }
  }
  return faults;
}

function priceSql(table: string, key: string, value: string): string {
  return `SELECT ${key} AS ${quoted(table)}, ${value} * 100 AS value FROM ${table} WHERE ${key} LIKE '99900000_'`;
}

function memberSql(table: string, key: string, name: string): string {
  const number = table === 'pos.cust' ? `substring(${name}, 9)` : `substring(${name} from 9)`;
  return `SELECT ${key} AS ${quoted(table)}, ${number} AS value FROM ${table} WHERE ${name} LIKE 'Journal %'`;
}

function saleSql(table: string, key: string, value: string): string {
  const number = table.startsWith('pos.') ? key : `${key}::bigint`;
  return `SELECT ${key} AS ${quoted(table)}, ${value} AS value FROM ${table}
          WHERE ${number} BETWEEN ${FIRST_BASKET} AND ${LAST_BASKET}`;
}

function quoted(table: string): string {
  return table.startsWith('pos.') ? '`key`' : '"key"';
}
