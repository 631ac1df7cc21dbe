/**
 * Wall clock time of an IANA zone ⇄ UTC, exact to the microsecond. Both sides are µs since 1970-01-01T00:00, the wall clock's
 * as if it were UTC (what Debezium sends for a column without a zone).
 *
 * - A wall clock time that never existed (clocks went forward) is refused, TIME_NOT_EXISTING: nothing says what was meant.
 * - One that existed twice (clocks went back) is read as the earlier instant, under the offset that was in force before.
 *   A till that records local time can't tell the two apart: one hour a year, up to an hour too early.
 *
 * Offsets are cached by hour: an hour has one offset, except where a change falls inside it.
 */
import { IANAZone } from 'luxon';
import { daysToText } from './calendar-date.ts';
import { Refusal } from './mapping.ts';
import { RecentTexts } from './recent-texts.ts';

const HOUR_US = 3_600_000_000n;
const HOUR_PLAIN_US = Number(HOUR_US);
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
export const DAY_US = 24n * HOUR_US;
const DAY_PLAIN_US = Number(DAY_US);
const CACHED_HOURS_MAX = 50_000;
/** 0001-01-01 and 9999-12-31T23:59:59.999999: what every database, Avro and JavaScript can all hold. */
const EARLIEST_US = -62_135_596_800_000_000n;
const LATEST_US = 253_402_300_799_999_999n;

/** µs to add to UTC; `gap`: no such wall clock time in the whole hour; `mixed`: differs within the hour. */
type HourOffset = bigint | 'gap' | 'mixed';

export class LocalTime {
  readonly #zone: IANAZone;
  readonly #wallHours = new Map<number, HourOffset>();
  readonly #utcHours = new Map<number, HourOffset>();

  /** An unknown zone is a fault in a mapping: it throws when the mapping is loaded. */
  constructor(zone: string) {
    if (!IANAZone.isValidZone(zone)) throw new RangeError(`no such time zone: ${zone}`);
    this.#zone = IANAZone.create(zone);
  }

  toUtcUs(wallUs: bigint): bigint {
    assertInRange(wallUs);
    const offset = cached(this.#wallHours, hourOf(wallUs), (hour) => this.#wallHourOffset(hour));
    if (typeof offset === 'bigint') return wallUs - offset;
    const exact = offset === 'gap' ? undefined : this.#wallOffsetMs(floorMs(wallUs));
    if (exact === undefined) {
      throw new Refusal('TIME_NOT_EXISTING', `is a local time that never existed in ${this.#zone.name}`);
    }
    return wallUs - microseconds(exact);
  }

  toWallUs(utcUs: bigint): bigint {
    assertInRange(utcUs);
    const offset = cached(this.#utcHours, hourOf(utcUs), (hour) => this.#utcHourOffset(hour));
    return utcUs + (typeof offset === 'bigint' ? offset : microseconds(this.#offsetMs(floorMs(utcUs))));
  }

  #wallHourOffset(hour: number): HourOffset {
    const first = this.#wallOffsetMs(hour * HOUR_MS);
    const last = this.#wallOffsetMs((hour + 1) * HOUR_MS - 1);
    if (first !== last) return 'mixed';
    return first === undefined ? 'gap' : microseconds(first);
  }

  #utcHourOffset(hour: number): HourOffset {
    const first = this.#offsetMs(hour * HOUR_MS);
    return first === this.#offsetMs((hour + 1) * HOUR_MS - 1) ? microseconds(first) : 'mixed';
  }

  /** The offset in force a day earlier or later: an offset is right when the instant it leads to has that offset. */
  #wallOffsetMs(wallMs: number): number | undefined {
    const candidates = [this.#offsetMs(wallMs - DAY_MS), this.#offsetMs(wallMs), this.#offsetMs(wallMs + DAY_MS)];
    const right = candidates.filter((offset) => this.#offsetMs(wallMs - offset) === offset);
    return right.length === 0 ? undefined : Math.max(...right);
  }

  #offsetMs(utcMs: number): number {
    return Math.round(this.#zone.offset(utcMs) * 60_000);
  }
}

const zones = new Map<string, LocalTime>();

/** One per zone, so that all columns share its cache. */
export function localTimeIn(zone: string): LocalTime {
  let time = zones.get(zone);
  if (time === undefined) {
    time = new LocalTime(zone);
    zones.set(zone, time);
  }
  return time;
}

function cached(cache: Map<number, HourOffset>, hour: number, compute: (hour: number) => HourOffset): HourOffset {
  const known = cache.get(hour);
  if (known !== undefined) return known;
  if (cache.size >= CACHED_HOURS_MAX) cache.clear();
  const offset = compute(hour);
  cache.set(hour, offset);
  return offset;
}

function assertInRange(timeUs: bigint): void {
  // what is exact as a number lies between the years 1684 and 2255
  if (Number.isSafeInteger(Number(timeUs))) return;
  if (timeUs < EARLIEST_US || timeUs > LATEST_US) throw new Refusal('TIME_RANGE', 'is outside the years 1 to 9999');
}

function hourOf(timeUs: bigint): number {
  const plain = Number(timeUs);
  if (!Number.isSafeInteger(plain)) return Number(floorDivide(timeUs, HOUR_US));
  const rest = plain % HOUR_PLAIN_US;
  return (plain - rest) / HOUR_PLAIN_US - (rest < 0 ? 1 : 0);
}

function floorMs(timeUs: bigint): number {
  return Number(floorDivide(timeUs, 1_000n));
}

function floorDivide(value: bigint, by: bigint): bigint {
  const quotient = value / by;
  return value < 0n && value % by !== 0n ? quotient - 1n : quotient;
}

function microseconds(milliseconds: number): bigint {
  return BigInt(milliseconds) * 1_000n;
}

const SECOND_US = 1_000_000;

/** `textOf`, made again only for another time than the last of its second: what belongs together, as a sale's lines, has one time. */
export function rememberingTimes(textOf: (timeUs: bigint) => string): (timeUs: bigint) => string {
  const texts = new RecentTexts((timeUs) => textOf(BigInt(timeUs)));
  return (timeUs) => {
    const plain = Number(timeUs);
    return Number.isSafeInteger(plain) ? texts.of(plain, Math.floor(plain / SECOND_US)) : textOf(timeUs);
  };
}

/** `2017-01-31 09:30:00.000000`, of whatever clock the µs belong to. */
export function formatTimeUs(timeUs: bigint): string {
  assertInRange(timeUs);
  const plain = Number(timeUs);
  const isExact = Number.isSafeInteger(plain);
  const day = isExact ? Math.floor(plain / DAY_PLAIN_US) : Number(floorDivide(timeUs, DAY_US));
  return timeText(day, isExact ? plain - day * DAY_PLAIN_US : Number(timeUs - BigInt(day) * DAY_US));
}

function timeText(day: number, restUs: number): string {
  const restSeconds = Math.floor(restUs / SECOND_US);
  const minutes = Math.floor(restSeconds / 60);
  const clock = `${twoDigits(Math.floor(minutes / 60))}:${twoDigits(minutes % 60)}:${twoDigits(restSeconds % 60)}`;
  return `${dayText(day)} ${clock}.${String(restUs % SECOND_US).padStart(6, '0')}`;
}

/** Rows have several days, mostly of a few. */
const days = new RecentTexts((day) => daysToText(day) as string);

/** `2017-01-31`, of a number of days since 1970, in the years 1 to 9999. */
export function dayText(day: number): string {
  return days.of(day);
}

const TWO_DIGITS = Array.from({ length: 60 }, (_, number) => String(number).padStart(2, '0'));

/** Below 60. */
function twoDigits(number: number): string {
  return TWO_DIGITS[number] as string;
}

const ISO_TEXT = /^(\d{4})-(\d\d)-(\d\d)[T ](\d\d):(\d\d):(\d\d)(?:\.(\d{1,6})(0*))?Z$/;

/** `2017-01-31T09:30:00.123456Z` → µs since 1970 UTC. */
export function parseIsoUs(text: string): bigint {
  const match = ISO_TEXT.exec(text);
  if (match === null)
    throw new Refusal('TIME_INVALID', 'is not a UTC time of the years 1 to 9999 with up to six decimals');
  const [, year, month, day, hour, minute, second, fraction = ''] = match;
  const date = new Date(0);
  date.setUTCFullYear(Number(year), Number(month) - 1, Number(day));
  date.setUTCHours(Number(hour), Number(minute), Number(second));
  if (date.getUTCDate() !== Number(day) || date.getUTCSeconds() !== Number(second)) {
    throw new Refusal('TIME_INVALID', 'is not a date and time of the calendar');
  }
  const timeUs = BigInt(date.getTime()) * 1_000n + BigInt(fraction.padEnd(6, '0'));
  assertInRange(timeUs);
  return timeUs;
}
