/** Adds up by name. */
export class Counter {
  readonly counts: Record<string, number> = {};

  add(name: string, count: number): void {
    this.counts[name] = (this.counts[name] ?? 0) + count;
  }

  addAll(counts: Readonly<Record<string, number>>): void {
    for (const name in counts) this.add(name, counts[name] as number);
  }
}
