/** Seed → round: the same seed makes the same tables and the same steps. */
import { Random } from '../../demo/random.ts';
import { pickSteps } from './operations/index.ts';
import { makeTable } from './tables.ts';
import type { TableModel } from './model.ts';
import { FIRST_ROWS, type Kind, type RoundPlan, type Step } from './plan.ts';
import { pickShapes, type Shape } from './shapes.ts';

/** How much one round tries: `small` is done within a few minutes also on a slow machine. */
const SIZES = {
  whole: { tablesMin: 8, tablesMore: 5, stepsMin: 28, stepsMore: 14 },
  small: { tablesMin: 4, tablesMore: 2, stepsMin: 8, stepsMore: 4 },
} as const;
export type Size = keyof typeof SIZES;
const FIRST_ROWS_MIN = 5;

export function generate(seed: number, size: Size = 'whole'): RoundPlan {
  const random = new Random(seed);
  const { tablesMin, tablesMore, stepsMin, stepsMore } = SIZES[size];
  const models = makeModels(random, tablesMin + random.below(tablesMore));
  const steps: Step[] = [
    ...models.map((model) => firstRows(random, model)),
    ...pickSteps(random, models, stepsMin + random.below(stepsMore)),
  ];
  return { seed, tables: models.map(({ table }) => table), steps };
}

function makeModels(random: Random, count: number): TableModel[] {
  const models: TableModel[] = [];
  const used: Record<Kind, Set<Shape>> = { postgres: new Set(), mariadb: new Set() };
  for (let index = 1; index <= count; index += 1) {
    const kind: Kind = index % 2 === 0 ? 'mariadb' : 'postgres';
    const shapes = new Set(pickShapes(random, kind, used[kind]));
    models.push(makeTable(random, index, kind, shapes, models));
    if (shapes.has('shared-entity')) models.push(makeTable(random, index, kind, shapes, models, models.at(-1)));
  }
  return models;
}

/** Part of what a table is, so that no reduction takes it away from its table. */
function firstRows(random: Random, model: TableModel): Step {
  const { id, kind, addedLater } = model.table;
  const sql: string[] = [];
  if (!addedLater) for (let row = 0; row < FIRST_ROWS_MIN + random.below(5); row += 1) sql.push(model.insert(random));
  return {
    id: `${id}-rows`,
    operation: FIRST_ROWS,
    tables: [id],
    actions: [{ do: 'sql', on: kind, sql }],
    repair: [],
    early: true,
    unseen: false,
  };
}
