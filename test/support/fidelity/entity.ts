/** A canonical entity with a field of every kind, for this test alone. */
import type { EntityDescription, FieldDescription, FieldKind } from '../../../core/canonical-record.ts';

const kinds = {
  text: { type: 'string' },
  integer: { type: 'int' },
  long: { type: 'long' },
  decimal: { type: 'decimal', precision: 65, scale: 30 },
  whole: { type: 'decimal', precision: 65, scale: 0 },
  money: { type: 'decimal', precision: 19, scale: 2 },
  double: { type: 'double' },
  boolean: { type: 'boolean' },
  bytes: { type: 'bytes' },
  uuid: { type: 'uuid' },
  date: { type: 'date' },
  instant: { type: 'timestamp-micros' },
  clock: { type: 'timestamp-micros' },
  berlin: { type: 'timestamp-micros' },
  time: { type: 'time-micros' },
  json: { type: 'string' },
} as const satisfies Readonly<Record<string, FieldKind>>;

export type FidelityField = keyof typeof kinds;
export const fieldKinds: Readonly<Record<FidelityField, FieldKind>> = kinds;
export const fieldNames = Object.keys(kinds) as FidelityField[];
export const ENTITY = 'fidelity';

const described = (name: string, kind: FieldKind, nullable: boolean): FieldDescription => ({
  ...kind,
  name,
  nullable,
  personal: false,
});

export const entity: EntityDescription = {
  entity: ENTITY,
  topic: `canonical.${ENTITY}`,
  key: ['id'],
  owner: 'shared-by-no-one',
  fields: [described('id', { type: 'string' }, false), ...fieldNames.map((name) => described(name, kinds[name], true))],
};

export const schemaText = JSON.stringify({
  type: 'record',
  name: 'Fidelity',
  namespace: 'canonical',
  doc: 'One value of one column type.',
  fields: entity.fields.map(({ name, nullable, ...kind }) => ({
    name,
    type: nullable ? ['null', avroType(kind)] : avroType(kind),
    ...(nullable ? { default: null } : {}),
  })),
});

function avroType(kind: FieldKind): unknown {
  switch (kind.type) {
    case 'decimal':
      return { type: 'bytes', logicalType: 'decimal', precision: kind.precision, scale: kind.scale };
    case 'date':
      return { type: 'int', logicalType: 'date' };
    case 'timestamp-micros':
    case 'time-micros':
      return { type: 'long', logicalType: kind.type };
    case 'uuid':
      return { type: 'string', logicalType: 'uuid' };
    default:
      return kind.type;
  }
}
