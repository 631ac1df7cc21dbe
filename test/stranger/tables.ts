/** One legacy table with its target, drawn at random. */
import type { Random } from '../../demo/random.ts';
import { type KeyKind, keyKinds } from './keys.ts';
import { TableModel } from './model.ts';
import { type ColumnPlan, type Kind, OTHER, placed, quoted, type TablePlan, type TargetPlan } from './plan.ts';
import type { Shape } from './shapes.ts';
import { TARGETS } from './meanings.ts';
import { TYPES, typeNamed } from './types.ts';

const COLUMNS_MIN = 3;
const COLUMNS_MORE = 4;
const ODD_NAMES = ['von bis', 'Größe', '數量', 'Order', 'group', 'MixedCase', 'a-b', '1st', 'dollar$'];
const ODD_TABLES = ['Order', 'user', 'Kunden Nr', 'Größen', '訂單', 'MixedCase', 'a-b'];

/** `twin`: the table whose entity and target this one shares. */
export function makeTable(
  random: Random,
  index: number,
  kind: Kind,
  shapes: ReadonlySet<Shape>,
  earlier: readonly TableModel[],
  twin?: TableModel,
): TableModel {
  const id = `t${index}${twin === undefined ? '' : 'b'}`;
  const parent = parentOf(kind, shapes, earlier);
  const isChild = parent !== undefined;
  const keyKind = twin?.keyKind ?? keyOf(random, kind, shapes);
  const name = shapes.has('odd-table') ? `${random.pick(ODD_TABLES)}${index}` : id;
  const columns = twin?.table.columns ?? columnsOf(random, kind, shapes, keyKind, parent);
  const target = twin?.table.target ?? targetOf(random, index, kind, shapes, columns);
  const table: TablePlan = {
    id,
    kind,
    name,
    columns,
    target,
    entity: twin?.table.entity ?? id,
    tag: shapes.has('shared-entity') ? `${id}:` : '',
    features: featuresOf(kind, keyKind, shapes, columns, isChild),
    ddl: ddlOf(kind, name, columns, keyKind, shapes, parent),
    needs: [...(parent === undefined ? [] : [parent.table.id]), ...(twin === undefined ? [] : [twin.table.id])],
    messageKey: keyKind.missing ? columns.filter(({ isKey }) => isKey).map((column) => column.name) : [],
    ignoredAtFirst: shapes.has('ignored-at-first'),
    addedLater: shapes.has('added-later'),
  };
  return new TableModel(table, keyKind, shapes, parent);
}

function keyOf(random: Random, kind: Kind, shapes: ReadonlySet<Shape>): KeyKind {
  const plain = [
    'partitioned',
    'child',
    'child-null',
    'identity-index',
    'identity-nothing',
    'identity-full',
    'unique-long',
  ] as const;
  if (plain.some((shape) => shapes.has(shape))) return keyKinds(kind)[0] as KeyKind;
  const open = keyKinds(kind);
  if (!shapes.has('shared-entity')) return random.pick(open);
  return random.pick(open.filter(({ id }) => ['integer', 'bigint', 'text'].includes(id)));
}

/** An earlier table of the same kind with an integer key. */
function parentOf(kind: Kind, shapes: ReadonlySet<Shape>, earlier: readonly TableModel[]): TableModel | undefined {
  if (!shapes.has('child') && !shapes.has('child-null')) return undefined;
  const unfit: readonly Shape[] = [
    'partitioned',
    'ignored-at-first',
    'added-later',
    'versioned',
    'child',
    'child-null',
  ];
  return earlier.find(
    (model) =>
      model.table.kind === kind && model.keyKind.id === 'integer' && !unfit.some((shape) => model.shapes.has(shape)),
  );
}

function columnsOf(
  random: Random,
  kind: Kind,
  shapes: ReadonlySet<Shape>,
  keyKind: KeyKind,
  parent: TableModel | undefined,
): ColumnPlan[] {
  const oddKey = shapes.has('odd-key') ? random.pick(ODD_NAMES) : undefined;
  const keys = keyKind.columns.map(
    ({ suffix, type }, place): ColumnPlan => ({
      name: place === 0 ? (oddKey ?? suffix) : suffix,
      type,
      extra: 'NOT NULL',
      nullable: false,
      generated: false,
      isKey: true,
    }),
  );
  const types = TYPES.filter((type) => type.kind === kind);
  const others: ColumnPlan[] = [];
  const count = COLUMNS_MIN + random.below(COLUMNS_MORE);
  for (let place = 1; place <= count; place += 1) {
    const type = random.pick(types);
    const nullable = random.below(3) > 0;
    const canDefault = shapes.has('default') && nullable && place === 1;
    const name = shapes.has('odd-column') && place === 1 ? random.pick(ODD_NAMES) : `c${place}`;
    const extra = nullable
      ? canDefault
        ? `DEFAULT ${defaultOf(kind, type.id)}`
        : ''
      : type.ddl.endsWith(' NULL')
        ? ''
        : 'NOT NULL';
    others.push({ name, type: type.id, extra, nullable, generated: false, isKey: false });
  }
  const text = kind === 'postgres' ? 'varchar' : 'varchar';
  const plain = { type: text, generated: false, isKey: false };
  if (shapes.has('default')) others.push({ ...plain, name: 'dflt', extra: `DEFAULT 'none'`, nullable: true });
  if (shapes.has('identity-index')) others.push({ ...plain, name: 'uniq', extra: 'NOT NULL', nullable: false });
  if (shapes.has('unique') || shapes.has('unique-deferrable'))
    others.push({ ...plain, name: 'uniq', extra: '', nullable: true });
  if (shapes.has('unique-long')) others.push({ ...plain, type: 'text', name: 'uniq', extra: '', nullable: true });
  if (parent !== undefined)
    others.push({
      ...plain,
      type: parent.keyColumns()[0]?.type ?? 'integer',
      name: 'parent',
      extra: '',
      nullable: true,
    });
  for (const how of ['stored', 'virtual'] as const)
    if (shapes.has(`generated-${how}`)) others.push(generatedColumn(kind, keys, how));
  return [...keys, ...others];
}

function defaultOf(kind: Kind, type: string): string {
  const { values } = typeNamed(kind, type);
  return kind === 'mariadb' ? `(${values[0]})` : (values[0] as string);
}

function generatedColumn(kind: Kind, keys: readonly ColumnPlan[], how: 'stored' | 'virtual'): ColumnPlan {
  const key = quoted(kind, keys[0]?.name ?? '');
  const text = kind === 'postgres' ? `md5(${key}::text)` : `MD5(${key})`;
  const isPlain = kind === 'mariadb' || ['integer', 'bigint', 'varchar', 'uuid'].includes(keys[0]?.type ?? '');
  return {
    name: `gen_${how}`,
    type: 'text',
    nullable: true,
    generated: true,
    isKey: false,
    extra: `GENERATED ALWAYS AS (${isPlain ? text : `'constant'`}) ${how.toUpperCase()}`,
  };
}

function ddlOf(
  kind: Kind,
  name: string,
  columns: readonly ColumnPlan[],
  keyKind: KeyKind,
  shapes: ReadonlySet<Shape>,
  parent: TableModel | undefined,
): string[] {
  const at = placed(kind, name);
  const lines = columns.map(
    (column) => `${quoted(kind, column.name)} ${typeNamed(kind, column.type).ddl} ${column.extra}`,
  );
  const keys = columns
    .filter(({ isKey }) => isKey)
    .map((column) => quoted(kind, column.name))
    .join(', ');
  if (keyKind.missing !== true) lines.push(`PRIMARY KEY (${keys})`);
  if (shapes.has('unique-deferrable')) lines.push('UNIQUE (uniq) DEFERRABLE INITIALLY DEFERRED');
  else if (['unique', 'unique-long', 'identity-index'].some((shape) => shapes.has(shape as Shape)))
    lines.push('UNIQUE (uniq)');
  if (parent !== undefined) {
    const rule = shapes.has('child') ? 'ON DELETE CASCADE ON UPDATE CASCADE' : 'ON DELETE SET NULL ON UPDATE CASCADE';
    lines.push(
      `FOREIGN KEY (parent) REFERENCES ${parent.at} (${parent.name(parent.keyColumns()[0] as ColumnPlan)}) ${rule}`,
    );
  }
  const before = columns.flatMap((column) => typeNamed(kind, column.type).before ?? []);
  const versioned = shapes.has('versioned') ? ' WITH SYSTEM VERSIONING' : '';
  const create = `CREATE TABLE ${at} (${lines.join(', ')})${versioned}${shapes.has('partitioned') ? partitioning(kind, keys) : ''}`;
  return [...before, create, ...afterwards(kind, name, columns, keyKind, shapes)];
}

function partitioning(kind: Kind, key: string): string {
  if (kind === 'postgres') return ` PARTITION BY RANGE (${key})`;
  return ` PARTITION BY RANGE (${key}) (PARTITION p0 VALUES LESS THAN (6), PARTITION p1 VALUES LESS THAN MAXVALUE)`;
}

function afterwards(
  kind: Kind,
  name: string,
  columns: readonly ColumnPlan[],
  keyKind: KeyKind,
  shapes: ReadonlySet<Shape>,
): string[] {
  const at = placed(kind, name);
  const made: string[] = [];
  if (kind === 'postgres' && shapes.has('partitioned')) {
    made.push(`CREATE TABLE ${placed(kind, `${name}_p0`)} PARTITION OF ${at} FOR VALUES FROM (MINVALUE) TO (6)`);
    made.push(`CREATE TABLE ${placed(kind, `${name}_p1`)} PARTITION OF ${at} FOR VALUES FROM (6) TO (MAXVALUE)`);
  }
  if (keyKind.missing || shapes.has('identity-full')) made.push(`ALTER TABLE ${at} REPLICA IDENTITY FULL`);
  if (shapes.has('identity-nothing')) made.push(`ALTER TABLE ${at} REPLICA IDENTITY NOTHING`);
  if (shapes.has('identity-index'))
    made.push(`ALTER TABLE ${at} REPLICA IDENTITY USING INDEX ${quoted(kind, `${name}_uniq_key`)}`);
  const text = columns.find(
    ({ type, isKey, generated, name: column }) => type === 'text' && !isKey && !generated && column !== 'uniq',
  );
  if (shapes.has('trigger') && text !== undefined) made.push(...trigger(kind, name, text.name));
  return made;
}

function trigger(kind: Kind, name: string, column: string): string[] {
  const [at, changed] = [placed(kind, name), quoted(kind, column)];
  if (kind === 'mariadb') {
    return [
      `CREATE TRIGGER \`§M\`.${quoted(kind, `${name}_ins`)} BEFORE INSERT ON ${at} FOR EACH ROW SET NEW.${changed} = CONCAT(NEW.${changed}, '!')`,
    ];
  }
  const made = quoted(kind, `${name}_fn`);
  return [
    `CREATE FUNCTION app.${made}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.${changed} := NEW.${changed} || '!'; RETURN NEW; END $$`,
    `CREATE TRIGGER marked BEFORE INSERT ON ${at} FOR EACH ROW EXECUTE FUNCTION app.${made}()`,
  ];
}

function targetOf(
  random: Random,
  index: number,
  source: Kind,
  shapes: ReadonlySet<Shape>,
  columns: readonly ColumnPlan[],
): TargetPlan {
  const kind = OTHER[source];
  const name = shapes.has('odd-target') ? `Ziel 表 ${index}` : `x${index}`;
  const keyColumns = columns
    .filter(({ isKey }) => isKey)
    .map((_, place) => (shapes.has('odd-target') && place === 0 ? 'key' : `k${place + 1}`));
  const others = columns.filter(({ isKey }) => !isKey);
  const names = others.map((_, place) => `v${place + 1}`);
  const meaningOf = (column: ColumnPlan) =>
    shapes.has('shared-entity') && column.isKey ? 'text' : typeNamed(source, column.type).target;
  const strict = kind === 'mariadb' && random.below(3) === 0 ? ' COLLATE utf8mb4_nopad_bin' : '';
  const lines = [
    ...columns
      .filter(({ isKey }) => isKey)
      .map((column, place) => {
        const meaning = meaningOf(column);
        return `${quoted(kind, keyColumns[place] ?? '')} ${TARGETS[kind][meaning].keyDdl}${meaning === 'text' ? strict : ''} NOT NULL`;
      }),
    ...others.map(
      (column, place) =>
        `${quoted(kind, names[place] ?? '')} ${column.name === 'uniq' ? TARGETS[kind].text.keyDdl : TARGETS[kind][meaningOf(column)].ddl} NULL`,
    ),
    `PRIMARY KEY (${keyColumns.map((column) => quoted(kind, column)).join(', ')})`,
  ];
  const unique = others.findIndex((column) => column.name === 'uniq');
  if (unique >= 0 && (shapes.has('unique') || shapes.has('unique-deferrable'))) lines.push(`UNIQUE (${names[unique]})`);
  return {
    kind,
    name,
    keyColumns,
    columns: names,
    ddl: [`CREATE TABLE ${placed(kind, name)} (${lines.join(', ')})`],
    refusesKeysEndingIn: shapes.has('accepts') ? '13579' : null,
  };
}

function featuresOf(
  kind: Kind,
  keyKind: KeyKind,
  shapes: ReadonlySet<Shape>,
  columns: readonly ColumnPlan[],
  isChild: boolean,
): string[] {
  const real = [...shapes].filter((shape) => isChild || (shape !== 'child' && shape !== 'child-null'));
  const types = new Set(columns.filter(({ isKey }) => !isKey).map(({ type }) => `type:${type}`));
  return [`${kind}`, `key:${keyKind.id}`, ...real.map((shape) => `shape:${shape}`), ...types].map((feature, place) =>
    place === 0 ? feature : `${kind} ${feature}`,
  );
}
