/** What was tried: feature × operation × count. Types of columns are set against trade, everything else against all operations. */
import { OPERATIONS } from './operations/index.ts';
import { trade } from './operations/trade.ts';
import { FIRST_ROWS, type RoundPlan, type Step } from './plan.ts';

export class Coverage {
  readonly #counts = new Map<string, Map<string, number>>();

  add(plan: RoundPlan, done: readonly Step[]): void {
    for (const step of done) {
      for (const id of step.tables) {
        for (const feature of plan.tables.find((table) => table.id === id)?.features ?? []) {
          const row = this.#counts.get(feature) ?? new Map<string, number>();
          row.set(step.operation, (row.get(step.operation) ?? 0) + 1);
          this.#counts.set(feature, row);
        }
      }
    }
  }

  count(feature: string, operation: string): number {
    return this.#counts.get(feature)?.get(operation) ?? 0;
  }

  /** A line for each feature: the operations that it met, and those that it did not. */
  text(): string {
    const lines = [...this.#counts]
      .sort(([left], [right]) => left.localeCompare(right))
      .map(([feature, row]) => {
        const asked = operationsFor(feature);
        const met = asked
          .filter((operation) => row.has(operation))
          .map((operation) => `${operation} ${row.get(operation)}`);
        const open = asked.filter((operation) => !row.has(operation));
        return `${feature}\n    ${met.join(', ') || 'nothing'}${open.length === 0 ? '' : `\n    not yet: ${open.join(', ')}`}`;
      });
    return lines.join('\n');
  }
}

function operationsFor(feature: string): string[] {
  const chosen = feature.includes('type:') ? trade : OPERATIONS;
  return [FIRST_ROWS, ...chosen.map(({ id }) => id)];
}
