/**
 * What was tried, added up over runs: each column type × reading and changing rows, each key and shape × group of operations, each kind
 * of database × operation. Which cells there are is seen from plans of many seeds, so nothing has to be listed.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { generate, type Size } from './generate.ts';
import { GROUPS } from './operations/index.ts';
import { FIRST_ROWS, type RoundPlan } from './plan.ts';

/** An operation on tables that Seam reads at that time. */
export type Met = { readonly operation: string; readonly tables: readonly string[] };

const SAMPLES = 300;
/** A cell that so few plans of the samples have is chance, and asked of nobody. */
const SAMPLES_MIN = 30;
const ROWS = [FIRST_ROWS, 'insert', 'update', 'delete'];
const GROUP_OF = new Map(
  Object.entries(GROUPS).flatMap(([group, operations]) => operations.map(({ id }): [string, string] => [id, group])),
);

export class Coverage {
  readonly #counts: Map<string, number>;
  readonly #file: string | undefined;

  /** `file`: what earlier runs met, if any did. */
  constructor(file?: string) {
    this.#file = file;
    this.#counts = new Map(file === undefined ? [] : read(file));
  }

  add(plan: RoundPlan, met: readonly Met[]): void {
    for (const cell of cellsOf(plan, met)) this.#counts.set(cell, this.count(cell) + 1);
    if (this.#file !== undefined)
      writeFileSync(this.#file, `${JSON.stringify(Object.fromEntries([...this.#counts].sort()), null, 1)}\n`);
  }

  count(cell: string): number {
    return this.#counts.get(cell) ?? 0;
  }

  /** Of `candidates` the seed whose plan has most cells that nothing met yet. */
  seedOf(candidates: readonly number[], size: Size): number {
    const asked = possibleCells(size);
    const news = (seed: number) => {
      const cells = new Set(plannedCells(generate(seed, size)));
      return [...cells].filter((cell) => asked.has(cell) && this.count(cell) === 0).length;
    };
    const scored = candidates.map((seed) => ({ seed, score: news(seed) }));
    return scored.reduce((best, one) => (one.score > best.score ? one : best)).seed;
  }

  /** Cells that nothing met. */
  zero(size: Size): string[] {
    return [...possibleCells(size)].filter((cell) => this.count(cell) === 0).sort();
  }

  text(size: Size): string {
    const zero = this.zero(size);
    const rows = Map.groupBy([...this.#counts].sort(), ([cell]) => cell.split(' × ')[0] ?? '');
    const lines = [...rows].map(
      ([feature, cells]) =>
        `${feature}\n    ${cells.map(([cell, count]) => `${cell.split(' × ')[1]} ${count}`).join(', ')}`,
    );
    return `${lines.join('\n')}\n\nzero cells: ${zero.length} of ${possibleCells(size).size}\n${zero.map((cell) => `    ${cell}\n`).join('')}`;
  }
}

function read(file: string): [string, number][] {
  try {
    return Object.entries(JSON.parse(readFileSync(file, 'utf8')) as Record<string, number>);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

/** `feature × what it met`; a cell is there as often as it was met. */
export function cellsOf(plan: RoundPlan, met: readonly Met[]): string[] {
  return met.flatMap(({ operation, tables }) =>
    tables.flatMap((id) => {
      const { features = [] } = plan.tables.find((table) => table.id === id) ?? {};
      return features.flatMap((feature) => {
        const column = columnOf(feature, operation);
        return column === undefined ? [] : [`${feature} × ${column}`];
      });
    }),
  );
}

function columnOf(feature: string, operation: string): string | undefined {
  if (feature.includes('type:')) return ROWS.includes(operation) ? operation : undefined;
  if (!feature.includes(':')) return operation;
  return operation === FIRST_ROWS ? operation : GROUP_OF.get(operation);
}

const plannedCells = (plan: RoundPlan) => cellsOf(plan, plan.steps);

const possible = new Map<Size, ReadonlySet<string>>();

function possibleCells(size: Size): ReadonlySet<string> {
  const known = possible.get(size);
  if (known !== undefined) return known;
  const plans = new Map<string, number>();
  for (let seed = 1; seed <= SAMPLES; seed += 1)
    for (const cell of new Set(plannedCells(generate(seed * 7_919, size)))) plans.set(cell, (plans.get(cell) ?? 0) + 1);
  const found = new Set([...plans].filter(([, count]) => count >= SAMPLES_MIN).map(([cell]) => cell));
  possible.set(size, found);
  return found;
}
