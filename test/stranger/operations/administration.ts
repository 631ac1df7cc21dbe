/** What administrators do: rights, policies, settings, logs, servers, and the target's own people. */
import type { TableModel } from '../model.ts';
import { placed, quoted, TOKEN } from '../plan.ts';
import { type Operation, seam, sqlOn } from './operation.ts';

const some = (model: TableModel) => model.rows.length > 1;
const inPostgres = (model: TableModel) => model.table.kind === 'postgres';
const inMariadb = (model: TableModel) => model.table.kind === 'mariadb';
const user = (model: TableModel) => (inPostgres(model) ? 'seam_cdc' : `'seam_cdc'@'%'`);
const target = (model: TableModel) => placed(model.table.target.kind, model.table.target.name);
const onTarget = (model: TableModel, ...sql: string[]) => ({ do: 'sql' as const, on: model.table.target.kind, sql });
const targetColumn = (model: TableModel) => quoted(model.table.target.kind, model.table.target.columns[0] ?? 'v1');

const SETTINGS = [
  `intervalstyle = 'sql_standard'`,
  'extra_float_digits = 0',
  `bytea_output = 'escape'`,
  `datestyle = 'SQL, DMY'`,
  `timezone = 'Asia/Shanghai'`,
  `search_path = 'seam'`,
];

export const administration: readonly Operation[] = [
  {
    id: 'grant forgotten',
    weight: 0,
    wide: true,
    fits: () => false,
    make: (_random, model) => ({
      early: true,
      actions: [sqlOn(model, `REVOKE SELECT ON ${model.at} FROM ${user(model)}`)],
      repair: [sqlOn(model, `GRANT SELECT ON ${model.at} TO ${user(model)}`)],
    }),
  },
  {
    id: 'grant taken, table read again',
    weight: 2,
    wide: true,
    fits: some,
    make: (random, model) => {
      const again = seam(
        'resnapshot',
        '--system',
        TOKEN[model.table.kind],
        '--table',
        `${inPostgres(model) ? 'app' : '§M'}.${model.table.name}`,
        '--yes',
      );
      return {
        actions: [
          sqlOn(model, `REVOKE SELECT ON ${model.at} FROM ${user(model)}`),
          again,
          sqlOn(model, `GRANT SELECT ON ${model.at} TO ${user(model)}`, model.update(random)),
          { ...again, mustEnd: true },
        ],
      };
    },
  },
  {
    id: 'row level security',
    weight: 3,
    fits: (model) => some(model) && inPostgres(model) && model.written.length > 0,
    make: (random, model) => {
      const row = random.pick(model.rows);
      const on = (what: string) => sqlOn(model, `ALTER TABLE ${model.at} ${what} ROW LEVEL SECURITY`);
      return {
        actions: [
          on('ENABLE'),
          sqlOn(model, `CREATE POLICY few ON ${model.at} USING (${model.where(row)})`),
          sqlOn(model, model.insert(random)),
        ],
        repair: [on('DISABLE')],
      };
    },
  },
  {
    id: 'database setting',
    late: true,
    weight: 3,
    wide: true,
    fits: inPostgres,
    make: (random, model) => {
      const setting = random.pick(SETTINGS);
      const name = setting.split(' ')[0];
      return {
        actions: [
          sqlOn(model, `ALTER DATABASE §P SET ${setting}`),
          { do: 'restart', what: 'connectors' },
          sqlOn(model, model.insert(random), model.insert(random), model.insert(random)),
        ],
        repair: [sqlOn(model, `ALTER DATABASE §P RESET ${name}`), { do: 'restart', what: 'connectors' }],
      };
    },
  },
  {
    id: 'server time zone',
    weight: 1,
    wide: true,
    fits: inMariadb,
    make: (random, model) => ({
      actions: [sqlOn(model, `SET GLOBAL time_zone = '+08:00'`, model.insert(random), model.update(random))],
      repair: [sqlOn(model, `SET GLOBAL time_zone = '+00:00'`)],
    }),
  },
  {
    id: 'statement in the log',
    weight: 3,
    fits: (model) => some(model) && inMariadb(model),
    make: (random, model) => ({
      actions: [sqlOn(model, `SET SESSION binlog_format = 'STATEMENT'`, model.insert(random), model.update(random))],
    }),
  },
  {
    id: 'log format of the server',
    late: true,
    weight: 2,
    wide: true,
    fits: (model) => some(model) && inMariadb(model),
    make: (random, model) => {
      const setting = random.pick([
        `binlog_format = 'MIXED'`,
        `binlog_format = 'STATEMENT'`,
        `binlog_row_image = 'MINIMAL'`,
      ]);
      const right = setting.startsWith('binlog_format') ? `binlog_format = 'ROW'` : `binlog_row_image = 'FULL'`;
      return {
        actions: [sqlOn(model, `SET GLOBAL ${setting}`), sqlOn(model, model.insert(random), model.update(random))],
        repair: [sqlOn(model, `SET GLOBAL ${right}`)],
      };
    },
  },
  {
    id: 'not in the log',
    weight: 1,
    fits: (model) => some(model) && inMariadb(model),
    make: (random, model) => ({
      unseen: true,
      actions: [sqlOn(model, 'SET SESSION sql_log_bin = 0', model.insert(random))],
    }),
  },
  {
    id: 'identity altered',
    weight: 2,
    fits: (model) =>
      some(model) &&
      inPostgres(model) &&
      model.keyKind.missing !== true &&
      !model.shapes.has('identity-index') &&
      !model.shapes.has('partitioned'),
    make: (random, model) => {
      const set = (what: string) => sqlOn(model, `ALTER TABLE ${model.at} REPLICA IDENTITY ${what}`);
      return {
        actions: [
          set(random.pick(['NOTHING', 'FULL'])),
          sqlOn(model, model.insert(random), model.update(random), model.delete(random)),
        ],
        repair: [set('DEFAULT')],
      };
    },
  },
  {
    id: 'out of the publication',
    weight: 2,
    fits: (model) => some(model) && inPostgres(model),
    make: (random, model) => ({
      actions: [sqlOn(model, `ALTER PUBLICATION seam_§P DROP TABLE ${model.at}`, model.insert(random))],
      repair: [sqlOn(model, `ALTER PUBLICATION seam_§P ADD TABLE ${model.at}`)],
    }),
  },
  {
    id: 'target loses a column',
    late: true,
    weight: 2,
    wide: true,
    fits: (model) => some(model),
    make: (random, model) => {
      const alter = `ALTER TABLE ${target(model)} RENAME COLUMN`;
      return {
        actions: [
          onTarget(model, `${alter} ${targetColumn(model)} TO away`),
          sqlOn(model, model.insert(random), model.update(random)),
        ],
        repair: [onTarget(model, `${alter} away TO ${targetColumn(model)}`)],
      };
    },
  },
  {
    id: 'target refuses NULL',
    weight: 1,
    fits: (model) => some(model) && model.written.some(({ nullable }) => nullable),
    make: (random, model) => {
      const name = quoted(model.table.target.kind, 'must');
      const at = target(model);
      return {
        actions: [
          onTarget(
            model,
            `ALTER TABLE ${at} ADD ${name} INT NOT NULL DEFAULT 1`,
            `ALTER TABLE ${at} ADD CONSTRAINT one CHECK (${name} = 1)`,
          ),
          sqlOn(model, model.insert(random)),
        ],
      };
    },
  },
  {
    id: 'clerk edits the target',
    weight: 3,
    fits: (model) => some(model),
    make: (random, model) => {
      const at = target(model);
      const limited =
        model.table.target.kind === 'mariadb'
          ? `DELETE FROM ${at} LIMIT 1`
          : `DELETE FROM ${at} WHERE ctid = (SELECT min(ctid) FROM ${at})`;
      // what a clerk did stays until the record comes again or the table is read again
      const again = seam(
        'resnapshot',
        '--system',
        TOKEN[model.table.kind],
        '--table',
        `${inPostgres(model) ? 'app' : '§M'}.${model.table.name}`,
        '--yes',
      );
      return { unseen: true, actions: [onTarget(model, limited), sqlOn(model, model.update(random))], repair: [again] };
    },
  },
];
