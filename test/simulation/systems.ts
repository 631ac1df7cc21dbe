/**
 * A small chain with everything that is hard in the large one: members whose phone two systems edit, points and stock that
 * are sums, triggers that answer what Seam writes, rows that a target refuses, large columns that aren't sent.
 */
import { entities } from '../../avro/generated/entities.ts';
import type { EntityName } from '../../avro/generated/records.ts';
import { maxLength } from '../../core/columns.ts';
import { bigInteger, filled, integer, isBlank, oneOf, optional, text } from '../../core/converters.ts';
import { canonical, constant, defineSource, from, type SourceMapping } from '../../core/mapping.ts';
import { adds, defineTarget, heldFields, type SqlValue, type Target, to, update, upsert } from '../../core/target.ts';
import { compileSource } from '../../processors/compile-mapping.ts';
import points from '../../processors/steps/points.ts';
import stock from '../../processors/steps/stock.ts';
import { rawTopic } from '../../processors/topics.ts';
import type { Row, TableDefinition } from '../support/memory-database.ts';

export const SOURCES = ['crm', 'pos', 'erp'] as const;
export type SourceName = (typeof SOURCES)[number];
export type SystemName = SourceName | 'reporting';
export const SYSTEMS: readonly SystemName[] = [...SOURCES, 'reporting'];
export const DESCRIPTION_MAX = 9;
export const QUANTITY_MAX = 1_000;
export const SILVER_FROM = 20;
export const HOPS_MAX = 3;
/** The sinks' schema can't read it until somebody repairs that. */
export const GARBLED = 'garbled';

const LOOP = /^loop:(\d+)$/;

/** Every answer of a trigger is answered by the other system's trigger, for ever. */
function looped(tel: string): string {
  return tel.replace(LOOP, (_, count) => `loop:${Number(count) + 1}`);
}

function memberTrigger(row: Row, before: Row | undefined): Row {
  const tel = typeof row.tel === 'string' && row.tel !== before?.tel ? looped(row.tel) : (row.tel ?? null);
  const isEarned = before !== undefined && before.pts !== row.pts && row.tier !== 'X';
  const tier = isEarned ? (Number(row.pts) >= SILVER_FROM ? 'S' : 'B') : (row.tier ?? null);
  return { ...row, tel, tier };
}

/** One form for every number. A row that it brings back to what it was leaves no trace in the log: a known limit. */
function customerTrigger(row: Row, before: Row | undefined): Row {
  if (typeof row.tel !== 'string' || row.tel === before?.tel) return row;
  if (!row.tel.startsWith('00')) return { ...row, tel: looped(row.tel) };
  return { ...row, tel: `+${row.tel.slice(2)}` };
}

/** As a collation that takes upper case for lower case. */
export function folds(value: SqlValue): SqlValue {
  return typeof value === 'string' ? value.toLowerCase() : value;
}

export const TABLES: Readonly<Record<SystemName, readonly TableDefinition[]>> = {
  crm: [
    { table: 'crm.mbr', key: ['id'], columns: ['nm', 'tier', 'tel', 'pts'], trigger: memberTrigger },
    { table: 'crm.led', key: ['ent'], columns: ['id', 'pts'] },
  ],
  pos: [
    { table: 'pos.cust', key: ['no'], columns: ['nm', 'tier', 'pts', 'tel'], trigger: customerTrigger },
    { table: 'pos.ln', key: ['sale', 'ln'], columns: ['prod', 'loc', 'cust', 'qty', 'amt', 'typ'] },
    { table: 'pos.item', key: ['prod'], columns: ['descr', 'spec'] },
  ],
  erp: [
    // its key is not what others know a product by
    { table: 'erp.prod', key: ['rid'], columns: ['no', 'descr', 'spec'] },
    // a second table of products, whose numbers differ in case alone
    { table: 'erp.arch', key: ['no'], columns: ['descr', 'spec'] },
    { table: 'erp.mv', key: ['id'], columns: ['loc', 'prod', 'qty'] },
    { table: 'erp.stk', key: ['loc', 'prod'], columns: ['qoh'] },
  ],
  reporting: [
    { table: 'rep.prod', key: ['no'], columns: ['descr', 'spec'], folds },
    { table: 'rep.mbr', key: ['id'], columns: ['nm', 'tier', 'pts'] },
    { table: 'rep.ctc', key: ['id'], columns: ['tel'] },
    {
      table: 'rep.ln',
      key: ['sale', 'ln'],
      columns: ['prod', 'qty', 'cust'],
      refuses: ({ qty }) => Number(qty) >= QUANTITY_MAX,
    },
  ],
};

const TIERS = oneOf({ B: 'BASE', S: 'SILVER' });
const phone = {
  fields: { phone: from('tel', filled) },
  where: (row: { tel?: unknown }) => !isBlank(row.tel as string),
};

const MAPPINGS: Readonly<Record<SourceName, SourceMapping>> = {
  crm: defineSource({
    system: 'crm',
    tables: {
      'crm.mbr': [
        canonical('member', {
          key: { memberId: from('id', text) },
          fields: {
            fullName: from('nm', text),
            email: constant(null),
            birthDate: constant(null),
            tier: from('tier', TIERS),
            status: constant('ACTIVE'),
            pointsBalance: from('pts', (value) => bigInteger(BigInt(String(value)))),
            joinedOn: constant(null),
            reference: constant(null),
          },
        }),
        canonical('member-contact', { key: { memberId: from('id', text) }, ...phone }),
      ],
    },
  }),
  pos: defineSource({
    system: 'pos',
    tables: {
      'pos.cust': canonical('member-contact', { key: { memberId: from('no', text) }, ...phone, onDelete: 'keep' }),
      'pos.ln': canonical('sale-line', {
        key: { saleId: from('sale', text), lineNumber: from('ln', integer) },
        fields: {
          productId: from('prod', text),
          locationId: from('loc', text),
          memberId: from('cust', optional(text)),
          quantity: from('qty', text),
          amount: from('amt', text),
          discount: constant('0.00'),
          kind: from('typ', oneOf({ S: 'SALE', R: 'RETURN' })),
          soldAt: constant(0n),
        },
      }),
    },
  }),
  erp: defineSource({ system: 'erp', tables: { 'erp.prod': product(), 'erp.arch': product() } }),
};

function product() {
  return canonical('product', {
    key: { productId: from('no', text) },
    fields: {
      description: from('descr', text),
      department: constant('D'),
      category: constant(null),
      brand: constant('NATIONAL'),
      packageSize: constant(null),
      unitCost: constant('1.0000'),
      status: constant('ACTIVE'),
      specification: from('spec', optional(text)),
      image: constant(null),
    },
  });
}

const member = { id: to('memberId') };

export const TARGETS: Readonly<Record<SystemName, Target>> = {
  crm: defineTarget({
    system: 'crm',
    dialect: 'postgres',
    tables: [
      upsert('crm.led', 'points-entry', {
        key: { ent: to('entryId') },
        columns: { ...member, pts: to('points') },
        onDelete: 'delete',
        effects: [
          adds({ name: 'points', table: 'crm.mbr', key: member, column: 'pts', amount: 'points', whenMissing: 'wait' }),
        ],
      }),
      update('crm.mbr', 'member-contact', {
        key: member,
        columns: { tel: to('phone') },
        onDelete: { set: { tel: null } },
      }),
    ],
  }),
  pos: defineTarget({
    system: 'pos',
    dialect: 'mariadb',
    tables: [
      upsert('pos.item', 'product', {
        key: { prod: to('productId') },
        columns: { descr: to('description', maxLength(DESCRIPTION_MAX)), spec: to('specification') },
        onDelete: 'delete',
      }),
      upsert('pos.cust', 'member', {
        key: { no: to('memberId') },
        columns: { nm: to('fullName'), tier: to('tier'), pts: to('pointsBalance') },
        onDelete: 'delete',
      }),
      update('pos.cust', 'member-contact', {
        key: { no: to('memberId') },
        columns: { tel: to('phone') },
        onDelete: { set: { tel: null } },
      }),
    ],
  }),
  erp: defineTarget({
    system: 'erp',
    dialect: 'postgres',
    tables: [
      upsert('erp.mv', 'stock-movement', {
        key: { id: to('movementId') },
        columns: { loc: to('locationId'), prod: to('productId'), qty: to('quantity') },
        onDelete: 'delete',
        effects: [
          adds({
            name: 'stock',
            table: 'erp.stk',
            key: { loc: to('locationId'), prod: to('productId') },
            column: 'qoh',
            amount: 'quantity',
          }),
        ],
      }),
    ],
  }),
  reporting: defineTarget({
    system: 'reporting',
    dialect: 'postgres',
    tables: [
      upsert('rep.prod', 'product', {
        key: { no: to('productId') },
        columns: { descr: to('description'), spec: to('specification') },
        onDelete: 'delete',
      }),
      upsert('rep.mbr', 'member', {
        key: member,
        columns: { nm: to('fullName'), tier: to('tier'), pts: to('pointsBalance') },
        onDelete: 'delete',
      }),
      upsert('rep.ctc', 'member-contact', { key: member, columns: { tel: to('phone') }, onDelete: 'delete' }),
      upsert('rep.ln', 'sale-line', {
        key: { sale: to('saleId'), ln: to('lineNumber') },
        columns: { prod: to('productId'), qty: to('quantity'), cust: to('memberId') },
        onDelete: 'delete',
      }),
    ],
  }),
};

export const STEPS = [stock, points];
export const ENTITIES = entities;

/** Written and captured by the same system. */
export const SHARED: EntityName = 'member-contact';

export const BIDIRECTIONAL = new Map(
  (['crm', 'pos'] as const).map((system) => {
    const table = TARGETS[system].tables.find(({ entity }) => entity === SHARED);
    return [system as string, new Map([[SHARED as string, table === undefined ? [] : heldFields(table)]])];
  }),
);

export const RAW_TABLES = new Map(
  SOURCES.flatMap((system) =>
    [...compileSource(MAPPINGS[system], entities)].map(
      ([table, compiled]) => [rawTopic(system, table), compiled] as const,
    ),
  ),
);

export function isCaptured(table: string): boolean {
  return RAW_TABLES.has(`raw.${table.split('.')[0]}.${table}`);
}
