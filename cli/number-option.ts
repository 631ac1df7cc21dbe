/** Options that are numbers: read once, by the parser, so that a wrong one is refused before anything starts. */
import { InvalidArgumentError } from 'commander';

const SECONDS_MAX = 86_400;

/** Seconds as a decimal number, at most a day. Gives milliseconds. */
export function seconds(text: string): number {
  const value = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Number.NaN;
  if (!(value <= SECONDS_MAX)) throw new InvalidArgumentError(`Expected seconds from 0 to ${SECONDS_MAX}, as in 30.`);
  return value * 1_000;
}

/** A whole number from 0. */
export function count(text: string): number {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (!Number.isSafeInteger(value)) throw new InvalidArgumentError('Expected a whole number, as in 20.');
  return value;
}
