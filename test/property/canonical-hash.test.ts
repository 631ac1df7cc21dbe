/** The hash as its definition says it, written down a second time: ledgers hold it, so it may never change. */
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { canonicalHash, HASH_BYTES } from '../../core/canonical-hash.ts';
import type { CanonicalValue } from '../../core/canonical-record.ts';
import { holds } from '../support/holds.ts';

function token(value: CanonicalValue): string {
  const sized = (letter: string, text: string) => `${letter}${text.length}:${text};`;
  if (value === null) return 'n;';
  if (value instanceof Uint8Array) return sized('b', Buffer.from(value).toString('hex'));
  if (typeof value === 'boolean') return value ? 't;' : 'f;';
  if (typeof value === 'string') return sized('s', value);
  return sized('i', Object.is(value, -0) ? '-0' : value.toString());
}

const value: fc.Arbitrary<CanonicalValue> = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.string({ unit: 'binary', maxLength: 200 }),
  fc.string({ unit: 'binary', minLength: 2_000, maxLength: 6_000 }),
  fc.string({ unit: 'grapheme-ascii' }),
  fc.uint8Array({ maxLength: 100 }),
  fc.bigInt(),
  fc.double(),
  fc.constant(-0),
);

it('is SHA-256 over letters, lengths and texts, the first half of it', () => {
  holds(
    fc.property(fc.dictionary(fc.string(), value, { maxKeys: 12, noNullPrototype: true }), (fields) => {
      const names = Object.keys(fields);
      const input = names.map((name) => token(fields[name] ?? null)).join('');
      const expected = createHash('sha256').update(input).digest().subarray(0, HASH_BYTES);
      expect(Buffer.from(canonicalHash(fields, names)).toString('hex')).toBe(expected.toString('hex'));
    }),
    500,
  );
});
