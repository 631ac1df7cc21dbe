/** A row that source and target held, and that the source holds still, must not go from the target. */
import type { Compared } from './checker.ts';

export class KeptRows {
  /** By entity: keys that both held, less those that the source has deleted since. */
  readonly #held = new Map<string, ReadonlySet<string>>();
  readonly #reported = new Set<string>();

  note(entity: string, { source, target, error }: Compared): void {
    if (error !== undefined) return;
    const held = this.#held.get(entity) ?? new Set<string>();
    this.#held.set(entity, new Set([...source.keys()].filter((key) => target.has(key) || held.has(key))));
  }

  /** Somebody else wrote into the target: what goes from there now was not Seam. */
  forget(entity: string): void {
    this.#reported.add(entity);
  }

  /** Each entity is reported once. */
  lost(entity: string, { source, target, error }: Compared): string[] {
    if (error !== undefined || this.#reported.has(entity)) return [];
    const lost = [...(this.#held.get(entity) ?? [])].filter((key) => source.has(key) && !target.has(key));
    if (lost.length > 0) this.#reported.add(entity);
    return lost;
  }
}
