/** Online migrations of MariaDB: a changed copy is filled while trade goes on, then takes the table's place (gh-ost, pt-online-schema-change). */
import type { TableModel } from '../model.ts';
import { placed, quoted } from '../plan.ts';
import { type Operation, sqlOn } from './operation.ts';

const PLAIN_UNLESS = ['partitioned', 'child', 'child-null', 'versioned', 'trigger', 'unique-long'] as const;
const fits = (model: TableModel) =>
  model.rows.length > 1 && model.table.kind === 'mariadb' && !PLAIN_UNLESS.some((shape) => model.shapes.has(shape));
const near = (model: TableModel, suffix: string) => placed('mariadb', `_${model.table.name}_${suffix}`);
const columnsOf = (model: TableModel) => [...model.keyColumns(), ...model.written].map((column) => model.name(column));
const copied = (model: TableModel, into: string) =>
  `INSERT IGNORE INTO ${into} (${columnsOf(model).join(', ')}) SELECT ${columnsOf(model).join(', ')} FROM ${model.at}`;
const changed = (model: TableModel, copy: string) => [
  `CREATE TABLE ${copy} LIKE ${model.at}`,
  `ALTER TABLE ${copy} ADD COLUMN migrated INT NULL DEFAULT 5`,
];

/** Triggers that carry trade over to the copy, as pt-online-schema-change makes them. */
function triggersOf(model: TableModel, copy: string): string[] {
  const name = (suffix: string) => `\`§M\`.${quoted('mariadb', `pt_${model.table.id}_${suffix}`)}`;
  const columns = columnsOf(model);
  const replace = `REPLACE INTO ${copy} (${columns.join(', ')}) VALUES (${columns.map((column) => `NEW.${column}`).join(', ')})`;
  const where = model
    .keyColumns()
    .map((column) => `${model.name(column)} <=> OLD.${model.name(column)}`)
    .join(' AND ');
  return [
    `CREATE TRIGGER ${name('del')} AFTER DELETE ON ${model.at} FOR EACH ROW DELETE IGNORE FROM ${copy} WHERE ${where}`,
    `CREATE TRIGGER ${name('upd')} AFTER UPDATE ON ${model.at} FOR EACH ROW ${replace}`,
    `CREATE TRIGGER ${name('ins')} AFTER INSERT ON ${model.at} FOR EACH ROW ${replace}`,
  ];
}

export const online: readonly Operation[] = [
  {
    id: 'gh-ost',
    weight: 3,
    fits,
    make: (random, model) => {
      const [ghost, former] = [near(model, 'gho'), near(model, 'del')];
      return {
        actions: [
          sqlOn(
            model,
            ...changed(model, ghost),
            copied(model, ghost),
            model.insert(random),
            model.update(random),
            // what it reads from the binary log is carried over before the cut
            `DELETE FROM ${ghost}`,
            copied(model, ghost),
            `RENAME TABLE ${model.at} TO ${former}, ${ghost} TO ${model.at}`,
            model.insert(random),
            model.update(random),
            `DROP TABLE ${former}`,
          ),
          sqlOn(model, model.insert(random), model.delete(random)),
        ],
      };
    },
  },
  {
    id: 'pt-online-schema-change',
    weight: 3,
    fits,
    make: (random, model) => {
      const [copy, former] = [near(model, 'new'), near(model, 'old')];
      return {
        actions: [
          sqlOn(
            model,
            ...changed(model, copy),
            ...triggersOf(model, copy),
            copied(model, copy),
            model.insert(random),
            model.update(random),
            model.delete(random),
            `RENAME TABLE ${model.at} TO ${former}, ${copy} TO ${model.at}`,
            model.insert(random),
            `DROP TABLE ${former}`,
          ),
          sqlOn(model, model.insert(random), model.update(random)),
        ],
      };
    },
  },
];
