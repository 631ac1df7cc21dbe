/** Remembers since when each condition holds, and logs each change once: when it begins, and when it ends. */
import { type Condition, conditionKey, placeOf, type Sighting } from '../../core/condition.ts';
import type { Clock, Logger } from '../../core/ports.ts';

export class ConditionBook {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #logger: Logger;
  #conditions = new Map<string, Condition>();

  constructor(clock: Pick<Clock, 'nowMs'>, logger: Logger) {
    this.#clock = clock;
    this.#logger = logger;
  }

  /** `sightings`: everything that is wrong now. Answers the same with the time since when it is. */
  note(sightings: readonly Sighting[]): readonly Condition[] {
    const before = this.#conditions;
    const now = new Map<string, Condition>();
    for (const sighting of sightings) {
      const key = conditionKey(sighting);
      const known = before.get(key);
      const condition = { ...sighting, sinceMs: known?.sinceMs ?? this.#clock.nowMs() };
      if (known === undefined) this.#logBegin(condition);
      now.set(key, condition);
    }
    for (const [key, condition] of before) if (!now.has(key)) this.#logEnd(condition);
    this.#conditions = now;
    return this.conditions;
  }

  get conditions(): readonly Condition[] {
    return [...this.#conditions.values()];
  }

  #logBegin({ id, severity, object, text, where, next }: Condition): void {
    const fields = { code: id, where: where ?? placeOf(object), reason: text, ...(next === undefined ? {} : { next }) };
    if (severity === 'halt') this.#logger.error(fields, 'halted');
    else this.#logger.warn(fields, 'needs attention');
  }

  #logEnd({ id, object, sinceMs }: Condition): void {
    const lastedMs = Math.max(0, this.#clock.nowMs() - sinceMs);
    this.#logger.info({ code: id, where: placeOf(object), lastedMs }, 'condition ended');
  }
}
