/** A target's tables as they are compiled now: one that was altered is looked at and compiled again while the sink runs. */
import { isDeepStrictEqual } from 'node:util';
import type { Target } from '../../core/target.ts';
import type { Session, TableShape } from '../dialects/dialect.ts';
import { emptyShape, type Shapes, tableFaults } from './checks.ts';
import { type CompiledTable, compileTarget, type Entities } from './compile.ts';

export class TargetTables {
  /** By entity. Entries are replaced. */
  readonly compiled: Map<string, CompiledTable>;
  readonly #target: Target;
  readonly #entities: Entities;
  readonly #bidirectional: readonly string[];
  readonly #shapes: Map<string, TableShape>;

  constructor(target: Target, entities: Entities, shapes: Shapes['tables'], bidirectional: readonly string[]) {
    this.#target = target;
    this.#entities = entities;
    this.#bidirectional = bidirectional;
    this.#shapes = new Map(shapes);
    this.compiled = new Map();
    this.#compile();
  }

  get names(): ReadonlySet<string> {
    return new Set(this.#target.tables.map(({ table }) => table));
  }

  /** Topics whose records are written to this table, or change its totals. */
  topicsOf(table: string): string[] {
    return this.#target.tables
      .filter((one) => one.table === table || one.effects.some((effect) => effect.table === table))
      .flatMap(({ entity }) => this.#entities[entity]?.topic ?? []);
  }

  /** What keeps the table from being written; where nothing does, it is compiled as it is now. */
  async look(session: Session, table: string): Promise<readonly string[]> {
    const concerned = this.#target.tables.filter(
      (one) => one.table === table || one.effects.some((effect) => effect.table === table),
    );
    const names = new Set(concerned.flatMap((one) => [one.table, ...one.effects.map((effect) => effect.table)]));
    const found = await session.describe([...names]);
    const faults = concerned.flatMap((one) => tableFaults(one, found, this.#entities));
    if (faults.length > 0) return faults;
    const isSame = [...found].every(([name, shape]) => isDeepStrictEqual(shape, this.#shapes.get(name)));
    if (isSame) return [];
    for (const [name, shape] of found) this.#shapes.set(name, shape);
    this.#compile();
    return [];
  }

  #compile(): void {
    for (const name of this.#target.tables.flatMap((one) => [
      one.table,
      ...one.effects.map((effect) => effect.table),
    ])) {
      if (!this.#shapes.has(name)) this.#shapes.set(name, emptyShape(name));
    }
    const tables = compileTarget(this.#target, this.#entities, this.#shapes, this.#bidirectional);
    for (const table of tables) this.compiled.set(table.entity.entity, table);
  }
}
