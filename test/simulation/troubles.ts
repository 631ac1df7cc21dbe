/** What goes wrong, and how often: each seed has its own few kinds of trouble, or many. */
import type { Random } from '../../demo/random.ts';
import type { SqlValue } from '../../core/target.ts';
import { timeText } from '../../sinks/engine/execute.ts';
import type { Letter } from '../../processors/dead-letter.ts';
import { type RedriveAction, redriveRecord } from '../../processors/redrive.ts';
import { STAGES, type StageName } from './letters.ts';
import { type SOURCES, SYSTEMS, type SystemName } from './systems.ts';
import type { World } from './world.ts';

type Rates = { database: number; log: number; ledger: number; crash: number };
type Trouble = (world: World) => void;

const CAPTURED = ['crm.mbr', 'pos.cust', 'pos.ln', 'erp.prod', 'erp.arch'] as const;

/** Each is drawn for a seed with one chance in two. */
const KINDS: readonly Trouble[] = [
  (world) => world.kill(aliveIn(world)),
  (world) => world.halt(aliveIn(world), 50 + world.random.below(600)),
  (world) => world.stop(world.random.pick(world.slots)),
  readTableAgain,
  replay,
  retryDeadLetters,
  redriveLetters,
];

export type Troubles = {
  readonly areNone: boolean;
  readonly rates: Rates;
  stepsLeft: number;
  readonly step: (world: World) => void;
  readonly end: (world: World) => void;
  /** An operator has everything tried again that is set aside. */
  readonly retryAll: (world: World) => void;
  /** Attempts of waiting records when the calm began: each is tried once more before there is rest. */
  readonly attempts: Map<string, number>;
};

export function troublesOf(random: Random): Troubles {
  // now and then a world where nothing goes wrong: what fails there is nobody else's fault
  const areNone = random.next() < 0.1;
  const kinds = KINDS.filter(() => random.next() < 0.5);
  const rate = areNone || kinds.length === 0 ? 0 : random.pick([0, 0.005, 0.02]);
  const some = (...rates: number[]) => (areNone ? 0 : random.pick([0, 0, ...rates]));
  return {
    areNone,
    rates: { database: some(0.005, 0.03), log: some(0.01, 0.05), ledger: some(0.1), crash: some(0.005, 0.03) },
    stepsLeft: random.below(150),
    attempts: new Map(),
    step(world) {
      this.stepsLeft -= 1;
      if (world.scheduler.chance(rate)) random.pick(kinds)(world);
    },
    end(world) {
      Object.assign(this.rates, { database: 0, log: 0, ledger: 0, crash: 0 });
      for (const { process } of world.slots) if (process.state === 'halted') world.scheduler.wake(process);
      rollOutCodec(world);
    },
    retryAll(world) {
      for (const system of SYSTEMS) {
        retryIn(world, system);
        for (const { id, attempts } of world.database(system).rows('seam.parked')) {
          this.attempts.set(`${system} ${id}`, Number(attempts));
        }
      }
    },
  };
}

/** What no sink could read is read by a new release, and that is a new process: none changes its mind half-way through a batch. */
function rollOutCodec(world: World): void {
  world.isReadable = true;
  if (world.habits.badRate === 0) return;
  for (const { name, process } of world.slots) {
    if (name.startsWith('sink-') && process.state !== 'dead') world.kill(process);
  }
}

function aliveIn(world: World) {
  const alive = world.slots.filter(({ process }) => process.state === 'alive');
  return world.random.pick(alive.length === 0 ? world.slots : alive).process;
}

function readTableAgain(world: World): void {
  const table = world.random.pick(CAPTURED);
  world.captures.get(table.split('.')[0] as (typeof SOURCES)[number])?.readAgain(table);
}

/** An operator sends a partition of a target back to an earlier offset, with a new epoch or without. */
function replay(world: World): void {
  const system = world.random.pick(SYSTEMS);
  const database = world.database(system);
  const rows = database.rows('seam.sink_offset');
  if (rows.length === 0) return;
  const { topic, partition, next_offset, epoch } = world.random.pick(rows);
  const offset = BigInt(world.random.below(Number(next_offset) + 1));
  const raised = (epoch as bigint) + BigInt(world.random.below(2));
  world.operate(system, async (session) => {
    await session.update(database.table('seam.sink_offset').shape, {
      match: [valuesOf('topic', topic), valuesOf('partition', partition), valuesOf('epoch', epoch)],
      set: [valuesOf('next_offset', offset), valuesOf('epoch', raised)],
      onlyIfDifferent: false,
    });
  });
}

function retryDeadLetters(world: World): void {
  retryIn(world, world.random.pick(SYSTEMS));
}

/** An operator has all that is set aside tried again. */
function retryIn(world: World, system: SystemName): void {
  const database = world.database(system);
  const ids = database.rows('seam.parked').map(({ id }) => id ?? null);
  if (ids.length === 0) return;
  const now = timeText(world.scheduler.nowMs);
  world.operate(system, async (session) => {
    await session.update(database.table('seam.parked').shape, {
      match: [{ column: 'id', values: ids }],
      set: [{ column: 'next_try_at', values: ids.map(() => now) }],
      onlyIfDifferent: false,
    });
  });
}

/** An operator has what a stage set aside of a key tried again, or gives its refused records up. */
function redriveLetters(world: World): void {
  const stage = world.random.pick(STAGES);
  const keys = world.invariants.letters.byKey(stage);
  if (keys.length === 0) return;
  const letters = world.random.pick(keys);
  if (world.random.next() < 0.7) redrive(world, stage, 'retry', letters);
  else redrive(world, stage, 'discard', letters.filter(isRefused));
}

/** Every record of a key may be set aside, and takes two rounds. */
export const REDRIVES_MAX = 300;

/**
 * In the end the operator has everything tried once, and then gives up what is refused all the same, oldest first: what was
 * behind it goes on. False: nothing is set aside any more.
 */
export function redriveAll(world: World): boolean {
  let count = 0;
  for (const stage of STAGES) {
    for (const letters of world.invariants.letters.byKey(stage)) {
      const [oldest] = letters;
      count += letters.length;
      if (isRefused(oldest) && oldest.attempts > 0) redrive(world, stage, 'discard', [oldest]);
      redrive(world, stage, 'retry', letters);
    }
  }
  return count > 0;
}

function isRefused({ state }: Letter): boolean {
  return state === 'refused';
}

function redrive(
  world: World,
  stage: StageName,
  action: RedriveAction & ('retry' | 'discard'),
  letters: readonly Letter[],
) {
  const asked = { by: 'operator', reason: 'seen' };
  const records = letters.map(({ place, original }) => {
    // what is given up is hashed, and the simulation's values have no bytes
    const shown = action === 'discard' ? { ...original, value: NO_BYTES } : original;
    return redriveRecord(stage, action, place, shown, asked);
  });
  world.ask(records);
}

const NO_BYTES = Buffer.alloc(0);

function valuesOf(column: string, value: SqlValue | undefined) {
  return { column, values: [value ?? null] };
}
