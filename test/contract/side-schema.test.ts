/** What sinks wrote beside the rows, read back for the processors, on both real databases. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type SideSchemaAccess, SideSchemas } from '../../adapters/side-schema.ts';
import { ledgerKey } from '../../processors/echo.ts';
import { startDatabases, type TestDatabase, type TestDatabases } from '../support/databases.ts';

const NAMES = ['postgres', 'mariadb'] as const;
let databases: TestDatabases;
let sideSchemas: SideSchemas;

beforeAll(async () => {
  databases = await startDatabases();
  for (const database of databases.all) await database.execute(rowsFor(database));
  const access = new Map(databases.all.map((database) => [database.dialect as string, accessTo(database)]));
  access.set('away', { ...accessTo(databases.all[0] as TestDatabase), port: 1 });
  access.set('foreign', { ...accessTo(databases.all[0] as TestDatabase), password: 'wrong' });
  sideSchemas = new SideSchemas(access);
}, 240_000);

afterAll(async () => {
  await sideSchemas?.close();
  await databases?.stop();
});

function accessTo(database: TestDatabase): SideSchemaAccess {
  return { dialect: database.dialect, ...database.sink };
}

function rowsFor({ dialect }: TestDatabase): string {
  const isPostgres = dialect === 'postgres';
  const bytes = (hex: string) => (isPostgres ? `'\\x${hex}'::bytea` : `X'${hex}'`);
  const now = isPostgres ? 'now()' : 'NOW(6)';
  const flag = (is: boolean) => (isPostgres ? String(is) : is ? '1' : '0');
  const key = isPostgres ? 'key' : '`key`';
  const position = isPostgres ? 'position' : '`position`';
  const applied = `entity, ${key}, ${position}, hash, deleted, hops, seam_wrote, commit_time_us, applied_at`;
  return [
    `INSERT INTO seam.echo VALUES ('product', '7', ${bytes('aa')}, 1, ${now}), ('product', '7', ${bytes('')}, 3, ${now})`,
    `INSERT INTO seam.echo VALUES ('price', '7', ${bytes('bb')}, 0, ${now}), ('product', 'A', ${bytes('cc')}, 0, ${now})`,
    `INSERT INTO seam.applied (${applied}) VALUES ('product', '7', ${bytes('01')}, ${bytes('aa')}, ${flag(false)}, 2, ${flag(true)}, 5, ${now})`,
    `INSERT INTO seam.applied (${applied}) VALUES ('product', '8', ${bytes('01')}, ${bytes('')}, ${flag(true)}, 0, ${flag(true)}, 5, ${now})`,
    `INSERT INTO seam.identity VALUES ('invoice-request', 'IN-9', '5'), ('invoice-request', 'IN-ä|''', '6')`,
  ].join(isPostgres ? ';\n' : '\n--;;\n');
}

describe.each(NAMES)('the side schema on %s', (system) => {
  it('tells all that was written for a key, and what is there now', async () => {
    const keys = ['7', '8', '9', 'a', "'; --", '\\'];
    const found = await sideSchemas.lookup(
      system,
      keys.map((key) => ({ entity: 'product', key })),
    );
    expect(found).toEqual(
      new Map([
        [
          ledgerKey('product', '7'),
          {
            hashes: new Map([
              ['aa', 1],
              ['', 3],
            ]),
            current: { hash: 'aa', hops: 2, deleted: false },
          },
        ],
        [ledgerKey('product', '8'), { hashes: new Map(), current: { hash: '', hops: 0, deleted: true } }],
      ]),
    );
  });

  it('keeps entities apart, and answers many keys', async () => {
    const keys = Array.from({ length: 2_500 }, (_, index) => ({ entity: 'price', key: String(index) }));
    const found = await sideSchemas.lookup(system, [...keys, { entity: 'product', key: 'A' }]);
    expect([...found.keys()].sort()).toEqual([ledgerKey('price', '7'), ledgerKey('product', 'A')]);
  });

  it('tells ids that the database assigned', async () => {
    const requests = ['5', '6', '7'].map((localKey) => ({ entity: 'invoice-request', localKey }));
    expect(await sideSchemas.canonicalIds(system, requests)).toEqual(
      new Map([
        [ledgerKey('invoice-request', '5'), 'IN-9'],
        [ledgerKey('invoice-request', '6'), "IN-ä|'"],
      ]),
    );
  });
});

describe('a side schema', () => {
  it('whose database is away may come back; one that refuses us will not', async () => {
    const request = [{ entity: 'product', key: '7' }];
    await expect(sideSchemas.lookup('away', request)).rejects.toMatchObject({
      class: 'transient',
      code: 'LEDGER_UNREACHABLE',
    });
    await expect(sideSchemas.lookup('foreign', request)).rejects.toMatchObject({
      class: 'contract',
      code: 'LEDGER_REFUSED',
    });
  });
});
