import avro, { type Schema, type Type } from 'avsc';
import type { Internals, Tap } from './tap.ts';

type Union = Internals & { readonly types: readonly Internals[] };
const UnionType = (avro.types as unknown as { UnwrappedUnionType: new (schema: Schema, options: unknown) => Type })
  .UnwrappedUnionType;

export function isNullable(schema: unknown): schema is Schema {
  return Array.isArray(schema) && schema.length === 2 && schema.includes('null');
}

/**
 * A union of null and one other type. avsc looks for the branch of every value, and converts a decimal or a date twice to find
 * it; here it is null or it isn't. What is neither branch is left to avsc, which refuses it.
 */
export function nullable(schema: Schema, options: unknown): Type {
  const union = new UnionType(schema, options) as Union;
  const isNullFirst = (schema as unknown as readonly unknown[])[0] === 'null';
  const [none, some] = isNullFirst ? [0, 2] : [2, 0];
  const inner = union.types[isNullFirst ? 1 : 0] as Internals;
  const { _read, _skip, _write } = union;
  const own: Pick<Internals, '_read' | '_skip' | '_write'> = {
    _read(tap: Tap) {
      const branch = tap.buf[tap.pos++];
      if (branch === none) return null;
      if (branch === some) return inner._read(tap);
      tap.pos -= 1;
      return _read.call(union, tap);
    },
    _skip(tap: Tap) {
      const branch = tap.buf[tap.pos++];
      if (branch === none) return;
      if (branch === some) {
        inner._skip(tap);
        return;
      }
      tap.pos -= 1;
      _skip.call(union, tap);
    },
    _write(tap: Tap, value: unknown) {
      if (value === undefined) {
        _write.call(union, tap, value);
        return;
      }
      tap.buf[tap.pos++] = value === null ? none : some;
      if (value !== null) inner._write(tap, value);
    },
  };
  // avsc freezes its types
  return Object.create(union, {
    _read: { value: own._read },
    _skip: { value: own._skip },
    _write: { value: own._write },
  }) as Type;
}
