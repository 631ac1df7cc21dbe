/** The written-out way of reading a row and the one field by field say the same of every row. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entities } from '../../avro/generated/entities.ts';
import crm from '../../connectors/crm/mapping.ts';
import erp from '../../connectors/erp/mapping.ts';
import finance from '../../connectors/finance/mapping.ts';
import pos from '../../connectors/pos/mapping.ts';
import type { ChangeEvent, ColumnValue, Operation, Row } from '../../core/change-event.ts';
import { UNAVAILABLE, Unreadable } from '../../core/change-event.ts';
import { bigInteger, decimal, integer, text } from '../../core/converters.ts';
import type { Converter, Lookups } from '../../core/mapping.ts';
import {
  canonical,
  constant,
  conversionOf,
  defineSource,
  derive,
  from,
  fromFirst,
  identity,
  Refusal,
} from '../../core/mapping.ts';
import { encodePosition } from '../../core/position.ts';
import { type CompiledTable, compileSource } from '../../processors/compile-mapping.ts';
import { mapEvent } from '../../processors/map-event.ts';
import { holds } from '../support/holds.ts';

/** A converter that promises too much: null, or nothing at all, is refused where the entity needs a value. */
const priceOrNothing = ((value: never) =>
  value === '' ? undefined : value === 'A' ? null : decimal(10, 2)(value)) as Converter<string>;

/** Made of another, as an author may: what it reads is its own. */
const upper = (() => {
  const field = from('comp', text);
  return { ...field, read: (row: Row, lookups: Lookups) => String(field.read(row, lookups)).toUpperCase() };
})();

/** Every kind of field that there is; `String` would make a text of what was not sent, too. */
const every = defineSource({
  system: 'crm',
  tables: {
    's.survey': canonical('market-survey', {
      key: {
        week: fromFirst(['wk', 'week'], integer),
        productId: from('prod', String),
        competitor: identity('product', 'comp', text),
      },
      fields: {
        marketUnits: from('units', bigInteger),
        averagePrice: from('price', priceOrNothing),
        surveyedOn: derive(['day', 'day_from'], (row) => {
          if (row.day === 1) throw new Refusal('CODE_UNKNOWN', 'is not a day');
          return row.day === null ? null : '2017-01-31';
        }),
      },
    }),
    's.plain': canonical('market-survey', {
      key: { week: from('wk', integer), productId: from('prod', text), competitor: upper },
      fields: {
        marketUnits: constant(1n),
        averagePrice: from('price', (value) => {
          if (value === 'A') throw new TypeError('a fault in a converter');
          return '1.00';
        }),
        surveyedOn: constant(null),
      },
    }),
  },
});

const tables = [every, crm, erp, finance, pos].flatMap((mapping) =>
  [...compileSource(mapping, entities).values()].filter((table) => table.entities.length > 0),
);

const NONE = Symbol('not in the row');
const texts = ['', ' ', 'A', '0', '900', '000330', '1.50', '12.500', '2017-01-31T12:00:00Z', 'S', 'f@example.com'];
const numbers = [0, 1, 7, -1, 17_000, 1.5];
const others = [3n, 1_483_271_606_000_000n, 2n ** 63n, true, Buffer.from('00ff', 'hex'), null];
const values: readonly ColumnValue[] = [...texts, ...numbers, ...others];
const odd = [UNAVAILABLE, new Unreadable('ZERO_DATE', 'may be a zero date'), NONE];
const lookups = { canonicalId: (_entity: string, key: string) => (key === '900' ? 'P900' : undefined) };

/** What the fields of this column convert, so that many rows are whole. */
function convertible({ entities: ofTable }: CompiledTable, column: string): readonly ColumnValue[] {
  const converters = ofTable.flatMap(({ fields }) =>
    fields.flatMap(({ read }) => {
      const conversion = conversionOf(read);
      return conversion?.column === column ? [conversion.convert] : [];
    }),
  );
  const some = values.filter((value) =>
    converters.every((convert) => {
      try {
        convert(value as never);
        return true;
      } catch {
        return false;
      }
    }),
  );
  return some.length === 0 ? values : some;
}

/** About every other row is whole. */
function rowsOf(table: CompiledTable): fc.Arbitrary<Row> {
  const anyOf = table.entities.flatMap(({ fields }) => fields.flatMap((field) => field.anyOf));
  const names = [...new Set([...table.columns, ...anyOf])];
  const shape = Object.fromEntries(
    names.map((name) => [
      name,
      fc.oneof(
        { weight: 3 * names.length, arbitrary: fc.constantFrom(...convertible(table, name)) },
        { weight: 1, arbitrary: fc.constantFrom(...values) },
        { weight: 2, arbitrary: fc.constantFrom(...odd) },
      ),
    ]),
  );
  return fc
    .record(shape)
    .map((row) => Object.fromEntries(Object.entries(row).filter(([, value]) => value !== NONE)) as Row);
}

function said(table: CompiledTable, operation: Operation, before: Row | null, after: Row): unknown {
  const parts = { epoch: 0, phase: 'stream', major: 1n, minor: 1n, isDelete: operation === 'd' } as const;
  const event: ChangeEvent = {
    ...{ system: table.system, table: table.table, operation, before, after, position: encodePosition(parts) },
    ...{ commitTimeUs: 1n, orderTimeUs: 1n, isSnapshot: false, isTagged: false },
  };
  try {
    const { mapped, refused, unchanged } = mapEvent(event, null, table, lookups);
    return {
      mapped: mapped.map(({ key, value, absent }) => ({ key, value, names: Object.keys(value ?? {}), absent })),
      refused: refused.map(({ refusal }) => refusal),
      unchanged,
    };
  } catch (error) {
    return error;
  }
}

describe.each(tables.map((table) => ({ name: `${table.system} ${table.table}`, table })))('rows of $name', ({
  table,
}) => {
  const slow: CompiledTable = {
    ...table,
    entities: table.entities.map((entity) => ({ ...entity, readWholeRow: () => undefined })),
  };
  const rows = rowsOf(table);

  it('are read the same in both ways', () => {
    const operation = fc.constantFrom<Operation>('c', 'u', 'r');
    holds(
      fc.property(operation, fc.option(rows), rows, (word, before, after) => {
        expect(said(table, word, before, after)).toStrictEqual(said(slow, word, before, after));
      }),
      1_000,
    );
  });
});

describe('a whole row', () => {
  const [table] = tables.filter((one) => one.table === 'pos.tlog_ln') as [CompiledTable];
  const row: Row = {
    ...{ bskt_no: 31_198_570_000n, ln_no: 1, str_cd: '000330', cust_no: null, prod_cd: '900', qty: '1.000' },
    ...{ net_amt: '1.50', disc_amt: '0.00', typ_cd: 'S', sold_ts: 1_483_271_606_000_000n },
  };

  it('is read at once', () => {
    expect(table.entities[0]?.readWholeRow(row, lookups)).toMatchObject({ locationId: '330', memberId: null });
  });

  it.each([
    ['a column is missing', undefined],
    ['a column was not sent', UNAVAILABLE],
    ['a column lost a part', new Unreadable('ZERO_DATE', 'may be a zero date')],
    ['a converter refuses', 'x'],
    ['a field may not be null', null],
  ])('is left to the other way where %s', (_, value) => {
    expect(table.entities[0]?.readWholeRow({ ...row, qty: value as never }, lookups)).toBeUndefined();
  });
});
