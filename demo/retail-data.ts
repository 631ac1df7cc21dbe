/** The chain's real baskets, stores, products and households, with made-up names where the data set has none. */
import { readFileSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';

export type SaleLine = {
  readonly productId: string;
  /** Decimal text. */
  readonly quantity: string;
  readonly amount: string;
  readonly discount: string;
};
export type Basket = {
  readonly basketId: bigint;
  readonly storeId: string;
  readonly householdId: number;
  readonly week: number;
  /** Local wall clock of the store, `2017-01-01 11:53:26`. */
  readonly soldAt: string;
  readonly lines: readonly SaleLine[];
};
export type Product = {
  readonly productId: string;
  readonly department: string;
  readonly category: string;
  readonly description: string;
  readonly isPrivateBrand: boolean;
  readonly packageSize: string;
  /** Cents: mean shelf price over all its sales. */
  readonly priceCents: number;
  readonly unitsSold: number;
};
export type Household = {
  readonly householdId: number;
  readonly name: string;
  readonly email: string;
  readonly phone: string;
};
export type RetailData = {
  readonly stores: readonly string[];
  readonly products: readonly Product[];
  readonly households: readonly Household[];
  readonly baskets: readonly Basket[];
};

/** First week that the demo trades live; the weeks before it are loaded as history. */
export const FIRST_LIVE_WEEK = 9;

export function readRetailData(): RetailData {
  const baskets = readBaskets();
  const sold = soldByProduct(baskets);
  const products = readTable('products.csv.gz').map((row) => productOf(row, sold.get(row.product_id ?? '')));
  const householdIds = [...new Set(baskets.map((basket) => basket.householdId))].sort((left, right) => left - right);
  return {
    stores: [...new Set(baskets.map((basket) => basket.storeId))].sort(),
    products,
    households: householdIds.map(householdOf),
    baskets,
  };
}

function readBaskets(): Basket[] {
  const byId = new Map<string, Basket & { lines: SaleLine[] }>();
  for (const row of readTable('transactions.csv.gz')) {
    const id = row.basket_id ?? '';
    let basket = byId.get(id);
    if (basket === undefined) {
      basket = {
        basketId: BigInt(id),
        storeId: row.store_id ?? '',
        householdId: Number(row.household_id),
        week: Number(row.week),
        soldAt: row.transaction_timestamp ?? '',
        lines: [],
      };
      byId.set(id, basket);
    }
    const discount = cents(row.retail_disc) + cents(row.coupon_disc) + cents(row.coupon_match_disc);
    basket.lines.push({
      productId: row.product_id ?? '',
      quantity: row.quantity ?? '0',
      amount: money(cents(row.sales_value)),
      discount: money(discount),
    });
  }
  return [...byId.values()];
}

function soldByProduct(baskets: readonly Basket[]): Map<string, { units: number; cents: number }> {
  const sold = new Map<string, { units: number; cents: number }>();
  for (const line of baskets.flatMap((basket) => basket.lines)) {
    const total = sold.get(line.productId) ?? { units: 0, cents: 0 };
    total.units += Number(line.quantity);
    total.cents += cents(line.amount) + cents(line.discount);
    sold.set(line.productId, total);
  }
  return sold;
}

function productOf(row: Record<string, string>, sold: { units: number; cents: number } | undefined): Product {
  const units = sold?.units ?? 0;
  return {
    productId: row.product_id ?? '',
    department: row.department ?? '',
    category: row.product_category ?? '',
    description: row.product_type || row.product_category || row.department || '',
    isPrivateBrand: row.brand === 'Private',
    packageSize: row.package_size ?? '',
    priceCents: units === 0 ? 100 : Math.max(1, Math.round((sold?.cents ?? 0) / units)),
    unitsSold: units,
  };
}

const GIVEN_NAMES = [
  'Maria',
  'Jürgen',
  'Zoë',
  '伟',
  'Siobhán',
  'Nguyễn',
  'Olga',
  'José',
  'Amélie',
  '美咲',
  "D'Arcy",
  'Łukasz',
];
const FAMILY_NAMES = [
  'Smith',
  'Müller',
  "O'Neill",
  '王',
  'García',
  'Åström',
  'Novák',
  'Kim',
  'Dubois',
  'Öztürk',
  '"Quinn"',
];

function householdOf(householdId: number): Household {
  const given = GIVEN_NAMES[householdId % GIVEN_NAMES.length] ?? '';
  const family = FAMILY_NAMES[householdId % FAMILY_NAMES.length] ?? '';
  return {
    householdId,
    name: `${given} ${family}`,
    email: `member${householdId}@example.org`,
    phone: `+1 555 ${String(1_000_000 + householdId * 37).slice(0, 3)} ${String(householdId).padStart(4, '0')}`,
  };
}

function readTable(file: string): Record<string, string>[] {
  const text = gunzipSync(readFileSync(new URL(`./data/${file}`, import.meta.url))).toString('utf8');
  const [header = '', ...lines] = text.trimEnd().split('\n');
  const names = header.split(',');
  return lines.map((line) => {
    const cells = line.split(',');
    return Object.fromEntries(names.map((name, index) => [name, cells[index] ?? '']));
  });
}

/** The data set prints money as `0.5` or `12.49`; all amounts have at most two digits. */
export function cents(text: string | undefined): number {
  return Math.round(Number(text ?? '0') * 100);
}

export function money(amountCents: number): string {
  const sign = amountCents < 0 ? '-' : '';
  const absolute = Math.abs(amountCents);
  return `${sign}${Math.floor(absolute / 100)}.${String(absolute % 100).padStart(2, '0')}`;
}
