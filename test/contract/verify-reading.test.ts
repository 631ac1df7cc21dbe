/**
 * Why: `verify` is the proof that nothing was lost, so it must neither see differences where there are none nor miss one. It reads by the same
 * pinned settings and names whatever the database, the server or a policy says. Real databases, rows written by hand on both sides.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { EntityName } from '../../avro/generated/records.ts';
import type { EntityDescription, FieldDescription } from '../../core/canonical-record.ts';
import { unlimited } from '../../core/columns.ts';
import { bigInteger, instant, integer, list, optional, text } from '../../core/converters.ts';
import { type CanonicalMapping, type Field, from } from '../../core/mapping.ts';
import { type Column, type DialectName, type TargetTable, to, upsert } from '../../core/target.ts';
import { type VerifyResult, verify } from '../../ops/operations/verify.ts';
import { sourceRows } from '../../ops/verify/source-rows.ts';
import { startDatabases, type TestDatabase, type TestDatabases } from '../support/databases.ts';

const ENTITY = 'thing';
const field = (name: string, kind: object, nullable = true) =>
  ({ ...kind, name, nullable, personal: false }) as unknown as FieldDescription;
const entity: EntityDescription = {
  entity: ENTITY,
  topic: `canonical.${ENTITY}`,
  key: ['id'],
  owner: 'src',
  fields: [field('id', { type: 'string' }, false), field('body', { type: 'string' }), field('at', { type: 'long' })],
};

const digits = (value: Parameters<typeof integer>[0]) => String(integer(value));

function mapping(body: Field<unknown>, id = from('id', digits)): CanonicalMapping {
  return {
    kind: 'canonical',
    entity: ENTITY as EntityName,
    key: { id },
    fields: { body },
    onDelete: 'tombstone',
    where: undefined,
  };
}

type Accepts = (fields: Readonly<Record<string, unknown>>) => boolean;

function target(table: string, body: Column, names = { id: 'id', body: 'body' }, accepts?: Accepts): TargetTable {
  return upsert(table, ENTITY as EntityName, {
    key: { [names.id]: to('id') },
    columns: { [names.body]: body },
    onDelete: 'delete',
    ...(accepts === undefined ? {} : { accepts: accepts as never }),
  });
}

let databases: TestDatabases;
let postgres: TestDatabase;
let mariadb: TestDatabase;

beforeAll(async () => {
  databases = await startDatabases();
  [postgres, mariadb] = (['postgres', 'mariadb'] as const).map((name) =>
    databases.all.find(({ dialect }) => dialect === name),
  ) as [TestDatabase, TestDatabase];
  await postgres.execute('CREATE SCHEMA lab; GRANT USAGE ON SCHEMA lab TO seam_sink');
  await postgres.execute('ALTER DEFAULT PRIVILEGES IN SCHEMA lab GRANT SELECT ON TABLES TO seam_sink');
}, 240_000);

afterAll(() => databases?.stop());

beforeEach(async () => {
  await postgres.execute('DELETE FROM seam.applied');
  await mariadb.execute('DELETE FROM seam.applied');
});

const kindOf = (database: TestDatabase) => ({ kind: database.dialect, ...database.sink });

function compare(
  source: TestDatabase,
  table: string,
  mapped: CanonicalMapping,
  into: TestDatabase,
  tables: TargetTable,
) {
  return verify({
    sources: [{ system: 'src', tables: { [table]: [mapped] } }],
    targets: [{ system: 'dst', dialect: into.dialect, tables: [tables] }],
    steps: [],
    entities: { [ENTITY]: entity },
    sourceConnections: new Map([['src', kindOf(source)]]),
    targetConnections: new Map([['dst', kindOf(into)]]),
    patienceMs: 0,
  });
}

const said = (result: VerifyResult) => ({
  equal: result.equal,
  rows: result.rowsCompared,
  differences: result.tables.flatMap(({ differences }) => differences.map(({ kind, key }) => `${kind} ${key}`)),
});

describe('settings of the server', () => {
  it('do not move a TIMESTAMP of MariaDB', async () => {
    await mariadb.execute(`CREATE TABLE shop.ts (id INT PRIMARY KEY, t TIMESTAMP(3) NULL)
--;;
SET time_zone = '+00:00'
--;;
INSERT INTO shop.ts VALUES (1, '2026-01-02 03:04:05.678')
--;;
SET GLOBAL time_zone = '+08:00'
--;;
SET GLOBAL sql_select_limit = 1
--;;
INSERT INTO shop.ts VALUES (2, NULL)`);
    await postgres.execute(`CREATE TABLE shop.ts (id text PRIMARY KEY, body bigint);
      INSERT INTO shop.ts VALUES ('1', 1767323045678000), ('2', NULL)`);
    const mapped = mapping(from('t', optional(instant)));
    const result = await compare(mariadb, 'shop.ts', mapped, postgres, target('shop.ts', to('body')));
    await mariadb.execute(`SET GLOBAL time_zone = 'SYSTEM'
--;;
SET GLOBAL sql_select_limit = DEFAULT`);
    expect(said(result)).toEqual({ equal: true, rows: 2, differences: [] });
  });

  it('do not change an interval, a float, money or bytes of PostgreSQL', async () => {
    await postgres.execute(`CREATE TABLE lab.odd (id int PRIMARY KEY, i interval, f float8, r real, m money, b bytea);
      INSERT INTO lab.odd VALUES (1, '1 year 2 mons 3 days 04:05:06.789', 0.1::float8 + 0.2, 0.1, -1234.5, '\\x00ff415c')`);
    const settings = [`intervalstyle = 'sql_standard'`, 'extra_float_digits = 0', `bytea_output = 'escape'`];
    for (const setting of [...settings, `datestyle = 'German'`, `search_path = lab`]) {
      await postgres.execute(`ALTER DATABASE ${postgres.sink.database} SET ${setting}`);
    }
    const rows: unknown[] = [];
    for await (const chunk of sourceRows(kindOf(postgres), 'lab.odd')) rows.push(...chunk);
    await postgres.execute(`ALTER DATABASE ${postgres.sink.database} RESET ALL`);
    expect(rows).toEqual([
      {
        id: 1,
        i: 'P1Y2M3DT4H5M6.789S',
        f: 0.30000000000000004,
        r: Math.fround(0.1),
        m: '-1234.50',
        b: Buffer.from('00ff415c', 'hex'),
      },
    ]);
  });
});

describe('rows that a policy hides', () => {
  it('are not taken for missing ones: the table is not compared, and the others are', async () => {
    await postgres.execute(`CREATE TABLE lab.rls (id int PRIMARY KEY, body text);
      INSERT INTO lab.rls VALUES (1, 'one'), (2, 'two');
      ALTER TABLE lab.rls ENABLE ROW LEVEL SECURITY;
      CREATE POLICY p ON lab.rls USING (body LIKE 'two%')`);
    await mariadb.execute(`CREATE TABLE shop.rls (id VARCHAR(20) PRIMARY KEY, body TEXT)
--;;
INSERT INTO shop.rls VALUES ('2', 'two')`);
    const mapped = mapping(from('body', text));
    const run = () => compare(postgres, 'lab.rls', mapped, mariadb, target('shop.rls', to('body')));
    const result = await run();
    expect(result.equal).toBe(false);
    expect(result.tables[0]?.notCompared).toBe(
      'row-level security hides rows of lab.rls from seam_sink; as a superuser: ALTER ROLE seam_sink BYPASSRLS',
    );
    await postgres.execute('ALTER ROLE seam_sink BYPASSRLS');
    expect(said(await run())).toEqual({ equal: false, rows: 2, differences: ['missing 1'] });
    await postgres.execute('ALTER ROLE seam_sink NOBYPASSRLS');
  });

  it('are not overlooked in a target', async () => {
    await mariadb.execute('CREATE TABLE shop.plain (id INT PRIMARY KEY, body TEXT)');
    await postgres.execute(`CREATE TABLE shop.hidden (id text PRIMARY KEY, body text);
      ALTER TABLE shop.hidden ENABLE ROW LEVEL SECURITY`);
    const mapped = mapping(from('body', text));
    const result = await compare(mariadb, 'shop.plain', mapped, postgres, target('shop.hidden', to('body')));
    expect(result.equal).toBe(false);
    expect(result.tables[0]?.notCompared).toContain('row-level security hides rows of shop.hidden');
  });
});

describe('a column that nothing here can read', () => {
  it('refuses its table where a mapping reads it, and is no matter where none does', async () => {
    await postgres.execute(`CREATE TABLE lab.unread (id int PRIMARY KEY, body text, q tsquery);
      INSERT INTO lab.unread VALUES (1, 'x', 'a & b')`);
    await mariadb.execute(`CREATE TABLE shop.unread (id VARCHAR(20) PRIMARY KEY, body TEXT)
--;;
INSERT INTO shop.unread VALUES ('1', 'x')`);
    const into = target('shop.unread', to('body'));
    const read = await compare(postgres, 'lab.unread', mapping(from('body', text)), mariadb, into);
    expect(said(read)).toEqual({ equal: true, rows: 1, differences: [] });
    const refused = await compare(postgres, 'lab.unread', mapping(from('q', text)), mariadb, into);
    expect(refused.equal).toBe(false);
    expect(refused.tables[0]?.notCompared).toContain('nothing is known of how the connector sends "q" (tsquery)');
  });
});

describe('what is not there any more', () => {
  const tablesOf = (result: VerifyResult) => result.tables.map(({ notCompared }) => notCompared);

  it('is said of its table alone: a column and a table of a target', async () => {
    await postgres.execute(`CREATE TABLE lab.kept (id int PRIMARY KEY, body text); INSERT INTO lab.kept VALUES (1, 'x');
      CREATE TABLE shop.away (id text PRIMARY KEY, other text)`);
    await mariadb.execute(`CREATE TABLE shop.away (id VARCHAR(20) PRIMARY KEY, other TEXT)
--;;
INSERT INTO shop.away VALUES ('1', 'x')`);
    const mapped = mapping(from('body', text));
    const from_ = (into: TestDatabase, table: string) =>
      compare(postgres, 'lab.kept', mapped, into, target(table, to('body')));
    expect(tablesOf(await from_(mariadb, 'shop.away'))).toEqual([
      'MariaDB refuses to read it with error 1054 ER_BAD_FIELD_ERROR',
    ]);
    expect(tablesOf(await from_(postgres, 'shop.away'))).toEqual(['PostgreSQL refuses to read it with SQLSTATE 42703']);
    expect(tablesOf(await from_(mariadb, 'shop.nowhere'))).toEqual([
      'MariaDB refuses to read it with error 1146 ER_NO_SUCH_TABLE',
    ]);
    expect(tablesOf(await from_(postgres, 'shop.nowhere'))).toEqual([
      'PostgreSQL refuses to read it with SQLSTATE 42P01',
    ]);
  });

  it.each([
    ['a column, PostgreSQL', 'postgres', 'lab.short'],
    ['a column, MariaDB', 'mariadb', 'shop.short'],
    ['a table, PostgreSQL', 'postgres', 'lab.nowhere'],
    ['a table, MariaDB', 'mariadb', 'shop.nowhere'],
  ])('is said of its table alone: %s of a source', async (_name, kind, table) => {
    await postgres.execute(`DROP TABLE IF EXISTS lab.short, shop.full; CREATE TABLE lab.short (id int PRIMARY KEY);
      INSERT INTO lab.short VALUES (1); CREATE TABLE shop.full (id text PRIMARY KEY, body text); INSERT INTO shop.full VALUES ('1', NULL)`);
    await mariadb.execute(`DROP TABLE IF EXISTS shop.short
--;;
CREATE TABLE shop.short (id INT PRIMARY KEY)
--;;
INSERT INTO shop.short VALUES (1)`);
    const source = kind === 'postgres' ? postgres : mariadb;
    const mapped = mapping(from('body', optional(text)));
    const result = await compare(source, table, mapped, postgres, target('shop.full', to('body')));
    expect(result.equal).toBe(false);
    expect(result.tables[0]?.notCompared).toMatch(/has no column body|is not there or not readable/);
  });
});

describe('records that a target does not accept', () => {
  it('are neither missing nor extra', async () => {
    await postgres.execute(`CREATE TABLE lab.cust (id int PRIMARY KEY, body text);
      INSERT INTO lab.cust VALUES (1, 'S-1'), (2, 'P-2')`);
    await mariadb.execute(`CREATE TABLE shop.cust_s (id VARCHAR(20) PRIMARY KEY, body TEXT)
--;;
INSERT INTO shop.cust_s VALUES ('1', 'S-1')`);
    const live = (key: string) =>
      `INSERT INTO seam.applied (entity, \`key\`, position, hash, deleted, hops, seam_wrote, commit_time_us, applied_at)
       VALUES ('${ENTITY}', '${key}', '', '', 0, 0, 0, 0, NOW(6))`;
    await mariadb.execute([live('1'), live('2')].join('\n--;;\n'));
    const accepts: Accepts = ({ body }) => String(body).startsWith('S-');
    const into = target('shop.cust_s', to('body'), undefined, accepts);
    const run = () => compare(postgres, 'lab.cust', mapping(from('body', text)), mariadb, into);
    expect(said(await run())).toEqual({ equal: true, rows: 1, differences: [] });
    await mariadb.execute(live('3'));
    expect(said(await run())).toEqual({ equal: false, rows: 1, differences: ['extra 3'] });
  });
});

const QUOTE: Readonly<Record<DialectName, (name: string) => string>> = {
  postgres: (name) => `"${name.replaceAll('"', '""')}"`,
  mariadb: (name) => `\`${name.replaceAll('`', '``')}\``,
};
const NAMES = ['訂單', 'Order', 'von bis', 'group', 'größe (x)', 'a.b', 'z",now(),"', 'z`,now(),`', "o'clock", '1st'];

describe.each([
  ['postgres', 'mariadb'],
  ['mariadb', 'postgres'],
] as const)('names, from %s into %s', (kind, other) => {
  it.each(NAMES)('%s is read and compared as table, key and column', async (name) => {
    const [source, into] = kind === 'postgres' ? [postgres, mariadb] : [mariadb, postgres];
    const place = (database: TestDatabase) => (database.dialect === 'postgres' && database === source ? 'lab' : 'shop');
    const [q, o] = [QUOTE[kind], QUOTE[other]];
    const [from_, to_] = [`${place(source)}.${q(`s ${name}`)}`, `shop.${o(`t ${name}`)}`];
    await source.execute(`CREATE TABLE ${from_} (${q(name)} INT PRIMARY KEY, ${q(`${name} 2`)} VARCHAR(20))`);
    await source.execute(`INSERT INTO ${from_} VALUES (1, 'x'), (2, 'y')`);
    await into.execute(`CREATE TABLE ${to_} (${o(name)} VARCHAR(20) PRIMARY KEY, ${o(`${name} 2`)} VARCHAR(20))`);
    await into.execute(`INSERT INTO ${to_} VALUES ('1', 'x'), ('2', 'other')`);
    const mapped = mapping(from(`${name} 2`, text), from(name, digits));
    const table = target(`shop.t ${name}`, to('body', unlimited()), { id: name, body: `${name} 2` });
    const result = await compare(source, `${place(source)}.s ${name}`, mapped, into, table);
    expect(said(result)).toEqual({ equal: false, rows: 2, differences: ['different 2'] });
    expect(result.tables[0]?.differences[0]?.columns).toEqual([`${name} 2`]);
  });
});

describe('a target column of any type', () => {
  const cases: readonly (readonly [DialectName, string, string, string])[] = [
    ['postgres', 'interval', 'P1Y2M3DT4H5M6.789S', 'P1Y2M3DT4H5M6.788S'],
    ['postgres', 'jsonb', '{"b":1, "a":[1.0]}', '{"b":2, "a":[1.0]}'],
    ['postgres', 'inet', '10.0.0.1/32', '10.0.0.2'],
    ['postgres', 'uuid', 'A0EEBC999C0B4EF8BB6D6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'],
    ['postgres', 'time', '10:00:00', '10:00:00.000001'],
    ['postgres', 'numeric', '1.50', '1.51'],
    ['postgres', 'money', '1234.50', '1234.51'],
    ['postgres', 'bit(4)', '0101', '0100'],
    ['postgres', 'int[]', '{1, 2}', '{2,1}'],
    ['postgres', 'hstore', 'a=>1,b=>2', 'a=>2,b=>1'],
    ['postgres', 'tsvector', 'b a', 'b c'],
    ['postgres', 'char(5)', 'ab', 'ac'],
    ['postgres', 'xml', '<a/>', '<b/>'],
    ['postgres', 'float8', '1e21', '1.0000000000000002e21'],
    ['mariadb', 'UUID', 'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'],
    ['mariadb', 'INET6', '2001:0db8::0001', '2001:db8::2'],
    ['mariadb', `ENUM('A','b')`, 'a', 'b'],
    ['mariadb', `SET('x','y')`, 'y,x', 'x'],
    ['mariadb', 'TIME(3)', '10:00:00', '10:00:00.001'],
    ['mariadb', 'DOUBLE', '1e21', '1.0000000000000002e21'],
    ['mariadb', 'FLOAT', '0.1', '0.10000001'],
    ['mariadb', 'YEAR', '2000', '2001'],
    ['mariadb', 'DECIMAL(10,2)', '1.5', '1.51'],
    ['mariadb', 'TINYBLOB', 'ab', 'ac'],
    ['mariadb', 'CHAR(5)', 'ab', 'ac'],
    ['mariadb', 'DATETIME(3)', '2017-01-01 10:00:00', '2017-01-01 10:00:00.001'],
  ];

  it.each(cases)('%s %s', async (kind, type, value, other) => {
    const [source, into] = kind === 'postgres' ? [mariadb, postgres] : [postgres, mariadb];
    const name = `y_${kind}_${type.replaceAll(/\W+/g, '_').toLowerCase()}`;
    const at = source === postgres ? 'lab' : 'shop';
    if (type === 'hstore') await into.execute('CREATE EXTENSION hstore');
    await source.execute(`CREATE TABLE ${at}.${name} (id INT PRIMARY KEY, body VARCHAR(100))`);
    await source.execute(`INSERT INTO ${at}.${name} VALUES (1, '${value}'), (2, '${value}')`);
    await into.execute(`CREATE TABLE shop.${name} (id VARCHAR(20) PRIMARY KEY, body ${type})`);
    await into.execute(`INSERT INTO shop.${name} VALUES ('1', '${value}'), ('2', '${other}')`);
    const result = await compare(
      source,
      `${at}.${name}`,
      mapping(from('body', text)),
      into,
      target(`shop.${name}`, to('body')),
    );
    expect(said(result)).toEqual({ equal: false, rows: 2, differences: ['different 2'] });
  });
});

describe('an array', () => {
  it('is read item by item', async () => {
    await postgres.execute(`CREATE TABLE lab.film (id int PRIMARY KEY, a text[], b bigint[]);
      INSERT INTO lab.film VALUES (1, ARRAY['Deleted Scenes', 'a"b,{}', 'NULL', ''], '[0:1]={9007199254740993,-1}')`);
    await mariadb.execute(`CREATE TABLE shop.film (id VARCHAR(20) PRIMARY KEY, body TEXT)
--;;
INSERT INTO shop.film VALUES ('1', '["Deleted Scenes","a\\\\"b,{}","NULL",""]')`);
    const into = target('shop.film', to('body'));
    const texts = await compare(postgres, 'lab.film', mapping(from('a', list(text))), mariadb, into);
    expect(said(texts)).toEqual({ equal: true, rows: 1, differences: [] });
    await mariadb.execute(`UPDATE shop.film SET body = '[9007199254740993,-1]'`);
    const numbers = await compare(postgres, 'lab.film', mapping(from('b', list(bigInteger))), mariadb, into);
    expect(said(numbers)).toEqual({ equal: true, rows: 1, differences: [] });
  });
});
