/** Invariant 3: a total is what its own system's people made of it, and the sum of the rows that are there. */
import { addDecimals, subtractDecimals } from '../../sinks/engine/effects.ts';
import type { Commit, MemoryDatabase, Row } from '../support/memory-database.ts';
import type { SystemName } from './systems.ts';

type Total = {
  readonly total: string;
  readonly column: string;
  readonly rows: string;
  readonly amount: string;
  readonly groupOf: (row: Row) => string;
};

const TOTALS: Readonly<Partial<Record<SystemName, Total>>> = {
  crm: { total: 'crm.mbr', column: 'pts', rows: 'crm.led', amount: 'pts', groupOf: ({ id }) => String(id) },
  erp: { total: 'erp.stk', column: 'qoh', rows: 'erp.mv', amount: 'qty', groupOf: ({ loc, prod }) => `${loc} ${prod}` },
};

export class Sums {
  readonly #databases: ReadonlyMap<SystemName, MemoryDatabase>;
  readonly #byPeople = new Map<string, string>();

  constructor(databases: ReadonlyMap<SystemName, MemoryDatabase>) {
    this.#databases = databases;
  }

  committed(system: SystemName, { session, changes }: Commit): string | undefined {
    const declared = TOTALS[system];
    if (declared === undefined) return undefined;
    const { total, column, groupOf } = declared;
    for (const { table, before, after } of changes) {
      const row = after ?? before;
      if (session.owner !== undefined || table !== total || row === undefined) continue;
      const name = `${system} ${groupOf(row)}`;
      const change = subtractDecimals(String(after?.[column] ?? '0'), String(before?.[column] ?? '0'));
      this.#byPeople.set(name, addDecimals(this.#byPeople.get(name) ?? '0', change));
    }
    return this.#firstWrong(system, declared, changes);
  }

  #firstWrong(system: SystemName, { total, column, rows, amount, groupOf }: Total, changes: Commit['changes']) {
    const touched = new Set<string>();
    for (const { table, before, after } of changes) {
      if (table !== total && table !== rows) continue;
      for (const row of [before, after]) if (row !== undefined) touched.add(groupOf(row));
    }
    if (touched.size === 0) return undefined;
    const database = this.#databases.get(system) as MemoryDatabase;
    for (const row of database.rows(total)) {
      const group = groupOf(row);
      if (!touched.has(group)) continue;
      let expected = this.#byPeople.get(`${system} ${group}`) ?? '0';
      for (const one of database.rows(rows)) {
        if (groupOf(one) === group) expected = addDecimals(expected, String(one[amount]));
      }
      if (Number(row[column] ?? 0) !== Number(expected)) {
        return `${total} ${group}: ${row[column]}, and its rows make ${expected}`;
      }
    }
    return undefined;
  }
}
