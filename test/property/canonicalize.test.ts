/** Raw change events → canonical records, over made-up histories: nothing is lost, nothing personal leaks. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import crm from '../../connectors/crm/mapping.ts';
import erp from '../../connectors/erp/mapping.ts';
import finance from '../../connectors/finance/mapping.ts';
import pos from '../../connectors/pos/mapping.ts';
import { keyText } from '../../core/canonical-record.ts';
import type { Row } from '../../core/change-event.ts';
import { UNAVAILABLE } from '../../core/change-event.ts';
import { bigInteger, decimal, integer, optional, text } from '../../core/converters.ts';
import { canonical, constant, defineSource, from, Refusal } from '../../core/mapping.ts';
import { comparePositions } from '../../core/position.ts';
import { UNKNOWN } from '../../processors/claims.ts';
import { deadLetter } from '../../processors/dead-letter.ts';
import { ledgerKey } from '../../processors/echo.ts';
import { CanonicalizeBench, type Given, PARTITIONS, type Written } from '../support/canonicalize-bench.ts';
import { holdsAsync } from '../support/holds.ts';

/** The stock system's product table, as its mapping reads it, under a name of its own. */
const wide = defineSource({ system: 'erp', tables: { 's.prod': erp.tables['erp.prod'] as never } });

/** A survey's canonical key is made of plain columns, so that updates may change it. */
const survey = defineSource({
  system: 'crm',
  tables: {
    's.survey': canonical('market-survey', {
      key: { week: from('wk', integer), productId: from('prod', text), competitor: from('comp', text) },
      fields: {
        marketUnits: from('units', bigInteger),
        averagePrice: from('price', decimal(10, 2)),
        surveyedOn: constant(null),
      },
      where: (row) => row.state !== 'draft',
    }),
  },
});

type SurveyRow = { id: number; wk: number; prod: string; comp: string; units: bigint; price: string; state: string };
const surveyRow = fc.record({
  wk: fc.integer({ min: 1, max: 2 }),
  prod: fc.constantFrom('1', 'a|b', '\\x'),
  units: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }),
  price: fc.constantFrom('1.50', '12345678.90', '0.00'),
  state: fc.constantFrom('final', 'final', 'draft'),
});

/** A table's life: each step writes or removes the row with that id; `comp` keeps two rows from meeting in one key. */
const life = fc.array(
  fc.record({ id: fc.integer({ min: 1, max: 4 }), row: fc.option(surveyRow), read: fc.boolean() }),
  {
    maxLength: 40,
  },
);

function eventsOf(
  steps: typeof life extends fc.Arbitrary<infer Steps> ? Steps : never,
  hasBefore: boolean,
): { events: Given[]; rows: SurveyRow[] } {
  const rows = new Map<number, SurveyRow>();
  const events: Given[] = [];
  for (const { id, row, read } of steps) {
    const before = rows.get(id) ?? null;
    if (row === null) {
      if (before === null) continue;
      rows.delete(id);
      events.push({ op: 'd', before, key: before });
      continue;
    }
    // without the row before, an update can't say that its key changed: Debezium then sends a delete and a create
    const kept = before !== null && !hasBefore ? { wk: before.wk, prod: before.prod } : {};
    const after = { ...row, ...kept, id, comp: `c${id}` };
    rows.set(id, after);
    if (before === null) events.push({ op: read ? 'r' : 'c', after });
    else events.push({ op: 'u', before: hasBefore ? before : null, after });
  }
  return { events, rows: [...rows.values()] };
}

function tableOf(written: readonly Written[]): Map<string, unknown> {
  const table = new Map<string, unknown>();
  for (const { key, value } of written) {
    if (value === null) table.delete(key);
    else table.set(key, value);
  }
  return table;
}

describe('a history of one table', () => {
  it.each([true, false])('ends in what a fresh snapshot of the table says; rows before sent: %s', async (hasBefore) => {
    await holdsAsync(life, async (steps) => {
      const { events, rows } = eventsOf(steps, hasBefore);
      const followed = await new CanonicalizeBench(survey).run('s.survey', events);
      const read = await new CanonicalizeBench(survey).run(
        's.survey',
        rows.map((after) => ({ op: 'r', after, snapshot: true })),
      );
      expect(tableOf(followed.written)).toEqual(tableOf(read.written));
      expect(followed.rejected).toEqual([]);
    });
  });

  it('says the same however it is sliced, and however often', async () => {
    await holdsAsync(fc.tuple(life, fc.integer({ min: 1, max: 5 })), async ([steps, size]) => {
      const { events } = eventsOf(steps, true);
      const whole = await new CanonicalizeBench(survey).run('s.survey', events);
      const sliced: Written[] = [];
      for (let start = 0; start < events.length; start += size) {
        const bench = new CanonicalizeBench(survey);
        sliced.push(...(await bench.run('s.survey', events.slice(start, start + size), start)).written);
      }
      expect(sliced).toEqual(whole.written);
      expect((await new CanonicalizeBench(survey).run('s.survey', events)).outputs).toEqual(whole.outputs);
    });
  });

  it('names its keys as every other producer does', async () => {
    await holdsAsync(fc.tuple(fc.string(), fc.string()), async ([prod, comp]) => {
      const row = { id: 1, wk: 3, prod, comp, units: 1n, price: '1.00', state: 'final' };
      const { written } = await new CanonicalizeBench(survey).run('s.survey', [
        { op: 'c', after: row },
        { op: 'd', before: row, key: row },
      ]);
      for (const { key } of written) expect(key).toBe(keyText([3, prod, comp]));
    });
  });

  it('keeps the source’s order in positions of each key', async () => {
    await holdsAsync(life, async (steps) => {
      const { written } = await new CanonicalizeBench(survey).run('s.survey', eventsOf(steps, true).events);
      for (const records of Map.groupBy(written, ({ key }) => key).values()) {
        for (const [index, { meta }] of records.entries()) {
          const before = records[index - 1];
          if (before !== undefined)
            expect(comparePositions(before.meta.position, meta.position)).toBeLessThanOrEqual(0);
        }
      }
    });
  });
});

describe('single events', () => {
  const product: Row = {
    ...{ prod_no: '7', descr: 'd', dept: 'x', ctgry: null, brnd_cd: 'N', pkg: null, unit_cst: '1.0000', del_fg: 'N' },
    ...{ spec_txt: UNAVAILABLE, img: null },
  };

  it('that leave out a large value say "keep what you have"', async () => {
    const { written, rejected } = await new CanonicalizeBench(wide).run('s.prod', [{ op: 'u', after: product }]);
    expect(rejected).toEqual([]);
    expect(written[0]?.meta.absent).toEqual(['specification']);
    expect(written[0]?.value).toMatchObject({ specification: null });
  });

  it('whose key was left out, or is null, are refused', async () => {
    const rows: Row[] = [
      { ...product, prod_no: UNAVAILABLE },
      { ...product, descr: UNAVAILABLE },
    ];
    const { rejected } = await new CanonicalizeBench(wide).run('s.prod', [
      ...rows.map((after) => ({ op: 'u', after })),
    ]);
    expect(rejected.map(({ error }) => error.code)).toEqual(['KEY_ABSENT', 'ABSENT_NOT_NULLABLE']);
    const nullable = canonical('member-contact', {
      key: { memberId: from('id', (value) => value as never) },
      fields: { phone: from('tel', optional(text)) },
    });
    const bench = new CanonicalizeBench(defineSource({ system: 'crm', tables: { 's.c': nullable } }));
    const { rejected: nulls } = await bench.run('s.c', [{ op: 'c', after: { id: null, tel: 'x' } }]);
    expect(nulls.map(({ error }) => error.code)).toEqual(['NULL_NOT_ALLOWED']);
  });

  it('of a delete find their key in the record’s own key', async () => {
    const nulls = Object.fromEntries(Object.keys(product).map((column) => [column, null]));
    for (const before of [null, nulls, { ...nulls, prod_no: '7' }]) {
      const { written } = await new CanonicalizeBench(wide).run('s.prod', [{ op: 'd', before, key: { prod_no: '7' } }]);
      expect(written).toMatchObject([{ entity: 'product', key: '7', value: null, meta: { operation: 'd' } }]);
    }
  });

  it('of a truncation reach every partition, and of a kept entity none', async () => {
    const { written } = await new CanonicalizeBench(wide).run('s.prod', [{ op: 't' }]);
    expect(written.map(({ key, value, partition }) => [key, value, partition])).toEqual(
      Array.from({ length: PARTITIONS }, (_, partition) => ['\\truncate', null, partition]),
    );
    expect(written[0]?.meta.operation).toBe('t');
    const kept = await new CanonicalizeBench(pos).run('pos.cust', [{ op: 't' }]);
    expect(kept.written).toEqual([]);
  });

  it('of an unmapped table, or with NULLs that may be hidden, stop the topic with what to do', async () => {
    await expect(new CanonicalizeBench(wide).run('s.unknown', [{ op: 'c' }])).rejects.toMatchObject({
      class: 'contract',
      code: 'TABLE_UNMAPPED',
    });
    const bench = new CanonicalizeBench(wide, { hidden: ['ctgry', 'unread'] });
    const { stop, written } = await bench.run('s.prod', [{ op: 'c', after: product }]);
    expect(stop).toMatchObject({ at: 0, reason: { code: 'NULL_HIDDEN', message: expect.stringContaining('"ctgry"') } });
    expect(written).toEqual([]);
  });

  it('with NULLs that may be hidden: a deletion goes through, and so does what a later record says again', async () => {
    const given = [
      { op: 'u', after: product },
      { op: 'd', before: { prod_no: '8' }, key: { prod_no: '8' } },
      { op: 'u', after: product },
    ];
    const run = (again: boolean) =>
      new CanonicalizeBench(wide, { hidden: ['ctgry'], saidAgain: async () => again }).run('s.prod', given);
    const { stop, written, counts } = await run(true);
    expect(stop).toBeUndefined();
    expect(written).toMatchObject([{ key: '8', value: null, meta: { operation: 'd' } }]);
    expect(counts).toMatchObject({ saidAgain: 2 });
    const hint = expect.stringContaining('seam resnapshot --system erp --table s.prod --yes');
    expect((await run(false)).stop).toMatchObject({ at: 0, reason: { code: 'NULL_HIDDEN', hint } });
  });

  it('of a row that no topic takes are set aside with their sizes, and all others flow', async () => {
    const { rejected, written } = await new CanonicalizeBench(wide).run('s.prod', [
      { op: 'c', after: product },
      { op: 'u', stub: { 'seam-oversize': '41943100/35651584' } },
      { op: 'd', stub: { 'seam-oversize-key': '2000000/1048576' } },
      { op: 'c', after: { ...product, prod_no: '8' } },
    ]);
    expect(rejected.map(({ record, error }) => [record.offset, error.code, error.message, error.where])).toEqual([
      [1n, 'RECORD_OVERSIZE', 'a row has 41943100 bytes, and at most 35651584 can be sent', 'erp s.prod'],
      [2n, 'RECORD_OVERSIZE', 'the key of a row has 2000000 bytes, and at most 1048576 can be sent', 'erp s.prod'],
    ]);
    expect(written.map(({ key }) => key)).toEqual(['7', '8']);
  });

  it('of a type of which the connector loses a part stop the topic where it is mapped, and only there', async () => {
    const mangled = new Map([
      ['ctgry', 'type name: streamed events say NULL'],
      ['unread', 'whatever'],
    ]);
    const { stop, written } = await new CanonicalizeBench(wide, { mangled }).run('s.prod', [
      { op: 'c', after: product },
    ]);
    const message = expect.stringMatching(/"ctgry" \(type name.*\)$/);
    expect(stop).toMatchObject({ at: 0, reason: { class: 'contract', code: 'COLUMN_MANGLED', message } });
    expect(written).toEqual([]);
    const others = new CanonicalizeBench(wide, { mangled: new Map([['unread', 'whatever']]) });
    expect((await others.run('s.prod', [{ op: 'c', after: product }])).stop).toBeUndefined();
  });

  it('whose schema id names another topic’s schema stop theirs: the registry gave its ids out again', async () => {
    const stopOf = async (schemaTopic: string) => {
      const bench = new CanonicalizeBench(wide, { schemaTopic });
      return (await bench.run('s.prod', [{ op: 'c', after: product }])).stop;
    };
    expect(await stopOf('raw.erp.s.prod')).toBeUndefined();
    expect(await stopOf('raw.erp.s.other')).toMatchObject({ at: 0, reason: { code: 'SCHEMA_ID_MOVED' } });
  });

  it('take ids that the database assigned from the identity map', async () => {
    const row = {
      inv_id: 5n,
      shp_ref: null,
      ord_ref: null,
      amt: '1.00',
      cur: 'USD',
      stat: 'O',
      iss_dt: 1,
      paid_ts: null,
    };
    const identities = new Map([[ledgerKey('invoice-request', '5'), 'IN-9']]);
    const known = await new CanonicalizeBench(finance, { identities }).run('fin.inv', [{ op: 'c', after: row }]);
    const unknown = await new CanonicalizeBench(finance).run('fin.inv', [{ op: 'c', after: row }]);
    expect([known.written[0]?.key, unknown.written[0]?.key]).toEqual(['IN-9', 'FI-5']);
  });
});

describe('shared entities', () => {
  const member = (changes: Row = {}): Row => ({
    ...{ mbr_id: 900, nm: 'Ada', eml: null, tel: '+1 555', brth_dt: null, tier_cd: 'B', stat_cd: 'A', pts_bal: 1n },
    ...{ jn_dt: null, ref: null, ...changes },
  });
  const contacts = async (given: Given) => {
    const { written, counts } = await new CanonicalizeBench(crm).run('crm.mbr', [given]);
    return { said: written.filter(({ entity }) => entity === 'member-contact'), counts };
  };

  it('say nothing when another column was edited', async () => {
    const { said, counts } = await contacts({ op: 'u', before: member(), after: member({ pts_bal: 2n }) });
    expect(said).toEqual([]);
    expect(counts).toMatchObject({ unchanged: 1, produced: 1 });
  });

  it('stop the topic where the row before isn’t sent', async () => {
    const { stop } = await new CanonicalizeBench(crm).run('crm.mbr', [
      { op: 'c', after: member() },
      { op: 'u', before: null, after: member() },
    ]);
    expect(stop).toMatchObject({
      at: 1,
      reason: { code: 'BEFORE_IMAGE_MISSING', hint: expect.stringContaining('REPLICA IDENTITY') },
    });
  });

  it('order by commit time over all systems, and a snapshot row is older than every change', async () => {
    const streamed = await contacts({ op: 'u', before: member({ tel: 'x' }), after: member() });
    const read = await contacts({ op: 'r', after: member(), snapshot: true });
    const readLater = await contacts({ op: 'r', after: member() });
    const [change, first, later] = [streamed, read, readLater].map(({ said }) => said[0]?.meta.position as Uint8Array);
    expect(comparePositions(first as Uint8Array, change as Uint8Array)).toBeLessThan(0);
    expect(comparePositions(later as Uint8Array, change as Uint8Array)).toBeLessThan(0);
  });

  it('end when the value is cleared, and only then', async () => {
    const cleared = await contacts({ op: 'u', before: member(), after: member({ tel: ' ' }) });
    expect(cleared.said).toMatchObject([{ key: '900', value: null }]);
    const stayed = await contacts({ op: 'u', before: member({ tel: null }), after: member({ tel: '', nm: 'B' }) });
    expect(stayed.said).toEqual([]);
    const unread = await contacts({ op: 'r', after: member({ tel: null }) });
    expect(unread.said).toEqual([]);
  });

  it('assert nothing by a row that holds nothing', async () => {
    const bare = defineSource({
      system: 'crm',
      tables: {
        's.c': canonical('member-contact', {
          key: { memberId: from('id', text) },
          fields: { phone: from('tel', optional(text)) },
        }),
      },
    });
    for (const op of ['c', 'r']) {
      const { written, counts } = await new CanonicalizeBench(bare).run('s.c', [{ op, after: { id: '1', tel: null } }]);
      expect(written).toEqual([]);
      expect(counts).toEqual({ unchanged: 1 });
    }
  });
});

describe('personal values', () => {
  const secret = fc.string({ minLength: 12, maxLength: 30 }).map((text) => `secret-${text}`);

  it('are in no error and in no header of a dead letter', async () => {
    await holdsAsync(secret, async (value) => {
      for (const [mapping, table, after] of refusedRows(value)) {
        const { rejected, written } = await new CanonicalizeBench(mapping).run(table, [{ op: 'c', after }]);
        expect(rejected.length + written.length).toBeGreaterThan(0);
        for (const one of rejected) {
          const { code, message, where, hint } = one.error;
          const { record } = one;
          const place = { topic: 't', partition: 0, offset: record.offset };
          const parked = {
            place,
            keyId: undefined,
            state: 'refused',
            code,
            attempts: 0,
            setAsideAtMs: 0,
            claims: UNKNOWN,
          } as const;
          const { headers } = deadLetter('canonicalize', parked, { ...record, key: null, headers: {} }, one.error);
          const shown = [code, message, where, hint, ...Object.values(headers).map(String)].join('\n');
          expect(shown).not.toContain(value);
        }
      }
    });
  });

  function refusedRows(value: string): [typeof crm, string, Row][] {
    const row = { mbr_id: 1, nm: value, eml: value, tel: value, brth_dt: null, stat_cd: 'A', pts_bal: 1n, jn_dt: null };
    const failing = defineSource({
      system: 'crm',
      tables: {
        's.c': canonical('member-contact', {
          key: { memberId: from('id', text) },
          fields: {
            phone: from('tel', (phone) => {
              throw new TypeError(`can't read ${String(phone)}`);
            }),
          },
        }),
      },
    });
    return [
      [crm, 'crm.mbr', { ...row, ref: value, tier_cd: 'B' }],
      [crm, 'crm.mbr', { ...row, ref: null, tier_cd: value }],
      [crm, 'crm.mbr', { ...row, ref: null, tier_cd: 'B', nm: `${value}\ud800` }],
      [crm, 'crm.mbr', { ...row, ref: null, tier_cd: 'B', brth_dt: value }],
      [failing, 's.c', { id: '1', tel: value }],
    ];
  }

  it('never come with a refusal of the mapping words', () => {
    expect(new Refusal('CODE', 'reason')).not.toHaveProperty('value');
  });
});
