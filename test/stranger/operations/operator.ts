/** What an operator of Seam does, at any moment, and what happens to the machines. */
import type { TableModel } from '../model.ts';
import { dotted, TOKEN } from '../plan.ts';
import { type Operation, seam, sqlOn } from './operation.ts';

const some = (model: TableModel) => model.rows.length > 1;
const isMapped = (model: TableModel) => !model.table.ignoredAtFirst && !model.table.addedLater;
const again = (model: TableModel) =>
  seam(
    'resnapshot',
    '--system',
    TOKEN[model.table.kind],
    '--table',
    dotted(model.table.kind, model.table.name),
    '--yes',
  );

export const operator: readonly Operation[] = [
  {
    id: 'resnapshot',
    belongsTo: ['shared-entity', 'odd-key'],
    weight: 3,
    fits: (model) => some(model) && isMapped(model),
    make: (random, model) => ({
      actions: [sqlOn(model, model.update(random)), again(model), sqlOn(model, model.insert(random))],
    }),
  },
  {
    id: 'resnapshot of a table that nobody captures',
    belongsTo: ['added-later'],
    weight: 6,
    fits: (model) => model.table.addedLater,
    make: (_random, model, all) => {
      const other = all.find(
        (one) => one.table.kind === model.table.kind && isMapped(one) && !one.shapes.has('odd-table'),
      );
      const [unread, read] = [again(model), other === undefined ? [] : [{ ...again(other), mustEnd: true }]];
      return {
        actions: [{ do: 'map', table: model.table.id }, unread, ...read],
        repair: [seam('connectors', 'apply', '--yes'), { do: 'restart', what: 'workers' }],
        also: other === undefined ? [] : [other.table.id],
      };
    },
  },
  {
    id: 'recover',
    weight: 2,
    wide: true,
    fits: (model) => some(model),
    make: (random, model) => ({
      actions: [
        sqlOn(model, model.update(random)),
        seam('connectors', 'recover', TOKEN[model.table.kind], '--yes'),
        sqlOn(model, model.insert(random)),
      ],
    }),
  },
  {
    id: 'restart connectors',
    weight: 1,
    wide: true,
    fits: some,
    make: (random, model) => ({
      actions: [
        sqlOn(model, model.insert(random)),
        { do: 'restart', what: 'connectors' },
        sqlOn(model, model.update(random)),
      ],
    }),
  },
  {
    id: 'restart workers',
    weight: 1,
    wide: true,
    fits: some,
    make: (random, model) => ({
      actions: [
        sqlOn(model, model.insert(random)),
        { do: 'restart', what: 'workers' },
        sqlOn(model, model.update(random)),
      ],
    }),
  },
  {
    id: 'restart a server',
    weight: 1,
    wide: true,
    fits: some,
    make: (random, model) => ({
      actions: [
        sqlOn(model, model.insert(random)),
        { do: 'restart', what: random.pick(['connect', 'kafka', 'postgres', 'mariadb'] as const) },
        sqlOn(model, model.update(random)),
      ],
    }),
  },
  {
    id: 'map a table that was ignored',
    belongsTo: ['ignored-at-first'],
    weight: 12,
    // a virtual column that is mapped is refused for good: that is met at the start
    fits: (model) => model.table.ignoredAtFirst && !model.table.features.includes('postgres shape:generated-virtual'),
    make: (random, model) => ({
      actions: [
        { do: 'map', table: model.table.id },
        { do: 'restart', what: 'workers' },
        seam('connectors', 'apply', '--yes'),
        { do: 'restart', what: 'workers' },
        again(model),
        sqlOn(model, model.insert(random)),
      ],
    }),
  },
  {
    id: 'add a table',
    belongsTo: ['added-later'],
    weight: 12,
    fits: (model) => model.table.addedLater,
    make: (random, model) => ({
      actions: [
        sqlOn(model, model.insert(random), model.insert(random)),
        { do: 'map', table: model.table.id },
        seam('setup', 'apply', '--yes'),
        seam('connectors', 'apply', '--yes'),
        { do: 'restart', what: 'workers' },
        sqlOn(model, model.insert(random), model.update(random)),
      ],
    }),
  },
];
