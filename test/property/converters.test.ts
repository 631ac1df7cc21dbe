/** Values survive or are refused: held for every converter by generated values. */
import fc from 'fast-check';
import { DateTime } from 'luxon';
import { describe, expect, it } from 'vitest';
import {
  code,
  codeZeroPadded,
  decimalFits,
  instant as instantColumn,
  integerText,
  localTime as localColumn,
  maxLength,
  zeroPadded,
} from '../../core/columns.ts';
import {
  bigInteger,
  codeDigits,
  date,
  decimal,
  digits,
  instant,
  integer,
  localTime,
  oneOf,
  trimmed,
} from '../../core/converters.ts';
import {
  fitDecimal,
  floorDecimal,
  formatUnscaled,
  multiplyDecimals,
  negateDecimal,
  parseUnscaled,
} from '../../core/decimal.ts';
import { formatTimeUs, localTimeIn, parseIsoUs } from '../../core/local-time.ts';
import { Refusal } from '../../core/mapping.ts';

const ZONES = ['America/New_York', 'Europe/Berlin', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'America/St_Johns', 'UTC'];
const zone = fc.constantFrom(...ZONES);
const YEAR_1900_US = -2_208_988_800_000_000n;
const YEAR_2100_US = 4_102_444_800_000_000n;
const timeUs = fc.bigInt({ min: YEAR_1900_US, max: YEAR_2100_US });
/** Transitions are rare: half of the times are put near one of New York's. */
const CHANGES_US = ['2017-03-12T07:00:00Z', '2017-11-05T06:00:00Z', '1967-04-30T07:00:00Z'].map(parseIsoUs);
const nearChangeUs = fc
  .tuple(fc.constantFrom(...CHANGES_US), fc.bigInt({ min: -10_800_000_000n, max: 10_800_000_000n }))
  .map(([change, distance]) => change + distance);
const anyTimeUs = fc.oneof(timeUs, nearChangeUs);
const scaled = fc.record({
  digits: fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }),
  scale: fc.integer({ min: 0, max: 8 }),
});

function refusalOf(call: () => unknown): string | undefined {
  try {
    call();
    return undefined;
  } catch (error) {
    if (error instanceof Refusal) return error.code;
    throw error;
  }
}

describe('local time', () => {
  it('reads every instant back from its wall clock, unless the hour exists twice', () => {
    fc.assert(
      fc.property(anyTimeUs, zone, (utcUs, name) => {
        const time = localTimeIn(name);
        const wallUs = time.toWallUs(utcUs);
        const back = time.toUtcUs(wallUs);
        expect(back <= utcUs).toBe(true);
        expect(time.toWallUs(back)).toBe(wallUs);
      }),
      { numRuns: 2_000 },
    );
  });

  it('agrees with luxon to the millisecond', () => {
    fc.assert(
      fc.property(anyTimeUs, zone, (utcUs, name) => {
        const ms = Number(utcUs / 1_000n) - (utcUs < 0n ? 1 : 0);
        const wall = DateTime.fromMillis(ms, { zone: name }).toFormat("yyyy-MM-dd HH:mm:ss.SSS'000'");
        expect(formatTimeUs(localTimeIn(name).toWallUs(BigInt(ms) * 1_000n))).toBe(wall);
      }),
      { numRuns: 2_000 },
    );
  });

  it('writes every microsecond of the years 1 to 9999 so that it is read back', () => {
    const nearTheEdgeOfExactNumbers = fc.bigInt({ min: 2n ** 53n - 5n, max: 2n ** 53n + 5n });
    const either = fc.oneof(
      anyTimeUs,
      nearTheEdgeOfExactNumbers,
      nearTheEdgeOfExactNumbers.map((us) => -us),
    );
    fc.assert(
      fc.property(either, (us) => {
        expect(parseIsoUs(`${formatTimeUs(us).replace(' ', 'T')}Z`)).toBe(us);
      }),
      { numRuns: 5_000 },
    );
  });

  it('refuses exactly the wall clock times that never were', () => {
    const day = fc.bigInt({ min: parseIsoUs('2017-03-12T00:00:00Z'), max: parseIsoUs('2017-03-12T23:59:59.999999Z') });
    const gap = [parseIsoUs('2017-03-12T02:00:00Z'), parseIsoUs('2017-03-12T03:00:00Z')] as const;
    fc.assert(
      fc.property(fc.oneof(day, fc.bigInt({ min: gap[0] - 2n, max: gap[1] + 2n })), (wallUs) => {
        const isGap = wallUs >= gap[0] && wallUs < gap[1];
        const refused = refusalOf(() => localTime('America/New_York')(wallUs));
        expect(refused).toBe(isGap ? 'TIME_NOT_EXISTING' : undefined);
      }),
    );
  });

  it('reads a half-hour change inside an hour to the microsecond', () => {
    const time = localTimeIn('Australia/Lord_Howe');
    expect(time.toUtcUs(parseIsoUs('2017-10-01T01:59:59.999999Z'))).toBe(parseIsoUs('2017-09-30T15:29:59.999999Z'));
    expect(time.toUtcUs(parseIsoUs('2017-10-01T02:30:00Z'))).toBe(parseIsoUs('2017-09-30T15:30:00Z'));
    expect(refusalOf(() => time.toUtcUs(parseIsoUs('2017-10-01T02:29:59.999999Z')))).toBe('TIME_NOT_EXISTING');
  });

  it('takes the earlier instant of an hour that exists twice, and does not write the later', () => {
    const wallUs = parseIsoUs('2017-11-05T01:30:00Z');
    expect(localTime('America/New_York')(wallUs)).toBe(parseIsoUs('2017-11-05T05:30:00Z'));
    expect(refusalOf(() => localColumn('America/New_York')(parseIsoUs('2017-11-05T06:30:00Z')))).toBe('TIME_AMBIGUOUS');
  });

  it('refuses a column that would cut decimals of a second', () => {
    expect(localColumn('UTC', 3)(1_000n)).toBe('1970-01-01 00:00:00.001000');
    expect(refusalOf(() => localColumn('UTC', 3)(1_001n))).toBe('TIME_PRECISION');
  });
});

describe('instants and dates', () => {
  it('keeps every microsecond of the years 1 to 9999', () => {
    const range = { min: -62_135_596_800_000_000n, max: 253_402_300_799_999_999n };
    fc.assert(
      fc.property(fc.bigInt(range), (utcUs) => {
        const column = String(instantColumn()(utcUs));
        expect(instant(column.replace(' ', 'T').replace('+00', 'Z'))).toBe(utcUs);
      }),
    );
  });

  it('refuses what no calendar has', () => {
    for (const text of [
      '2017-02-30T00:00:00Z',
      '2017-01-01T24:00:01Z',
      'infinity',
      '+294247-01-10T04:00:54.775807Z',
      '2017-01-01',
    ]) {
      expect(refusalOf(() => instant(text))).toBe('TIME_INVALID');
    }
    expect(refusalOf(() => instant('2017-01-01T00:00:00.1234567Z'))).toBe('TIME_INVALID');
    expect(instant('2017-01-01T00:00:00.123456000Z')).toBe(parseIsoUs('2017-01-01T00:00:00.123456Z'));
  });

  it('writes days as dates', () => {
    fc.assert(
      fc.property(fc.integer({ min: -719_162, max: 2_932_896 }), (days) => {
        expect(Date.parse(`${date(days)}T00:00:00Z`)).toBe(days * 86_400_000);
      }),
    );
    expect(refusalOf(() => date(2_932_897))).toBe('DATE_RANGE');
  });
});

describe('decimals', () => {
  it('keeps the number, with exactly the digits asked for', () => {
    fc.assert(
      fc.property(scaled, fc.integer({ min: 0, max: 8 }), ({ digits: unscaled, scale }, wanted) => {
        const text = formatUnscaled(unscaled, scale);
        const dropped = 10n ** BigInt(Math.max(0, scale - wanted));
        const refused = refusalOf(() => fitDecimal(text, 38, wanted));
        expect(refused).toBe(unscaled % dropped === 0n ? undefined : 'DECIMAL_SCALE');
        if (refused !== undefined) return;
        const kept = fitDecimal(text, 38, wanted);
        expect(parseUnscaled(kept)).toEqual({
          digits: (unscaled * 10n ** BigInt(wanted)) / 10n ** BigInt(scale),
          scale: wanted,
        });
        expect(decimalFits(38, wanted)(kept)).toBe(kept);
      }),
    );
  });

  it('reads the scientific form that Java prints', () => {
    expect(decimal(12, 4)('0E-10')).toBe('0.0000');
    expect(decimal(12, 4)('-1.25E+3')).toBe('-1250.0000');
    expect(decimal(12, 10)('1.5E-7')).toBe('0.0000001500');
    expect(refusalOf(() => decimal(12, 4)('1.5E-7'))).toBe('DECIMAL_SCALE');
    expect(refusalOf(() => decimal(4, 2)('100'))).toBe('DECIMAL_PRECISION');
    for (const text of ['NaN', 'Infinity', '', '1,5', '--1', '1e99999']) {
      expect(refusalOf(() => decimal(12, 2)(text))).toBe('DECIMAL_INVALID');
    }
    expect(decimal(12, 2)('-0.00')).toBe('0.00');
  });

  it('multiplies, negates and floors exactly', () => {
    fc.assert(
      fc.property(scaled, scaled, (left, right) => {
        const product = parseUnscaled(
          multiplyDecimals(formatUnscaled(left.digits, left.scale), formatUnscaled(right.digits, right.scale)),
        );
        expect(product).toEqual({ digits: left.digits * right.digits, scale: left.scale + right.scale });
        expect(parseUnscaled(negateDecimal(formatUnscaled(left.digits, left.scale)))).toEqual({
          ...left,
          digits: -left.digits,
        });
        const unit = 10n ** BigInt(left.scale);
        const floor = floorDecimal(formatUnscaled(left.digits, left.scale));
        expect(floor * unit <= left.digits && left.digits < (floor + 1n) * unit).toBe(true);
      }),
    );
  });
});

describe('numbers and ids', () => {
  it('keeps 64-bit integers and refuses what is larger', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 70n), max: 2n ** 70n }), (value) => {
        const fits = BigInt.asIntN(64, value) === value;
        expect(refusalOf(() => bigInteger(value))).toBe(fits ? undefined : 'INTEGER_RANGE');
        if (fits) expect(bigInteger(value)).toBe(value);
        const fits32 = BigInt.asIntN(32, value) === value;
        expect(refusalOf(() => integer(value))).toBe(fits32 ? undefined : 'INTEGER_RANGE');
      }),
    );
    expect(refusalOf(() => integer(1.5))).toBe('VALUE_TYPE');
    expect(refusalOf(() => integer(null))).toBe('VALUE_MISSING');
  });

  it('carries ids through padded columns and back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 9_999_999_999n }), (number) => {
        const id = number.toString();
        expect(digits(String(zeroPadded(10)(id)))).toBe(id);
        expect(digits(`${zeroPadded(10)(id)}   `)).toBe(id);
        expect(integerText(64)(id)).toBe(number);
      }),
    );
    expect(codeDigits(String(codeZeroPadded(6)('330')))).toBe('330');
    expect(codeDigits(`${codeZeroPadded(6)('W001')}  `)).toBe('W001');
    expect(refusalOf(() => zeroPadded(3)('1000'))).toBe('VALUE_TOO_LONG');
    expect(refusalOf(() => integerText(32)('2147483648'))).toBe('VALUE_OUT_OF_RANGE');
  });

  it('counts characters as the databases do, and cuts none', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 30 }), fc.integer({ min: 0, max: 30 }), (text, limit) => {
        const refused = refusalOf(() => maxLength(limit)(text));
        if (text.includes('\u0000')) expect(refused).toBe('TEXT_NUL');
        else expect(refused).toBe([...text].length > limit ? 'VALUE_TOO_LONG' : undefined);
        if (refused === undefined) expect(maxLength(limit)(text)).toBe(text);
      }),
    );
  });

  it('translates codes both ways, and knows no code that was not written down', () => {
    const status = oneOf({ A: 'ACTIVE', C: 'CLOSED' });
    expect(status('A ')).toBe('ACTIVE');
    expect(code({ ACTIVE: 'A', CLOSED: 'C' })(status('C'))).toBe('C');
    expect(refusalOf(() => status('toString'))).toBe('CODE_UNKNOWN');
    expect(refusalOf(() => code({ ACTIVE: 'A' })('CLOSED'))).toBe('VALUE_HAS_NO_CODE');
    expect(oneOf({ '0': 'REQUESTED' })(0)).toBe('REQUESTED');
    expect(trimmed('  a  ')).toBe('  a');
  });
});
