/**
 * What is wrong with the sources, from look to look. A condition begins with the first look that finds it and ends with the first that
 * asked for it and found nothing; a look that could not ask leaves it as it is.
 */
import { conditionKey, type Sighting } from '../../core/condition.ts';

export class KnownSightings {
  readonly #sightings = new Map<string, Sighting>();

  all(): Sighting[] {
    return [...this.#sightings.values()];
  }

  /** `isAsked`: could this look have found that one? Answers what halted its object before, and no longer does. */
  note(found: readonly Sighting[], isAsked: (known: Sighting) => boolean): Sighting[] {
    const before = this.all();
    for (const known of before) if (isAsked(known)) this.#sightings.delete(conditionKey(known));
    for (const one of found) this.#sightings.set(conditionKey(one), one);
    return before.filter((known) => isHalt(known) && !isHalt(this.#sightings.get(conditionKey(known))));
  }
}

function isHalt(sighting: Sighting | undefined): boolean {
  return sighting?.severity === 'halt';
}
