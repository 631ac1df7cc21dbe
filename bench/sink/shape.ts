/**
 * The table of the sink comparisons, written once: from its columns follow the canonical schema, the flat schema that the
 * JDBC sink reads, both databases' tables, and our target.
 */
import { entities } from '../../avro/generated/entities.ts';
import { schemaOf } from '../../avro/index.ts';
import type { EntityDescription, FieldDescription } from '../../core/canonical-record.ts';
import { decimalFits, instant, integerFits, localTime, maxLength } from '../../core/columns.ts';
import { type Column, type DialectName, type Target, to, upsert } from '../../core/target.ts';

export type Width = 10 | 40;
type Kind = 'text' | 'int' | 'decimal' | 'time';
export type BenchColumn = {
  readonly name: string;
  readonly field: string;
  readonly kind: Kind;
  /** Characters of a text, digits of a decimal. */
  readonly size: number;
  readonly scale: number;
  readonly nullable: boolean;
  readonly isKey: boolean;
};

export const TABLE = 'shop.sale_line';
export const ENTITY = 'sale-line';
export const KEY = ['sale_id', 'line_number'];
const EXTRA_COLUMNS = 30;

const column = (name: string, field: string, kind: Kind, size = 0, scale = 0): BenchColumn => ({
  ...{ name, field, kind, size, scale, nullable: name === 'member_id', isKey: KEY.includes(name) },
});

const saleLine: readonly BenchColumn[] = [
  column('sale_id', 'saleId', 'text', 20),
  column('line_number', 'lineNumber', 'int'),
  column('product_id', 'productId', 'text', 14),
  column('location_id', 'locationId', 'text', 8),
  column('member_id', 'memberId', 'text', 12),
  column('quantity', 'quantity', 'decimal', 12, 3),
  column('amount', 'amount', 'decimal', 12, 2),
  column('discount', 'discount', 'decimal', 12, 2),
  column('kind', 'kind', 'text', 6),
  column('sold_at', 'soldAt', 'time'),
];

/** Texts, decimals, integers and times in the same shares as such tables have them. */
const extraKinds: readonly (readonly [Kind, number, number])[] = [
  ['text', 40, 0],
  ['decimal', 12, 2],
  ['text', 40, 0],
  ['int', 0, 0],
  ['decimal', 12, 2],
  ['time', 0, 0],
];

export function columnsOf(width: Width): readonly BenchColumn[] {
  if (width === 10) return saleLine;
  const extra = Array.from({ length: EXTRA_COLUMNS }, (_, index) => {
    const [kind, size, scale] = extraKinds[index % extraKinds.length] as (typeof extraKinds)[number];
    return column(`extra_${index}`, `extra${index}`, kind, size, scale);
  });
  return [...saleLine, ...extra];
}

export function entityOf(width: Width, topic: string, entity: string = ENTITY): EntityDescription {
  const { fields, ...description } = entities[ENTITY] as EntityDescription;
  const extra = columnsOf(width).slice(saleLine.length).map(fieldOf);
  return { ...description, entity, topic, fields: [...fields, ...extra] };
}

/** One of several tables of the same shape. */
export const tableNamed = (index: number): string => (index === 0 ? TABLE : `${TABLE}_${index}`);
export const entityNamed = (index: number): string => (index === 0 ? ENTITY : `${ENTITY}-${index}`);

function fieldOf({ field: name, kind, size, scale }: BenchColumn): FieldDescription {
  const common = { name, nullable: false, personal: false };
  switch (kind) {
    case 'text':
      return { ...common, type: 'string' };
    case 'int':
      return { ...common, type: 'int' };
    case 'decimal':
      return { ...common, type: 'decimal', precision: size, scale };
    case 'time':
      return { ...common, type: 'timestamp-micros' };
  }
}

export function canonicalSchema(width: Width): string {
  const text = schemaOf(ENTITY);
  if (width === 10) return text;
  const schema = JSON.parse(text) as { fields: object[] };
  const extra = columnsOf(width)
    .slice(saleLine.length)
    .map(({ field, kind, size, scale }) => ({ name: field, type: avroType(kind, size, scale) }));
  return JSON.stringify({ ...schema, fields: [...schema.fields, ...extra] });
}

function avroType(kind: Kind, precision: number, scale: number): unknown {
  if (kind === 'decimal') return { type: 'bytes', logicalType: 'decimal', precision, scale };
  return kind === 'time' ? { type: 'long', logicalType: 'timestamp-micros' } : kind === 'int' ? 'int' : 'string';
}

/** As a Debezium source's Avro looks once its envelope is taken off: the names tell the JDBC sink what the types mean. */
export function flatSchemas(width: Width, zoned: boolean): { readonly key: string; readonly value: string } {
  const field = ({ name, kind, size, scale, nullable }: BenchColumn) => {
    const type = kind === 'time' && zoned ? ZONED : flatType(kind, size, scale);
    return nullable ? { name, type: ['null', type], default: null } : { name, type };
  };
  const columns = columnsOf(width);
  const record = (name: string, fields: readonly BenchColumn[]) =>
    JSON.stringify({ type: 'record', name, namespace: 'bench', fields: fields.map(field) });
  return {
    key: record(
      'Key',
      columns.filter(({ isKey }) => isKey),
    ),
    value: record('Value', columns),
  };
}

const ZONED = { type: 'string', 'connect.version': 1, 'connect.name': 'io.debezium.time.ZonedTimestamp' };

function flatType(kind: Kind, precision: number, scale: number): unknown {
  if (kind === 'time') return { type: 'long', 'connect.version': 1, 'connect.name': 'io.debezium.time.MicroTimestamp' };
  if (kind !== 'decimal') return kind === 'int' ? 'int' : 'string';
  const connect = {
    'connect.version': 1,
    'connect.name': 'org.apache.kafka.connect.data.Decimal',
    'connect.parameters': { scale: String(scale), 'connect.decimal.precision': String(precision) },
  };
  return { type: 'bytes', scale, precision, ...connect, logicalType: 'decimal' };
}

/** `guard`: a column for the position, for the ceiling that keeps its guard in the row. */
export function tableSql(dialect: DialectName, width: Width, table: string, guard = false): string {
  const columns = columnsOf(width).map(
    ({ name, nullable, ...one }) => `${name} ${sqlType(dialect, one)}${nullable ? '' : ' NOT NULL'}`,
  );
  if (guard) columns.push(dialect === 'postgres' ? 'position bytea NOT NULL' : 'position VARBINARY(64) NOT NULL');
  return `CREATE TABLE ${table} (${columns.join(', ')}, PRIMARY KEY (${KEY.join(', ')}))`;
}

export function sqlType(dialect: DialectName, { kind, size, scale }: Pick<BenchColumn, 'kind' | 'size' | 'scale'>) {
  switch (kind) {
    case 'text':
      return `varchar(${size})`;
    case 'int':
      return 'integer';
    case 'decimal':
      return `numeric(${size},${scale})`;
    case 'time':
      return dialect === 'postgres' ? 'timestamptz' : 'DATETIME(6)';
  }
}

export function targetOf(dialect: DialectName, width: Width, tables = 1): Target {
  const columns = columnsOf(width);
  const record = (isKey: boolean): Record<string, Column> =>
    Object.fromEntries(
      columns.filter((one) => one.isKey === isKey).map((one) => [one.name, to(one.field, convertOf(dialect, one))]),
    );
  const declaration = { key: record(true), columns: record(false), onDelete: 'delete' as const };
  const all = Array.from({ length: tables }, (_, index) => ({
    ...upsert(tableNamed(index), ENTITY, declaration),
    entity: entityNamed(index) as typeof ENTITY,
  }));
  return { system: 'shop', dialect, tables: all };
}

function convertOf(dialect: DialectName, { kind, size, scale }: BenchColumn) {
  switch (kind) {
    case 'text':
      return maxLength(size);
    case 'int':
      return integerFits(32);
    case 'decimal':
      return decimalFits(size, scale);
    case 'time':
      return dialect === 'postgres' ? instant() : localTime('UTC');
  }
}
