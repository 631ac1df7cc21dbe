/** Ordinary trade: the database's own application at work. */
import { type Operation, sqlOn } from './operation.ts';

const some = (model: { rows: readonly unknown[] }) => model.rows.length > 1;

export const trade: readonly Operation[] = [
  {
    id: 'insert',
    weight: 8,
    fits: () => true,
    make: (random, model) => ({ actions: [sqlOn(model, model.insert(random), model.insert(random))] }),
  },
  {
    id: 'update',
    weight: 8,
    fits: some,
    make: (random, model) => ({ actions: [sqlOn(model, model.update(random), model.update(random))] }),
  },
  {
    id: 'delete',
    weight: 5,
    fits: some,
    make: (random, model) => ({ actions: [sqlOn(model, model.delete(random))] }),
  },
  {
    id: 'change key',
    weight: 4,
    fits: some,
    make: (random, model) => ({ actions: [sqlOn(model, model.changeKey(random))] }),
  },
  {
    id: 'one transaction',
    weight: 3,
    fits: some,
    make: (random, model) => ({
      actions: [
        sqlOn(
          model,
          'BEGIN',
          model.insert(random),
          model.update(random),
          model.delete(random),
          model.update(random),
          'COMMIT',
        ),
      ],
    }),
  },
  {
    id: 'rolled back',
    weight: 1,
    fits: some,
    make: (_random, model) => ({ actions: [sqlOn(model, 'BEGIN', `DELETE FROM ${model.at}`, 'ROLLBACK')] }),
  },
];
