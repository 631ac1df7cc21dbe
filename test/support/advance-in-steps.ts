import { comparePositions } from '../../core/position.ts';
import type { SqlValue } from '../../core/target.ts';
import type { Advance, Session, TableShape } from '../../sinks/dialects/dialect.ts';
import { pick } from '../../sinks/dialects/values.ts';

const GUARD = ['position', 'hash', 'deleted'];

/** `Session.advance` in three steps: look, then add and change what was seen. */
export async function advanceInSteps(
  session: Pick<Session, 'lookup' | 'insert' | 'update'>,
  ledger: TableShape,
  { key, columns, clock, leavesDeleted = false }: Advance,
): Promise<{ written: number; added: number }> {
  const found = await session.lookup(ledger, { match: key, columns: GUARD });
  const priors = new Map(found.map(({ index, values }) => [index, values]));
  const [positions, hashes, deleted] = GUARD.map((name) => columns.find((one) => one.column === name)?.values ?? []);
  const isNews = (index: number, [position, hash, wasDeleted]: readonly SqlValue[]) => {
    if (Boolean(wasDeleted) && (leavesDeleted || deleted?.[index] === true)) return false;
    const order = comparePositions(positions?.[index] as Uint8Array, position as Uint8Array);
    if (order !== 0) return order > 0;
    const isSame = Buffer.compare(hashes?.[index] as Uint8Array, hash as Uint8Array) === 0;
    return !isSame || Boolean(wasDeleted) !== deleted?.[index];
  };
  const [added, changed]: [number[], number[]] = [[], []];
  for (const index of key[0]?.values.keys() ?? []) {
    const prior = priors.get(index);
    if (prior === undefined) added.push(index);
    else if (isNews(index, prior)) changed.push(index);
  }
  if (added.length > 0) await session.insert(ledger, { columns: pick([...key, ...columns], added), clock });
  const seen = changed.map((index) => priors.get(index)?.[0] as Uint8Array);
  const match = [...pick(key, changed), { column: 'position', values: seen }];
  const set = pick(columns, changed);
  const written =
    changed.length === 0 ? 0 : await session.update(ledger, { match, set, onlyIfDifferent: false, clock });
  return { written: added.length + written, added: added.filter((index) => deleted?.[index] !== true).length };
}
