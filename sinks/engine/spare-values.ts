/** Values that a row may hold for a moment, inside one transaction, while another takes the value that it gives up. */
import type { SqlValue } from '../../core/target.ts';
import type { ColumnShape } from '../dialects/dialect.ts';

/** `salt`: another number in every attempt; `row`: another one for each row. */
type Spare = (salt: number, row: number) => SqlValue;

const DAY_MS = 86_400_000;
const SECONDS_OF_DAY = 86_400;

/** In the order in which they are tried: what a CHECK or the length of one column refuses, the next may pass. */
export function sparesOf(column: ColumnShape): readonly Spare[] {
  const typed = typedSpares(column);
  return column.nullable ? [() => null, ...typed] : typed;
}

function typedSpares(column: ColumnShape): readonly Spare[] {
  switch (column.kind) {
    case 'text':
      return [text(column, '~', ''), text(column, 'x', '@seam.invalid'), digits(column)];
    case 'integer':
      return [
        (salt, row) => -1 - (salt % 1_000_000_000) - row,
        (salt, row) => 2_000_000_000 - (salt % 100_000_000) - row,
        (_, row) => 32_767 - row,
        (_, row) => 127 - row,
      ];
    case 'decimal':
      return [(_, row) => `-${row + 1}`, (salt, row) => String(100 + (salt % 800) + row), (_, row) => String(9 - row)];
    case 'real':
    case 'double':
      return [(_, row) => -1 - row];
    case 'date':
      return [(_, row) => day(8000, row), (_, row) => day(1001, row)];
    case 'timestamp':
      return [(_, row) => `${day(8000, row)} 00:00:00`, (_, row) => `${day(2037, row)} 00:00:00`];
    case 'time':
      return [(_, row) => timeOfDay(SECONDS_OF_DAY - 1 - row)];
    case 'bytes':
      return [(salt, row) => tail(hexBytes(salt + row), column.lengthMax)];
    case 'other':
      return column.sqlType.includes('uuid') ? [uuid] : [];
    case 'boolean':
      return [];
  }
}

/** Its end differs from row to row, so a short column keeps that. */
function text({ lengthMax }: ColumnShape, before: string, after: string): Spare {
  return (salt, row) => {
    const room = lengthMax === undefined ? undefined : Math.max(0, lengthMax - after.length - before.length);
    const varying = (salt + row).toString(36);
    const middle = room === undefined ? varying : room === 0 ? '' : varying.slice(-room);
    const whole = `${before}${middle}${after}`;
    return lengthMax === undefined ? whole : whole.slice(0, lengthMax);
  };
}

function digits({ lengthMax }: ColumnShape): Spare {
  return (salt, row) => String(salt + row).slice(-(lengthMax ?? 18));
}

function day(year: number, row: number): string {
  return new Date(Date.UTC(year, 0, 1) + row * DAY_MS).toISOString().slice(0, 10);
}

function timeOfDay(seconds: number): string {
  return new Date(Math.max(0, seconds) * 1_000).toISOString().slice(11, 19);
}

function hexBytes(number: number): Buffer {
  return Buffer.from(number.toString(16).padStart(16, '0'), 'hex');
}

function tail(bytes: Buffer, lengthMax: number | undefined): Buffer {
  return lengthMax === undefined || lengthMax >= bytes.length ? bytes : bytes.subarray(bytes.length - lengthMax);
}

function uuid(salt: number, row: number): string {
  return `00000000-0000-4000-8000-${(salt + row).toString(16).padStart(12, '0').slice(-12)}`;
}
