/** Transactions in two phases, as application servers make them: prepared, then committed late, rolled back or forgotten. */
import type { Random } from '../../../demo/random.ts';
import type { TableModel } from '../model.ts';
import { TOKEN } from '../plan.ts';
import { type Operation, sqlOn } from './operation.ts';

const some = (model: TableModel) => model.rows.length > 1;

type Phases = { readonly prepare: (...sql: string[]) => string[]; readonly commit: string; readonly rollback: string };

function phasesOf(random: Random, { table: { kind, id } }: TableModel): Phases {
  const name = `'${TOKEN[kind]}-${id}-${random.below(1_000_000)}'`;
  if (kind === 'postgres') {
    return {
      prepare: (...sql) => ['BEGIN', ...sql, `PREPARE TRANSACTION ${name}`],
      commit: `COMMIT PREPARED ${name}`,
      rollback: `ROLLBACK PREPARED ${name}`,
    };
  }
  return {
    prepare: (...sql) => [`XA START ${name}`, ...sql, `XA END ${name}`, `XA PREPARE ${name}`],
    commit: `XA COMMIT ${name}`,
    rollback: `XA ROLLBACK ${name}`,
  };
}

export const transactions: readonly Operation[] = [
  {
    id: 'two phases, committed',
    weight: 2,
    fits: some,
    make: (random, model) => {
      const { prepare, commit } = phasesOf(random, model);
      return {
        actions: [
          sqlOn(model, ...prepare(model.insert(random), model.insert(random))),
          sqlOn(model, model.insert(random)),
          sqlOn(model, commit),
        ],
      };
    },
  },
  {
    id: 'two phases, rolled back',
    weight: 2,
    fits: some,
    make: (random, model) => {
      const { prepare, rollback } = phasesOf(random, model);
      return {
        actions: [
          sqlOn(model, ...prepare(model.passing(random))),
          sqlOn(model, model.insert(random)),
          sqlOn(model, rollback),
        ],
      };
    },
  },
  {
    id: 'two phases, left open',
    late: true,
    weight: 1,
    wide: true,
    fits: some,
    make: (random, model) => {
      const { prepare, rollback } = phasesOf(random, model);
      return {
        actions: [sqlOn(model, ...prepare(model.passing(random))), sqlOn(model, model.insert(random))],
        repair: [sqlOn(model, rollback)],
      };
    },
  },
];
