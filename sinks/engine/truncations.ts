/** Which truncations stand against the records of a batch. */
import { comparePositions } from '../../core/position.ts';
import { isTruncation, scopedTruncationOf, TRUNCATE_KEY, type Truncations } from '../../core/truncation.ts';
import type { CompiledTable } from './compile.ts';
import type { EntityKey, ParkedRecords } from './read-state.ts';
import type { Candidate } from './record.ts';
import { isOwnNews } from './reduce.ts';
import { entityKey, type LedgerRow } from './side-tables.ts';

type Request = EntityKey & { readonly candidates: readonly Candidate[] };

/** Under way: what is older is stale, also where it is set aside. */
export type Truncation = EntityKey & { readonly position: Uint8Array };

/** Under which the ledger may hold a truncation of these records. */
export function truncateKeys(requests: readonly Request[], parked: ParkedRecords): EntityKey[] {
  const found = new Map<string, EntityKey>();
  const ask = (entity: string, key: string) => found.set(entityKey(entity, key), { entity, key });
  for (const { entity, key, candidates } of requests) {
    ask(entity, TRUNCATE_KEY);
    for (const { record } of [...(parked.candidates.get(entityKey(entity, key)) ?? []), ...candidates]) {
      const scoped = scopedTruncationOf(record.meta);
      if (scoped !== undefined) ask(entity, scoped);
    }
  }
  return [...found.values()];
}

type TruncationsKnown = {
  readonly ledger: ReadonlyMap<string, LedgerRow>;
  readonly parked: ParkedRecords;
  readonly asked: readonly EntityKey[];
  readonly truncation: Truncation | undefined;
};

/** By entity: the newest truncations, of the ledger or of this batch. */
export function truncationsBefore(
  tables: ReadonlyMap<string, CompiledTable>,
  requests: readonly Request[],
  { ledger, parked, asked, truncation }: TruncationsKnown,
): ReadonlyMap<string, Truncations> {
  const found = new Map<string, Map<string, Uint8Array>>();
  const note = (entity: string, key: string, position: Uint8Array | undefined) => {
    if (position === undefined) return;
    const ofEntity = found.get(entity) ?? new Map<string, Uint8Array>();
    found.set(entity, ofEntity);
    const known = ofEntity.get(key);
    if (known === undefined || comparePositions(position, known) > 0) ofEntity.set(key, position);
  };
  if (truncation !== undefined) note(truncation.entity, truncation.key, truncation.position);
  for (const { entity, key } of asked) note(entity, key, ledger.get(entityKey(entity, key))?.position);
  for (const { entity, key, candidates } of requests) {
    const table = tables.get(entity);
    if (!isTruncation(key) || table === undefined) continue;
    for (const candidate of [...(parked.candidates.get(entityKey(entity, key)) ?? []), ...candidates]) {
      if (!isOwnNews(table, candidate)) note(entity, key, candidate.record.meta.position);
    }
  }
  return found;
}
