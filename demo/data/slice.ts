/**
 * Cuts the demo's data out of the full data set: every basket of the twelve busiest stores in weeks 1 to 9, and the products
 * and households in them. Values are copied as they are.
 *
 *     node demo/data/slice.ts --from <folder with transactions.csv.gz, products.csv.gz, demographics.csv.gz>
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { gunzipSync, gzipSync } from 'node:zlib';

const STORES = 12;
const LAST_WEEK = 9;

const { values } = parseArgs({ options: { from: { type: 'string' } } });
if (values.from === undefined) throw new Error('pass --from <folder of the full data set>');

const { header, lines } = read(join(values.from, 'transactions.csv.gz'));
const store = column(header, 'store_id');
const week = column(header, 'week');
const product = column(header, 'product_id');
const household = column(header, 'household_id');

const linesByStore = new Map<string, number>();
for (const line of lines) {
  const id = line.split(',')[store] ?? '';
  linesByStore.set(id, (linesByStore.get(id) ?? 0) + 1);
}
const stores = new Set(
  [...linesByStore]
    .sort((left, right) => right[1] - left[1])
    .slice(0, STORES)
    .map(([id]) => id),
);
const kept = lines.filter((line) => {
  const cells = line.split(',');
  return stores.has(cells[store] ?? '') && Number(cells[week]) <= LAST_WEEK;
});

write('transactions.csv.gz', header, kept);
keepReferenced('products.csv.gz', 'product_id', new Set(kept.map((line) => line.split(',')[product] ?? '')));
keepReferenced('demographics.csv.gz', 'household_id', new Set(kept.map((line) => line.split(',')[household] ?? '')));

function keepReferenced(file: string, keyName: string, ids: ReadonlySet<string>): void {
  const table = read(join(values.from as string, file));
  const key = column(table.header, keyName);
  write(
    file,
    table.header,
    table.lines.filter((line) => ids.has(line.split(',')[key] ?? '')),
  );
}

function read(file: string): { header: string; lines: string[] } {
  const [header = '', ...lines] = gunzipSync(readFileSync(file)).toString('utf8').trimEnd().split('\n');
  return { header, lines };
}

function column(header: string, name: string): number {
  const index = header.split(',').indexOf(name);
  if (index < 0) throw new Error(`no column ${name}`);
  return index;
}

function write(file: string, header: string, lines: readonly string[]): void {
  const compressed = gzipSync([header, ...lines, ''].join('\n'), { level: 9 });
  writeFileSync(join(import.meta.dirname, file), compressed);
  process.stdout.write(`${file}: ${lines.length} rows, ${compressed.length} bytes\n`);
}
