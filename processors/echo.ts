/**
 * Is a change that Seam wrote coming back round, or is it news?
 *
 * | the change carries our tag | its contents                                  | it is                                      |
 * |----------------------------|-----------------------------------------------|--------------------------------------------|
 * | yes                        | equal to something that we wrote for the key  | an echo: dropped                           |
 * | yes                        | anything else                                 | derived (a trigger): travels with hops + 1 |
 * | yes                        | of an entity that we don't write there        | derived: travels with 1 hop                |
 * | no, streamed               | anything                                      | news: travels                              |
 * | no, read by a snapshot     | equal to what the ledger holds now            | nothing new: dropped                       |
 *
 * Untagged streamed changes are news even when they equal something that we wrote: a clerk who changes a value back to what
 * we once wrote has changed it, and nobody else will say so.
 *
 * Hops count from what was applied last. That is the change's cause or newer, so a circle of triggers makes ever more hops once
 * no edit comes between; an edit starts again, so what its triggers make travels, whatever the key went through before.
 *
 * Known limit: a trigger that, inside our own transaction, turns the row into contents which we wrote for this key at some
 * earlier time looks like the echo of that time. Hashes are kept for a limited time for this reason too.
 */
import type { Operation } from '../core/change-event.ts';

/** A deletion's hash in the ledger. */
export const DELETED_HASH = '';

export type LedgerEntry = {
  /** Hexadecimal hash of everything written for the key lately, with its hops. */
  readonly hashes: ReadonlyMap<string, number>;
  /** The newest record applied. */
  readonly current: { readonly hash: string; readonly deleted: boolean; readonly hops: number } | undefined;
};

export type LedgerRequest = { readonly entity: string; readonly key: string };

/** Reads what sinks wrote beside the rows of a system's database. TransientError where the database is away. */
export interface EchoLedger {
  /** Answers by `ledgerKey`; keys never written are left out. */
  lookup(system: string, requests: readonly LedgerRequest[]): Promise<ReadonlyMap<string, LedgerEntry>>;
}

/** Canonical ids that a target's database assigned itself. TransientError where the database is away. */
export interface IdentityLookup {
  /** Answers by `ledgerKey(entity, localKey)`; rows not made by Seam are left out. */
  canonicalIds(
    system: string,
    requests: readonly { readonly entity: string; readonly localKey: string }[],
  ): Promise<ReadonlyMap<string, string>>;
}

export function ledgerKey(entity: string, key: string): string {
  return `${entity}\n${key}`;
}

export type Suspect = {
  readonly isTagged: boolean;
  readonly operation: Operation;
  /** Does a target of this system write the entity? */
  readonly isWritten: boolean;
  /** Of the fields that the target holds; `DELETED_HASH` for a tombstone. */
  readonly hash: string;
  readonly entry: LedgerEntry | undefined;
};

export type Verdict =
  | { readonly kind: 'news' }
  | { readonly kind: 'echo' }
  | { readonly kind: 'nothing-new' }
  | { readonly kind: 'derived'; readonly hops: number };

const NEWS: Verdict = { kind: 'news' };
const ECHO: Verdict = { kind: 'echo' };
const NOTHING_NEW: Verdict = { kind: 'nothing-new' };

export function judge(suspect: Suspect): Verdict {
  const { isTagged, operation, isWritten, hash, entry } = suspect;
  if (!isTagged) return operation === 'r' && isWritten && isCurrent(entry, hash) ? NOTHING_NEW : NEWS;
  if (!isWritten) return { kind: 'derived', hops: 1 };
  if (entry?.hashes.has(hash) || isCurrent(entry, hash)) return ECHO;
  return { kind: 'derived', hops: (entry?.current?.hops ?? 0) + 1 };
}

function isCurrent(entry: LedgerEntry | undefined, hash: string): boolean {
  const current = entry?.current;
  if (current === undefined) return false;
  return hash === DELETED_HASH ? current.deleted : !current.deleted && current.hash === hash;
}
