/** Decimals are never rounded: one number has one text and one shortest form of bytes, of any size. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bytesToDecimal, decimalToBytes, placePoint } from '../../adapters/avro/decimal.ts';
import { anyDecimal } from '../support/canonical-values.ts';
import { holds } from '../support/holds.ts';

const shapes = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.integer({ min: 0, max: 60 }))
  .map(([precision, scale]) => ({ precision, scale: Math.min(scale, precision) }));
const decimals = shapes.chain((shape) => anyDecimal(shape.precision, shape.scale).map((text) => ({ ...shape, text })));

describe('decimal text and bytes', () => {
  it('read back equal', () => {
    holds(
      fc.property(decimals, ({ text, precision, scale }) => {
        const bytes = decimalToBytes(text, precision, scale);
        expect(bytes && bytesToDecimal(bytes, scale)).toBe(text);
      }),
      2_000,
    );
  });

  it('are two’s complement, big-endian, as short as it goes', () => {
    holds(
      fc.property(fc.bigInt({ min: -(10n ** 40n), max: 10n ** 40n }), (unscaled) => {
        const bytes = decimalToBytes(unscaled.toString(), 41, 0) ?? Buffer.alloc(0);
        expect(BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))).toBe(unscaled);
        const shorter = (bytes.length - 1) * 8;
        expect(shorter > 0 && BigInt.asIntN(shorter, unscaled) === unscaled).toBe(false);
      }),
      2_000,
    );
  });

  it.each([
    ['0.00', '00'],
    ['1.27', '7f'],
    ['1.28', '0080'],
    ['-1.28', '80'],
    ['-1.29', 'ff7f'],
    ['327.67', '7fff'],
    ['-12.50', 'fb1e'],
  ])('%s is %s, as Java writes it', (text, hex) => {
    expect(decimalToBytes(text, 12, 2)?.toString('hex')).toBe(hex);
  });

  it.each([
    '',
    '-',
    '.',
    '1',
    '1.',
    '.50',
    '1.5',
    '1.500',
    '01.50',
    '+1.50',
    '-0.00',
    '1,50',
    ' 1.50',
    '1.50 ',
    '1e2',
  ])('refuse %j: not this decimal, or a second text for the same number', (text) => {
    expect(decimalToBytes(text, 12, 2)).toBeUndefined();
  });

  it.each(['NaN', 'Infinity', '٣.٠٠', '1.50\n', '--1.5', '0x1.0', '12345678901.00'])('refuse %j', (text) => {
    expect(decimalToBytes(text, 12, 2)).toBeUndefined();
  });

  it('refuse one digit more than the precision, small and large', () => {
    for (const precision of [1, 4, 14, 15, 38]) {
      const most = '9'.repeat(precision);
      expect(decimalToBytes(most, precision, 0)).toBeDefined();
      expect(decimalToBytes(`-${most}`, precision, 0)).toBeDefined();
      expect(decimalToBytes(`1${'0'.repeat(precision)}`, precision, 0)).toBeUndefined();
      expect(decimalToBytes(`0.${most}`, precision, precision)).toBeDefined();
      expect(decimalToBytes(`1.${most}`, precision, precision)).toBeUndefined();
    }
  });

  it('place the point for any scale, as Java’s BigDecimal does', () => {
    expect(['5', '-5', '0', '12345'].map((unscaled) => placePoint(unscaled, 3))).toEqual([
      '0.005',
      '-0.005',
      '0.000',
      '12.345',
    ]);
    expect(['5', '-5', '0'].map((unscaled) => placePoint(unscaled, -3))).toEqual(['5000', '-5000', '0']);
  });
});
