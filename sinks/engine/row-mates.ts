/**
 * Several entities may hold columns of one row. When the row was deleted and one of them makes it again, the others' columns come back from
 * their newest records, which the ledger keeps for this.
 */
import { keyFields, keyText } from '../../core/canonical-record.ts';
import { RecordError } from '../../core/errors.ts';
import { Refusal } from '../../core/mapping.ts';
import type { Session } from '../dialects/dialect.ts';
import type { CompiledTable } from './compile.ts';
import { evaluate, type RowValues } from './evaluate.ts';
import { type EntityKey, readLedger, readWinners } from './read-state.ts';
import type { DecodeBatch } from './record.ts';
import type { Outcome } from './reduce.ts';
import { entityKey, type SideTables } from './side-tables.ts';

/** Columns of another entity in a row that is made again; `row` undefined: what it holds is not known. */
export type Mate = {
  readonly table: CompiledTable;
  readonly key: string;
  readonly row: RowValues | undefined;
  readonly hash: Uint8Array;
};

/** By the outcome that makes the row again. */
export type Mates = ReadonlyMap<Outcome, readonly Mate[]>;

type Context = { readonly session: Session; readonly side: SideTables; readonly decode: DecodeBatch };

const NO_MATES: Mates = new Map();

export async function readMates({ session, side, decode }: Context, outcomes: readonly Outcome[]): Promise<Mates> {
  const decided = new Set(outcomes.filter(isRow).map(({ table, key }) => entityKey(table.entity.entity, key)));
  const wanted = outcomes.filter(makesAgain).flatMap((outcome) =>
    outcome.table.mates.flatMap((table) => {
      const key = keyOfMate(outcome, table);
      const isKnown = key !== undefined && !decided.has(entityKey(table.entity.entity, key));
      return isKnown ? [{ outcome, table, key, entity: table.entity.entity, topic: table.entity.topic }] : [];
    }),
  );
  if (wanted.length === 0) return NO_MATES;
  const ledger = await readLedger(session, side, wanted as readonly EntityKey[]);
  const live = wanted.filter(({ entity, key }) => ledger.get(entityKey(entity, key))?.deleted === false);
  const kept = live.flatMap((one) => {
    const raw = ledger.get(entityKey(one.entity, one.key))?.raw;
    return raw === undefined ? [] : [{ ...one, raw }];
  });
  const records = await readWinners(decode, kept);
  const mates = new Map<Outcome, Mate[]>();
  for (const { outcome, table, entity, key } of live) {
    const name = entityKey(entity, key);
    const record = records.get(name)?.record;
    const row = record === undefined ? undefined : rowOf(table, key, record);
    const hash = ledger.get(name)?.hash as Uint8Array;
    mates.set(outcome, [...(mates.get(outcome) ?? []), { table, key, row, hash }]);
  }
  return mates;
}

function isRow({ decided }: Outcome): boolean {
  return decided !== undefined && decided.row !== 'ledger-only' && decided.row.kind === 'row';
}

function makesAgain(outcome: Outcome): boolean {
  return outcome.table.mates.length > 0 && outcome.ledger?.deleted === true && isRow(outcome);
}

/** The other entity's key of the same row: found by the columns that both are told by, and checked by what they would write. */
function keyOfMate({ table, key, decided }: Outcome, mate: CompiledTable): string | undefined {
  const own = keyFields(table.entity, key);
  const fields: Record<string, string | number | bigint | boolean | Uint8Array | null> = {};
  for (const column of mate.key) {
    const same = table.key.find(({ name }) => name === column.name);
    const [theirs, ours] = [column.fields[0], same?.fields[0]];
    if (theirs === undefined || ours === undefined) return undefined;
    fields[theirs] = own[ours] ?? null;
  }
  if (mate.entity.key.some((name) => fields[name] === undefined)) return undefined;
  const row = decided?.row as RowValues;
  try {
    const isSame = mate.key.every((column) => {
      const at = table.key.findIndex(({ name }) => name === column.name);
      return String(column.write(fields)) === String(row.key[at]);
    });
    return isSame ? keyText(mate.entity.key.map((name) => fields[name] ?? null)) : undefined;
  } catch (error) {
    if (error instanceof Refusal) return undefined;
    throw error;
  }
}

function rowOf(
  table: CompiledTable,
  key: string,
  {
    value,
    meta,
  }: {
    readonly value: Parameters<typeof evaluate>[2]['fields'];
    readonly meta: { readonly absent: readonly string[] };
  },
): RowValues | undefined {
  try {
    const row = evaluate(table, key, { fields: value, absent: meta.absent });
    return row.kind === 'row' ? row : undefined;
  } catch (error) {
    if (error instanceof Refusal || error instanceof RecordError) return undefined;
    throw error;
  }
}
