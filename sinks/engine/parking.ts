/** Records set aside: `seam.parked`. */
import type { Logger } from '../../core/ports.ts';
import { HELD_ATTEMPTS_MAX, type Session, VALUE_HELD } from '../dialects/dialect.ts';
import { type Candidate, KEY_PARKED, type Undecodable } from './record.ts';

export type ParkWrite = {
  readonly target: Candidate | Undecodable;
  readonly entity: string;
  readonly key: string;
  readonly code: string;
  readonly reason: string;
  /** Tried again by itself; false: a dead letter. */
  readonly isWaiting: boolean;
  readonly attempts: number;
};

type Reason = { readonly code: string; readonly reason: string; readonly isWaiting: boolean };

/** undefined: parked already, for the same reason, and its time to be tried again had not come. */
export function park(
  target: Candidate | Undecodable,
  entity: string,
  key: string,
  reason: Reason,
  isTimedRetry: boolean,
): ParkWrite | undefined {
  const { parked } = target;
  const isAttempt = parked?.isAsked === true || (isTimedRetry && parked?.isWaiting === true);
  if (
    parked !== undefined &&
    parked.reasonCode === reason.code &&
    parked.isWaiting === reason.isWaiting &&
    !isAttempt
  ) {
    return undefined;
  }
  return { target, entity, key, ...reason, attempts: (parked?.attempts ?? 0) + (isAttempt ? 1 : 0) };
}

/** Not looked at, so no attempt. undefined: it waits already. */
export function parkBehind(target: Candidate, entity: string, key: string): ParkWrite | undefined {
  const { parked } = target;
  if (parked?.reasonCode === KEY_PARKED && !parked.isWaiting) return undefined;
  const reason = 'an earlier record of this key is set aside';
  return { target, entity, key, code: KEY_PARKED, reason, isWaiting: false, attempts: parked?.attempts ?? 0 };
}

export function parkUndecodable(target: Undecodable): ParkWrite {
  const { entity, key, error, parked } = target;
  return {
    target,
    entity,
    key,
    code: error.code,
    reason: error.message,
    isWaiting: false,
    attempts: (parked?.attempts ?? 0) + (parked?.isAsked === true ? 1 : 0),
  };
}

export type ParkedCounts = { readonly waiting: number; readonly deadLetters: number; readonly behind: number };

export async function parkedCounts(session: Session): Promise<ParkedCounts> {
  const [row] = await session.run('parkedCounts', []);
  return { waiting: Number(row?.[0] ?? 0), deadLetters: Number(row?.[1] ?? 0), behind: Number(row?.[2] ?? 0) };
}

/** A dead letter is worth a line; a record that waits is not. Neither shows a value. */
export function warnOf(
  write: ParkWrite,
  { logger, system }: { readonly logger: Logger; readonly system: string },
): void {
  const { isWaiting, target, entity, key, code, reason, attempts } = write;
  const isShownNow = code === VALUE_HELD && attempts === HELD_ATTEMPTS_MAX;
  if ((isWaiting && !isShownNow) || code === KEY_PARKED) return;
  const { topic, partition, offset } = target.place;
  const fields = { system, entity, key, topic, partition, offset: offset.toString(), code, reason };
  logger.warn(fields, 'record set aside as a dead letter');
}

/** Rows that were written before the table of a key was kept: once all of the system was read again, every key has one. */
export function warnOfUnscoped(
  { entity, key, system, keys }: { entity: string; key: string; system: string; keys: number },
  logger: Logger,
): void {
  const next = `seam resnapshot --system ${system} --yes`;
  logger.warn({ entity, key, keys, code: 'TRUNCATION_UNSCOPED', next }, 'a truncation left keys of unknown origin');
}
