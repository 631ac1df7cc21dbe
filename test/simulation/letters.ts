/**
 * What the stages have set aside, as their own dead-letter topics tell it; and, with `laterRecords: wait`, invariant 6 for
 * them: nothing comes of a record while an earlier one of its key is refused.
 */
import type { LogRecord } from '../../core/ports.ts';
import { keyIdOf, type Letter, readLetter } from '../../processors/dead-letter.ts';
import { type Place, readPlace } from '../../processors/redrive.ts';
import { deadLetterTopic } from '../../processors/stage.ts';

export const STAGES = ['canonicalize', 'flow'] as const;
export type StageName = (typeof STAGES)[number];

/** Where the record came from that an output was made of. */
export type Origin = {
  readonly place: Place;
  readonly keyId: string | undefined;
  /** An operator asked for it. */
  readonly isRedriven: boolean;
};

/** `topic` is that of an input, or of a redrive lane. */
export function originOf(topic: string, partition: number, { key, offset, headers }: LogRecord): Origin {
  const asked = topic.startsWith('redrive.') ? readPlace(headers) : undefined;
  return { place: asked ?? { topic, partition, offset }, keyId: keyIdOf(key), isRedriven: asked !== undefined };
}

export class Letters {
  readonly #byStage = new Map<string, Map<string, Letter>>();

  /** A record of any topic that was committed. */
  note(topic: string, record: LogRecord): void {
    if (!topic.startsWith('dead-letter.')) return;
    const letters = this.#byStage.get(topic) ?? new Map<string, Letter>();
    this.#byStage.set(topic, letters);
    const name = Buffer.from(record.key ?? []).toString('utf8');
    const letter = readLetter(record);
    if (letter === undefined || letter.state === 'discarded') letters.delete(name);
    else letters.set(name, letter);
  }

  /** Of each key what is set aside of it, oldest first. A record without a key is one of its own. */
  byKey(stage: StageName): readonly (readonly [Letter, ...Letter[]])[] {
    const letters = [...(this.#byStage.get(deadLetterTopic(stage))?.values() ?? [])];
    const groups = Map.groupBy(letters, ({ place, keyId }) => {
      return `${place.topic}/${place.partition}/${keyId ?? place.offset}`;
    });
    return [...groups.values()].map((ofKey) => ofKey.sort(byOffset) as [Letter, ...Letter[]]);
  }

  /** The refused record that this one should wait behind. */
  barrierOf({ place, keyId }: Origin): Letter | undefined {
    if (keyId === undefined) return undefined;
    for (const letters of this.#byStage.values()) {
      for (const letter of letters.values()) {
        const { topic, partition, offset } = letter.place;
        const isOfKey = letter.keyId === keyId && topic === place.topic && partition === place.partition;
        if (isOfKey && letter.state === 'refused' && offset < place.offset) return letter;
      }
    }
    return undefined;
  }
}

function byOffset({ place: left }: Letter, { place: right }: Letter): number {
  return left.offset < right.offset ? -1 : 1;
}
