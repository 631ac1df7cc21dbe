/**
 * Why: names of legacy databases hold blanks, umlauts and Chinese signs, and Avro takes none of them. A mapping says a name as the database
 * does; what earlier versions wrote, records and mappings, is read all the same.
 */
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRawDecoder } from '../../adapters/avro/raw-codec.ts';
import { readRawSchema } from '../../adapters/avro/raw-schema.ts';
import { text } from '../../core/converters.ts';
import type { Row } from '../../core/change-event.ts';
import { derive, from, fromFirst, Refusal } from '../../core/mapping.ts';
import { formerName, formerNames, isPlainTable, topicPart } from '../../core/names.ts';
import { withDerived } from '../../ops/operations/connector-settings.ts';
import { rawTopic } from '../../processors/topics.ts';
import { holds } from '../support/holds.ts';
import { RawWriter } from '../support/raw-writer.ts';

const NO_LOOKUPS = { canonicalId: () => undefined };

/** A row with one column, as each version of the connector's settings sends it. */
function sent(name: string, type: unknown, value: string, topic = 'raw.lab.lab.Order'): Row {
  const writer = new RawWriter({
    topic,
    columns: [
      { name: 'id', type: 'int' },
      { name, type },
    ],
    key: ['id'],
  });
  const decoder = createRawDecoder(() => writer.schema);
  return decoder.value(writer.write(1, { op: 'c', after: { id: 1, [name]: value } })).after as Row;
}
const named = (name: string) => ({ type: 'string', 'connect.parameters': { '__debezium.source.column.name': name } });

describe('a column of an odd name', () => {
  const rows: readonly (readonly [string, Row])[] = [
    ['as records of earlier versions have it', sent('von_bis', 'string', 'x')],
    ['as the connector says it since', sent('von_bis', named('von bis'), 'x')],
    ['as the connector says it where names would be alike', sent('von_u0020bis', named('von bis'), 'x')],
  ];

  it.each(rows)('is read by both spellings, %s', (_, row) => {
    for (const name of ['von bis', 'von_bis']) {
      expect(from(name, text).read(row, NO_LOOKUPS)).toBe('x');
      expect(fromFirst(['gone', name], text).read(row, NO_LOOKUPS)).toBe('x');
      expect(derive([name], (one) => one[name]).read(row, NO_LOOKUPS)).toBe('x');
    }
  });

  it('is not guessed where two columns have had the same spelling', () => {
    expect(formerNames(['von bis', 'von-bis', 'id'])).toEqual(new Map());
    expect(formerNames(['von bis', 'von_bis'])).toEqual(new Map());
    const row = { 'von bis': '1', 'von-bis': '2' };
    const read = () => from('von_bis', text).read(row, NO_LOOKUPS);
    expect(read).toThrow(
      expect.objectContaining({
        code: 'COLUMN_MISSING',
        reason:
          'column "von_bis" is not in the change event, but "von bis", "von-bis": a mapping spells names as the database does',
      }),
    );
    expect(() => from('id', text).read({ ID: 'x' }, NO_LOOKUPS)).toThrow(Refusal);
  });

  it('leaves names that Avro takes as they are, also where the connector spells them otherwise', () => {
    const row = sent('pts_u005fbal', 'string', 'x', 'raw.lab.lab.web_u005ford');
    expect(row).toEqual({ id: 1, pts_bal: 'x' });
    const writer = new RawWriter({ topic: 'raw.lab.lab.web_u005ford', columns: [{ name: 'id', type: 'int' }] });
    expect(readRawSchema(writer.schema).namespace).toBe('raw.lab.lab.web_ord');
  });
});

describe('the topic of a table', () => {
  it('stays what it was for every name that Kafka takes', () => {
    for (const table of ['crm.web_ord', 'lab.Order', 'lab.web-ord', 'lab.a.b'])
      expect(rawTopic('lab', table)).toBe(`raw.lab.${table}`);
  });

  it('is a name that Kafka takes, and no other table has', () => {
    expect(rawTopic('lab', 'lab.訂單')).toBe('raw.lab.lab._u8a02_u55ae');
    expect(rawTopic('lab', 'lab.Order Lines')).toBe('raw.lab.lab.Order_u0020Lines');
    holds(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }), (name) => {
        expect(isPlainTable(topicPart(name))).toBe(true);
        expect(formerName(name)).toMatch(/^[A-Za-z0-9_]*$/);
      }),
    );
  });
});

describe('the settings of a connector', () => {
  const shipped = (system: string) =>
    JSON.parse(readFileSync(new URL(`../../connectors/${system}/connector.json`, import.meta.url), 'utf8')).config;
  const mappingOf = (...tables: string[]) => ({
    system: 'lab',
    tables: Object.fromEntries(tables.map((table) => [table, { kind: 'ignored' as const, reason: 'test' }])),
  });

  it('spell plain names as ever', () => {
    const { 'column.propagate.source.type': odd, ...rest } = withDerived(
      shipped('crm'),
      mappingOf('crm.web_ord'),
      null,
    );
    expect(rest).toEqual(shipped('crm'));
    const isOdd = (column: string) =>
      String(odd)
        .split(',')
        .some((one) => new RegExp(`^${one.replace('(?s)', '')}$`, 's').test(column));
    expect(['crm.web_ord.ord_no', 'crm.Order.Id'].filter(isOdd)).toEqual([]);
    expect(
      ['crm.mbr.von bis', 'crm.mbr.1st', 'crm.mbr.x.y', 'crm.訂單.id', 'crm.mbr.größe'].filter((one) => !isOdd(one)),
    ).toEqual([]);
  });

  it('give an odd table a topic of its own, and put back what the strategy spells otherwise', () => {
    const config = withDerived(shipped('crm'), mappingOf('crm.web_ord', 'crm.訂單'), null);
    expect(config['field.name.adjustment.mode']).toBe('avro_unicode');
    const route = (topic: string) =>
      topic.replace(
        // Java's possessive quantifiers, which JavaScript lacks, only save time here
        new RegExp(String(config['transforms.seamTopic.regex']).replaceAll('*+', '*').replaceAll('?+', '?')),
        String(config['transforms.seamTopic.replacement']).replaceAll(
          /\$(\d+)/g,
          (_, group) => `$${group.padStart(2, '0')}`,
        ),
      );
    expect(route('raw.crm.crm.web_u005ford')).toBe('raw.crm.crm.web_ord');
    expect(route('raw.crm.crm._u8a02_u55ae')).toBe('raw.crm.crm._u8a02_u55ae');
    expect(route('_u005f_u005fdebezium-heartbeat.raw.crm')).toBe('__debezium-heartbeat.raw.crm');
  });

  it('stay with the spelling that runs', () => {
    const present = { ...shipped('pos'), 'field.name.adjustment.mode': 'avro_unicode' };
    expect(withDerived(shipped('pos'), mappingOf('pos.cust'), present)['schema.name.adjustment.mode']).toBe(
      'avro_unicode',
    );
  });
});
