/** What became of records, since the worker started; each is in one of the first seven. */
export type Counts = {
  applied: number;
  /** Of the applied ones, those whose key had no row by the ledger. */
  inserted: number;
  deleted: number;
  unchanged: number;
  /** Older than what the ledger holds. */
  stale: number;
  /** The target's own news. */
  own: number;
  /** A newer record of the same key came in the same batch. */
  superseded: number;
  parked: number;
  unparked: number;
  /** Rows made without a field that neither their record nor an older one at hand carried: a gap to be filled by a backfill. */
  incomplete: number;
  batches: number;
  /** Time in transactions. */
  batchMs: number;
};

export function noCounts(): Counts {
  return {
    applied: 0,
    inserted: 0,
    deleted: 0,
    unchanged: 0,
    stale: 0,
    own: 0,
    incomplete: 0,
    superseded: 0,
    parked: 0,
    unparked: 0,
    batches: 0,
    batchMs: 0,
  };
}

export function addCounts(counts: Counts, more: Partial<Counts>): void {
  for (const name of Object.keys(more) as (keyof Counts)[]) counts[name] += more[name] ?? 0;
}
