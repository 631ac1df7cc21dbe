/**
 * A sink over a log with re-sent stretches, crashes, lost connections, lost answers and replays ends with what the source
 * says: rows, totals, and set aside exactly the keys whose newest record is bad. Thousands of histories, in memory.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { entities } from '../../avro/generated/entities.ts';
import type { CanonicalFields, CanonicalRecord } from '../../core/canonical-record.ts';
import { maxLength } from '../../core/columns.ts';
import { type SqlValue, type Target, to, upsert } from '../../core/target.ts';
import type { SinkSettings } from '../../sinks/engine/settings.ts';
import { addDecimals } from '../../sinks/engine/effects.ts';
import { MemoryDatabase, type TableDefinition } from '../support/memory-database.ts';
import { memberOf, moved, ordered, phone, product } from '../support/shop-records.ts';
import { contact, member, movement, order, points } from '../support/shop-tables.ts';
import { CRASH_POINTS, type Fault, SinkSimulation } from '../support/sink-simulation.ts';
import { record, truncation } from '../support/test-log.ts';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = Number(process.env.RUNS ?? 150);
/** Seconds each by themselves; beside other work far more. */
const LIMIT_MS = 240_000;

function check<T>(generated: fc.Arbitrary<T>, property: (value: T) => Promise<void>): Promise<void> {
  return fc.assert(fc.asyncProperty(generated, property), {
    seed,
    numRuns: RUNS,
    reporter: (run) => {
      if (run.failed)
        throw new Error(
          `SEED=${seed} npx vitest run test/property/sink-plan.test.ts\n${fc.defaultReportMessage(run)}\n${String(run.errorInstance)}`,
        );
    },
  });
}

const part = upsert('shop.part', 'product', {
  key: { id: to('productId') },
  columns: { descr: to('description', maxLength(9)), spec: to('specification') },
  onDelete: 'delete',
});

const TARGET: Target = {
  system: 'shop',
  dialect: 'postgres',
  tables: [part, member, contact, points, movement, order],
};

const TABLES: readonly TableDefinition[] = [
  { table: 'shop.part', key: ['id'], columns: ['descr', 'spec'] },
  { table: 'shop.cust', key: ['cust_no'], columns: ['nm', 'tier_cd', 'pts', 'tel', 'note'] },
  { table: 'shop.led', key: ['ent'], columns: ['cust_no', 'pts'] },
  { table: 'shop.mv', key: ['mvmt'], columns: ['loc', 'prod', 'qty'] },
  { table: 'shop.stk', key: ['loc', 'prod'], columns: ['qoh'] },
  {
    table: 'shop.ord',
    key: ['ord_no'],
    columns: ['qty', 'stat', 'msg', 'made'],
    refuses: ({ qty }) => Number(qty) >= 1_000,
  },
];

type Kind = 'part' | 'member' | 'contact' | 'points' | 'movement' | 'order';
type Step = {
  readonly kind: Kind;
  readonly key: number;
  readonly does: 'put' | 'bad' | 'partial' | 'delete' | 'truncate';
  readonly value: number;
};

const step: fc.Arbitrary<Step> = fc.record({
  kind: fc.constantFrom<Kind>('part', 'member', 'contact', 'points', 'movement', 'order'),
  key: fc.nat({ max: 2 }),
  does: fc.oneof(
    { weight: 8, arbitrary: fc.constant('put' as const) },
    { weight: 3, arbitrary: fc.constant('partial' as const) },
    { weight: 3, arbitrary: fc.constant('delete' as const) },
    { weight: 3, arbitrary: fc.constant('bad' as const) },
    { weight: 1, arbitrary: fc.constant('truncate' as const) },
  ),
  value: fc.nat({ max: 9 }),
});

const fault: fc.Arbitrary<Fault | null> = fc.oneof(
  { weight: 5, arbitrary: fc.constant(null) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom<'dies' | 'disconnects'>('dies', 'disconnects'),
      at: fc.constantFrom(...CRASH_POINTS),
    }),
  },
  { weight: 1, arbitrary: fc.constant<Fault>({ kind: 'loses-answer' }) },
  { weight: 1, arbitrary: fc.constant<Fault>({ kind: 'replays' }) },
  { weight: 1, arbitrary: fc.constant<Fault>({ kind: 'retries' }) },
);

const history = fc.record({
  steps: fc.array(step, { maxLength: 60, size: 'max' }),
  /** After the nth record of a partition, records from up to `back` before are sent once more. */
  resent: fc.array(fc.record({ after: fc.nat({ max: 40 }), back: fc.integer({ min: 1, max: 10 }) }), {
    maxLength: 6,
    size: 'max',
  }),
  writes: fc.array(fc.record({ partition: fc.nat({ max: 11 }), records: fc.integer({ min: 1, max: 12 }), fault }), {
    maxLength: 40,
    size: 'max',
  }),
});

type History = typeof history extends fc.Arbitrary<infer Value> ? Value : never;

async function run({ steps, resent, writes }: History, settings: Partial<SinkSettings>) {
  const { log, expected, everBad } = play(steps);
  const database = new MemoryDatabase(TABLES);
  const lanes = log.map((records) => withResent(records, resent));
  const simulation = new SinkSimulation(database, TARGET, entities, lanes, settings);
  for (const write of writes) await simulation.write(write.partition, write.records, write.fault);
  return { database, simulation, expected, everBad };
}

describe('a sink', () => {
  it.each(['heal', 'wait', 'take-over'] as const)(
    'ends with what the source says, whatever happens on the way; later records: %s',
    async (laterRecords) => {
      await check(history, async (one) => {
        const { database, simulation, expected } = await run(one, { laterRecords });
        await simulation.finish();
        expect(JSON.stringify(contents(database))).toBe(JSON.stringify(expected));
        const ledger = JSON.stringify(database.rows('seam.applied').map(ledgerText).sort());
        await simulation.replayAll();
        expect(JSON.stringify(database.rows('seam.applied').map(ledgerText).sort())).toBe(ledger);
        expect(JSON.stringify(contents(database))).toBe(JSON.stringify(expected));
      });
    },
    LIMIT_MS,
  );

  it(
    'stops a key at a refused record and no other; when the record is discarded all of it lands',
    async () => {
      await check(history, async (one) => {
        // nobody asks for anything on the way
        const writes = one.writes.map((write) => ({ ...write, fault: isAsking(write.fault) ? null : write.fault }));
        // what only a discarded record said is lost: here every record carries all fields
        const steps = one.steps.map((each) => (each.does === 'partial' ? { ...each, does: 'put' as const } : each));
        const { database, simulation, expected, everBad } = await run(
          { ...one, steps, writes },
          { laterRecords: 'wait' },
        );
        await simulation.settle();
        const { bad: stopped, ...now } = contents(database);
        expect(stopped.filter((key) => !everBad.has(key))).toEqual([]);
        const { bad, ...then } = expected;
        expect(bad.filter((key) => !stopped.includes(key))).toEqual([]);
        expect(withoutKeys(now, stopped)).toEqual(withoutKeys(then, stopped));
        while ((await simulation.discard()) > 0);
        expect(contents(database)).toEqual({ ...expected, bad: [] });
      });
    },
    LIMIT_MS,
  );

  it(
    'heals a key by a newer record that carries the whole row: nobody asks, and what is set aside is its newest record',
    async () => {
      await check(history, async (one) => {
        const writes = one.writes.map((write) => ({ ...write, fault: isAsking(write.fault) ? null : write.fault }));
        const steps = one.steps.map((each) => (each.does === 'partial' ? { ...each, does: 'put' as const } : each));
        const { database, simulation, expected } = await run({ ...one, steps, writes }, { laterRecords: 'heal' });
        await simulation.settle();
        expect(contents(database)).toEqual(expected);
      });
    },
    LIMIT_MS,
  );

  it('makes every system of a shared entity agree on the newest edit', async () => {
    const edit = fc.oneof(
      fc.record({ kind: fc.constant('edit' as const), where: fc.constantFrom('shop', 'pos', 'crm') }),
      fc.record({ kind: fc.constant('deliver' as const), where: fc.constantFrom('shop', 'pos', 'crm') }),
    );
    await check(fc.array(edit, { maxLength: 30, size: 'max' }), async (edits) => {
      const database = new MemoryDatabase(TABLES);
      const simulation = new SinkSimulation(database, TARGET, entities, []);
      await simulation.deliver(memberOf({}, { at: 1 }));
      const waiting: Record<string, CanonicalRecord[]> = { shop: [], pos: [], crm: [] };
      let newest: string | null = null;
      for (const [index, { kind, where }] of edits.entries()) {
        if (kind === 'edit') {
          newest = `${where} ${index}`;
          waiting[where]?.push(phone('7', newest, { at: 10 + index, system: where }));
          if (where === 'shop') simulation.editRow('shop.cust', 'tel', newest);
        } else {
          const next = waiting[where]?.shift();
          if (next !== undefined) await simulation.deliver(next);
        }
      }
      for (const records of Object.values(waiting)) for (const one of records) await simulation.deliver(one);
      expect(database.rows('shop.cust')[0]?.tel).toBe(newest);
    });
  });
});

function isAsking(fault: Fault | null): boolean {
  return fault?.kind === 'retries' || fault?.kind === 'replays';
}

/** Less the rows of these parts and orders. */
function withoutKeys(all: { parts: unknown[]; orders: unknown[] }, keys: readonly string[]) {
  const isOther = (row: unknown) => {
    const { id, ord_no: orderNumber } = JSON.parse(String(row)) as { id?: string; ord_no?: string };
    return !keys.includes(id ?? orderNumber ?? '');
  };
  return { ...all, parts: all.parts.filter(isOther), orders: all.orders.filter(isOther) };
}

// ---- the model: what a source with this history says ---------------------------------------------------------------

type Version = { readonly step: Step; readonly at: number };

function play(steps: readonly Step[]) {
  const log: CanonicalRecord[][] = [];
  const versions = new Map<string, Version[]>();
  // Every member exists in the end, so that nothing waits for ever.
  const all = [...steps, ...[0, 1, 2].map((key): Step => ({ kind: 'member', key, does: 'put', value: 0 }))];
  for (const [index, one] of all.entries()) {
    const at = 10 + index;
    const name = `${one.kind} ${one.key}`;
    const known = versions.get(name) ?? [];
    const last = known.findLast(({ step: { does } }) => does !== 'bad');
    const hasRow = last !== undefined && last.step.does !== 'delete' && last.step.does !== 'truncate';
    const does = allowed(one, known.length > 0 && hasRow);
    if (does === undefined) continue;
    const done = { ...one, does };
    for (const target of does === 'truncate' ? [0, 1, 2].map((key) => `part ${key}`) : [name]) {
      versions.set(target, [...(versions.get(target) ?? []), { step: done, at }]);
    }
    append(log, done, at);
  }
  const everBad = new Set<string>();
  for (const [name, known] of versions) {
    const [kind, key] = name.split(' ');
    if (known.some(({ step: { does } }) => does === 'bad')) everBad.add(kind === 'part' ? String(key) : `o${key}`);
  }
  return { log, expected: expectation(versions), everBad };
}

/** A source sends partial records only for rows that exist; members stay. */
function allowed({ kind, does }: Step, hasRow: boolean): Step['does'] | undefined {
  if (does === 'truncate') return kind === 'part' ? 'truncate' : 'put';
  if (does === 'partial') return kind === 'part' && hasRow ? 'partial' : 'put';
  if (does === 'bad') return kind === 'part' || kind === 'order' ? 'bad' : 'put';
  if (does === 'delete') return kind === 'member' ? 'put' : 'delete';
  return does;
}

const LANES: readonly Kind[] = ['part', 'member', 'contact', 'points', 'movement', 'order'];

/** Two partitions for each entity; a truncation goes to both. */
function append(log: CanonicalRecord[][], { kind, key, does, value }: Step, at: number): void {
  const first = LANES.indexOf(kind) * 2;
  const lanes = does === 'truncate' ? [first, first + 1] : [first + (key % 2)];
  for (const lane of lanes) {
    log[lane] ??= [];
    log[lane].push(does === 'truncate' ? truncation('product', at) : recordOf({ kind, key, does, value }, at));
  }
  for (let lane = 0; lane < LANES.length * 2; lane += 1) log[lane] ??= [];
}

function recordOf({ kind, key, does, value }: Step, at: number): CanonicalRecord {
  const options = { at, gone: does === 'delete' };
  switch (kind) {
    case 'part': {
      const fields: CanonicalFields = {
        productId: String(key),
        description: does === 'bad' ? 'too long for it' : `d${value}`,
      };
      if (does === 'partial') return product({ ...fields, specification: null }, { at, absent: ['specification'] });
      return product({ ...fields, specification: `s${value}` }, options);
    }
    case 'member':
      return memberOf({ memberId: String(key), fullName: `n${value}` }, options);
    case 'contact':
      return phone(String(key), `p${value}`, options);
    case 'points':
      return record(
        'points-entry',
        { entryId: `e${key}`, memberId: String(value % 3), saleId: '1', points: value, earnedAt: 0n },
        options,
      );
    case 'movement':
      return moved(`m${key}`, `${value - 4}.500`, { ...options, place: String(value % 2) });
    case 'order':
      return ordered(`o${key}`, does === 'bad' ? '5000.000' : `${value}.000`, options);
  }
}

/** The newest version that isn't bad, its absent field filled from older ones, also bad ones. */
function latest(versions: readonly Version[]): { readonly value: number; readonly specification: string } | undefined {
  for (let index = versions.length - 1; index >= 0; index -= 1) {
    const { does, value } = (versions[index] as Version).step;
    if (does === 'delete' || does === 'truncate') return undefined;
    if (does === 'bad') continue;
    const carrier = versions.slice(0, index + 1).findLast(({ step: { does: is } }) => is !== 'partial') as Version;
    return { value, specification: `s${carrier.step.value}` };
  }
  return undefined;
}

function expectation(versions: ReadonlyMap<string, readonly Version[]>) {
  const parts: unknown[] = [];
  const orders: unknown[] = [];
  const bad: string[] = [];
  const stock = new Map<string, string>();
  const earned = new Map<string, string>();
  const tel = new Map<string, string>();
  const names = new Map<string, string>();
  for (const [name, known] of versions) {
    const [kind, key] = name.split(' ') as [Kind, string];
    const now = latest(known);
    if (known.at(-1)?.step.does === 'bad') bad.push(kind === 'part' ? key : `o${key}`);
    if (now === undefined) continue;
    const { value, specification } = now;
    if (kind === 'part') parts.push({ id: key, descr: `d${value}`, spec: specification });
    if (kind === 'order') orders.push({ ord_no: `o${key}`, qty: `${value}.000` });
    if (kind === 'member') names.set(key, `n${value}`);
    if (kind === 'contact') tel.set(key, `p${value}`);
    if (kind === 'points')
      earned.set(String(value % 3), addDecimals(earned.get(String(value % 3)) ?? '0', String(value)));
    if (kind === 'movement')
      stock.set(String(value % 2), addDecimals(stock.get(String(value % 2)) ?? '0', `${value - 4}.500`));
  }
  return {
    parts: sorted(parts),
    orders: sorted(orders),
    bad: bad.sort(),
    stock: nonZero(stock),
    members: ['0', '1', '2'].map((key) => ({
      name: names.get(key),
      tel: tel.get(key) ?? null,
      points: Number(earned.get(key) ?? 0),
    })),
  };
}

function contents(database: MemoryDatabase) {
  const cust = database.rows('shop.cust').sort((left, right) => Number(left.cust_no) - Number(right.cust_no));
  return {
    parts: sorted(database.rows('shop.part')),
    orders: sorted(database.rows('shop.ord').map(({ ord_no, qty }) => ({ ord_no, qty }))),
    bad: [...new Set(database.rows('seam.parked').map(({ key }) => String(key)))].sort(),
    stock: nonZero(new Map(database.rows('shop.stk').map(({ loc, qoh }) => [String(Number(loc)), String(qoh)]))),
    members: cust.map(({ nm, tel, pts }) => ({ name: nm, tel, points: Number(pts ?? 0) })),
  };
}

function ledgerText({ entity, key, position, hash, deleted }: Record<string, SqlValue>): string {
  const hex = (bytes: SqlValue | undefined) => Buffer.from(bytes as Uint8Array).toString('hex');
  return `${entity} ${key} ${hex(position)} ${hex(hash)} ${deleted}`;
}

function sorted(rows: readonly unknown[]): unknown[] {
  return [...rows].map((row) => JSON.stringify(row)).sort();
}

function nonZero(totals: ReadonlyMap<string, string>): Record<string, number> {
  return Object.fromEntries(
    [...totals]
      .map(([place, total]) => [place, Number(total)] as const)
      .filter(([, total]) => total !== 0)
      .sort(),
  );
}

function withResent(
  records: readonly CanonicalRecord[],
  resent: readonly { after: number; back: number }[],
): CanonicalRecord[] {
  return records.flatMap((one, index) => [
    one,
    ...resent
      .filter(({ after }) => after === index)
      .flatMap(({ back }) => records.slice(Math.max(0, index + 1 - back), index + 1)),
  ]);
}
