/**
 * Which records of its partitions a task has set aside, and so which keys wait. Loaded from `dead-letter.<stage>` when the
 * task starts; changed only by what a committed transaction has written there.
 */
import type { LogRecord } from '../core/ports.ts';
import { type Parked, placeText, readLetter } from './dead-letter.ts';
import type { Place } from './redrive.ts';

export type ParkedChange =
  | { readonly kind: 'park'; readonly parked: Parked }
  | { readonly kind: 'release'; readonly place: Place };

/** What is known while a slice is worked on: the committed state, and the changes of the transaction so far. */
export interface ParkedView {
  at(place: Place): Parked | undefined;
  /** The record that others of this key wait behind. */
  oldest(topic: string, keyId: string | undefined): Parked | undefined;
  /** Oldest first. */
  ofKey(topic: string, keyId: string | undefined): readonly Parked[];
  count(topic: string): number;
}

export class ParkedKeys implements ParkedView {
  readonly #places = new Map<string, Parked>();
  /** Oldest first. */
  readonly #keys = new Map<string, Parked[]>();
  readonly #counts = new Map<string, number>();

  /** One record of the dead-letter topic, in its order. */
  load(record: LogRecord): void {
    const letter = readLetter(record);
    if (letter !== undefined && letter.state !== 'discarded') {
      const { place, keyId, state, code, attempts, setAsideAtMs, claims } = letter;
      this.#park({ place, keyId, state, code, attempts, setAsideAtMs, claims });
    } else if (letter !== undefined) {
      this.#release(letter.place);
    } else if (record.key !== null) {
      const known = this.#places.get(Buffer.from(record.key).toString('utf8'));
      if (known !== undefined) this.#release(known.place);
    }
  }

  apply(changes: readonly ParkedChange[]): void {
    for (const change of changes) {
      if (change.kind === 'park') this.#park(change.parked);
      else this.#release(change.place);
    }
  }

  at(place: Place): Parked | undefined {
    return this.#places.get(placeText(place));
  }

  oldest(topic: string, keyId: string | undefined): Parked | undefined {
    return keyId === undefined ? undefined : this.#keys.get(keyName(topic, keyId))?.[0];
  }

  ofKey(topic: string, keyId: string | undefined): readonly Parked[] {
    return keyId === undefined ? [] : (this.#keys.get(keyName(topic, keyId)) ?? []);
  }

  count(topic: string): number {
    return this.#counts.get(topic) ?? 0;
  }

  totals(): { deadLetters: number; waiting: number } {
    let waiting = 0;
    for (const { state } of this.#places.values()) if (state === 'waiting') waiting += 1;
    return { waiting, deadLetters: this.#places.size - waiting };
  }

  #park(parked: Parked): void {
    const { place, keyId } = parked;
    this.#release(place);
    this.#places.set(placeText(place), parked);
    this.#counts.set(place.topic, this.count(place.topic) + 1);
    if (keyId === undefined) return;
    const name = keyName(place.topic, keyId);
    const list = this.#keys.get(name) ?? [];
    const isNewest = (list.at(-1)?.place.offset ?? -1n) < place.offset;
    list.push(parked);
    this.#keys.set(name, isNewest ? list : list.sort(byOffset));
  }

  #release(place: Place): void {
    const known = this.at(place);
    if (known === undefined) return;
    this.#places.delete(placeText(place));
    this.#counts.set(place.topic, this.count(place.topic) - 1);
    if (known.keyId === undefined) return;
    const name = keyName(place.topic, known.keyId);
    const rest = (this.#keys.get(name) ?? []).filter((one) => one !== known);
    if (rest.length === 0) this.#keys.delete(name);
    else this.#keys.set(name, rest);
  }
}

/** The changes of one slice over what was known before it, which stays as it is until they are committed. */
export class ParkedOverlay implements ParkedView {
  readonly changes: ParkedChange[] = [];
  readonly #base: ParkedView;
  readonly #added = new ParkedKeys();
  readonly #released = new Set<string>();
  readonly #growth = new Map<string, number>();

  constructor(base: ParkedView, changes: readonly ParkedChange[] = []) {
    this.#base = base;
    for (const change of changes) {
      if (change.kind === 'park') this.park(change.parked);
      else this.release(change.place);
    }
  }

  park(parked: Parked): void {
    if (this.at(parked.place) === undefined) this.#grow(parked.place.topic, 1);
    this.#released.add(placeText(parked.place));
    this.#note({ kind: 'park', parked });
  }

  release(place: Place): void {
    if (this.at(place) !== undefined) this.#grow(place.topic, -1);
    this.#released.add(placeText(place));
    this.#note({ kind: 'release', place });
  }

  at(place: Place): Parked | undefined {
    return this.#added.at(place) ?? (this.#released.has(placeText(place)) ? undefined : this.#base.at(place));
  }

  oldest(topic: string, keyId: string | undefined): Parked | undefined {
    const before = this.#base.ofKey(topic, keyId).find(({ place }) => !this.#released.has(placeText(place)));
    const added = this.#added.oldest(topic, keyId);
    if (before === undefined || added === undefined) return before ?? added;
    return before.place.offset < added.place.offset ? before : added;
  }

  ofKey(topic: string, keyId: string | undefined): readonly Parked[] {
    const before = this.#base.ofKey(topic, keyId).filter(({ place }) => !this.#released.has(placeText(place)));
    return [...before, ...this.#added.ofKey(topic, keyId)].sort(byOffset);
  }

  count(topic: string): number {
    return this.#base.count(topic) + (this.#growth.get(topic) ?? 0);
  }

  #grow(topic: string, by: number): void {
    this.#growth.set(topic, (this.#growth.get(topic) ?? 0) + by);
  }

  #note(change: ParkedChange): void {
    this.changes.push(change);
    this.#added.apply([change]);
  }
}

function byOffset(left: Parked, right: Parked): number {
  return left.place.offset < right.place.offset ? -1 : 1;
}

function keyName(topic: string, keyId: string): string {
  return `${topic}\n${keyId}`;
}
