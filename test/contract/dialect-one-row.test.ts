/**
 * Two canonical keys that a target takes for one row: by the collation, the padding or the type of its key column, or by a converter.
 * The first one owns the row; the second is set aside, and no deletion of the second takes the row of the first.
 */
import { describe, expect, it } from 'vitest';
import { maxLength, unlimited, zeroPadded } from '../../core/columns.ts';
import { type ColumnConverter, to, upsert } from '../../core/target.ts';
import { type DialectSuite, describeDialects } from '../support/dialect-suite.ts';
import { product } from '../support/shop-records.ts';
import { eventually } from '../support/sink-bench.ts';

type Kind = {
  readonly name: string;
  readonly types: Readonly<Record<DialectSuite['name'], string>>;
  readonly keys: readonly [string, string];
  /** As the row of the first key holds it, with what the driver pads. */
  readonly convert?: ColumnConverter;
};

const TEXT_COLLATION =
  'CREATE COLLATION IF NOT EXISTS shop.folded (provider = icu, locale = $$und-u-ks-level2$$, deterministic = false)';
const KINDS: readonly Kind[] = [
  {
    name: 'a collation that takes upper case for lower case',
    types: { postgres: 'varchar(20) COLLATE shop.folded', mariadb: 'VARCHAR(20) COLLATE utf8mb4_general_ci' },
    keys: ['abc', 'ABC'],
  },
  {
    name: 'a collation that takes accents for nothing',
    types: { postgres: 'varchar(20) COLLATE shop.plain', mariadb: 'VARCHAR(20) COLLATE utf8mb4_unicode_ci' },
    keys: ['Zoë', 'Zoe'],
  },
  {
    name: 'a column that pads',
    types: { postgres: 'char(10)', mariadb: 'CHAR(10) COLLATE utf8mb4_bin' },
    keys: ['abc', 'abc '],
  },
  {
    name: 'a column that pads, met in the other order',
    types: { postgres: 'char(10)', mariadb: 'VARCHAR(10) COLLATE utf8mb4_bin' },
    keys: ['abc ', 'abc'],
  },
  {
    name: 'a converter that writes both as one',
    types: { postgres: 'varchar(10)', mariadb: 'VARCHAR(10) COLLATE utf8mb4_nopad_bin' },
    keys: ['007', '7'],
    convert: zeroPadded(10),
  },
  {
    name: 'a converter of which nothing is known',
    types: { postgres: 'text', mariadb: 'VARCHAR(10) COLLATE utf8mb4_nopad_bin' },
    keys: ['one', 'two'],
    convert: () => 'same',
  },
  {
    name: 'a type with a form of its own',
    types: { postgres: 'numeric(8,2)', mariadb: 'DECIMAL(8,2)' },
    keys: ['1.5', '1.50'],
  },
];

describeDialects((suite) => {
  describe.each(KINDS)('two keys that are one row: $name', (kind) => {
    oneAfterTheOther(suite, kind);
    inBatches(suite, kind);
  });
});

function oneAfterTheOther(suite: DialectSuite, kind: Kind): void {
  const [first, second] = kind.keys;
  const { rows, parked, created } = tableOf(suite);

  it('the second is set aside, and what deletes it leaves the row of the first', async () => {
    const bench = await suite.start([await created(kind)], { settings: { laterRecords: 'take-over' } });
    await suite.write(bench, said(first, 'first', 1));
    await suite.write(bench, said(second, 'second', 2));
    expect(await rows()).toEqual(['first']);
    expect(await parked()).toEqual(['KEY_TAKEN']);
    await suite.write(bench, said(second, '', 3, true));
    expect(await rows()).toEqual(['first']);
    expect(await parked()).toEqual([]);
    await suite.write(bench, said(first, 'first again', 4));
    await suite.write(bench, said(second, 'second again', 5));
    expect(await rows()).toEqual(['first again']);
    // never seen before, and gone at once
    await suite.write(bench, said(first, '', 6, true));
    expect(await rows()).toEqual([]);
  });

  it('once the first is gone the second lands, and then the first is the one that is refused', async () => {
    const bench = await suite.start([await created(kind)]);
    await suite.write(bench, said(first, 'first', 1));
    await suite.write(bench, said(second, 'second', 2), said(first, '', 3, true));
    await suite.execute(
      `UPDATE seam.parked SET next_try_at = ${suite.name === 'postgres' ? 'now()' : 'UTC_TIMESTAMP(6)'}`,
    );
    await eventually(async () => (await suite.count('seam.parked')) === 0, 'the second lands');
    expect(await rows()).toEqual(['second']);
    await suite.write(bench, said(first, 'first is back', 4));
    expect(await rows()).toEqual(['second']);
    expect(await parked()).toEqual(['KEY_TAKEN']);
    await suite.write(bench, said(second, '', 5, true));
    expect(await rows()).toEqual([]);
  });
}

function inBatches(suite: DialectSuite, kind: Kind): void {
  const [first, second] = kind.keys;
  const { rows, parked, created } = tableOf(suite);

  it('in one batch too, and all others of it land; also in a batch of new rows after another', async () => {
    const bench = await suite.start([await created(kind)], { settings: { batchRecordsMax: 4 } });
    const others =
      kind.convert !== undefined || kind.types.postgres === 'numeric(8,2)'
        ? ['11', '12', '13', '14']
        : ['e', 'f', 'g', 'h'];
    const isConstant = first === 'one';
    if (!isConstant) await suite.write(bench, ...others.slice(0, 2).map((id) => said(id, `other ${id}`, 1)));
    await suite.write(
      bench,
      said(first, 'one of two', 2),
      said(second, 'one of two', 2),
      ...(isConstant ? [] : others.slice(2).map((id) => said(id, `other ${id}`, 2))),
    );
    expect(await rows()).toEqual(['one of two', ...(isConstant ? [] : others.map((id) => `other ${id}`))]);
    expect(await parked()).toEqual(['KEY_TAKEN']);
  });

  it('a row that was there before belongs to the key that writes it first', async () => {
    const table = await created(kind);
    const value = kind.convert === undefined ? second : String(kind.convert(second));
    await suite.execute(`INSERT INTO shop.one VALUES ('${value}', 'of old')`);
    const bench = await suite.start([table], { settings: { laterRecords: 'take-over' } });
    await suite.write(bench, said(first, 'first', 1));
    expect(await rows()).toEqual(['first']);
    await suite.write(bench, said(second, 'second', 2), said(second, 'second again', 3));
    expect(await rows()).toEqual(['first']);
    await suite.write(bench, said(second, '', 4, true));
    expect(await rows()).toEqual(['first']);
    await suite.write(bench, said(first, '', 5, true));
    expect(await rows()).toEqual([]);
    expect(await suite.count('seam.row_owner')).toBe(0);
  });
}

function tableOf(suite: DialectSuite) {
  const rows = async () => (await suite.rows('SELECT descr FROM shop.one ORDER BY 1')).map(({ descr }) => descr);
  const parked = async () =>
    (await suite.rows('SELECT DISTINCT reason_code FROM seam.parked ORDER BY 1')).map((one) => one.reason_code);

  async function created({ types, convert = maxLength(20) }: Kind) {
    if (suite.name === 'postgres') {
      await suite.execute(TEXT_COLLATION, TEXT_COLLATION.replace('folded', 'plain').replace('level2', 'level1'));
    }
    await suite.execute('DROP TABLE IF EXISTS shop.one', 'DELETE FROM seam.row_owner');
    await suite.execute(`CREATE TABLE shop.one (k ${types[suite.name]} NOT NULL PRIMARY KEY, descr varchar(40))`);
    const key = { k: to('productId', convert) };
    return upsert('shop.one', 'product', {
      key,
      columns: { descr: to('description', unlimited()) },
      onDelete: 'delete',
    });
  }

  return { rows, parked, created };
}

const said = (productId: string, description: string, at: number, gone = false) =>
  product({ productId, description }, { at, gone });
