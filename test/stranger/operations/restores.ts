/** Sources that go back in time: one table from a copy, a whole database, a server whose log begins again. */
import type { Random } from '../../../demo/random.ts';
import type { TableModel } from '../model.ts';
import { placed } from '../plan.ts';
import { type Operation, sqlOn } from './operation.ts';

const some = (model: TableModel) => model.rows.length > 1;
const isFree = (model: TableModel) =>
  some(model) && model.parent === undefined && !model.table.addedLater && !model.shapes.has('versioned');
const copyOf = (model: TableModel) => placed(model.table.kind, `${model.table.name}_bak`);
const columnsOf = (model: TableModel) =>
  [...model.keyColumns(), ...model.written].map((column) => model.name(column)).join(', ');
const copied = (model: TableModel) => `CREATE TABLE ${copyOf(model)} AS SELECT ${columnsOf(model)} FROM ${model.at}`;
const broughtBack = (model: TableModel) => [
  `DELETE FROM ${model.at}`,
  `INSERT INTO ${model.at} (${columnsOf(model)}) SELECT ${columnsOf(model)} FROM ${copyOf(model)}`,
];
const busy = (random: Random, model: TableModel) => [
  model.insert(random),
  model.update(random),
  model.delete(random),
  model.insert(random),
];

/** Work that the restore takes back, so the model does not know of it. */
function undone(random: Random, model: TableModel): string[] {
  const goBack = model.mark();
  const work = busy(random, model);
  goBack();
  return work;
}

export const restores: readonly Operation[] = [
  {
    id: 'table restored from a copy',
    weight: 3,
    fits: isFree,
    make: (random, model, all) => {
      if (all.some(({ parent }) => parent === model)) return { actions: [] };
      const work = undone(random, model);
      return {
        actions: [
          sqlOn(model, copied(model), ...work),
          sqlOn(model, 'BEGIN', ...broughtBack(model), 'COMMIT', model.insert(random)),
        ],
      };
    },
  },
  {
    id: 'database restored',
    late: true,
    weight: 2,
    wide: true,
    fits: (model) => some(model) && model.table.kind === 'postgres',
    make: (random, model, all) => {
      const marks = all.filter(({ table }) => table.kind === 'postgres').map((one) => one.mark());
      const work = busy(random, model);
      for (const goBack of marks) goBack();
      return {
        actions: [
          { do: 'backup' },
          sqlOn(model, ...work),
          { do: 'settle' },
          { do: 'restore' },
          sqlOn(model, model.insert(random)),
        ],
        also: all.filter((one) => one !== model).map(({ table }) => table.id),
      };
    },
  },
  {
    id: 'server restored',
    late: true,
    weight: 2,
    wide: true,
    fits: (model) => isFree(model) && model.table.kind === 'mariadb',
    make: (random, model, all) => {
      if (all.some(({ parent }) => parent === model)) return { actions: [] };
      const work = undone(random, model);
      return {
        actions: [
          sqlOn(model, copied(model), ...work),
          { do: 'settle' },
          sqlOn(model, 'SET SESSION sql_log_bin = 0', ...broughtBack(model), 'RESET MASTER'),
          sqlOn(model, model.insert(random)),
        ],
        also: all.filter((one) => one.table.kind === 'mariadb' && one !== model).map(({ table }) => table.id),
      };
    },
  },
];
