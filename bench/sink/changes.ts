/** What happens to the rows in each case, and what the table must hold in the end. */
import type { CanonicalFields, CanonicalValue } from '../../core/canonical-record.ts';
import { mixed, type SaleLine } from '../support/sale-lines.ts';
import { type BenchColumn, columnsOf, type Width } from './shape.ts';

/** One version of one row; `gone`: it was deleted. */
export type Change = { readonly line: SaleLine; readonly version: number; readonly gone: boolean };

export type SinkCase = {
  readonly name: string;
  readonly about: string;
  readonly width: Width;
  /** In the target before a round. */
  readonly base: readonly Change[];
  readonly changes: readonly Change[];
};

const HOT_SHARE = 100;

export function sinkCases(lines: readonly SaleLine[], wideLines: number): readonly SinkCase[] {
  const half = Math.floor(lines.length / 2);
  const wide = lines.slice(0, wideLines);
  const hotKeys = Math.max(1, Math.floor(lines.length / HOT_SHARE));
  const hot = lines.map((_, index) => at(lines[mixed(index, 8) % hotKeys] as SaleLine, index + 1));
  const mixture = shuffled(lines.slice(0, half)).flatMap((line, index) => [
    at(line, 1),
    at(lines[half + index] as SaleLine, 0),
  ]);
  return [
    { name: 'insert', about: 'new rows only', width: 10, base: [], changes: lines.map((line) => at(line, 0)) },
    {
      ...{ name: 'update', about: 'every row once, in random order over the table (cold)', width: 10 },
      base: lines.map((line) => at(line, 0)),
      changes: shuffled(lines).map((line) => at(line, 1)),
    },
    {
      ...{ name: 'half', about: 'one update of a random row, one new row, in turn', width: 10 },
      base: lines.slice(0, half).map((line) => at(line, 0)),
      changes: mixture,
    },
    {
      ...{ name: 'delete', about: 'every row deleted, in random order', width: 10 },
      base: lines.map((line) => at(line, 0)),
      changes: shuffled(lines).map((line) => ({ line, version: 1, gone: true })),
    },
    {
      ...{ name: 'hot', about: `updates of one row in ${HOT_SHARE}, each many times (hot)`, width: 10 },
      base: lines.map((line) => at(line, 0)),
      changes: hot,
    },
    { name: 'insert, 40 columns', about: 'new rows only', width: 40, base: [], changes: wide.map((one) => at(one, 0)) },
    {
      ...{ name: 'update, 40 columns', about: 'every row once, in random order over the table', width: 40 },
      base: wide.map((line) => at(line, 0)),
      changes: shuffled(wide).map((line) => at(line, 1)),
    },
  ];
}

const at = (line: SaleLine, version: number): Change => ({ line, version, gone: false });

function shuffled(lines: readonly SaleLine[]): SaleLine[] {
  const order = lines.map((line, index) => ({ line, rank: mixed(index, 9) }));
  return order.sort((left, right) => left.rank - right.rank).map(({ line }) => line);
}

export const cents = (text: string): number => Math.round(Number(text) * 100);
const money = (amountCents: number): string => (amountCents / 100).toFixed(2);

/** A later version has another amount, so that a row left behind shows in the sum. */
const amountOf = ({ line, version }: Change): string => money(Math.abs(cents(line.amount)) + version);

export function timeUs(text: string): bigint {
  return BigInt(Date.parse(`${text.replace(' ', 'T')}Z`)) * 1_000n;
}

export function fieldsOf(change: Change, width: Width): CanonicalFields {
  const { line, version } = change;
  const fields: Record<string, CanonicalValue> = {
    saleId: line.basketId,
    lineNumber: line.lineNumber,
    productId: line.productId,
    locationId: line.storeId,
    memberId: line.householdId === '' ? null : line.householdId,
    quantity: line.quantity,
    amount: amountOf(change),
    discount: line.discount,
    kind: 'SALE',
    soldAt: timeUs(line.soldAt),
  };
  const salt = Number(line.basketId.slice(-7)) * 31 + line.lineNumber;
  if (width > 10)
    for (const [index, column] of columnsOf(width).slice(10).entries())
      fields[column.field] = extraValue(column, mixed(salt + index, version));
  return fields;
}

function extraValue({ kind }: BenchColumn, number: number): CanonicalValue {
  switch (kind) {
    case 'text':
      return `text ${number.toString(36)} ${(number >>> 7).toString(36)}`;
    case 'int':
      return number >>> 2;
    case 'decimal':
      return money(number % 100_000_000);
    case 'time':
      return 1_483_228_800_000_000n + BigInt(number) * 1_000n;
  }
}

export type Expected = { readonly rows: number; readonly amountCents: number };

export function expectedAfter({ base, changes }: SinkCase): Expected {
  const rows = new Map<string, number>();
  for (const change of [...base, ...changes]) {
    const key = `${change.line.basketId}|${change.line.lineNumber}`;
    if (change.gone) rows.delete(key);
    else rows.set(key, cents(amountOf(change)));
  }
  let amountCents = 0;
  for (const amount of rows.values()) amountCents += amount;
  return { rows: rows.size, amountCents };
}

/** First and last record of a partition: rows of their own, by which a round's beginning and end are seen in the target. */
export function marker(place: 'first' | 'last', partition: number): Change {
  const rest = { productId: '0', storeId: '0', householdId: '', quantity: '0.000', amount: '0.00', discount: '0.00' };
  const line = { basketId: `${place}-${partition}`, lineNumber: 1, soldAt: '2017-01-01 00:00:00', ...rest };
  return { line, version: 0, gone: false };
}
