/** Writes a round's systems into the copy of the project, as the README says: folders of data, and a line in each index. */
import { execFile } from 'node:child_process';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Code } from './code.ts';
import { dotted, type Kind, type Names, named, placed, type RoundPlan, type TablePlan } from './plan.ts';
import { typeNamed } from './types.ts';
import { TARGETS } from './meanings.ts';

const run = promisify(execFile);
const KINDS: readonly Kind[] = ['postgres', 'mariadb'];

/** `left`: not captured at all. */
export type TableState = 'mapped' | 'ignored' | 'left';
export type Project = {
  readonly code: Code;
  readonly plan: RoundPlan;
  readonly names: Names;
  readonly states: ReadonlyMap<string, TableState>;
  readonly node: string;
};

const CONVERTERS =
  'bigInteger, bits, bytes, date, decimal, double, flag, instant, integer, list, localTime, optional, prefixed, text, timeOfDay, trimmed, uuid';
const COLUMN_WORDS = 'bool01, date, decimalFits, finite, instant, localTime, timeOfDay, unlimited';

export async function writeProject(project: Project): Promise<void> {
  const { folder } = project.code;
  for (const parent of ['connectors', 'sinks/targets']) {
    for (const entry of await readdir(path.join(folder, parent), { withFileTypes: true }))
      if (entry.isDirectory()) await rm(path.join(folder, parent, entry.name), { recursive: true });
  }
  for (const name of await readdir(path.join(folder, 'avro')))
    if (name.endsWith('.avsc') && name !== 'record-meta.avsc') await rm(path.join(folder, 'avro', name));
  const files = filesOf(project);
  for (const [name, text] of files) {
    await mkdir(path.dirname(path.join(folder, name)), { recursive: true });
    await writeFile(path.join(folder, name), text);
  }
  await run(project.node, ['avro/generate.ts'], { cwd: folder });
}

export function entityOf({ entity }: TablePlan, names: Names): string {
  return `${entity}-${names.postgres}`;
}

export function filesOf(project: Project): Map<string, string> {
  const files = new Map<string, string>();
  for (const kind of KINDS) {
    const system = project.names[kind];
    files.set(`connectors/${system}/connector.json`, connectorFile(project, kind));
    files.set(`connectors/${system}/mapping.ts`, mappingFile(project, kind));
    files.set(`connectors/${system}/setup.sql`, kind === 'postgres' ? postgresSetup(project) : mariadbSetup(project));
    files.set(`connectors/${system}/teardown.sql`, teardownOf(project, kind));
    files.set(`connectors/${system}/schema.sql`, '');
    files.set(`sinks/targets/${system}/target.ts`, targetFile(project, kind));
  }
  for (const table of project.plan.tables)
    if (stateOf(project, table) === 'mapped')
      files.set(`avro/${entityOf(table, project.names)}.avsc`, entityFile(project, table));
  files.set('connectors/index.ts', sourceIndex(project));
  files.set('sinks/index.ts', targetIndex(project));
  return files;
}

const stateOf = ({ states }: Project, { id }: TablePlan): TableState => states.get(id) ?? 'mapped';
const captured = (project: Project, kind: Kind) =>
  project.plan.tables.filter((table) => table.kind === kind && stateOf(project, table) !== 'left');
const written = (project: Project, kind: Kind) => {
  const tables = project.plan.tables.filter(
    (table) => table.target.kind === kind && stateOf(project, table) === 'mapped',
  );
  return tables.filter((table, place) => tables.findIndex(({ entity }) => entity === table.entity) === place);
};

/** Debezium's lists are regular expressions. */
const pattern = (name: string) => name.replaceAll(/[\\^$.*+?()[\]{}|]/g, (sign) => (sign === '.' ? '.' : `\\${sign}`));

function connectorFile({ code, names, ...rest }: Project, kind: Kind): string {
  const system = names[kind];
  const tables = captured({ code, names, ...rest }, kind);
  const neighbour = kind === 'postgres' ? 'loyalty-partner' : 'pos';
  const text = code.templates.connector[kind].replaceAll(`secrets/${neighbour}:`, `secrets/${system}:`);
  const connector = JSON.parse(text);
  const name = (table: TablePlan) => named(pattern(dotted(kind, table.name)), names);
  Object.assign(connector, { name: `seam-${system}` });
  const { config } = connector;
  for (const [setting, value] of Object.entries(config)) {
    if (value === `raw.${neighbour}`) config[setting] = `raw.${system}`;
    else if (value === `seam_${neighbour.replaceAll('-', '_')}`) config[setting] = `seam_${system}`;
    else if (value === `notification.${neighbour}`) config[setting] = `notification.${system}`;
    else if (value === `schema-history.${neighbour}`) config[setting] = `schema-history.${system}`;
  }
  config['table.include.list'] = tables.map(name).join(',');
  if (kind === 'mariadb') config['database.server.id'] = String(7_000 + Number(system.replaceAll(/\D/g, '')));
  const keyed = tables.filter(({ messageKey }) => messageKey.length > 0);
  if (keyed.length > 0)
    config['message.key.columns'] = keyed.map((table) => `${name(table)}:${table.messageKey.join(',')}`).join(';');
  return `${JSON.stringify(connector, null, 2)}\n`;
}

function columnName(project: Project, name: string): string {
  if (project.code.templates.spelling === 'own') return name;
  const replaced = name.replaceAll(/[^A-Za-z0-9_]/g, '_');
  return /^[0-9]/.test(replaced) ? `_${replaced}` : replaced;
}

function mappingFile(project: Project, kind: Kind): string {
  const tables = captured(project, kind).map((table) => {
    const name = named(dotted(kind, table.name), project.names);
    const meaning = stateOf(project, table) === 'ignored' ? `ignore('not yet')` : mappingOf(project, table);
    return `    ${JSON.stringify(name)}: ${meaning},`;
  });
  return `import { ${CONVERTERS} } from '../../core/converters.ts';
import { canonical, defineSource, from, ignore } from '../../core/mapping.ts';

export default defineSource({
  system: '${project.names[kind]}',
  tables: {
${tables.join('\n')}
  },
});
`;
}

function mappingOf(project: Project, table: TablePlan): string {
  const keys: string[] = [];
  const fields: string[] = [];
  for (const column of table.columns) {
    const { word } = typeNamed(table.kind, column.type);
    const place = JSON.stringify(columnName(project, column.name));
    if (column.isKey) {
      const convert =
        table.tag === '' ? word : `prefixed('${keys.length === 0 ? table.tag : ''}', (value) => String(value))`;
      keys.push(`k${keys.length + 1}: from(${place}, ${convert})`);
    } else {
      fields.push(`v${fields.length + 1}: from(${place}, ${column.nullable ? `optional(${word})` : word})`);
    }
  }
  const entity = entityOf(table, project.names);
  return `canonical('${entity}', { key: { ${keys.join(', ')} }, fields: { ${fields.join(', ')} } })`;
}

function entityFile({ names }: Project, table: TablePlan): string {
  const keys = table.columns.filter(({ isKey }) => isKey);
  const others = table.columns.filter(({ isKey }) => !isKey);
  const typeOf = (type: string) => JSON.parse(typeNamed(table.kind, type).avro);
  const doc = 'What a legacy table holds.';
  return JSON.stringify(
    {
      type: 'record',
      name: entityOf(table, names).replaceAll('-', '').toUpperCase(),
      namespace: 'seam.canonical',
      doc,
      key: keys.map((_, place) => `k${place + 1}`),
      owner: names[table.kind],
      fields: [
        ...keys.map(({ type }, place) => ({
          name: `k${place + 1}`,
          type: table.tag === '' ? typeOf(type) : 'string',
          doc,
        })),
        ...others.map(({ type, nullable }, place) =>
          nullable
            ? { name: `v${place + 1}`, type: ['null', typeOf(type)], default: null, doc }
            : { name: `v${place + 1}`, type: typeOf(type), doc },
        ),
      ],
    },
    null,
    2,
  );
}

function targetFile(project: Project, kind: Kind): string {
  const tables = written(project, kind).map((table) => {
    const { target } = table;
    const keys = table.columns.filter(({ isKey }) => isKey);
    const others = table.columns.filter(({ isKey }) => !isKey);
    const wordOf = (type: string, isKey: boolean) =>
      TARGETS[kind][table.tag !== '' && isKey ? 'text' : typeNamed(table.kind, type).target].word;
    const entry = (column: string | undefined, field: string, word: string) =>
      `${JSON.stringify(column)}: to('${field}'${word === '' ? '' : `, ${word}`})`;
    const key = keys.map(({ type }, place) => entry(target.keyColumns[place], `k${place + 1}`, wordOf(type, true)));
    const columns = others.map(({ type }, place) => entry(target.columns[place], `v${place + 1}`, wordOf(type, false)));
    const accepts =
      target.refusesKeysEndingIn === null
        ? ''
        : ` accepts: (record) => !'${target.refusesKeysEndingIn}'.includes(String(record.k1).slice(-1)),`;
    const name = JSON.stringify(named(dotted(kind, target.name), project.names));
    return `    upsert(${name}, '${entityOf(table, project.names)}', { key: { ${key.join(', ')} }, columns: { ${columns.join(', ')} }, onDelete: 'delete',${accepts} }),`;
  });
  return `import { ${COLUMN_WORDS} } from '../../../core/columns.ts';
import { defineTarget, to, upsert } from '../../../core/target.ts';

export default defineTarget({
  system: '${project.names[kind]}',
  dialect: '${kind}',
  tables: [
${tables.join('\n')}
  ],
});
`;
}

function sourceIndex({ names }: Project): string {
  return `import type { SourceMapping } from '../core/mapping.ts';
import type { DialectName } from '../core/target.ts';
${KINDS.map((kind) => `import ${names[kind]} from './${names[kind]}/mapping.ts';`).join('\n')}

export type SourceSystem = {
  readonly system: string;
  readonly database: DialectName;
  readonly mapping: SourceMapping;
  readonly connectorFile: URL;
  readonly sql: { readonly schema: URL; readonly setup: URL; readonly teardown: URL };
};

export const systems: readonly SourceSystem[] = [
${KINDS.map((kind) => `  source('${names[kind]}', '${kind}', ${names[kind]}),`).join('\n')}
];

function source(system: string, database: DialectName, mapping: SourceMapping): SourceSystem {
  const file = (name: string) => new URL(\`\${system}/\${name}\`, import.meta.url);
  const sql = { schema: file('schema.sql'), setup: file('setup.sql'), teardown: file('teardown.sql') };
  return { system, database, mapping, connectorFile: file('connector.json'), sql };
}
`;
}

function targetIndex({ names }: Project): string {
  return `import type { Target } from '../core/target.ts';
${KINDS.map((kind) => `import ${names[kind]} from './targets/${names[kind]}/target.ts';`).join('\n')}

export const targets: readonly Target[] = [${KINDS.map((kind) => names[kind]).join(', ')}];
type OwnedStore = { readonly system: string; readonly sql: { readonly schema: URL; readonly setup: URL; readonly teardown: URL } };
export const ownedStores: readonly OwnedStore[] = [];
`;
}

/** The neighbour's set-up with other names: what a neighbour asks for is asked for here. */
function postgresSetup(project: Project): string {
  const system = project.names.postgres;
  const list = (tables: readonly string[]) => tables.map((table) => placed('postgres', table)).join(', ');
  const sources = list(captured(project, 'postgres').map(({ name }) => name));
  const targets = list(written(project, 'postgres').map(({ target }) => target.name));
  return project.code.templates.setup.postgres
    .replaceAll('lp.voucher, lp.audit', sources)
    .replaceAll(/^.*\blp\.member\b.*$/gm, (line) => (targets === '' ? '' : line.replaceAll('lp.member', targets)))
    .replaceAll(/\blp\b/g, 'app')
    .replaceAll('seam_loyalty_partner', `seam_${system}`)
    .replaceAll('loyalty-partner', system);
}

function mariadbSetup(project: Project): string {
  const { names } = project;
  const grants = (right: string, tables: readonly string[], user: string) =>
    tables.map((table) => `GRANT ${right} ON ${named(placed('mariadb', table), names)} TO '${user}'@'%';`);
  const granted = new Set<string>();
  const statements = project.code.templates.setup.mariadb.split('--;;').flatMap((statement) => {
    const found = statement.match(/^GRANT (SELECT|SELECT, INSERT, UPDATE, DELETE) ON pos\.\w+ TO '(\w+)'/m);
    if (found === null) return [statement];
    const [, right = '', user = ''] = found;
    if (granted.has(user)) return [];
    granted.add(user);
    const tables =
      user === 'seam_cdc'
        ? captured(project, 'mariadb').map(({ name }) => name)
        : written(project, 'mariadb').map(({ target }) => target.name);
    return grants(right, tables, user).map((grant) => `\n${grant}\n`);
  });
  return statements.join('--;;').replaceAll(/\bpos\./g, `\`${names.mariadb}\`.`);
}

function teardownOf({ code, names }: Project, kind: Kind): string {
  const text = code.templates.teardown[kind];
  return text.replaceAll('seam_loyalty_partner', `seam_${names[kind]}`).replaceAll('loyalty-partner', names[kind]);
}
