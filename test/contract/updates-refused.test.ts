/** Why: a publication over a generated column can stop the owner's own application, which then can't change a row any more. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openSource, type SourceSession } from '../../ops/resnapshot/source-session.ts';
import type { CheckedSource, Finding } from '../../ops/sources/checks/check.ts';
import { generatedAndMapped, withoutGenerated } from '../../ops/sources/generated-columns.ts';
import { updatesRefused } from '../../ops/sources/checks/postgres/updates-refused.ts';
import { text } from '../../core/converters.ts';
import { from, type SourceMapping } from '../../core/mapping.ts';
import { startDatabases, type TestDatabase, type TestDatabases } from '../support/databases.ts';

let databases: TestDatabases;
let postgres: TestDatabase;
let session: SourceSession;

beforeAll(async () => {
  databases = await startDatabases();
  postgres = databases.all.find(({ dialect }) => dialect === 'postgres') as TestDatabase;
  await postgres.execute(`
CREATE SCHEMA lab;
CREATE TABLE lab.film (id integer PRIMARY KEY, minutes integer,
  hours integer GENERATED ALWAYS AS (minutes / 60) VIRTUAL, half integer GENERATED ALWAYS AS (minutes / 2) STORED,
  unread integer GENERATED ALWAYS AS (minutes * 2) VIRTUAL);
CREATE PUBLICATION seam_lab FOR TABLE lab.film;
INSERT INTO lab.film VALUES (1, 120);`);
  session = await openSource({ kind: 'postgres', ...postgres.sink });
}, 240_000);

afterAll(async () => {
  await session?.close();
  await databases?.stop();
});

const source = (): CheckedSource => ({
  system: 'lab',
  session,
  config: { 'publication.name': 'seam_lab' },
  offset: undefined,
  mapping: { system: 'lab', tables: {} },
  tables: ['lab.film'],
});
const texts = (findings: readonly Finding[]) => findings.map(({ text, next }) => `${text} | ${next}`);

describe('a generated column', () => {
  it('that makes the server refuse updates is found, and the hint ends it', async () => {
    const update = () => postgres.execute('UPDATE lab.film SET minutes = 121');
    await update();
    expect(await updatesRefused.find(source())).toEqual([]);
    await postgres.execute('ALTER TABLE lab.film REPLICA IDENTITY FULL');
    await expect(update()).rejects.toThrow();
    const found = await updatesRefused.find(source());
    expect(texts(found)[0]).toMatch(/refuses updates and deletions of its rows.*"hours"/);
    await postgres.execute(/ALTER TABLE.*$/.exec(found[0]?.next ?? '')?.[0] as string);
    await update();
    expect(await updatesRefused.find(source())).toEqual([]);
  });

  it('that no mapping reads is left out by the connector, beside what its file leaves out', async () => {
    const film = { key: { id: from('id', text) }, fields: { half: from('half', text) } };
    const mapping = { system: 'lab', tables: { 'lab.film': [film] } } as unknown as SourceMapping;
    const tables = { 'table.include.list': 'lab.film', 'column.exclude.list': 'lab.film.secret' };
    expect(await withoutGenerated(session, mapping, tables)).toEqual({
      ...tables,
      'column.exclude.list': 'lab.film.secret,lab\\.film\\.hours,lab\\.film\\.unread',
    });
    const keyed = { ...tables, 'message.key.columns': 'lab.film:unread,id' };
    expect(await withoutGenerated(session, mapping, keyed)).toMatchObject({
      'column.exclude.list': 'lab.film.secret,lab\\.film\\.hours',
    });
    const others = { 'table.include.list': 'lab.other' };
    expect(await withoutGenerated(session, mapping, others)).toEqual(others);
    expect(await generatedAndMapped(session, mapping, ['lab.film'])).toEqual([{ table: 'lab.film', column: 'half' }]);
  });
});
