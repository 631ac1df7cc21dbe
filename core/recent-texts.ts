const SLOTS = 256;

/**
 * Texts of numbers that come again and again (prices, days, the time of a sale): made again only where the number that last had
 * the same slot is another one. `textOf` answers the same for the same number.
 */
export class RecentTexts {
  readonly #textOf: (number: number) => string;
  readonly #numbers = new Float64Array(SLOTS).fill(Number.NaN);
  readonly #texts: string[] = new Array<string>(SLOTS).fill('');

  constructor(textOf: (number: number) => string) {
    this.#textOf = textOf;
  }

  /** `slot`: numbers that come together differ in its lowest eight bits. */
  of(number: number, slot = number): string {
    const at = slot & (SLOTS - 1);
    if (this.#numbers[at] !== number) {
      this.#texts[at] = this.#textOf(number);
      this.#numbers[at] = number;
    }
    return this.#texts[at] as string;
  }
}
