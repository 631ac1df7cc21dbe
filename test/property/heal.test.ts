/**
 * A row that was refused and is corrected at its source heals by itself, and nothing that only the refused record said is lost: what is
 * neither sent nor set aside any more was said again, wholly, by a newer record that was sent.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import crm from '../../connectors/crm/mapping.ts';
import { type Row, UNAVAILABLE } from '../../core/change-event.ts';
import { digits, trimmed } from '../../core/converters.ts';
import { RecordError } from '../../core/errors.ts';
import { canonical, constant, defineSource, from } from '../../core/mapping.ts';
import type { LogRecord, OutputRecord } from '../../core/ports.ts';
import type { RecordClaims } from '../../processors/claims.ts';
import { ParkedKeys } from '../../processors/parked-keys.ts';
import { workSlice } from '../../processors/slice-work.ts';
import type { Stage } from '../../processors/stage.ts';
import { CanonicalizeBench, type Given } from '../support/canonicalize-bench.ts';
import { holdsAsync } from '../support/holds.ts';

type Event = {
  readonly key: string;
  readonly says: readonly string[];
  readonly isBad: boolean;
  readonly isWhole: boolean;
  readonly isKnown: boolean;
};

const event: fc.Arbitrary<Event> = fc.record({
  key: fc.constantFrom('a', 'b'),
  says: fc.subarray(['x', 'y', 'z'], { minLength: 1 }),
  isBad: fc.integer({ min: 0, max: 2 }).map((number) => number === 0),
  isWhole: fc.integer({ min: 0, max: 3 }).map((number) => number > 0),
  isKnown: fc.integer({ min: 0, max: 7 }).map((number) => number > 0),
});

/** One task over a log of events; its dead-letter topic is read back at every restart. */
class World {
  readonly #events: readonly Event[];
  readonly landed: number[] = [];
  #letters: OutputRecord[] = [];
  #parked = new ParkedKeys();

  constructor(events: readonly Event[]) {
    this.#events = events;
  }

  readonly #stage: Stage = {
    name: 'test',
    groupId: 'test',
    inputs: ['in'],
    transform: async ({ records }) => {
      const error = new RecordError({ code: 'ODD', message: 'odd' });
      const isBad = (record: LogRecord) => this.#of(record).isBad;
      const outputs = records.filter((record) => !isBad(record)).map((record) => outputOf(record));
      return { outputs, rejected: records.filter(isBad).map((record) => ({ record, error })), counts: {} };
    },
    claims: async ({ records }) =>
      records.map((record): RecordClaims => {
        const { says, isWhole, isKnown, isBad } = this.#of(record);
        const position = Buffer.alloc(20, Number(record.offset));
        const unsaid = { said: isKnown ? says : undefined, position };
        return { unsaid, refused: unsaid, isWhole: isWhole && !isBad };
      }),
  };

  async read(from: number, to: number): Promise<void> {
    const records = this.#events.slice(from, to).map(({ key }, index) => recordOf(from + index, key));
    if (records.length === 0) return;
    const settings = { laterRecords: 'heal', parkedRecordsMax: 1_000 } as const;
    const context = { stage: this.#stage, parked: this.#parked, settings, nowMs: 0 };
    const done = await workSlice(context, { topic: 'in', partition: 0, records });
    this.#parked.apply(done.changes);
    for (const output of done.outputs) {
      if (output.topic === 'out') this.landed.push(Number(output.value));
      else this.#letters.push(output);
    }
  }

  restart(): void {
    this.#parked = new ParkedKeys();
    for (const [index, { key, value, headers }] of this.#letters.entries()) {
      this.#parked.load({ ...recordOf(index, key as string), value: value as Buffer | null, headers });
    }
  }

  setAside(): number[] {
    return this.#events.flatMap((_, offset) =>
      this.#parked.at({ topic: 'in', partition: 0, offset: BigInt(offset) }) === undefined ? [] : [offset],
    );
  }

  #of({ offset }: LogRecord): Event {
    return this.#events[Number(offset)] as Event;
  }
}

function recordOf(offset: number, key: string): LogRecord {
  return { offset: BigInt(offset), key: Buffer.from(key), value: Buffer.from('v'), headers: {}, timestampMs: 0 };
}

function outputOf({ key, offset }: LogRecord): OutputRecord {
  return { topic: 'out', key, value: Buffer.from(String(offset)), headers: {} };
}

describe('a record that was refused', () => {
  it('is replaced only by a newer one that says all of it, in slices cut anywhere and through restarts', async () => {
    const cuts = fc.array(fc.record({ size: fc.integer({ min: 1, max: 6 }), restarts: fc.boolean() }), {
      minLength: 1,
    });
    await holdsAsync(
      fc.record({ events: fc.array(event, { maxLength: 40 }), cuts }),
      async ({ events, cuts: sizes }) => {
        const world = new World(events);
        for (let from = 0, turn = 0; from < events.length; turn += 1) {
          const { size, restarts } = sizes[turn % sizes.length] as (typeof sizes)[number];
          await world.read(from, from + size);
          if (restarts) world.restart();
          from += size;
        }
        const [landed, setAside] = [new Set(world.landed), new Set(world.setAside())];
        expect(world.landed.length).toBe(landed.size);
        for (const [offset, one] of events.entries()) {
          if (landed.has(offset) || setAside.has(offset)) continue;
          const replacing = events.findIndex(
            (other, at) =>
              at > offset &&
              other.key === one.key &&
              landed.has(at) &&
              other.isWhole &&
              one.isKnown &&
              one.says.every((name) => other.says.includes(name)),
          );
          expect(replacing).toBeGreaterThan(offset);
        }
        for (const key of ['a', 'b']) {
          const ofKey = world.landed.filter((offset) => events[offset]?.key === key);
          expect(ofKey).toEqual([...ofKey].sort((left, right) => left - right));
          const oldest = Math.min(...[...setAside].filter((offset) => events[offset]?.key === key));
          expect(ofKey.filter((offset) => offset > oldest)).toEqual([]);
        }
        const isPlain = events.every(({ isWhole, isKnown }) => isWhole && isKnown);
        const last = events.at(-1);
        if (isPlain && last !== undefined && !last.isBad && last.says.length === 3)
          expect([...setAside].filter((offset) => events[offset]?.key === last.key)).toEqual([]);
      },
      400,
    );
  });
});

describe('a row of the source that was refused', () => {
  const row: Row = {
    ...{ mbr_id: '7', nm: 'Ann', eml: null, brth_dt: null, tier_cd: 'B', stat_cd: 'A', pts_bal: 0n, jn_dt: null },
    ...{ ref: null, tel: '111' },
  };
  const key = { mbr_id: '7' };
  const bad = { ...row, stat_cd: '?' };
  const table = 'crm.mbr';
  const heal = (...given: Parameters<CanonicalizeBench['heal']>[2]) =>
    new CanonicalizeBench(crm).heal(table, key, given);

  it('heals by the next whole one, and what it said of another entity is not said twice', async () => {
    const { written, setAside } = await heal(
      { op: 'c', after: bad },
      { op: 'u', before: bad, after: { ...row, nm: 'Anna' } },
      { op: 'u', before: { ...row, nm: 'Anna' }, after: { ...row, nm: 'Anne' } },
    );
    expect(setAside).toEqual([]);
    expect(written.map(({ entity, value }) => [entity, value?.fullName ?? value?.phone])).toEqual([
      ['member-contact', '111'],
      ['member', 'Anna'],
      ['member', 'Anne'],
    ]);
  });

  it('heals by its deletion', async () => {
    const { written, setAside } = await heal({ op: 'u', before: row, after: bad }, { op: 'd', before: bad });
    expect(setAside).toEqual([]);
    expect(written.map(({ entity, value }) => [entity, value])).toEqual([
      ['member', null],
      ['member-contact', null],
    ]);
  });

  it('waits where a newer one lacks a value, and heals by the whole one after it', async () => {
    const partial: Given = { op: 'u', before: bad, after: { ...row, eml: UNAVAILABLE } };
    expect((await heal({ op: 'c', after: bad }, partial)).setAside).toEqual(['0 refused', '1 waiting']);
    const { written, setAside } = await heal({ op: 'c', after: bad }, partial, { op: 'u', before: row, after: row });
    expect(setAside).toEqual([]);
    expect(written.at(-1)).toMatchObject({ entity: 'member', value: { fullName: 'Ann' } });
  });

  it('waits where a newer one says nothing of a shared entity that one behind it changed', async () => {
    const moved: Row = { ...row, tel: '222', eml: UNAVAILABLE };
    const { setAside } = await heal(
      { op: 'u', before: row, after: bad },
      { op: 'u', before: bad, after: moved },
      { op: 'u', before: { ...row, tel: '222' }, after: { ...row, tel: '222' } },
    );
    expect(setAside).toEqual(['0 refused', '1 waiting', '2 waiting']);
  });

  it('waits where the newer one may be an echo', async () => {
    const { setAside } = await heal(
      { op: 'u', before: row, after: bad },
      { op: 'u', before: bad, after: row, tagged: true },
    );
    expect(setAside).toEqual(['0 refused', '1 waiting']);
  });

  it('waits where its key may have changed: only the refused record knows the end of the old one', async () => {
    const coded = defineSource({
      system: 'erp',
      tables: {
        't.loc': canonical('location', {
          key: { locationId: from('cd', digits) },
          fields: {
            name: from('nm', trimmed),
            kind: constant('STORE'),
            timeZone: constant('UTC'),
            openedOn: constant(null),
          },
        }),
      },
    });
    const bench = new CanonicalizeBench(coded);
    const { setAside } = await bench.heal('t.loc', { id: 1 }, [
      { op: 'c', after: { cd: '1', nm: 'x' } },
      { op: 'u', before: { cd: '1', nm: 'x' }, after: { cd: '?', nm: 'x' } },
      { op: 'u', before: { cd: '?', nm: 'x' }, after: { cd: '2', nm: 'x' } },
    ]);
    expect(setAside).toEqual(['1 refused', '2 waiting']);
  });
});
