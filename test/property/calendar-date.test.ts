/** Days and texts agree with ISO 8601 on every day where calendars go wrong. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { daysToText, textToDays } from '../../core/calendar-date.ts';
import { anyDay } from '../support/canonical-values.ts';
import { holds } from '../support/holds.ts';

const DAY_MS = 86_400_000;
const daysOf = (text: string) => Date.parse(text) / DAY_MS;

describe('calendar dates', () => {
  it('are right at the turns of every year, February and era', () => {
    const wrong: string[] = [];
    for (let year = 1; year <= 9999; year += 1) {
      for (const turn of ['01-01', '02-28', '03-01', '12-31']) {
        const text = `${String(year).padStart(4, '0')}-${turn}`;
        for (const days of [daysOf(text), daysOf(text) + 1]) {
          const expected = new Date(days * DAY_MS).toISOString().slice(0, 10);
          if (days > daysOf('9999-12-31')) continue;
          if (daysToText(days) !== expected || textToDays(expected) !== days) wrong.push(expected);
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it('are right on any day', () => {
    holds(
      fc.property(anyDay(), (text) => {
        expect([textToDays(text), daysToText(daysOf(text))]).toEqual([daysOf(text), text]);
      }),
      2_000,
    );
  });

  it('end with the years 0001 and 9999', () => {
    expect([daysToText(daysOf('0001-01-01') - 1), daysToText(daysOf('9999-12-31') + 1)]).toEqual([
      undefined,
      undefined,
    ]);
    expect([daysToText(Number.NaN), daysToText(2_146_033_979)]).toEqual([undefined, undefined]);
  });
});
