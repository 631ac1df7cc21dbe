/**
 * A Debezium schema as registered → the schema that avsc compiles: semantic types named, envelope parts that nobody reads
 * passed over, defaults dropped (a default has no part in reading, and avsc refuses some that Connect writes).
 */
import { type Connector, hazardOf } from './raw-hazards.ts';
import { namespaceTopic, plainName, sourceNameOf, unescapedName } from './raw-names.ts';
import { DECODED_TEXT, hasReader, LIST, PLAIN_BYTES, PLAIN_TEXT, TEXT_MAP, zeroReaderOf } from './raw-types.ts';

type Json = Readonly<Record<string, unknown>>;
type Field = { readonly name: string; readonly type: unknown; readonly default?: unknown };

export type RawSchema = {
  readonly kind: 'envelope' | 'row';
  /** The topic that it was registered for, as far as an Avro name can hold it. */
  readonly namespace: string | undefined;
  readonly avro: unknown;
  /** Column's name on the wire → in the database, where Debezium changed it and says so. */
  readonly renames: ReadonlyMap<string, string>;
  /**
   * Nullable columns with a default: Connect writes the default in place of NULL, so neither value can be trusted where
   * they meet. Doctor and processor name them; only dropping the default in the source, or its NULLs, cures it.
   */
  readonly nullHidingColumns: readonly string[];
  /** Columns of a type of which the connector loses a part, with what and with the cure. */
  readonly mangledColumns: ReadonlyMap<string, string>;
  /** By their names in the database. */
  readonly columns: readonly Column[];
};

type Column = {
  readonly name: string;
  readonly type: string;
  /** What the decoder makes of its values; undefined where that depends on more than the type. */
  readonly kind: 'number' | 'bigint' | 'text' | 'boolean' | 'bytes' | undefined;
};

const ENVELOPE_FIELDS = new Set(['before', 'after', 'source', 'op']);
const SOURCE_FIELDS = new Set(
  ['connector', 'snapshot', 'ts_ms', 'ts_us'].concat(
    ['sequence', 'lsn', 'origin'],
    ['server_id', 'gtid', 'file', 'pos', 'row'],
  ),
);

export function readRawSchema(text: string): RawSchema {
  const top = JSON.parse(text) as Json;
  if (!Array.isArray(top.fields)) throw new Error('is no record');
  const isEnvelope = fieldsOf(top).some((field) => field.name === 'op') && rowField(top) !== undefined;
  const row = isEnvelope ? rowRecord(top) : top;
  const columns = fieldsOf(row).map(withPlainName);
  const connector = connectorOf(top);
  const renames = new Map(columns.flatMap(renameOf));
  const nameOf = ({ name }: Field) => renames.get(name) ?? name;
  return {
    kind: isEnvelope ? 'envelope' : 'row',
    namespace: typeof top.namespace === 'string' ? namespaceTopic(top.namespace) : undefined,
    avro: isEnvelope ? envelope(top, connector) : rowOf(top, (field) => column(field.type, connector)),
    renames,
    nullHidingColumns: columns.filter(hidesNull).map(nameOf),
    mangledColumns: new Map(
      columns.flatMap((field) => {
        const hazard = hazardOf(field.type, connector);
        return hazard === undefined ? [] : [[nameOf(field), hazard] as const];
      }),
    ),
    columns: columns.map((field) => described(field, nameOf(field), connector)),
  };
}

/** Debezium puts its `source` block into a namespace named after the connector. A record's key has no such block. */
function connectorOf(top: Json): Connector {
  const type = fieldsOf(top).find((field) => field.name === 'source')?.type as Json | undefined;
  const [, name] = /^io\.debezium\.connector\.(\w+)$/.exec(String(type?.namespace ?? '')) ?? [];
  return name === 'postgresql' || name === 'mariadb' ? name : 'unknown';
}

function fieldsOf(schema: Json): readonly Field[] {
  return Array.isArray(schema.fields) ? (schema.fields as Field[]) : [];
}

function rowField(top: Json): Field | undefined {
  return fieldsOf(top).find((field) => field.name === 'before');
}

function rowRecord(top: Json): Json {
  const type = rowField(top)?.type;
  return (Array.isArray(type) ? type.find((branch) => typeof branch === 'object') : type) as Json;
}

function envelope(top: Json, connector: Connector): unknown {
  return record(top, (field) => {
    if (!ENVELOPE_FIELDS.has(field.name)) return { passOver: plain(field.type) };
    if (field.name === 'before' || field.name === 'after') return row(field.type, connector);
    return field.name === 'source' ? source(field.type) : plain(field.type);
  });
}

function source(type: unknown): unknown {
  if (typeof type !== 'object' || type === null || Array.isArray(type)) return plain(type);
  return record(type as Json, (field) =>
    SOURCE_FIELDS.has(field.name) ? plain(field.type) : { passOver: plain(field.type) },
  );
}

function record(schema: Json, fieldType: (field: Field) => unknown): unknown {
  const fields = fieldsOf(schema).map((field) => ({ name: field.name, type: fieldType(field) }));
  return { type: 'record', name: schema.name, namespace: schema.namespace, fields };
}

/** A type of the envelope itself: no semantic type, no placeholder. */
function plain(type: unknown): unknown {
  if (Array.isArray(type)) return type.map(plain);
  if (typeof type !== 'object' || type === null) return type;
  const schema = type as Json;
  if (Array.isArray(schema.fields)) return record(schema, (field) => plain(field.type));
  if (typeof schema.type === 'object') return plain(schema.type);
  const { default: _default, logicalType: _logicalType, ...rest } = schema;
  return rest.items === undefined ? rest : { ...rest, items: plain(rest.items) };
}

function row(type: unknown, connector: Connector): unknown {
  if (Array.isArray(type)) return type.map((branch) => row(branch, connector));
  if (typeof type !== 'object' || type === null) return type;
  return rowOf(type as Json, (field) => columnOf(field, connector));
}

/** Columns have their own names already in the compiled type where Avro takes them: renaming each row would cost. */
function rowOf(schema: Json, fieldType: (field: Field) => unknown): unknown {
  return record({ ...schema, fields: fieldsOf(schema).map(withPlainName) }, fieldType);
}

function withPlainName(field: Field): Field {
  return { ...field, name: plainName(field.name) };
}

/** A column that can't be NULL gets its default where the source holds a zero date. */
function columnOf({ type, default: byDefault }: Field, connector: Connector): unknown {
  if (connector !== 'mariadb') return column(type, connector);
  const inner = Array.isArray(type) ? undefined : (type as Json);
  const zeroReader = zeroReaderOf(inner?.['connect.name'] as string | undefined);
  if (zeroReader === undefined) return column(type, connector);
  return { ...(plain(inner) as Json), logicalType: zeroReader, zero: inner?.['connect.default'] ?? byDefault };
}

/** A type inside a row: semantic types by their `connect.name`, plain text and bytes watched for the placeholder. */
function column(type: unknown, connector: Connector): unknown {
  if (Array.isArray(type)) return type.map((branch) => column(branch, connector));
  if (type === 'string') return { type, logicalType: connector === 'mariadb' ? DECODED_TEXT : PLAIN_TEXT };
  if (type === 'bytes') return { type, logicalType: PLAIN_BYTES };
  if (typeof type !== 'object' || type === null) return type;
  const schema = type as Json;
  const name = schema['connect.name'] as string | undefined;
  const special = `${connector}:${name}`;
  if (hasReader(special)) return { ...(plain(schema) as Json), logicalType: special };
  if (hasReader(name)) return { ...(plain(schema) as Json), logicalType: name };
  if (Array.isArray(schema.fields)) return record(schema, (field) => column(field.type, connector));
  if (schema.type === 'array') return { type: 'array', items: column(schema.items, connector), logicalType: LIST };
  if (schema.type === 'map') return { type: 'map', values: plain(schema.values), logicalType: TEXT_MAP };
  return column(schema.type, connector);
}

function renameOf(field: Field): [string, string][] {
  const parameters = innerObject(field)?.['connect.parameters'] as Readonly<Record<string, string>> | undefined;
  const name = sourceNameOf(parameters) ?? unescapedName(field.name);
  return name === field.name ? [] : [[field.name, name]];
}

function innerObject(field: Field): Json | undefined {
  const type = Array.isArray(field.type) ? field.type.find((branch) => branch !== 'null') : field.type;
  return typeof type === 'object' && type !== null ? (type as Json) : undefined;
}

function described({ type }: Field, name: string, connector: Connector): Column {
  const inner = Array.isArray(type) ? type.find((branch) => branch !== 'null') : type;
  if (typeof inner === 'string') return { name, type: inner, kind: PRIMITIVES[inner] };
  const schema = (inner ?? {}) as { type?: unknown; 'connect.name'?: string };
  const meaning = schema['connect.name'];
  const primitive = typeof schema.type === 'string' ? schema.type : 'unknown';
  return { name, type: meaning ?? primitive, kind: kindOf(meaning, primitive, connector) };
}

function kindOf(meaning: string | undefined, primitive: string, connector: Connector): Column['kind'] {
  if (meaning === undefined) return PRIMITIVES[primitive];
  if (hasReader(`${connector}:${meaning}`)) return undefined;
  return hasReader(meaning) ? READ_KINDS[meaning] : PRIMITIVES[primitive];
}

const PRIMITIVES: Readonly<Record<string, Column['kind']>> = {
  int: 'number',
  float: 'number',
  double: 'number',
  long: 'bigint',
  string: 'text',
  boolean: 'boolean',
  bytes: 'bytes',
};

/** Types that the decoder turns into another one. */
const READ_KINDS: Readonly<Record<string, Column['kind']>> = {
  'io.debezium.time.Timestamp': 'bigint',
  'io.debezium.time.Time': 'bigint',
  'io.debezium.time.NanoTimestamp': 'bigint',
  'io.debezium.time.NanoTime': 'bigint',
};

function hidesNull(field: Field): boolean {
  return Array.isArray(field.type) && field.type.includes('null') && (field.default ?? null) !== null;
}
