/**
 * Column types of which a connector loses a part, told from the schema alone. The losses are silent and differ between
 * snapshot and stream, so a mapped column of such a type stops its table; docs/reference/value-fidelity.md shows each.
 */
type Json = Readonly<Record<string, unknown>>;
export type Connector = 'postgresql' | 'mariadb' | 'unknown';

const SOURCE_TYPE = '__debezium.source.column.type';
const TIMES = new Set(
  ['io.debezium.time.Time', 'io.debezium.time.MicroTime', 'io.debezium.time.NanoTime'].concat(
    'org.apache.kafka.connect.data.Time',
  ),
);
const BY_SOURCE_TYPE: Readonly<Record<string, string>> = {
  NAME: 'type name: streamed events say NULL. Make it text',
  VARBIT: 'type bit varying: the number of bits is lost. Make it bit(n) or text',
};
const BY_SEMANTIC_TYPE: Readonly<Record<string, string>> = {
  'io.debezium.time.MicroDuration': 'an interval in approximate microseconds. Set interval.handling.mode=string',
};
const LABELS = new Set(['io.debezium.data.Enum', 'io.debezium.data.EnumSet']);

/** What the connector loses of this column, and what cures it; undefined: nothing that we know of. */
export function hazardOf(type: unknown, connector: Connector): string | undefined {
  const inner = withoutNull(type);
  const isFloat = inner === 'float' || (isObject(inner) && inner.type === 'float');
  if (connector === 'mariadb' && isFloat) return 'type FLOAT: a snapshot reads six digits. Make it DOUBLE or DECIMAL';
  if (!isObject(inner)) return undefined;
  const name = inner['connect.name'] as string | undefined;
  const parameters = (inner['connect.parameters'] ?? {}) as Readonly<Record<string, string>>;
  const bySource = BY_SOURCE_TYPE[(parameters[SOURCE_TYPE] ?? '').toUpperCase()];
  if (bySource !== undefined) return bySource;
  if (name !== undefined && Object.hasOwn(BY_SEMANTIC_TYPE, name)) return BY_SEMANTIC_TYPE[name];
  if (inner.type === 'array') return hazardOfItems(inner.items);
  if (connector === 'mariadb' && LABELS.has(name ?? '')) return hazardOfLabels(parameters.allowed ?? '');
  return undefined;
}

function hazardOfItems(items: unknown): string | undefined {
  const inner = withoutNull(items);
  const name = isObject(inner) ? (inner['connect.name'] as string | undefined) : undefined;
  if (TIMES.has(name ?? '')) return 'an array of times: it is cut to milliseconds. Make it an array of text';
  return undefined;
}

/** The stream takes labels from the table's definition, which it reads without 4-byte characters and with commas escaped. */
function hazardOfLabels(allowed: string): string | undefined {
  if (!allowed.includes('?') && !allowed.includes('\\,')) return undefined;
  return 'a label with a comma, a question mark or a 4-byte character: streamed events spell it differently. Rename the label';
}

function withoutNull(type: unknown): unknown {
  return Array.isArray(type) ? type.find((branch) => branch !== 'null') : type;
}

function isObject(type: unknown): type is Json {
  return typeof type === 'object' && type !== null;
}
