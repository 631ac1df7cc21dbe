/** What is remembered is what would be made again. */
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { RecentTexts } from '../../core/recent-texts.ts';
import { holds } from '../support/holds.ts';

it('the text of a number is its own, whatever had its slot before', () => {
  const numbers = fc.oneof(
    fc.integer({ min: -3, max: 3 }).map((times) => times * 256),
    fc.integer({ min: -600, max: 600 }),
    fc.maxSafeInteger(),
  );
  holds(
    fc.property(fc.array(fc.tuple(numbers, fc.option(fc.nat(3))), { maxLength: 100 }), (asked) => {
      const texts = new RecentTexts(String);
      for (const [number, slot] of asked) expect(texts.of(number, slot ?? number)).toBe(String(number));
    }),
  );
});

it('is not made again', () => {
  let made = 0;
  const texts = new RecentTexts((number) => `${number} made ${++made} times`);
  expect([texts.of(7), texts.of(8), texts.of(7)]).toEqual(['7 made 1 times', '8 made 2 times', '7 made 1 times']);
});

it('what is refused leaves its slot as it was', () => {
  const texts = new RecentTexts((number) => {
    if (number === 256) throw new RangeError('refused');
    return String(number);
  });
  expect(texts.of(0)).toBe('0');
  for (let time = 0; time < 2; time += 1) expect(() => texts.of(256)).toThrow('refused');
  expect(texts.of(0)).toBe('0');
});
