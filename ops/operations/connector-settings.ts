/**
 * Settings of a connector that follow from what it reads, and so are not written in its connector.json.
 *
 * The sessions of MariaDB's connector pin what decides how values and tables are printed (PostgreSQL's have it as settings of their user).
 * Its time zone is not among them: the driver sets that to the zone of Kafka Connect, in which it reads times.
 *
 * The rest is how a connector spells names that Avro or Kafka do not take. Nothing changes for others: their topics, fields and keys are spelled as they
 * always were. The settings are made here and not in connector.json, because they follow from the names.
 *
 * - Every column of an odd name says its own name in the schema, so the decoder gives it back (adapters/avro/raw-names.ts).
 * - Odd tables (`訂單`, `Order Lines`) get topics that no other table can have: `_u` and the character's number for each of those characters.
 *   The strategy that does it also spells `_` so; a transform puts `_` back.
 * - Where two columns of a table would become one field, all fields of the connector are spelled by `avro_unicode`.
 */
import type { ConnectorConfig } from '../../adapters/connect-client.ts';
import { PINNED_SETTINGS } from '../../core/databases/mariadb.ts';
import type { SourceMapping } from '../../core/mapping.ts';
import { formerName, isPlainTable } from '../../core/names.ts';

const MARIADB = 'io.debezium.connector.mariadb.MariaDbConnector';
const TRANSFORM = 'seamTopic';
const FIELD_MODE = 'field.name.adjustment.mode';
const SCHEMA_MODE = 'schema.name.adjustment.mode';
const PROPAGATE = 'column.propagate.source.type';
const STRATEGY = 'topic.naming.strategy';
const UNICODE = 'avro_unicode';

/** Columns, or tables of columns, with a character that Avro doesn't take, a digit in front, or a dot. */
const ODD_COLUMNS = ['(?s).*[^A-Za-z0-9_.].*', '(?s).*\\.[0-9][^.]*', '(?s)(?:[^.]*\\.){3}.*'];

/** Of one part of a topic's name up to the next `_u005f`. */
const PART = '((?:[^_]|_(?!u005f))*+)';
/** Underscores in prefix, schema and table together; more stay spelled. */
const UNDERSCORES_MAX = 40;

const STRATEGIES: Readonly<Record<string, string>> = {
  'io.debezium.connector.postgresql.PostgresConnector': 'io.debezium.schema.SchemaUnicodeTopicNamingStrategy',
  [MARIADB]: 'io.debezium.schema.DefaultUnicodeTopicNamingStrategy',
};

export function withDerived(
  config: ConnectorConfig,
  mapping: SourceMapping | undefined,
  present: ConnectorConfig | null,
): ConnectorConfig {
  return withNames(withSession(config), mapping, present);
}

const SESSION = 'driver.sessionVariables';
const CONNECTOR_SETTINGS = [
  'sql_mode',
  'sql_select_limit',
  'sql_big_selects',
  'sql_safe_updates',
  'sql_quote_show_create',
];

function withSession(config: ConnectorConfig): ConnectorConfig {
  if (config['connector.class'] !== MARIADB) return config;
  const pinned = CONNECTOR_SETTINGS.map((name) => `${name}=${PINNED_SETTINGS[name]}`);
  const own = config[SESSION];
  return { ...config, [SESSION]: [...(own === undefined ? [] : [own]), ...pinned].join(',') };
}

/** `present`: what runs; a connector that spells by `avro_unicode` goes on with it. */
function withNames(
  config: ConnectorConfig,
  mapping: SourceMapping | undefined,
  present: ConnectorConfig | null,
): ConnectorConfig {
  const hasOddTables = Object.keys(mapping?.tables ?? {}).some((table) => !isPlainTable(table));
  const propagated = [config[PROPAGATE], ...ODD_COLUMNS].filter((one) => one !== undefined && one !== '');
  const named = { ...config, [PROPAGATE]: propagated.join(',') };
  const spelled = present?.[FIELD_MODE] === UNICODE || hasOddTables ? withUnicodeFields(named) : named;
  return hasOddTables ? withUnicodeTopics(spelled) : spelled;
}

export function withUnicodeFields(config: ConnectorConfig): ConnectorConfig {
  return { ...config, [FIELD_MODE]: UNICODE, [SCHEMA_MODE]: UNICODE };
}

function withUnicodeTopics(config: ConnectorConfig): ConnectorConfig {
  const strategy = STRATEGIES[config['connector.class'] ?? ''];
  if (strategy === undefined) return config;
  const transforms = [config.transforms, TRANSFORM].filter((name) => name !== undefined && name !== '');
  return {
    ...config,
    [STRATEGY]: strategy,
    transforms: transforms.join(','),
    [`transforms.${TRANSFORM}.type`]: 'org.apache.kafka.connect.transforms.RegexRouter',
    [`transforms.${TRANSFORM}.regex`]: `^${PART}${`(?:(_)u005f${PART})?+`.repeat(UNDERSCORES_MAX)}$`,
    [`transforms.${TRANSFORM}.replacement`]: Array.from(
      { length: 2 * UNDERSCORES_MAX + 1 },
      (_, group) => `$${group + 1}`,
    ).join(''),
  };
}

/** Would two of these columns of one table become one field? */
export function collide(columns: readonly string[]): boolean {
  return new Set(columns.map(formerName)).size < columns.length;
}
