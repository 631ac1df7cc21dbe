/** DDL by people who don't know of Seam: columns, keys, replaced tables, partitions, rows and values of unusual kinds. */
import type { TableModel } from '../model.ts';
import { placed, quoted } from '../plan.ts';
import { typeNamed } from '../types.ts';
import { type Operation, seam, sqlOn } from './operation.ts';

const some = (model: TableModel) => model.rows.length > 1;
const isPlain = (model: TableModel) =>
  some(model) &&
  !model.shapes.has('partitioned') &&
  !model.shapes.has('child') &&
  !model.shapes.has('child-null') &&
  !model.shapes.has('versioned');
const inPostgres = (model: TableModel) => model.table.kind === 'postgres';
const beside = (model: TableModel, suffix: string) => placed(model.table.kind, `${model.table.name}_${suffix}`);
const bare = (model: TableModel, suffix: string) => quoted(model.table.kind, `${model.table.name}_${suffix}`);

/** A copy takes the table's place, as online migrations do it. */
const swapped = (model: TableModel): string[] => {
  const copy = beside(model, 'new');
  if (!inPostgres(model)) {
    return [
      `CREATE TABLE ${copy} LIKE ${model.at}`,
      `INSERT INTO ${copy} SELECT * FROM ${model.at}`,
      `RENAME TABLE ${model.at} TO ${beside(model, 'old')}, ${copy} TO ${model.at}`,
    ];
  }
  const name = quoted('postgres', model.table.name);
  return [
    'BEGIN',
    `CREATE TABLE ${copy} (LIKE ${model.at} INCLUDING ALL)`,
    copyOf(model, copy),
    `ALTER TABLE ${model.at} RENAME TO ${bare(model, 'old')}`,
    `ALTER TABLE ${copy} RENAME TO ${name}`,
    'COMMIT',
  ];
};

function copyOf(model: TableModel, into: string): string {
  const names = [...model.keyColumns(), ...model.written].map((column) => model.name(column)).join(', ');
  return `INSERT INTO ${into} (${names}) SELECT ${names} FROM ${model.at}`;
}

export const structure: readonly Operation[] = [
  {
    id: 'truncate',
    belongsTo: ['shared-entity'],
    weight: 2,
    fits: (model) => some(model),
    make: (random, model) => {
      model.rows.length = 0;
      return {
        actions: [
          sqlOn(
            model,
            `TRUNCATE TABLE ${model.at}${inPostgres(model) ? ' CASCADE' : ''}`,
            model.insert(random),
            model.insert(random),
          ),
        ],
      };
    },
  },
  {
    id: 'add column',
    weight: 2,
    fits: () => true,
    make: (random, model) => ({
      actions: [
        sqlOn(
          model,
          `ALTER TABLE ${model.at} ADD extra_${random.below(1_000)} integer DEFAULT 7`,
          model.insert(random),
        ),
      ],
    }),
  },
  {
    id: 'rename mapped column',
    late: true,
    weight: 2,
    fits: (model) => some(model) && model.written.length > 1,
    make: (random, model) => {
      const column = model.written.find(({ name }) => name === 'c2') ?? model.written[0];
      const old = model.name(column as { name: string });
      const row = random.pick(model.rows);
      const touch = `UPDATE ${model.at} SET renamed = renamed WHERE ${model.where(row)}`;
      const rename = (from: string, to: string) =>
        sqlOn(model, `ALTER TABLE ${model.at} RENAME COLUMN ${from} TO ${to}`);
      return {
        actions: [rename(old, 'renamed'), sqlOn(model, touch, `DELETE FROM ${model.at} WHERE ${model.where(row)}`)],
        repair: [rename('renamed', old)],
      };
    },
  },
  {
    id: 'key gets a column',
    late: true,
    weight: 2,
    wide: true,
    fits: (model) => isPlain(model) && model.keyKind.id === 'integer' && !model.shapes.has('identity-index'),
    make: (random, model) => {
      const key = model.name(model.keyColumns()[0] as { name: string });
      const drop = inPostgres(model) ? `DROP CONSTRAINT ${bare(model, 'pkey')} CASCADE` : 'DROP PRIMARY KEY';
      const back = inPostgres(model)
        ? [
            `ALTER TABLE ${model.at} DROP CONSTRAINT ${bare(model, 'pkey')}`,
            `ALTER TABLE ${model.at} ADD PRIMARY KEY (${key})`,
          ]
        : [`ALTER TABLE ${model.at} DROP PRIMARY KEY, ADD PRIMARY KEY (${key})`];
      return {
        actions: [
          sqlOn(
            model,
            `ALTER TABLE ${model.at} ADD part INT NOT NULL DEFAULT 0`,
            `ALTER TABLE ${model.at} ${drop}, ADD PRIMARY KEY (${key}, part)`,
            model.insert(random),
            model.insert(random),
          ),
        ],
        repair: [sqlOn(model, ...back)],
      };
    },
  },
  {
    id: 'swap table',
    weight: 3,
    fits: isPlain,
    make: (random, model) => ({
      actions: [sqlOn(model, ...swapped(model)), sqlOn(model, model.insert(random), model.update(random))],
    }),
  },
  {
    id: 'drop and create',
    weight: 2,
    fits: isPlain,
    make: (random, model) => {
      model.rows.length = 0;
      const create = model.table.ddl.filter((sql) => !sql.startsWith('DO $$') && !sql.startsWith('CREATE FUNCTION'));
      return {
        actions: [
          sqlOn(
            model,
            `DROP TABLE ${model.at}${inPostgres(model) ? ' CASCADE' : ''}`,
            ...create,
            model.insert(random),
            model.insert(random),
          ),
        ],
      };
    },
  },
  {
    id: 'create or replace',
    late: true,
    weight: 2,
    wide: true,
    fits: (model) => isPlain(model) && !inPostgres(model),
    make: (random, model) => {
      model.rows.length = 0;
      const create = model.table.ddl.map((sql) =>
        sql
          .replace('CREATE TABLE', 'CREATE OR REPLACE TABLE')
          .replace(/^(CREATE OR REPLACE TABLE [^(]*\()/, '$1more INT, '),
      );
      return { actions: [sqlOn(model, ...create, model.insert(random), model.insert(random))] };
    },
  },
  {
    id: 'truncate partition',
    belongsTo: ['partitioned'],
    weight: 6,
    fits: (model) => model.shapes.has('partitioned') && some(model),
    make: (_random, model) => ({
      actions: [
        sqlOn(
          model,
          inPostgres(model) ? `TRUNCATE ${beside(model, 'p0')}` : `ALTER TABLE ${model.at} TRUNCATE PARTITION p0`,
        ),
      ],
    }),
  },
  {
    id: 'detach partition',
    belongsTo: ['partitioned'],
    weight: 6,
    fits: (model) => model.shapes.has('partitioned') && some(model),
    make: (_random, model) => ({
      actions: [
        inPostgres(model)
          ? sqlOn(model, `ALTER TABLE ${model.at} DETACH PARTITION ${beside(model, 'p0')}`)
          : sqlOn(
              model,
              `CREATE TABLE ${beside(model, 'x')} LIKE ${model.at}`,
              `ALTER TABLE ${beside(model, 'x')} REMOVE PARTITIONING`,
              `ALTER TABLE ${model.at} EXCHANGE PARTITION p0 WITH TABLE ${beside(model, 'x')}`,
            ),
      ],
    }),
  },
  {
    id: 'swap unique values',
    belongsTo: ['unique', 'unique-deferrable'],
    weight: 5,
    fits: (model) => model.rows.length > 2 && (model.shapes.has('unique') || model.shapes.has('unique-deferrable')),
    make: (random, model) => {
      const [one, two] = [model.rows[0], model.rows[1]] as const;
      if (one === undefined || two === undefined) return { actions: [] };
      const [left, right] = [one.values.get('uniq') ?? 'NULL', two.values.get('uniq') ?? 'NULL'];
      const set = (row: typeof one, value: string) =>
        `UPDATE ${model.at} SET uniq = ${value} WHERE ${model.where(row)}`;
      one.values.set('uniq', right);
      two.values.set('uniq', left);
      const apart = model.shapes.has('unique-deferrable') ? [] : [set(one, 'NULL')];
      return {
        actions: [sqlOn(model, 'BEGIN', ...apart, set(two, left), set(one, right), 'COMMIT', model.update(random))],
      };
    },
  },
  {
    id: 'huge value',
    late: true,
    weight: 2,
    wide: true,
    fits: (model) => model.written.some(({ type }) => type === 'text' || type === 'blob'),
    make: (_random, model) => {
      const column = model.written.find(({ type }) => type === 'text' || type === 'blob') as { name: string };
      const row = model.rows[0];
      if (row === undefined) return { actions: [] };
      const name = model.name(column);
      if (!inPostgres(model)) {
        const wide = `ALTER TABLE ${model.at} MODIFY ${name} LONGTEXT`;
        return {
          actions: [
            sqlOn(model, wide, `UPDATE ${model.at} SET ${name} = REPEAT('y', 18000000) WHERE ${model.where(row)}`),
          ],
          repair: [sqlOn(model, `UPDATE ${model.at} SET ${name} = 'small' WHERE ${model.where(row)}`)],
        };
      }
      const grown = `(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 655360) AS n)`;
      return {
        actions: [sqlOn(model, `UPDATE ${model.at} SET ${name} = ${grown} WHERE ${model.where(row)}`)],
        repair: [sqlOn(model, `UPDATE ${model.at} SET ${name} = 'small' WHERE ${model.where(row)}`)],
      };
    },
  },
  {
    id: 'unusual value',
    weight: 4,
    fits: (model) =>
      some(model) && model.written.some(({ type }) => typeNamed(model.table.kind, type).refused !== undefined),
    make: (random, model) => {
      const column = model.written.find(({ type }) => typeNamed(model.table.kind, type).refused !== undefined);
      if (column === undefined) return { actions: [] };
      const type = typeNamed(model.table.kind, column.type);
      const row = random.pick(model.rows);
      const set = (value: string) =>
        `UPDATE ${model.at} SET ${model.name(column)} = ${value} WHERE ${model.where(row)}`;
      return {
        actions: [sqlOn(model, set(random.pick(type.refused ?? []))), { do: 'settle' }],
        repair: [sqlOn(model, set(random.pick(type.values)))],
      };
    },
  },
  {
    id: 'corrected and discarded',
    weight: 3,
    fits: (model) =>
      some(model) && model.written.some(({ type }) => typeNamed(model.table.kind, type).refused !== undefined),
    make: (random, model) => {
      const column = model.written.find(({ type }) => typeNamed(model.table.kind, type).refused !== undefined);
      if (column === undefined) return { actions: [] };
      const type = typeNamed(model.table.kind, column.type);
      const row = random.pick(model.rows);
      const set = (value: string) =>
        `UPDATE ${model.at} SET ${model.name(column)} = ${value} WHERE ${model.where(row)}`;
      const choice = random.pick([
        ['--stage', 'canonicalize'],
        ['--system', model.table.kind === 'postgres' ? '§P' : '§M'],
      ]);
      return {
        actions: [
          sqlOn(model, set(random.pick(type.refused ?? []))),
          { do: 'settle' },
          sqlOn(model, set(type.values[0] ?? '')),
          { do: 'settle' },
          seam('dead-letter', 'discard', ...choice, '--reason', 'mended', '--yes'),
        ],
      };
    },
  },
  {
    id: 'parent changes',
    belongsTo: ['child', 'child-null'],
    weight: 8,
    fits: (model) => model.parent !== undefined && model.parent.rows.length > 1,
    make: (random, model) => {
      const parent = model.parent as TableModel;
      const work = [model.insert(random), model.insert(random), parent.changeKey(random), parent.delete(random)];
      // what the rule did to the children is not known here: trade goes on with new rows
      model.rows.length = 0;
      return {
        actions: [sqlOn(model, ...work), sqlOn(model, model.insert(random), model.insert(random))],
        also: [parent.table.id],
      };
    },
  },
];
