/**
 * A batch that is written key by key, and then, of keys that are tried again, those that only land together: see rings.ts and
 * loosen.ts. Tables that are captured as well are left out: their spare values would travel.
 */
import { RecordError } from '../../core/errors.ts';
import { ROW_MISSING, VALUE_HELD } from '../dialects/dialect.ts';
import { countOfWays } from './loosen.ts';
import type { Outcome } from './reduce.ts';
import { findRings } from './rings.ts';
import {
  carryOut,
  decide,
  type Item,
  joined,
  type TransactionContext,
  type Written,
  writeSplit,
} from './transaction.ts';

export async function writeApart(context: TransactionContext, items: readonly Item[]): Promise<Written> {
  const written = await writeSplit(context, items);
  const keys = items.flatMap((item) => (item.kind === 'key' ? [{ ...item, candidates: [] }] : []));
  if (keys.length < 2 || context.isReplay) return written;
  const { outcomes } = await decide(context, keys, []);
  const held = outcomes.filter(isHeldUp);
  if (held.length < 2) return written;
  const all = [written];
  for (const ring of await findRings(context.session, held)) all.push(await land(context, ring));
  return joined(all);
}

function isHeldUp({ table, decided, isBehind }: Outcome): boolean {
  if (decided === undefined || isBehind || table.isBidirectional) return false;
  const code = decided.by.parked?.reasonCode;
  return table.declaration.assignedKey === undefined && (code === VALUE_HELD || code === ROW_MISSING);
}

/** All of them or none; what no way lands stays set aside. */
async function land(context: TransactionContext, ring: readonly Outcome[]): Promise<Written> {
  const { session, nowMs } = context;
  const ways = Math.max(
    ...ring.map(({ table }) =>
      countOfWays(
        table.shape,
        table.columns.map(({ name }) => name),
      ),
    ),
  );
  for (let way = 0; way < ways; way += 1) {
    await session.savepoint();
    try {
      const written = await carryOut(context, ring, [], { way, salt: nowMs });
      await session.releaseSavepoint();
      return written;
    } catch (error) {
      if (!(error instanceof RecordError)) throw error;
      await session.rollbackToSavepoint();
    }
  }
  return joined([]);
}
