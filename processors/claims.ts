/**
 * What a record says, for one question: when a refused record was corrected at its source, does the newer record leave anything of the
 * refused one to be said? If not, the newer one takes its place by itself.
 */
import { comparePositions, type Position } from '../core/position.ts';

export type Claims = {
  /** Names of what it says something of; undefined: not known, so nothing takes its place. */
  readonly said: readonly string[] | undefined;
  readonly position: Position | undefined;
};

/** A record's claims by what becomes of it. */
export type RecordClaims = {
  /** Nothing of it was sent. */
  readonly unsaid: Claims;
  /** It was refused, and what it says of other entities was sent. */
  readonly refused: Claims;
  /** What it says it says wholly, and surely: neither fields are left out, nor is it possibly an echo. */
  readonly isWhole: boolean;
};

export const UNKNOWN: Claims = { said: undefined, position: undefined };
export const NOTHING_KNOWN: RecordClaims = { unsaid: UNKNOWN, refused: UNKNOWN, isWhole: false };

/** Does this record leave nothing to be said of those? */
export function takesPlaceOf(pending: readonly Claims[], { unsaid, isWhole }: RecordClaims): boolean {
  const { said, position } = unsaid;
  if (!isWhole || said === undefined || position === undefined) return false;
  const names = new Set(said);
  return pending.every(
    (one) =>
      one.said?.every((name) => names.has(name)) === true &&
      (one.position === undefined || comparePositions(one.position, position) <= 0),
  );
}

export function claimsText({ said, position }: Claims): string {
  return JSON.stringify({ said, position: position === undefined ? undefined : Buffer.from(position).toString('hex') });
}

/** A letter of an older release says nothing of it. */
export function readClaims(text: string | undefined): Claims {
  if (text === undefined) return UNKNOWN;
  const { said, position } = JSON.parse(text) as { said?: string[]; position?: string };
  return { said, position: position === undefined ? undefined : Buffer.from(position, 'hex') };
}
