/** A truncation says which keys it takes: those of its own table. */
import { describe, expect, it } from 'vitest';
import crm from '../../connectors/crm/mapping.ts';
import erp from '../../connectors/erp/mapping.ts';
import type { Row } from '../../core/change-event.ts';
import { defineSource } from '../../core/mapping.ts';
import { encodePosition, sharedStamp } from '../../core/position.ts';
import { reachOf, scopedTruncateKey, TRUNCATE_KEY } from '../../core/truncation.ts';
import { CanonicalizeBench } from '../support/canonicalize-bench.ts';

const PRODUCT: Row = {
  ...{ prod_no: '7', descr: 'd', dept: 'x', ctgry: null, brnd_cd: 'N', pkg: null, unit_cst: '1.0000', del_fg: 'N' },
  ...{ spec_txt: null, img: null },
};
const position = encodePosition({ epoch: 1, phase: 'stream', major: 1n, minor: 0n, isDelete: false });

describe('a truncation', () => {
  it('of one of several tables reaches its own keys, and their records name their table', async () => {
    const of = erp.tables['erp.prod'] as never;
    const bench = new CanonicalizeBench(defineSource({ system: 'erp', tables: { 's.old': of, 's.new': of } }));
    const { written } = await bench.run('s.new', [{ op: 'c', after: PRODUCT }]);
    expect(written).toMatchObject([{ key: '7', meta: { table: 's.new' } }]);
    const truncated = await bench.run('s.old', [{ op: 't' }]);
    expect(new Set(truncated.written.map(({ key }) => key))).toEqual(new Set(['\\truncate erp s.old']));
    expect(truncated.written[0]?.meta).toMatchObject({ operation: 't', table: 's.old' });
  });

  it('of a table that shares its entity with other systems reaches what its system said', async () => {
    const { written } = await new CanonicalizeBench(crm).run('crm.mbr', [{ op: 't' }]);
    const keyOf = (entity: string) => written.find((one) => one.entity === entity)?.key;
    expect(keyOf('member-contact')).toBe('\\truncate crm');
    expect(keyOf('member')).toBe('\\truncate');
  });

  it('takes, leaves or does not know each row', () => {
    const erpRow = (table: string | undefined) => ({ position, table });
    const spring = { system: 'erp', table: 'spring' };
    expect(reachOf(TRUNCATE_KEY, { system: 'erp' }, erpRow('spring'))).toBe('taken');
    expect(reachOf(scopedTruncateKey(spring), spring, erpRow('spring'))).toBe('taken');
    expect(reachOf(scopedTruncateKey(spring), spring, erpRow('summer'))).toBe('left');
    expect(reachOf(scopedTruncateKey(spring), spring, erpRow(undefined))).toBe('unknown');
    const said = (system: string) => ({ position: sharedStamp(system, 1n, position), table: undefined });
    expect(reachOf(scopedTruncateKey({ system: 'crm' }), { system: 'crm' }, said('crm'))).toBe('taken');
    expect(reachOf(scopedTruncateKey({ system: 'crm' }), { system: 'crm' }, said('pos'))).toBe('left');
  });
});
