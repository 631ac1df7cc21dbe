/** Every operation, and how a round's steps are drawn from them. */
import type { Random } from '../../../demo/random.ts';
import type { TableModel } from '../model.ts';
import type { Step } from '../plan.ts';
import { weighted } from '../shapes.ts';
import { administration } from './administration.ts';
import { type Operation, stepOf } from './operation.ts';
import { operator } from './operator.ts';
import { structure } from './structure.ts';
import { trade } from './trade.ts';

export const OPERATIONS: readonly Operation[] = [...trade, ...structure, ...administration, ...operator];
const WIDE_MAX = 3;

export function pickSteps(random: Random, models: readonly TableModel[], count: number): Step[] {
  const steps = models.flatMap((model) => (model.shapes.has('no-grant') ? forgotten(random, model, models) : []));
  let wide = steps.length;
  while (steps.length < count) {
    const model = random.pick(models);
    const open = OPERATIONS.filter(
      (operation) => operation.fits(model) && (operation.wide !== true || wide < WIDE_MAX),
    );
    const operation = weighted(random, open);
    if (operation.wide === true) wide += 1;
    steps.push(stepOf(operation, steps.length + 1, model.table.id, operation.make(random, model, models)));
  }
  return steps;
}

/** A right that the owner forgot before the first start. */
function forgotten(random: Random, model: TableModel, models: readonly TableModel[]): Step[] {
  const operation = OPERATIONS.find(({ id }) => id === 'grant forgotten');
  return operation === undefined ? [] : [stepOf(operation, 0, model.table.id, operation.make(random, model, models))];
}
