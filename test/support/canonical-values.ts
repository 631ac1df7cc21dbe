/** Generated canonical records: any value that an entity's description allows, extremes included. */
import fc from 'fast-check';
import type {
  CanonicalFields,
  CanonicalValue,
  EntityDescription,
  FieldDescription,
  RecordMeta,
} from '../../core/canonical-record.ts';

const LONG_MIN = -(2n ** 63n);
const LONG_MAX = 2n ** 63n - 1n;
const TEXTS = [
  '',
  ' ',
  '王小明',
  '🎂 party 👩‍👩‍👧',
  'O\'Brien | \\ "quoted"',
  'ñ'.repeat(200),
  '__debezium_unavailable_value',
];
const DAYS = ['0001-01-01', '1582-10-04', '1582-10-10', '1969-12-31', '1970-01-01', '2000-02-29', '9999-12-31'];

export function canonicalFields(description: EntityDescription): fc.Arbitrary<CanonicalFields> {
  return fc.record(Object.fromEntries(description.fields.map((field) => [field.name, fieldValue(field)])));
}

function fieldValue(field: FieldDescription): fc.Arbitrary<CanonicalValue> {
  const value = presentValue(field);
  return field.nullable ? fc.option(value, { nil: null, freq: 4 }) : value;
}

function presentValue(field: FieldDescription): fc.Arbitrary<CanonicalValue> {
  switch (field.type) {
    case 'string':
      return fc.oneof(
        fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.replaceAll('\0', '')),
        fc.constantFrom(...TEXTS),
      );
    case 'uuid':
      return fc.uuid();
    case 'int':
      return fc.oneof(fc.integer(), fc.constantFrom(-(2 ** 31), -1, 0, 1, 2 ** 31 - 1));
    case 'long':
    case 'timestamp-micros':
      return anyLong();
    case 'time-micros':
      return fc.bigInt({ min: 0n, max: 86_399_999_999n });
    case 'double':
      return fc.double();
    case 'boolean':
      return fc.boolean();
    case 'bytes':
      return fc.uint8Array({ maxLength: 300 });
    case 'date':
      return anyDay();
    case 'enum':
      return fc.constantFrom(...field.symbols);
    case 'decimal':
      return anyDecimal(field.precision, field.scale);
  }
}

export function recordMeta(): fc.Arbitrary<RecordMeta> {
  return fc.record({
    system: fc.constantFrom('pos', 'erp', 'crm', 'finance'),
    position: fc.uint8Array({ minLength: 1, maxLength: 40 }),
    operation: fc.constantFrom('c', 'u', 'd', 'r', 't'),
    commitTimeUs: anyLong(),
    hops: fc.integer({ min: 0, max: 100 }),
    traceId: fc.string({ minLength: 16, maxLength: 16, unit: fc.constantFrom(...'0123456789abcdef') }),
    absent: fc.array(fc.constantFrom('specification', 'image', 'note'), { maxLength: 3 }),
  });
}

export function anyLong(): fc.Arbitrary<bigint> {
  const edges = [0n, 1n, -1n, 2n ** 52n, 2n ** 53n, 2n ** 53n + 1n, -(2n ** 53n) - 1n, LONG_MIN, LONG_MAX];
  return fc.oneof(fc.bigInt({ min: LONG_MIN, max: LONG_MAX }), fc.constantFrom(...edges));
}

export function anyDay(): fc.Arbitrary<string> {
  const days = fc.date({ min: new Date('0001-01-01'), max: new Date('9999-12-31'), noInvalidDate: true });
  return fc.oneof(
    days.map((day) => day.toISOString().slice(0, 10)),
    fc.constantFrom(...DAYS),
  );
}

export function anyDecimal(precision: number, scale: number): fc.Arbitrary<string> {
  const limit = 10n ** BigInt(precision) - 1n;
  return fc
    .oneof(fc.bigInt({ min: -limit, max: limit }), fc.constantFrom(0n, 1n, -1n, limit, -limit))
    .map((unscaled) => {
      const digits = (unscaled < 0n ? -unscaled : unscaled).toString().padStart(scale + 1, '0');
      const point = digits.length - scale;
      const fraction = scale === 0 ? '' : `.${digits.slice(point)}`;
      return `${unscaled < 0n ? '-' : ''}${digits.slice(0, point)}${fraction}`;
    });
}
