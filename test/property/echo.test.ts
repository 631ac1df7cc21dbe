/** Invariant 4: what Seam wrote doesn't come back round, and everything else travels. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import erp from '../../connectors/erp/mapping.ts';
import { canonicalHash } from '../../core/canonical-hash.ts';
import { defineSource } from '../../core/mapping.ts';
import { judge, type LedgerEntry, ledgerKey } from '../../processors/echo.ts';
import { CanonicalizeBench, type Given } from '../support/canonicalize-bench.ts';
import { holds } from '../support/holds.ts';

/** The stock system's product table, as its mapping reads it, under a name of its own. */
const wide = defineSource({ system: 'erp', tables: { 's.prod': erp.tables['erp.prod'] as never } });

describe('echoes', () => {
  const held = ['productId', 'description'];
  const bidirectional = new Map([['erp', new Map([['product', held]])]]);
  const row = (descr: string) => ({
    ...{
      prod_no: '7',
      descr,
      dept: 'x',
      ctgry: null,
      brnd_cd: 'N',
      pkg: null,
      unit_cst: '1.0000',
      del_fg: 'N',
      spec_txt: null,
    },
    img: null,
  });
  const hashOf = (description: string) =>
    Buffer.from(canonicalHash({ productId: '7', description }, held)).toString('hex');
  const ledgerOf = (entry: Partial<LedgerEntry>) =>
    new Map([[ledgerKey('product', '7'), { hashes: new Map<string, number>(), current: undefined, ...entry }]]);
  const run = (given: Given, ledger: ReadonlyMap<string, LedgerEntry> = new Map()) =>
    new CanonicalizeBench(wide, { bidirectional, ledger }).run('s.prod', [given]);

  it('are dropped: our tag, and contents that we wrote', async () => {
    const ledger = ledgerOf({ hashes: new Map([[hashOf('ours'), 0]]) });
    const { written, counts } = await run({ op: 'u', after: row('ours'), tagged: true }, ledger);
    expect(written).toEqual([]);
    expect(counts).toEqual({ echoesDropped: 1 });
  });

  it('are not what a trigger made of them: that travels, one hop further', async () => {
    const ledger = ledgerOf({
      hashes: new Map([[hashOf('ours'), 5]]),
      current: { hash: hashOf('ours'), deleted: false, hops: 1 },
    });
    const { written, counts } = await run({ op: 'u', after: row('triggered'), tagged: true }, ledger);
    expect(written).toMatchObject([{ key: '7', meta: { hops: 2 } }]);
    expect(counts).toMatchObject({ derived: 1 });
    const limited = await run(
      { op: 'u', after: row('x'), tagged: true },
      ledgerOf({ current: { hash: hashOf('y'), deleted: false, hops: 5 } }),
    );
    expect(limited.written).toEqual([]);
    expect(limited.rejected[0]?.error).toMatchObject({
      code: 'HOP_LIMIT',
      message: expect.stringContaining('product "7"'),
    });
  });

  it('are not what a person wrote, also where it equals what we once wrote', async () => {
    const ledger = ledgerOf({
      hashes: new Map([[hashOf('ours'), 0]]),
      current: { hash: hashOf('ours'), deleted: false, hops: 0 },
    });
    for (const op of ['c', 'u']) {
      const { written } = await run({ op, after: row('ours') }, ledger);
      expect(written).toMatchObject([{ key: '7', meta: { hops: 0 } }]);
    }
  });

  it('of a deletion are dropped, another deletion travels', async () => {
    const gone: Given = { op: 'd', before: row('x'), tagged: true };
    expect((await run(gone, ledgerOf({ current: { hash: '', deleted: true, hops: 0 } }))).counts).toEqual({
      echoesDropped: 1,
    });
    expect((await run(gone, ledgerOf({ hashes: new Map([['', 0]]) }))).counts).toEqual({ echoesDropped: 1 });
    expect((await run(gone, ledgerOf({}))).written).toMatchObject([{ value: null, meta: { hops: 1 } }]);
  });

  it('in a snapshot, which carries no tag, are told by the newest contents', async () => {
    const current = { hash: hashOf('ours'), deleted: false, hops: 0 };
    expect((await run({ op: 'r', after: row('ours') }, ledgerOf({ current }))).counts).toEqual({ nothingNew: 1 });
    expect((await run({ op: 'r', after: row('edited') }, ledgerOf({ current }))).written).toMatchObject([
      { meta: { hops: 0 } },
    ]);
  });

  it('are asked for only where a target writes what is captured', async () => {
    const bench = new CanonicalizeBench(wide, { bidirectional: new Map([['erp', new Map()]]) });
    const { written } = await bench.run('s.prod', [{ op: 'u', after: row('x'), tagged: true }]);
    expect(written).toMatchObject([{ meta: { hops: 1 } }]);
    expect(bench.asked).toEqual([]);
    const plain = new CanonicalizeBench(wide, { bidirectional });
    await plain.run('s.prod', [{ op: 'u', after: row('x') }]);
    expect(plain.asked).toEqual([]);
  });

  it('end every exchange: a change is dropped, or it travels with more hops', () => {
    const entry = fc.record({
      hashes: fc.array(fc.tuple(fc.constantFrom('a', 'b', ''), fc.nat(9))).map((pairs) => new Map(pairs)),
      current: fc.option(fc.record({ hash: fc.constantFrom('a', 'b'), deleted: fc.boolean(), hops: fc.nat(9) }), {
        nil: undefined,
      }),
    });
    holds(
      fc.property(entry, fc.constantFrom('a', 'c', ''), (known, hash) => {
        const verdict = judge({ isTagged: true, operation: 'u', isWritten: true, hash, entry: known });
        if (verdict.kind === 'echo') return;
        expect(verdict.kind).toBe('derived');
        expect((verdict as { hops: number }).hops).toBe((known.current?.hops ?? 0) + 1);
      }),
    );
  });
});
