/**
 * Arrays and maps that can't be longer than the bytes they come in. avsc takes a count on trust: four damaged bytes, or a
 * schema id of another registry, and it would fill memory with items that aren't there instead of refusing the record.
 */
import avro from 'avsc';
import type { Schema, Type } from 'avsc';
import type { Internals, Tap } from './tap.ts';

export function readItems(tap: Tap, array: Type): unknown[] {
  const itemsType = (array as unknown as { itemsType: Internals }).itemsType;
  const items: unknown[] = [];
  for (let count = readCount(tap); count > 0; count = readCount(tap)) {
    for (; count > 0; count -= 1) items.push(itemsType._read(tap));
  }
  return items;
}

export function readEntries(tap: Tap, map: Type): Record<string, unknown> {
  const valuesType = (map as unknown as { valuesType: Internals }).valuesType;
  const entries: Record<string, unknown> = {};
  for (let count = readCount(tap); count > 0; count = readCount(tap)) {
    for (; count > 0; count -= 1) entries[tap.readString()] = valuesType._read(tap);
  }
  return entries;
}

/** Avro writes items in blocks: a count, negative when the block's size in bytes follows. 0 ends them. */
function readCount(tap: Tap): number {
  let count = tap.readLong();
  if (count < 0) {
    count = -count;
    tap.readLong();
  }
  if (count > tap.buf.length - tap.pos) throw new Error('more items than bytes');
  return count;
}

export class BoundedArray extends avro.types.LogicalType {
  constructor(schema: Schema, options: unknown) {
    super({ ...(schema as object), isUnderlying: true } as unknown as Schema, options);
  }

  _read(tap: Tap): unknown[] {
    return readItems(tap, this.underlyingType);
  }

  protected override _fromValue(items: unknown[]): unknown[] {
    return items;
  }

  protected override _toValue(items: unknown): unknown {
    return Array.isArray(items) ? items : undefined;
  }
}
