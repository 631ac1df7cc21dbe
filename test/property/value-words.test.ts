/** The words for types beyond text, numbers and dates: what they let through comes back equal, the rest is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hazardOf } from '../../adapters/avro/raw-hazards.ts';
import { canonicalHash } from '../../core/canonical-hash.ts';
import { Unreadable } from '../../core/change-event.ts';
import { finite, timeOfDay as timeColumn } from '../../core/columns.ts';
import { bigInteger, bits, date, double, list, microseconds, text, timeOfDay } from '../../core/converters.ts';
import { derive, from, Refusal } from '../../core/mapping.ts';
import type { SqlValue } from '../../core/target.ts';
import type { ColumnShape } from '../../sinks/dialects/dialect.ts';
import { arrayText } from '../../sinks/dialects/postgres/array-text.ts';
import { fitOf } from '../../sinks/engine/fit.ts';

const DAY_US = 86_400_000_000n;

function refusalOf(run: () => unknown): string | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe('bits', () => {
  it('are the same text however many bytes the connector sent, and never fewer bits', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 64 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (length, number) => {
        const bytes: number[] = [];
        for (let rest = number; rest > 0n; rest >>= 8n) bytes.push(Number(rest & 0xffn));
        const padded = Uint8Array.from([...bytes, 0, 0]);
        const isTooLong = number >> BigInt(length) > 0n;
        expect(refusalOf(() => bits(length)(Uint8Array.from(bytes)))).toBe(isTooLong ? 'BITS_LENGTH' : undefined);
        if (isTooLong) return;
        const expected = number.toString(2).padStart(length, '0');
        expect([bits(length)(Uint8Array.from(bytes)), bits(length)(padded)]).toEqual([expected, expected]);
      }),
    );
    expect([bits(1)(true), bits(1)(false)]).toEqual(['1', '0']);
  });
});

describe('times of day and spans', () => {
  it('keep every microsecond of a day, and refuse what is no time of day', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -DAY_US, max: 2n * DAY_US }), (us) => {
        const isTime = us >= 0n && us < DAY_US;
        expect(refusalOf(() => timeOfDay(us))).toBe(isTime ? undefined : 'TIME_RANGE');
        expect(microseconds(us)).toBe(us);
        if (!isTime) return;
        const [hours, minutes, seconds, fraction] = String(timeColumn()(us)).split(/[:.]/).map(BigInt) as bigint[];
        expect(
          (((hours as bigint) * 60n + (minutes as bigint)) * 60n + (seconds as bigint)) * 1_000_000n +
            (fraction as bigint),
        ).toBe(us);
      }),
    );
    expect(refusalOf(() => timeColumn(3)(1n))).toBe('TIME_PRECISION');
  });
});

describe('arrays', () => {
  it('are JSON that reads back, with every digit of 64 bits', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: 'binary' })),
        fc.array(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
        (texts, longs) => {
          expect(JSON.parse(list(text)(texts))).toEqual(texts);
          expect(list(bigInteger)(longs)).toBe(`[${longs.join(',')}]`);
        },
      ),
    );
  });

  it('with NULL in them could be arrays of arrays: refused', () => {
    expect(refusalOf(() => list(text)(['a', null]))).toBe('LIST_NULL');
    expect(refusalOf(() => list(double)([Number.NaN]))).toBe('JSON_NUMBER');
    expect(refusalOf(() => list(text)('a'))).toBe('VALUE_TYPE');
  });
});

describe('floating-point numbers', () => {
  it('keep zero’s sign where the database does, and are refused where it has no NaN', () => {
    expect(arrayText([-0, Number.NaN, 1e300])).toBe('{-0,NaN,1e+300}');
    expect(canonicalHash({ a: -0 }, ['a'])).not.toEqual(canonicalHash({ a: 0 }, ['a']));
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) {
      expect(refusalOf(() => finite()(value))).toBe('NUMBER_NOT_FINITE');
      expect(double(value)).toBe(value);
    }
  });

  it.each<[ColumnShape['kind'], SqlValue, boolean]>([
    ['real', 0.5, true],
    ['real', 0.1, false],
    ['real', Math.fround(0.1), true],
    ['real', 16_777_217n, false],
    ['real', '123.456', true],
    ['double', 0.1, true],
    ['double', Number.NaN, true],
    ['double', '0.1', true],
    ['double', '9007199254740993', false],
    ['double', '123456789012345.67', false],
    ['double', null, true],
  ])('a %s column takes %s: %s', (kind, value, fits) => {
    expect(fitOf({ kind } as ColumnShape)?.(value)).toBe(fits);
  });

  it('a TIME column takes as many decimals of a second as it has', () => {
    const fits = fitOf({ kind: 'time', scale: 3 } as ColumnShape);
    expect([fits?.('10:00:00.123000'), fits?.('10:00:00.123400')]).toEqual([true, false]);
  });

  it('digits after the point count up to the last that is no zero, whatever follows them', () => {
    const digits = fc.string({ unit: fc.constantFrom('0', '5'), maxLength: 8 });
    const suffix = fc.constantFrom('', '+00', '+05:30', 'Z', 'e3');
    fc.assert(
      fc.property(digits, suffix, fc.integer({ min: 0, max: 8 }), (fraction, after, scale) => {
        const fits = fitOf({ kind: 'decimal', scale } as ColumnShape);
        expect(fits?.(`12.${fraction}${after}`)).toBe(fraction.replace(/0+$/, '').length <= scale);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe('what the connector is known to lose', () => {
  it('refuses days that a snapshot shifts', () => {
    const [first, last] = [-141_437, -141_418];
    expect([date(first - 1), date(last + 1)]).toEqual(['1582-10-04', '1582-10-25']);
    for (const day of [first, last]) expect(refusalOf(() => date(day))).toBe('DATE_AMBIGUOUS');
  });

  it('refuses a row for a value that can’t be read, only where it is read', () => {
    const row = { a: new Unreadable('ZERO_DATE', 'may be a zero date'), b: 'fine' };
    expect(from('b', text).read(row, { canonicalId: () => undefined })).toBe('fine');
    const lookups = { canonicalId: () => undefined };
    expect(refusalOf(() => from('a', text).read(row, lookups))).toBe('ZERO_DATE');
    expect(refusalOf(() => derive(['a', 'b'], () => 1).read(row, lookups))).toBe('ZERO_DATE');
  });

  const source = (type: string) => ({
    type: 'string',
    'connect.parameters': { '__debezium.source.column.type': type },
  });
  const labels = (allowed: string) => ({
    type: 'string',
    'connect.name': 'io.debezium.data.Enum',
    'connect.parameters': { allowed },
  });
  it.each([
    ['postgresql', source('NAME'), true],
    ['postgresql', source('varbit'), true],
    ['postgresql', source('VARCHAR'), false],
    ['postgresql', { type: 'long', 'connect.name': 'io.debezium.time.MicroDuration' }, true],
    [
      'postgresql',
      { type: 'array', items: ['null', { type: 'long', 'connect.name': 'io.debezium.time.MicroTime' }] },
      true,
    ],
    ['postgresql', { type: 'array', items: ['null', 'long'] }, false],
    ['postgresql', 'float', false],
    ['mariadb', 'float', true],
    ['mariadb', { type: 'float' }, true],
    ['mariadb', labels('a,b c'), false],
    ['mariadb', labels('a,?'), true],
    ['mariadb', labels('a,d\\,e'), true],
    ['postgresql', labels('a,?'), false],
  ] as const)('a %s column %j is stopped: %s', (connector, type, isStopped) => {
    expect(hazardOf(['null', type], connector) !== undefined).toBe(isStopped);
  });
});
