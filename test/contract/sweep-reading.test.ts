/** Why: a sweep deletes what it does not read, so a reading that ends early, or shows less than there is, must never look whole. */
import { describe, expect, it } from 'vitest';
import { entities } from '../../avro/generated/entities.ts';
import type { Row } from '../../core/change-event.ts';
import { text } from '../../core/converters.ts';
import { type CanonicalMapping, constant, from } from '../../core/mapping.ts';
import { encodePosition } from '../../core/position.ts';
import { readPresent } from '../../ops/resnapshot/present.ts';
import { look } from '../../ops/resnapshot/sweep.ts';
import { type ReadConnection, sourceRows } from '../../ops/verify/source-rows.ts';
import { type DialectSuite, describeDialects, notSupported } from '../support/dialect-suite.ts';
import { TestLog } from '../support/test-log.ts';

const LOCATION = entities.location;
const [KEY] = LOCATION.key;
const TABLE = 'shop.place';
const ROWS = 60_000;

const mapping: CanonicalMapping = {
  kind: 'canonical',
  entity: 'location',
  key: { [KEY as string]: from('code', text) },
  fields: Object.fromEntries(
    LOCATION.fields.filter(({ name }) => name !== KEY).map(({ name }) => [name, constant(null)]),
  ),
  onDelete: 'tombstone',
  where: undefined,
};
const feed = { table: TABLE, mapping, lookups: { canonicalId: () => undefined } };

describeDialects((suite) => readings(suite));

function readings(suite: DialectSuite): void {
  const { source, filled, withheld } = reader(suite);

  describe('a reading of a table', () => {
    it('whose connection is cut in the middle fails, and does not end early', async () => {
      await filled(ROWS);
      let chunks = 0;
      async function* cutAfterTheFirst(): AsyncGenerator<readonly Row[]> {
        for await (const rows of sourceRows(source(), TABLE)) {
          chunks += 1;
          if (chunks === 1) await suite.execute(...(await killed(suite)));
          yield rows;
        }
      }
      await expect(readPresent([feed], LOCATION, cutAfterTheFirst)).rejects.toThrow();
      expect(chunks).toBeGreaterThan(0);
    }, 120_000);

    it('of a table that is not there deletes nothing', async () => {
      await suite.execute(`DROP TABLE IF EXISTS ${TABLE}`);
      expect(await withheld()).toMatchObject({
        code: 'SWEEP_NOT_READ',
        message: expect.stringContaining('TABLE_MISSING'),
        where: `lab ${TABLE}`,
        hint: `once it can be read, run: seam resnapshot --system lab --table ${TABLE} --yes`,
      });
    });

    it('of which a policy hides rows from the user who reads says so', async (context) => {
      if (suite.name === 'mariadb') return notSupported(context, 'MariaDB has no row-level security');
      await filled(10);
      await suite.execute(
        `ALTER TABLE ${TABLE} ENABLE ROW LEVEL SECURITY`,
        `CREATE POLICY only_p1 ON ${TABLE} USING (code LIKE 'p1%')`,
      );
      expect(await withheld()).toMatchObject({
        code: 'SWEEP_NOT_READ',
        message: expect.stringContaining('[ROWS_HIDDEN]'),
      });
    });

    it('is not made shorter by a limit that the server sets', async (context) => {
      if (suite.name === 'postgres') return notSupported(context, 'PostgreSQL has no limit for all SELECTs');
      await filled(200);
      await suite.execute('SET GLOBAL sql_select_limit = 50');
      try {
        const { keys } = await readPresent([feed], LOCATION, (table) => sourceRows(source(), table));
        expect(keys.size).toBe(200);
      } finally {
        await suite.execute('SET GLOBAL sql_select_limit = DEFAULT');
      }
    });
  });
}

function reader(suite: DialectSuite) {
  const source = (): ReadConnection => ({ kind: suite.name, ...suite.database.sink });

  async function filled(rows: number): Promise<void> {
    const numbers = suite.name === 'postgres' ? `generate_series(1, ${rows}) AS g(n)` : `seq_1_to_${rows} AS g`;
    const number = suite.name === 'postgres' ? 'g.n' : 'g.seq';
    await suite.execute(
      `DROP TABLE IF EXISTS ${TABLE}`,
      `CREATE TABLE ${TABLE} (code varchar(20) PRIMARY KEY, note varchar(1000))`,
      `INSERT INTO ${TABLE} SELECT concat('p', ${number}), repeat('x', 900) FROM ${numbers}`,
    );
  }

  /** As the sweep looks, up to where it would ask the log what is held. */
  const looked = () =>
    look({
      log: new TestLog(),
      groupId: 'test',
      system: 'lab',
      tables: [TABLE],
      feeds: [feed],
      description: LOCATION,
      source: source(),
      targets: [],
      mark: {
        position: encodePosition({ epoch: 1, phase: 'stream', major: 9n, minor: 0n, isDelete: false }),
        orderTimeUs: 9n,
      },
      markAgain: () => Promise.reject(new Error('not asked for')),
      asked: { by: 'test', reason: '' },
      signal: new AbortController().signal,
    });
  const withheld = async () => (await looked()).withheld;

  return { source, filled, withheld };
}

/** Statements that end every connection of the reader. */
async function killed(suite: DialectSuite): Promise<string[]> {
  if (suite.name === 'postgres')
    return ["SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'seam_sink'"];
  const found = await suite.rows("SELECT id FROM information_schema.processlist WHERE user = 'seam_sink'");
  return found.map(({ id }) => `KILL CONNECTION ${id}`);
}
