/**
 * Part of one partition, reduced to what decides: of each key the newest record by position, and the older ones that carry what
 * it doesn't. So a key's records are written in one transaction, and a trial of several transactions counts each key once.
 */
import { comparePositions, type Position } from '../../../core/position.ts';
import { isTruncated, isTruncation, type Truncations } from '../../../core/truncation.ts';
import type { Candidate } from '../../../sinks/engine/record.ts';
import type { DecodedItem } from '../../../sinks/engine/decoder.ts';
import type { Item } from '../../../sinks/engine/transaction.ts';

/** Records of one key, oldest first. `first`: the offset from which reading must go on to meet all of them. */
export type Group = { readonly first: bigint; readonly items: readonly Item[] };

type Known = { readonly offset: bigint; readonly candidate: Candidate; readonly bytes: number };

const ENTRY_BYTES = 400;

export type WindowLimits = { readonly keysMax: number; readonly bytesMax: number };

export class Window {
  readonly #limits: WindowLimits;
  readonly #keys = new Map<string, readonly Known[]>();
  #unreadable: Group[] = [];
  #bytes = 0;

  constructor(limits: WindowLimits) {
    this.#limits = limits;
  }

  get isFull(): boolean {
    return this.#keys.size + this.#unreadable.length >= this.#limits.keysMax || this.#bytes >= this.#limits.bytesMax;
  }

  add({ offset, item }: DecodedItem): void {
    if (item.kind !== 'record') {
      this.#unreadable.push({ first: offset, items: [item] });
      this.#bytes += ENTRY_BYTES;
      return;
    }
    const { candidate } = item;
    const { key } = candidate.record;
    const before = this.#keys.get(key) ?? [];
    const bytes = ENTRY_BYTES + 4 * (candidate.raw.value?.length ?? 0);
    const after = neededOf([...before, { offset, candidate, bytes }]);
    this.#keys.set(key, after);
    this.#bytes += bytesOf(after) - bytesOf(before);
  }

  /** Everything, in the order of first offsets; the window is empty then. */
  take(): Group[] {
    const truncations = this.#truncations();
    const groups = [...this.#unreadable];
    for (const [key, known] of this.#keys) {
      const { meta } = (known.at(-1) as Known).candidate.record;
      if (isTruncation(key) || !isTruncated(truncations, meta)) groups.push(groupOf(known));
    }
    this.#keys.clear();
    this.#unreadable = [];
    this.#bytes = 0;
    return groups.sort((left, right) => (left.first < right.first ? -1 : 1));
  }

  #truncations(): Truncations {
    const found = new Map<string, Position>();
    for (const [key, known] of this.#keys) {
      if (isTruncation(key)) found.set(key, (known.at(-1) as Known).candidate.record.meta.position);
    }
    return found;
  }
}

/** The newest, and before it whatever carries fields that all newer ones lack, back to the last deletion. */
function neededOf(known: readonly Known[]): readonly Known[] {
  const ordered = [...known].sort(byPosition);
  const newest = ordered.at(-1) as Known;
  const needed = [newest];
  let missing = newest.candidate.record.meta.absent;
  for (let index = ordered.length - 2; index >= 0 && missing.length > 0; index -= 1) {
    const older = ordered[index] as Known;
    const { value, meta } = older.candidate.record;
    const stillMissing = value === null ? [] : missing.filter((name) => meta.absent.includes(name));
    if (stillMissing.length < missing.length) needed.unshift(older);
    missing = stillMissing;
  }
  return needed;
}

/** Equal positions: the later arrival is newer. */
function byPosition(left: Known, right: Known): number {
  const order = comparePositions(left.candidate.record.meta.position, right.candidate.record.meta.position);
  return order !== 0 ? order : left.offset < right.offset ? -1 : 1;
}

function groupOf(known: readonly Known[]): Group {
  const first = known.reduce((lowest, { offset }) => (offset < lowest ? offset : lowest), known[0]?.offset ?? 0n);
  return { first, items: known.map(({ candidate }) => ({ kind: 'record', candidate })) };
}

function bytesOf(known: readonly Known[]): number {
  return known.reduce((sum, { bytes }) => sum + bytes, 0);
}
