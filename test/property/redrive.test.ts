/**
 * Invariants 5 and 6 over the processors' slices: whatever is refused, retried, discarded and translated again, in slices
 * cut anywhere, a key's records land in their order and none lands before what it waits behind.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import crm from '../../connectors/crm/mapping.ts';
import { RecordError } from '../../core/errors.ts';
import type { LogRecord, OutputRecord } from '../../core/ports.ts';
import { encodePosition } from '../../core/position.ts';
import { readLetter } from '../../processors/dead-letter.ts';
import { workLane } from '../../processors/lane-slice.ts';
import { ParkedKeys } from '../../processors/parked-keys.ts';
import { readRedrive, redriveRecord, type Sweep } from '../../processors/redrive.ts';
import { type SliceDone, workSlice } from '../../processors/slice-work.ts';
import type { Stage } from '../../processors/stage.ts';
import { CanonicalizeBench } from '../support/canonicalize-bench.ts';
import { holdsAsync } from '../support/holds.ts';

const ASKED = { by: 'ann', reason: 'seen' };

/** One task over a log of `key value` records; its dead-letter topic is kept as a log, and read back at a restart. */
class World {
  readonly log: LogRecord[] = [];
  readonly landed: number[] = [];
  readonly discarded = new Set<number>();
  readonly bad = new Set<number>();
  letters: OutputRecord[] = [];
  #parked = new ParkedKeys();
  #read = 0;

  readonly #stage: Stage = {
    name: 'test',
    groupId: 'test',
    inputs: ['in'],
    transform: async ({ records }) => {
      const isBad = ({ offset }: LogRecord) => this.bad.has(Number(offset));
      const error = new RecordError({ code: 'ODD', message: 'odd' });
      const outputs = records
        .filter((record) => !isBad(record))
        .map(({ key, offset }) => ({ topic: 'out', key, value: Buffer.from(String(offset)), headers: {} }));
      return { outputs, rejected: records.filter(isBad).map((record) => ({ record, error })), counts: {} };
    },
  };

  write(key: string, isBad: boolean): void {
    const offset = this.log.length;
    if (isBad) this.bad.add(offset);
    this.log.push(recordOf(offset, key === '' ? null : Buffer.from(key), Buffer.from('v')));
  }

  /** The next `count` records; first tried without a commit, as when a transaction fails. */
  async read(count: number): Promise<void> {
    const records = this.log.slice(this.#read, this.#read + count);
    const slice = { topic: 'in', partition: 0, records };
    if (records.length === 0) return;
    await workSlice(this.#context(), slice);
    this.#commit(await workSlice(this.#context(), slice));
    this.#read += records.length;
  }

  async ask(action: 'retry' | 'discard' | 'translate', offsets: readonly number[]): Promise<void> {
    const records = offsets
      .filter((offset) => offset < this.#read)
      .map((offset, index) => {
        const place = { topic: 'in', partition: 0, offset: BigInt(offset) };
        const { key, value, headers } = redriveRecord('test', action, place, this.log[offset] as LogRecord, ASKED);
        return { ...recordOf(index, key as Buffer | null, value as Buffer), headers };
      });
    if (records.length > 0)
      this.#commit(await workLane(this.#context(), { topic: 'redrive.test', partition: 0, records }));
  }

  /** Another worker, from what the dead-letter topic says. */
  restart(): void {
    this.#parked = new ParkedKeys();
    for (const [index, { key, value, headers }] of this.letters.entries()) {
      this.#parked.load({ ...recordOf(index, Buffer.from(key as string), value as Buffer | null), headers });
    }
  }

  outstanding(): number[] {
    return this.log.flatMap(({ offset }) =>
      this.#parked.at({ topic: 'in', partition: 0, offset }) === undefined ? [] : [Number(offset)],
    );
  }

  keyOf(offset: number): string {
    return String(this.log[offset]?.key);
  }

  #context() {
    const settings = { laterRecords: 'wait', parkedRecordsMax: 1_000 } as const;
    return { stage: this.#stage, parked: this.#parked, settings, nowMs: 0 };
  }

  #commit({ outputs, changes }: SliceDone): void {
    this.#parked.apply(changes);
    for (const output of outputs) {
      if (output.topic === 'out') this.landed.push(Number(output.value));
      else this.#note(output);
    }
  }

  #note(letter: OutputRecord): void {
    this.letters.push(letter);
    const read = readLetter({ ...recordOf(0, null, letter.value as Buffer | null), headers: letter.headers });
    if (read?.state === 'discarded') this.discarded.add(Number(read.place.offset));
  }
}

function recordOf(offset: number, key: Buffer | null, value: Buffer | null): LogRecord {
  return { offset: BigInt(offset), key, value, headers: {}, timestampMs: 0 };
}

const acts = fc.array(
  fc.oneof(
    fc.record({
      do: fc.constant('write' as const),
      key: fc.constantFrom('a', 'b', ''),
      bad: fc.integer({ max: 3, min: 0 }),
    }),
    fc.record({ do: fc.constant('read' as const), count: fc.integer({ min: 1, max: 6 }) }),
    fc.record({ do: fc.constant('mend' as const), at: fc.nat({ max: 30 }) }),
    fc.record({
      do: fc.constantFrom('retry' as const, 'discard' as const),
      offsets: fc.array(fc.nat({ max: 30 }), { maxLength: 8 }),
    }),
    fc.record({ do: fc.constant('restart' as const) }),
  ),
  { maxLength: 60 },
);
type Act = typeof acts extends fc.Arbitrary<(infer One)[]> ? One : never;

async function act(world: World, one: Act): Promise<void> {
  if (one.do === 'write') world.write(one.key, one.bad === 0);
  else if (one.do === 'read') await world.read(one.count);
  else if (one.do === 'mend') world.bad.delete(one.at);
  else if (one.do === 'restart') world.restart();
  else await world.ask(one.do, one.offsets);
}

function expectOrder(world: World): void {
  expect(new Set(world.landed).size).toBe(world.landed.length);
  const last = new Map<string, number>();
  for (const offset of world.landed) {
    const key = world.keyOf(offset);
    if (key === 'null') continue;
    expect(offset).toBeGreaterThan(last.get(key) ?? -1);
    last.set(key, offset);
  }
}

describe('records set aside', () => {
  it('land once and in order of their key, or are discarded, or wait', async () => {
    await holdsAsync(
      acts,
      async (list) => {
        const world = new World();
        for (const one of list) {
          await act(world, one);
          expectOrder(world);
        }
        await world.read(1_000);
        const seen = [...world.landed, ...world.discarded, ...world.outstanding()].sort((left, right) => left - right);
        expect(seen).toEqual(world.log.map((_, offset) => offset));
        world.bad.clear();
        world.restart();
        await world.ask('retry', world.outstanding());
        expect(world.outstanding()).toEqual([]);
        expectOrder(world);
      },
      400,
    );
  });

  it('are found again by their key, translated as often as asked', async () => {
    const world = new World();
    for (const bad of [false, false, true]) world.write('a', bad);
    await world.read(3);
    await world.ask('translate', [0, 1, 2, 0]);
    expect(world.landed).toEqual([0, 1, 0, 1, 0]);
    world.bad.clear();
    await world.ask('translate', [0, 1, 2]);
    expect(world.landed.slice(5)).toEqual([0, 1, 2]);
    expect(world.outstanding()).toEqual([]);
  });
});

describe('a request on the lane', () => {
  it('brings back the headers that belong to the record, and no others', () => {
    const own = { seam: Buffer.from('meta'), 'seam.epoch': Buffer.from('2'), theirs: Buffer.from('x') };
    const place = { topic: 'in', partition: 0, offset: 7n };
    const original = { key: null, value: null, headers: { ...own, 'seam.error.code': Buffer.from('ODD') } };
    const { headers, key, value } = redriveRecord('test', 'retry', place, original, ASKED);
    const lane = { topic: 'redrive.test', partition: 0, offset: 0n };
    const record = { offset: 0n, key: key as null, value, headers, timestampMs: 0 };
    expect(readRedrive(lane, record).record.headers).toEqual(own);
  });
});

describe('a sweep', () => {
  const position = Buffer.from(encodePosition({ epoch: 1, phase: 'stream', major: 5n, minor: 9n, isDelete: true }));
  const sweep = (changes: object = {}): string => {
    const whole: Sweep = {
      ...{ entity: 'member', key: '17', system: 'crm' },
      ...{ position: position.toString('hex'), commitTimeUs: '1700000000000000' },
    };
    return JSON.stringify({ ...whole, ...changes });
  };

  it('becomes a tombstone at its position, a stamped one where several systems write the entity', () => {
    const bench = new CanonicalizeBench(crm);
    expect(bench.sweep(sweep())).toMatchObject({
      ...{ entity: 'member', key: '17', value: null },
      meta: { system: 'crm', operation: 'd', hops: 0, absent: [], commitTimeUs: 1_700_000_000_000_000n },
    });
    expect(Buffer.compare(bench.sweep(sweep()).meta.position, position)).toBe(0);
    const shared = bench.sweep(sweep({ entity: 'member-contact' })).meta.position;
    expect(shared.length).toBe(36);
    expect(Buffer.compare(shared.subarray(16), position)).toBe(0);
  });

  it.each([
    ['no JSON', 'x'],
    ['no object', '17'],
    ['another system', sweep({ system: 'pos' })],
    ['no position', sweep({ position: 'ff' })],
    ['no key', sweep({ key: '' })],
    ['no time', sweep({ commitTimeUs: 'now' })],
  ])('is refused: %s', (_, value) => {
    expect(() => new CanonicalizeBench(crm).sweep(value)).toThrow(
      expect.objectContaining({ class: 'record', code: 'REDRIVE_REFUSED' }),
    );
  });
});
