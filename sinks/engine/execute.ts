/** Carries out a plan inside the open transaction. The ledger comes first: it tells whether the plan was made from the truth. */
import { RecordError, TransientError } from '../../core/errors.ts';
import { stampTimeUs } from '../../core/position.ts';
import type { Session, Values } from '../dialects/dialect.ts';
import { column } from '../dialects/values.ts';
import { type Loosening, loosen } from './loosen.ts';
import type { ParkWrite } from './parking.ts';
import type { LedgerWrite, Plan } from './plan.ts';
import type { RowGroup } from './row-plan.ts';
import type { SideTables } from './side-tables.ts';

export type ExecuteContext = {
  readonly session: Session;
  readonly side: SideTables;
  readonly nowMs: number;
  readonly parkedRetryMs: number;
};

const BACKOFF_FACTOR_MAX = 256;
/** A system whose clock is further ahead is wrong, and no log is made to follow it. */
const CLOCK_AHEAD_MS_MAX = 3_600_000;

export async function execute(context: ExecuteContext, plan: Plan, loosening?: Loosening): Promise<void> {
  await nameTime(context, plan.ledger);
  await writeLedger(context, plan.ledger);
  if (loosening !== undefined) await loosen(context.session, plan.groups, loosening);
  for (const group of plan.groups) {
    if (group.kind === 'update') break;
    await writeGroup(context.session, group);
  }
  await writeAssigned(context, plan);
  for (const group of plan.groups) if (group.kind === 'update') await writeGroup(context.session, group);
  await writeBack(context, plan);
  await writeTotals(context, plan);
  await writeEchoes(context, plan);
  await writeParked(context, plan.parks);
  if (plan.unparks.length > 0) await context.session.remove(context.side.parked, [column('id', plan.unparks)]);
}

/** Of a shared entity the newest commit wins: what a trigger here makes of such a record must count as newer than it. */
async function nameTime({ session, nowMs }: ExecuteContext, writes: readonly LedgerWrite[]): Promise<void> {
  let newestUs = 0n;
  for (const { isShared, raw, seamWrote, meta } of writes) {
    if (!isShared || raw === undefined || !seamWrote) continue;
    const timeUs = stampTimeUs(meta.position);
    if (timeUs > newestUs) newestUs = timeUs;
  }
  const isSane = newestUs < BigInt(nowMs + CLOCK_AHEAD_MS_MAX) * 1_000n;
  if (newestUs > 0n && isSane) await session.notBefore(newestUs + 1n);
}

/** Another worker may have written a key meanwhile (partitions were added to the topic): the plan is stale then. */
async function writeLedger({ session, side }: ExecuteContext, writes: readonly LedgerWrite[]): Promise<void> {
  const added = writes.filter(({ prior }) => prior === undefined);
  const changed = writes.filter(({ prior }) => prior !== undefined);
  if (added.length > 0) {
    const columns = [...ledgerKey(added), ...ledgerValues(added)];
    await session.insert(side.applied, { columns, clock: 'applied_at' }).catch((error: unknown) => {
      throw error instanceof RecordError ? ledgerMoved(error) : error;
    });
  }
  if (changed.length > 0) {
    const match = [
      ...ledgerKey(changed),
      column(
        'position',
        changed.map(({ prior }) => prior as Uint8Array),
      ),
    ];
    const set = ledgerValues(changed);
    const written = await session.update(side.applied, { match, set, onlyIfDifferent: false, clock: 'applied_at' });
    if (written !== changed.length) throw ledgerMoved();
  }
}

function ledgerMoved(cause?: unknown): TransientError {
  return new TransientError({
    code: 'LEDGER_MOVED',
    message: 'another worker wrote one of these keys meanwhile',
    cause,
  });
}

function ledgerKey(writes: readonly { readonly entity: string; readonly key: string }[]): Values[] {
  return [
    column(
      'entity',
      writes.map(({ entity }) => entity),
    ),
    column(
      'key',
      writes.map(({ key }) => key),
    ),
  ];
}

function ledgerValues(writes: readonly LedgerWrite[]): Values[] {
  return [
    ...(writes.some(({ raw }) => raw !== undefined) ? recordValues(writes) : []),
    ...(writes.some(({ meta }) => meta.table !== undefined) ? [tableValues(writes)] : []),
    column(
      'position',
      writes.map(({ meta }) => meta.position),
    ),
    column(
      'hash',
      writes.map(({ hash }) => hash),
    ),
    column(
      'deleted',
      writes.map(({ deleted }) => deleted),
    ),
    column(
      'hops',
      writes.map(({ meta }) => meta.hops),
    ),
    column(
      'seam_wrote',
      writes.map(({ seamWrote }) => seamWrote),
    ),
    column(
      'commit_time_us',
      writes.map(({ meta }) => meta.commitTimeUs),
    ),
  ];
}

function tableValues(writes: readonly LedgerWrite[]): Values {
  return column(
    'source_table',
    writes.map(({ meta }) => meta.table ?? null),
  );
}

function recordValues(writes: readonly LedgerWrite[]): Values[] {
  return [
    column(
      'record_value',
      writes.map(({ raw }) => raw?.value ?? null),
    ),
    column(
      'record_meta',
      writes.map(({ raw }) => raw?.meta ?? null),
    ),
  ];
}

async function writeGroup(session: Session, group: RowGroup): Promise<void> {
  const { kind, shape, key, columns, onInsert } = group;
  switch (kind) {
    case 'remove':
      await session.remove(shape, key);
      return;
    case 'upsert':
      await session.upsert(shape, { key, columns, onInsert });
      return;
    case 'update':
      await session.update(shape, { match: key, set: columns, onlyIfDifferent: true });
  }
}

/** One by one: no database promises in which order it returns the keys of many. */
async function writeAssigned({ session, side }: ExecuteContext, { assigned }: Plan): Promise<void> {
  if (assigned.length === 0) return;
  const localKeys: string[] = [];
  for (const { table, columns } of assigned) {
    const returning = table.declaration.assignedKey?.column as string;
    localKeys.push(await session.insertReturning(table.shape, { columns, returning }));
  }
  const key = [
    column(
      'entity',
      assigned.map(({ table }) => table.entity.entity),
    ),
    column(
      'canonical_key',
      assigned.map(({ key }) => key),
    ),
  ];
  await session.upsert(side.identity, { key, columns: [column('local_key', localKeys)], onInsert: [] });
}

async function writeBack({ session, side }: ExecuteContext, { writeBacks }: Plan): Promise<void> {
  const agreed: { entity: string; key: string }[] = [];
  for (const { table, key, group, isLikeOurs } of writeBacks) {
    const request = { match: group.key, set: group.columns, onlyIfDifferent: true };
    const changed = await session.update(group.shape, request);
    if (changed === 0 && !isLikeOurs) agreed.push({ entity: table.entity.entity, key });
  }
  if (agreed.length === 0) return;
  const set = [
    column(
      'seam_wrote',
      agreed.map(() => false),
    ),
  ];
  await session.update(side.applied, { match: ledgerKey(agreed), set, onlyIfDifferent: false });
}

async function writeTotals({ session, side }: ExecuteContext, plan: Plan): Promise<void> {
  const { totals, amounts, amountsGone } = plan;
  for (const { effect, key, deltas } of totals) {
    const { column: name, whenMissing } = effect.declaration;
    const insertMissing = whenMissing === 'insert';
    const found = await session.add(effect.shape, { key, column: name, deltas, insertMissing });
    if (!insertMissing && found !== deltas.length) {
      throw new TransientError({
        code: 'TOTAL_MOVED',
        message: `a row of ${effect.declaration.table} went away meanwhile`,
      });
    }
  }
  if (amounts.length > 0) {
    const key = [
      column(
        'effect',
        amounts.map(({ effect }) => effect),
      ),
      column(
        'key',
        amounts.map(({ key: of }) => of),
      ),
    ];
    const columns = [
      column(
        'group_key',
        amounts.map(({ groupKey }) => groupKey),
      ),
      column(
        'amount',
        amounts.map(({ amount }) => amount),
      ),
    ];
    await session.upsert(side.effect, { key, columns, onInsert: [] });
  }
  if (amountsGone.length > 0) {
    const effects = amountsGone.map(({ effect }) => effect);
    await session.remove(side.effect, [
      column('effect', effects),
      column(
        'key',
        amountsGone.map(({ key }) => key),
      ),
    ]);
  }
}

async function writeEchoes({ session, side }: ExecuteContext, { echoes }: Plan): Promise<void> {
  if (echoes.length === 0) return;
  const key = [
    ...ledgerKey(echoes),
    column(
      'hash',
      echoes.map(({ hash }) => hash),
    ),
  ];
  const columns = [
    column(
      'hops',
      echoes.map(({ hops }) => hops),
    ),
  ];
  await session.upsert(side.echo, { key, columns, onInsert: [], clock: 'written_at' });
}

export async function writeParked(context: ExecuteContext, parks: readonly ParkWrite[]): Promise<void> {
  const { session, side } = context;
  const added = parks.filter(({ target }) => target.parked === undefined);
  const again = parks.filter(({ target }) => target.parked !== undefined);
  if (added.length > 0) {
    const { key, columns, onInsert } = addedColumns(context, added);
    await session.upsert(side.parked, { key, columns, onInsert });
  }
  if (again.length > 0) {
    const match = [
      column(
        'id',
        again.map(({ target }) => target.parked?.id as bigint),
      ),
    ];
    await session.update(side.parked, { match, set: reasonColumns(context, again), onlyIfDifferent: false });
  }
}

function addedColumns(context: ExecuteContext, parks: readonly ParkWrite[]) {
  return {
    key: [
      column(
        'topic',
        parks.map(({ target }) => target.place.topic),
      ),
      column(
        'partition',
        parks.map(({ target }) => target.place.partition),
      ),
      column(
        'offset',
        parks.map(({ target }) => target.place.offset),
      ),
      // a truncation is set aside once for each of its keys
      column(
        'key',
        parks.map(({ key }) => key),
      ),
    ],
    columns: [
      column(
        'entity',
        parks.map(({ entity }) => entity),
      ),
      column(
        'value',
        parks.map(({ target }) => target.raw.value),
      ),
      column(
        'meta',
        parks.map(({ target }) => target.raw.meta),
      ),
      ...reasonColumns(context, parks),
    ],
    onInsert: [
      column(
        'parked_at',
        parks.map(() => timeText(context.nowMs)),
      ),
    ],
  };
}

const REASON_CHARACTERS_MAX = 1_000;

function reasonColumns(context: ExecuteContext, parks: readonly ParkWrite[]): Values[] {
  return [
    column(
      'reason_code',
      parks.map(({ code }) => code),
    ),
    column(
      'reason',
      parks.map(({ reason }) => reason.slice(0, REASON_CHARACTERS_MAX)),
    ),
    column(
      'attempts',
      parks.map(({ attempts }) => attempts),
    ),
    column(
      'next_try_at',
      parks.map((write) => nextTry(context, write)),
    ),
  ];
}

function nextTry({ nowMs, parkedRetryMs }: ExecuteContext, { isWaiting, attempts }: ParkWrite): string | null {
  if (!isWaiting) return null;
  return timeText(nowMs + parkedRetryMs * Math.min(2 ** attempts, BACKOFF_FACTOR_MAX));
}

/** UTC, as both databases read it. */
export function timeText(timeMs: number): string {
  return new Date(timeMs).toISOString().slice(0, 23).replace('T', ' ');
}
