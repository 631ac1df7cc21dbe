/** A grocery chain's sale lines: the full data set where it lies beside the project, else made-up ones of the same shape. */
import { createReadStream, existsSync } from 'node:fs';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';

/** Money and quantity as decimal text; `soldAt` is the clock on the store's wall. */
export type SaleLine = {
  readonly basketId: string;
  readonly lineNumber: number;
  readonly storeId: string;
  readonly householdId: string;
  readonly productId: string;
  readonly quantity: string;
  readonly amount: string;
  readonly discount: string;
  readonly soldAt: string;
};

const root = path.join(import.meta.dirname, '..', '..');
const fullFile = path.join('data', 'complete-journey', 'transactions.csv.gz');
const places = [path.join(root, '..', 'shared', fullFile), path.join(root, 'shared', fullFile)];

export const dataSetFile: string | undefined = places.find((file) => existsSync(file));

export async function readSaleLines(count: number): Promise<SaleLine[]> {
  const lines = await endlessSaleLines(count);
  return Array.from({ length: count }, () => lines.next().value);
}

/** Those of the data set up to `count`, then further baskets of the same shape: how many a rate takes is known when it is. */
export async function endlessSaleLines(count: number): Promise<Generator<SaleLine, never>> {
  const lines = dataSetFile === undefined ? [] : await readDataSet(dataSetFile, count);
  return goOn(lines);
}

function* goOn(lines: readonly SaleLine[]): Generator<SaleLine, never> {
  yield* lines;
  for (let index = lines.length; ; index += 1) yield madeUp(index);
}

async function readDataSet(file: string, count: number): Promise<SaleLine[]> {
  const text = createInterface({ input: createReadStream(file).pipe(createGunzip()), crlfDelay: Infinity });
  const lines: SaleLine[] = [];
  const lineNumbers = new Map<string, number>();
  let names: string[] | undefined;
  for await (const row of text) {
    if (names === undefined) {
      names = row.split(',');
      continue;
    }
    const cells = row.split(',');
    const cell = (name: string) => cells[(names as string[]).indexOf(name)] ?? '';
    if (isSkipped(cell('transaction_timestamp'))) continue;
    const basketId = cell('basket_id');
    const lineNumber = (lineNumbers.get(basketId) ?? 0) + 1;
    lineNumbers.set(basketId, lineNumber);
    lines.push({
      basketId,
      lineNumber,
      storeId: cell('store_id'),
      householdId: cell('household_id'),
      productId: cell('product_id'),
      quantity: Number(cell('quantity')).toFixed(3),
      amount: Number(cell('sales_value')).toFixed(2),
      discount: (Number(cell('retail_disc')) + Number(cell('coupon_disc')) + Number(cell('coupon_match_disc'))).toFixed(
        2,
      ),
      soldAt: cell('transaction_timestamp'),
    });
    if (lines.length === count) break;
  }
  text.close();
  return lines;
}

/**
 * The stores' clocks go forward on 12 March 2017, and the data set has sales in the hour that they skip: such a record is set
 * aside by everybody (TIME_NOT_EXISTING), and who counts what arrives would wait for ever.
 */
function isSkipped(soldAt: string): boolean {
  return soldAt.startsWith('2017-03-12 02:');
}

const LINES_PER_BASKET = 10;
const FIRST_BASKET = 90_000_000_000;
const FIRST_DAY_MS = Date.UTC(2017, 0, 1);

/** Numbers that look drawn and are the same in every run. */
export function mixed(index: number, salt: number): number {
  let state = (index * 2654435761 + salt * 40503) >>> 0;
  state = Math.imul(state ^ (state >>> 16), 2246822507) >>> 0;
  return (state ^ (state >>> 13)) >>> 0;
}

function madeUp(index: number): SaleLine {
  const basket = Math.floor(index / LINES_PER_BASKET);
  const drawn = new Date(FIRST_DAY_MS + (mixed(basket, 1) % 31_000_000) * 1_000);
  const soldAt = drawn.toISOString().slice(0, 19).replace('T', ' ');
  return {
    basketId: String(FIRST_BASKET + basket),
    lineNumber: (index % LINES_PER_BASKET) + 1,
    storeId: String(300 + (mixed(basket, 2) % 400)),
    householdId: String(1 + (mixed(basket, 3) % 2_500)),
    productId: String(800_000 + (mixed(index, 4) % 90_000)),
    quantity: (1 + (mixed(index, 5) % 4)).toFixed(3),
    amount: ((mixed(index, 6) % 3_000) / 100).toFixed(2),
    discount: ((mixed(index, 7) % 200) / 100).toFixed(2),
    soldAt: isSkipped(soldAt) ? soldAt.replace(' 02:', ' 03:') : soldAt,
  };
}
