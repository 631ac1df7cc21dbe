/** Which changes of a table its mapping can go on reading, and what is said of the others. No databases: schemas as Connect registers them. */
import { describe, expect, it } from 'vitest';
import { readRawSchema } from '../../adapters/avro/raw-schema.ts';
import { entities } from '../../avro/generated/entities.ts';
import crm from '../../connectors/crm/mapping.ts';
import pos from '../../connectors/pos/mapping.ts';
import type { Row } from '../../core/change-event.ts';
import { trimmed } from '../../core/converters.ts';
import type { ContractError } from '../../core/errors.ts';
import { type CanonicalMapping, fromFirst } from '../../core/mapping.ts';
import { type CompiledTable, compileSource } from '../../processors/compile-mapping.ts';
import { checkKey, checkKeyless, checkTable, type RawColumn } from '../../processors/table-schema.ts';

const members = compileSource(crm, entities).get('crm.mbr') as CompiledTable;
const lines = compileSource(pos, entities).get('pos.tlog_ln') as CompiledTable;

const date = { type: 'int', 'connect.name': 'io.debezium.time.Date' };
const time = { type: 'long', 'connect.name': 'io.debezium.time.MicroTimestamp' };
type Types = Record<string, unknown>;
const memberTypes: Types = {
  ...{ mbr_id: 'int', nm: 'string', eml: 'string', tel: 'string', brth_dt: date, tier_cd: 'string', stat_cd: 'string' },
  ...{ pts_bal: 'long', jn_dt: date, ref: { type: 'string', 'connect.name': 'io.debezium.data.Uuid' }, rmrk: 'string' },
};
const lineTypes: Types = {
  ...{ bskt_no: 'long', ln_no: { type: 'int', 'connect.type': 'int16' }, str_cd: 'string', cust_no: 'string' },
  ...{ prod_cd: 'string', qty: 'string', net_amt: 'string', disc_amt: 'string', typ_cd: 'string', sold_ts: time },
};

/** As Debezium's envelope holds them, each one nullable. */
function columnsOf(types: Types): readonly RawColumn[] {
  const fields = Object.entries(types).map(([name, type]) => ({ name, type: ['null', type] }));
  const row = { type: 'record', name: 'Value', fields };
  const envelope = [
    { name: 'before', type: ['null', row] },
    { name: 'after', type: ['null', 'Value'] },
    { name: 'op', type: 'string' },
  ];
  return readRawSchema(JSON.stringify({ type: 'record', name: 'Envelope', fields: envelope })).columns;
}

function without(types: Types, name: string): Types {
  const { [name]: _gone, ...rest } = types;
  return rest;
}

function refusal(run: () => void): ContractError {
  try {
    run();
  } catch (error) {
    return error as ContractError;
  }
  throw new Error('nothing was refused');
}

describe('a table that its mapping can read', () => {
  it.each<[string, CompiledTable, Types]>([
    ['as it was set up', members, memberTypes],
    ['with a column more', members, { ...memberTypes, seg_cd: 'string', scr: 'double' }],
    ['without a column that nobody reads', members, without(memberTypes, 'rmrk')],
    ['with a wider number', members, { ...memberTypes, mbr_id: 'long' }],
    ['with a narrower number', members, { ...memberTypes, pts_bal: 'int' }],
    ['of the tills', lines, lineTypes],
    ['of the tills, with a wider line number', lines, { ...lineTypes, ln_no: 'long' }],
    ['with a type that only its values tell', members, { ...memberTypes, pts_bal: { type: 'map', values: 'string' } }],
  ])('%s passes', (_, table, types) => {
    expect(() => checkTable(table, columnsOf(types), undefined)).not.toThrow();
  });
});

describe('a mapping that reads a column under its old and its new name', () => {
  const renamed = fromFirst(['full_nm', 'nm'], trimmed);
  const [member, contact] = crm.tables['crm.mbr'] as CanonicalMapping[];
  const mapping = { ...member, fields: { ...member?.fields, fullName: renamed } } as CanonicalMapping;
  const source = { system: 'crm', tables: { 'crm.mbr': [mapping, contact as CanonicalMapping] } };
  const table = compileSource(source, entities).get('crm.mbr') as CompiledTable;
  const { nm, ...rest } = memberTypes;

  it('passes both, and no row without either', () => {
    expect(() => checkTable(table, columnsOf(memberTypes), undefined)).not.toThrow();
    expect(() => checkTable(table, columnsOf({ ...rest, full_nm: nm }), undefined)).not.toThrow();
    expect(refusal(() => checkTable(table, columnsOf(rest), undefined)).message).toContain(
      'column "full_nm" or "nm" is gone',
    );
  });

  it('takes the first that a row has', () => {
    const read = (row: Row) => renamed.read(row, { canonicalId: () => undefined });
    expect([read({ nm: 'old' }), read({ full_nm: 'new' }), read({ full_nm: 'new', nm: 'old' })]).toEqual([
      'old',
      'new',
      'new',
    ]);
    expect(() => read({})).toThrow(expect.objectContaining({ code: 'COLUMN_MISSING' }));
  });
});

describe('a table that it can’t read any more stops, and says what changed', () => {
  it('a renamed column: the old and the new name, with their types', () => {
    const { nm, ...rest } = memberTypes;
    const error = refusal(() => checkTable(members, columnsOf({ ...rest, full_nm: nm }), columnsOf(memberTypes)));
    expect(error).toMatchObject({ class: 'contract', code: 'SCHEMA_CHANGED', where: 'crm crm.mbr' });
    expect(error.message).toContain('column "nm" (string) is gone; new: "full_nm" (string)');
    expect(error.hint).toContain('connectors/crm/mapping.ts');
  });

  it('after a restart, when nobody remembers the schema before', () => {
    const { nm, ...rest } = memberTypes;
    const error = refusal(() => checkTable(members, columnsOf({ ...rest, full_nm: nm }), undefined));
    expect(error.message).toContain('column "nm" is gone; not mapped: "rmrk" (string), "full_nm" (string)');
  });

  it('a dropped column', () => {
    const changed = columnsOf(without(memberTypes, 'tier_cd'));
    expect(refusal(() => checkTable(members, changed, columnsOf(memberTypes))).message).toMatch(
      /column "tier_cd" \(string\) is gone$/,
    );
  });

  it.each<[string, CompiledTable, Types, string]>([
    ['number → text', members, { ...memberTypes, pts_bal: 'string' }, '"pts_bal" is of type string now'],
    ['text → date', members, { ...memberTypes, nm: date }, '"nm" is of type io.debezium.time.Date now'],
    ['date → text', members, { ...memberTypes, jn_dt: 'string' }, '"jn_dt" is of type string now'],
    ['time → text', lines, { ...lineTypes, sold_ts: 'string' }, '"sold_ts" is of type string now'],
    ['text → flag', lines, { ...lineTypes, str_cd: 'boolean' }, '"str_cd" is of type boolean now'],
  ])('another type: %s', (_, table, types, text) => {
    expect(refusal(() => checkTable(table, columnsOf(types), undefined)).message).toContain(text);
  });

  it.each([
    ['grew', ['mbr_id', 'rgn'], 'the key "mbr_id", "rgn"'],
    ['is another', ['eml'], 'the key "eml"'],
    ['is gone', [], 'no key any more'],
  ])('a primary key that %s', (_, key, text) => {
    const error = refusal(() => checkKey(members, key));
    expect(error).toMatchObject({ code: 'KEY_CHANGED', where: 'crm crm.mbr' });
    expect(error.message).toContain(text);
  });

  it('a record without a key, unless it is a truncation', () => {
    expect(refusal(() => checkKeyless(members, 'u'))).toMatchObject({ code: 'KEY_CHANGED' });
    expect(() => checkKeyless(members, 't')).not.toThrow();
  });

  it.each([
    [members, ['mbr_id']],
    [lines, ['bskt_no', 'ln_no']],
    [lines, ['bskt_no']],
  ])('a primary key inside the entity’s key keeps the order', (table, key) => {
    expect(() => checkKey(table as CompiledTable, key as string[])).not.toThrow();
  });
});
