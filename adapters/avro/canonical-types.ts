/** What the Avro types of canonical records are in TypeScript: the table in core/canonical-record.ts. */
import avro from 'avsc';
import type { Schema, Type } from 'avsc';
import { BoundedArray } from './bounded.ts';
import { daysToText, textToDays } from '../../core/calendar-date.ts';
import { RecentTexts } from '../../core/recent-texts.ts';
import { bytesNeeded, bytesToDecimal, decimalToBytes, placePoint, SMALL_BYTES_MAX, smallUnscaled } from './decimal.ts';
import { bigintLong } from './long.ts';
import { isNullable, nullable } from './nullable.ts';
import { octets } from './octets.ts';
import type { Internals, Tap } from './tap.ts';
import { rememberingString } from './text.ts';

const { LogicalType } = avro.types;
type LogicalSchema = { readonly precision?: number; readonly scale?: number };

/** `_toValue` answers undefined for a value it can't hold: avsc then refuses it and `isValid` names the place. */
class DecimalType extends LogicalType {
  readonly precision: number;
  readonly scale: number;
  readonly #texts = new RecentTexts((unscaled) => placePoint(unscaled.toString(), this.scale));

  constructor(schema: Schema, options?: unknown) {
    super(schema, options);
    const { precision, scale } = schema as LogicalSchema;
    if (!Number.isInteger(precision)) throw new Error('a decimal needs its precision');
    this.precision = precision as number;
    this.scale = scale ?? 0;
  }

  /** A short one without a Buffer of its own. */
  _read(tap: Tap): string {
    const start = tap.pos;
    const length = tap.readLong();
    if (length > 0 && length <= SMALL_BYTES_MAX && tap.pos + length <= tap.buf.length) {
      tap.pos += length;
      return this.#texts.of(tap.buf.readIntBE(tap.pos - length, length));
    }
    tap.pos = start;
    return this._fromValue((this.underlyingType as unknown as Internals<Buffer>)._read(tap));
  }

  _write(tap: Tap, value: unknown): void {
    const unscaled = typeof value === 'string' ? smallUnscaled(value, this.precision, this.scale) : Number.NaN;
    if (Number.isNaN(unscaled)) {
      (this.underlyingType as unknown as Internals<Buffer>)._write(tap, this._toValue(value));
      return;
    }
    const length = bytesNeeded(unscaled);
    tap.writeLong(length);
    if (tap.pos + length <= tap.buf.length) tap.buf.writeIntBE(unscaled, tap.pos, length);
    tap.pos += length;
  }

  protected override _fromValue(bytes: Buffer | undefined): string {
    return bytes === undefined ? '' : bytesToDecimal(bytes, this.scale);
  }

  protected override _toValue(value: unknown): Buffer | undefined {
    return typeof value === 'string' ? decimalToBytes(value, this.precision, this.scale) : undefined;
  }

  protected override _resolve(writer: Type): ((value: unknown) => unknown) | undefined {
    return writer instanceof DecimalType ? same : undefined;
  }
}

class DateType extends LogicalType {
  protected override _fromValue(days: number): string {
    const text = daysToText(days);
    if (text === undefined) throw new Error('a date lies outside the years 0001 to 9999');
    return text;
  }

  protected override _toValue(value: unknown): number | undefined {
    return typeof value === 'string' ? textToDays(value) : undefined;
  }

  protected override _resolve(writer: Type): ((value: unknown) => unknown) | undefined {
    return writer instanceof DateType ? same : undefined;
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

class UuidType extends LogicalType {
  protected override _fromValue(text: string): string {
    return text;
  }

  protected override _toValue(value: unknown): string | undefined {
    return typeof value === 'string' && UUID.test(value) ? value : undefined;
  }

  protected override _resolve(writer: Type): ((value: unknown) => unknown) | undefined {
    return writer instanceof UuidType ? same : undefined;
  }
}

function same(value: unknown): unknown {
  return value;
}

type HookedSchema = { readonly type?: unknown; readonly isUnderlying?: boolean };

/** Every long is a bigint, with or without a logical type: timestamp-micros is its number of microseconds. */
function hook(schema: Schema, options: unknown): Type | undefined {
  if (schema === 'long') return bigintLong;
  if (schema === 'string') return rememberingString();
  if (schema === 'bytes') return octets;
  if (typeof schema === 'string') return undefined;
  if (isNullable(schema)) return nullable(schema, options);
  const { type, isUnderlying } = schema as HookedSchema;
  if (type === 'array' && isUnderlying !== true) return new BoundedArray(schema, options);
  return type === 'long' ? bigintLong : undefined;
}

export function compileCanonical(schemaText: string): Type {
  return avro.Type.forSchema(JSON.parse(schemaText) as Schema, {
    assertLogicalTypes: true,
    logicalTypes: { decimal: DecimalType, date: DateType, uuid: UuidType },
    omitRecordMethods: true,
    typeHook: hook as (schema: Schema) => Type,
    wrapUnions: 'never',
  });
}
