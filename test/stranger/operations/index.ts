/** Every operation, and how a round's steps are drawn from them. */
import type { Random } from '../../../demo/random.ts';
import type { TableModel } from '../model.ts';
import type { Step } from '../plan.ts';
import { weighted } from '../shapes.ts';
import { administration } from './administration.ts';
import { type Operation, stepOf } from './operation.ts';
import { online } from './online.ts';
import { operator } from './operator.ts';
import { restores } from './restores.ts';
import { structure } from './structure.ts';
import { trade } from './trade.ts';
import { transactions } from './transactions.ts';

/** What people do, by who does it. The coverage asks of every kind of table that it meets each of these. */
export const GROUPS = { trade, transactions, structure, online, restores, administration, operator } as const;
export const OPERATIONS: readonly Operation[] = Object.values(GROUPS).flat();
const WIDE_MAX = 4;

type Drawn = { readonly model: TableModel; readonly operation: Operation };

/** `count` steps drawn freely, among them what the tables' shapes bring along; what may stop everything comes last. */
export function pickSteps(random: Random, models: readonly TableModel[], count: number): Step[] {
  const due = models.flatMap((model) => broughtBy(random, model));
  const drawn: (Drawn | undefined)[] = Array.from({ length: count }, () => undefined);
  for (const one of due) drawn.splice(random.below(drawn.length), 0, one);
  const steps: Step[] = models.flatMap((model) =>
    model.shapes.has('no-grant') ? forgotten(random, model, models) : [],
  );
  const late: Drawn[] = [];
  let wide = steps.length;
  const add = ({ model, operation }: Drawn) => {
    // what came before may have taken the rows that it needs
    if (operation.fits(model))
      steps.push(stepOf(operation, steps.length + 1, model.table.id, operation.make(random, model, models)));
  };
  for (const one of drawn) {
    const next = one ?? draw(random, models, wide);
    if (next.operation.wide === true) wide += 1;
    if (next.operation.late === true) late.push(next);
    else add(next);
  }
  for (const one of late) add(one);
  return steps;
}

function draw(random: Random, models: readonly TableModel[], wide: number): Drawn {
  const model = random.pick(models);
  const open = OPERATIONS.filter((operation) => operation.fits(model) && (operation.wide !== true || wide < WIDE_MAX));
  return { model, operation: weighted(random, open) };
}

function broughtBy(random: Random, model: TableModel): Drawn[] {
  return [...model.shapes].flatMap((shape) => {
    const own = OPERATIONS.filter(({ belongsTo }) => belongsTo?.includes(shape));
    return own.length === 0 ? [] : [{ model, operation: random.pick(own) }];
  });
}

/** A right that the owner forgot before the first start. */
function forgotten(random: Random, model: TableModel, models: readonly TableModel[]): Step[] {
  const operation = OPERATIONS.find(({ id }) => id === 'grant forgotten');
  return operation === undefined ? [] : [stepOf(operation, 0, model.table.id, operation.make(random, model, models))];
}
