/** What the planner must know of a batch's keys, read inside the batch's transaction. */
import type { CanonicalRecord } from '../../core/canonical-record.ts';
import type { RecordError } from '../../core/errors.ts';
import { SeamError } from '../../core/errors.ts';
import type { LogRecord } from '../../core/ports.ts';
import type { SqlValue } from '../../core/target.ts';
import {
  type FoundRow,
  ROW_MISSING,
  type Session,
  type TableShape,
  VALUE_HELD,
  type Values,
} from '../dialects/dialect.ts';
import type { CompiledColumn } from './compile.ts';
import { needsRow, type PlanState } from './plan.ts';
import {
  BEHIND_DEAD_LETTER,
  type Candidate,
  type DecodeBatch,
  META_HEADER,
  type ParkedState,
  type Place,
  placeInLedger,
  type RawRecord,
  type Undecodable,
} from './record.ts';
import type { Outcome } from './reduce.ts';
import { rowId } from './row-id.ts';
import { foreignRows, type WrittenKeys } from './row-identity.ts';
import { type EffectRow, entityKey, type LedgerRow, type SideTables } from './side-tables.ts';
import { groupKeyOf } from './effects.ts';

export type EntityKey = { readonly entity: string; readonly key: string };

export async function readLedger(session: Session, side: SideTables, keys: readonly EntityKey[]) {
  const rows = await session.lookup(side.applied, {
    match: keyColumns(keys),
    columns: ['position', 'hash', 'deleted', 'seam_wrote', 'record_value', 'record_meta'],
  });
  const ledger = new Map<string, LedgerRow>();
  for (const { index, values } of rows) {
    const { entity, key } = keys[index] as EntityKey;
    const [position, hash] = values as [Uint8Array, Uint8Array];
    const [, , deleted, seamWrote, value, meta] = values;
    ledger.set(entityKey(entity, key), {
      position,
      hash,
      deleted: Boolean(deleted),
      seamWrote: Boolean(seamWrote),
      raw: meta === null ? undefined : { value: value as Uint8Array | null, meta: meta as Uint8Array },
    });
  }
  return ledger;
}

/** The records behind ledger rows of shared entities: what an own, older change may have to give way to. */
export async function readWinners(
  decode: DecodeBatch,
  wanted: readonly (EntityKey & { readonly topic: string; readonly raw: RawRecord })[],
): Promise<ReadonlyMap<string, Candidate>> {
  const winners = new Map<string, Candidate>();
  for (const { entity, key, topic, raw } of wanted) {
    const place = placeInLedger(topic);
    const record = await decodeOne(decode, place, key, raw);
    if (record instanceof SeamError) continue;
    winners.set(entityKey(entity, key), { record, place, raw, parked: undefined });
  }
  return winners;
}

export type ParkedRecords = {
  readonly candidates: ReadonlyMap<string, readonly Candidate[]>;
  readonly unreadable: ReadonlyMap<string, readonly Undecodable[]>;
};

const PARKED_COLUMNS = [
  'id',
  'topic',
  'partition',
  'offset',
  'value',
  'meta',
  'reason_code',
  'attempts',
  'next_try_at',
];

/** Reasons that pass when another row comes or changes; everything else has a time to be tried only when somebody asked. */
export const WAITS_BY_ITSELF: ReadonlySet<string> = new Set([ROW_MISSING, VALUE_HELD, BEHIND_DEAD_LETTER]);

/** Parked records of the keys, oldest first, decoded again from their bytes. */
export async function readParked(
  session: Session,
  side: SideTables,
  keys: readonly EntityKey[],
  decode: DecodeBatch,
): Promise<ParkedRecords> {
  const rows = await session.lookup(side.parked, { match: keyColumns(keys), columns: PARKED_COLUMNS });
  const candidates = new Map<string, Candidate[]>();
  const unreadable = new Map<string, Undecodable[]>();
  for (const row of inIdOrder(rows)) {
    const { entity, key } = keys[row.index] as EntityKey;
    const { place, raw, parked } = parkedRow(row);
    const decoded = await decodeOne(decode, place, key, raw);
    if (decoded instanceof SeamError)
      append(unreadable, entityKey(entity, key), { entity, key, place, raw, parked, error: decoded });
    else append(candidates, entityKey(entity, key), { record: decoded, place, raw, parked });
  }
  return { candidates, unreadable };
}

function inIdOrder(rows: readonly FoundRow[]): FoundRow[] {
  return [...rows].sort((left, right) => Number((left.values[0] as bigint) - (right.values[0] as bigint)));
}

function parkedRow({ values }: FoundRow): { place: Place; raw: RawRecord; parked: ParkedState } {
  const [id, topic, partition, offset, value, meta, reasonCode, attempts, nextTryAt] = values;
  return {
    place: { topic: topic as string, partition: Number(partition), offset: BigInt(offset as bigint) },
    raw: { value: value as Uint8Array | null, meta: meta as Uint8Array | null },
    parked: {
      id: BigInt(id as bigint),
      attempts: Number(attempts),
      isWaiting: nextTryAt !== null,
      reasonCode: reasonCode as string,
      isAsked: nextTryAt !== null && !WAITS_BY_ITSELF.has(reasonCode as string),
    },
  };
}

async function decodeOne(
  decode: DecodeBatch,
  { topic, partition, offset }: Place,
  key: string,
  raw: RawRecord,
): Promise<CanonicalRecord | RecordError> {
  const headers: Record<string, Uint8Array> = raw.meta === null ? {} : { [META_HEADER]: raw.meta };
  const record: LogRecord = { offset, key: Buffer.from(key, 'utf8'), value: raw.value, headers, timestampMs: 0 };
  const [decoded] = await decode({ topic, partition, records: [record] });
  return decoded as CanonicalRecord | RecordError;
}

/** Amounts, local keys and the rows that records may have to wait for. */
export async function readPlanState(
  session: Session,
  side: SideTables,
  outcomes: readonly Outcome[],
): Promise<PlanState> {
  const changing = outcomes.filter(({ decided }) => decided !== undefined && decided.row !== 'ledger-only');
  const effects = await readEffects(session, side, changing);
  return {
    effects,
    identities: await readIdentities(session, side, changing),
    existing: await readExisting(session, changing, effects),
    foreign: await readForeign(session, side, changing),
  };
}

async function readForeign(
  session: Session,
  side: SideTables,
  outcomes: readonly Outcome[],
): Promise<ReadonlySet<string>> {
  const foreign = new Set<string>();
  for (const going of keysWritten(outcomes, 'none')) {
    const { entity } = going.table.entity;
    for (const key of await foreignRows(session, side, going)) foreign.add(entityKey(entity, key));
  }
  return foreign;
}

/** Of tables in which two keys may be one row. */
export function keysWritten(outcomes: readonly Outcome[], kind: 'row' | 'none'): WrittenKeys[] {
  const asked = outcomes.flatMap(({ table, key, decided }) => {
    const row = decided?.row;
    if (table.identity.isExact || row === undefined || row === 'ledger-only' || row.kind !== kind) return [];
    return [{ table, key, values: row.key }];
  });
  return [...Map.groupBy(asked, ({ table }) => table)].map(([table, ofTable]) => ({
    table,
    keys: ofTable.map(({ key }) => key),
    match: table.key.map(({ name }, place) => {
      return { column: name, values: ofTable.map(({ values }) => values[place] as SqlValue) };
    }),
  }));
}

async function readEffects(session: Session, side: SideTables, outcomes: readonly Outcome[]) {
  const wanted: { effect: string; key: string }[] = [];
  for (const { table, key } of outcomes) {
    for (const { declaration } of table.effects) wanted.push({ effect: declaration.name, key });
  }
  const effects = new Map<string, EffectRow>();
  if (wanted.length === 0) return effects;
  const match = [
    { column: 'effect', values: wanted.map(({ effect }) => effect) },
    { column: 'key', values: wanted.map(({ key }) => key) },
  ];
  for (const { index, values } of await session.lookup(side.effect, { match, columns: ['group_key', 'amount'] })) {
    const { effect, key } = wanted[index] as { effect: string; key: string };
    effects.set(entityKey(effect, key), { groupKey: values[0] as string, amount: String(values[1]) });
  }
  return effects;
}

async function readIdentities(session: Session, side: SideTables, outcomes: readonly Outcome[]) {
  const wanted = outcomes
    .filter(({ table }) => table.declaration.assignedKey !== undefined)
    .map(({ table, key }) => ({ entity: table.entity.entity, key }));
  const identities = new Map<string, string>();
  if (wanted.length === 0) return identities;
  const [entities, keys] = keyColumns(wanted) as [Values, Values];
  const match = [entities, { column: 'canonical_key', values: keys.values }];
  for (const { index, values } of await session.lookup(side.identity, { match, columns: ['local_key'] })) {
    const { entity, key } = wanted[index] as EntityKey;
    identities.set(entityKey(entity, key), values[0] as string);
  }
  return identities;
}

type Probe = {
  readonly shape: TableShape;
  readonly columns: readonly CompiledColumn[];
  readonly rows: Map<string, readonly SqlValue[]>;
};

async function readExisting(session: Session, outcomes: readonly Outcome[], effects: ReadonlyMap<string, EffectRow>) {
  const probes = new Map<string, Probe>();
  for (const outcome of outcomes) if (needsRow(outcome)) collectProbes(outcome, effects, probes);
  const existing = new Set<string>();
  for (const { shape, columns, rows } of probes.values()) {
    const ids = [...rows.keys()];
    const keys = [...rows.values()];
    const match = columns.map(({ name }, index) => ({
      column: name,
      values: keys.map((key) => key[index] as SqlValue),
    }));
    for (const { index } of await session.lookup(shape, { match, columns: [] })) existing.add(ids[index] as string);
  }
  return existing;
}

function collectProbes(
  { table, key, decided }: Outcome,
  effects: ReadonlyMap<string, EffectRow>,
  probes: Map<string, Probe>,
) {
  const row = decided?.row;
  if (row === undefined || row === 'ledger-only') return;
  const ask = (shape: TableShape, columns: readonly CompiledColumn[], values: readonly SqlValue[]) => {
    const name = `${shape.table}\n${columns.map((column) => column.name).join('\n')}`;
    const probe = probes.get(name) ?? { shape, columns, rows: new Map() };
    probes.set(name, probe);
    probe.rows.set(rowId(shape.table, columns, values), values);
  };
  if (table.declaration.mode === 'update') ask(table.shape, table.key, row.key);
  for (const effect of table.effects) {
    if (effect.declaration.whenMissing !== 'wait') continue;
    const prior = effects.get(entityKey(effect.declaration.name, key));
    if (prior !== undefined) ask(effect.shape, effect.key, groupKeyOf(prior.groupKey));
  }
  if (row.kind !== 'row') return;
  for (const { effect, groupKey } of row.shares) {
    if (effect.declaration.whenMissing === 'wait') ask(effect.shape, effect.key, groupKey);
  }
}

function keyColumns(keys: readonly EntityKey[]): readonly Values[] {
  return [
    { column: 'entity', values: keys.map(({ entity }) => entity) },
    { column: 'key', values: keys.map(({ key }) => key) },
  ];
}

function append<T>(map: Map<string, T[]>, name: string, value: T): void {
  const list = map.get(name);
  if (list === undefined) map.set(name, [value]);
  else list.push(value);
}
