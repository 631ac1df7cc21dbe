/**
 * A deletion tells the columns of the replica identity only. The others come as NULL, or as the default of their type: a deletion of id 7
 * then says that id 0 was deleted. So it must hold the raw key, and all that a canonical key is made of; it can be altered at any time.
 */
import { messageKey } from '../message-key.ts';
import { keyColumns, nameIn } from '../columns.ts';
import type { CheckedSource, Finding, SourceCheck } from '../check.ts';
import { byOwner, MAPPED_TABLES, readAgain, STORED_TABLES, wanted } from './captured.ts';

type Row = {
  readonly table: string;
  /** Quoted: the table itself, or one of its partitions. */
  readonly place: string;
  /** `d` primary key, `i` an index, `f` the whole row, `n` nothing. */
  readonly identity: string;
  readonly columns: readonly string[];
  readonly told: readonly string[] | null;
  readonly primary: readonly string[] | null;
  /** A generated column that is not published: with it FULL would stop the owner's own updates (UPDATES_REFUSED). */
  readonly unpublished: string | null;
};

const NAMES: Readonly<Record<string, string>> = { d: 'the primary key', i: 'an index', n: 'NOTHING' };
const STATEMENTS_MAX = 20;

/** Columns of an index that are part of its key. */
const columnsOf = (relation: string, which: string) =>
  `(SELECT json_agg(a.attname) FROM pg_index i JOIN pg_attribute a
     ON a.attrelid = i.indrelid AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
    WHERE i.indrelid = ${relation} AND i.indisvalid AND ${which})`;

export const replicaIdentity: SourceCheck = {
  id: 'REPLICA_IDENTITY_LACKS_KEY',
  severity: 'halt',
  losesChanges: true,
  async find(source) {
    const rows = await source.session.query<Row>(
      `SELECT w.name AS "table", format('%I.%I', sn.nspname, stored.relname) AS place, stored.relreplident AS identity,
              (SELECT json_agg(a.attname) FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
              ${columnsOf('c.oid', 'i.indisprimary')} AS "primary",
              (SELECT min(a.attname) FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attgenerated <> '' AND NOT a.attisdropped
                  AND current_setting('server_version_num')::int >= 180000
                  AND NOT EXISTS (SELECT 1 FROM pg_publication_tables p
                                   WHERE p.pubname = ? AND p.schemaname || '.' || p.tablename = w.name
                                     AND a.attname = ANY (p.attnames))) AS unpublished,
              CASE stored.relreplident
                WHEN 'd' THEN ${columnsOf('stored.oid', 'i.indisprimary AND i.indimmediate')}
                WHEN 'i' THEN ${columnsOf('stored.oid', 'i.indisreplident')} END AS told
         FROM ${MAPPED_TABLES} ${STORED_TABLES}
        WHERE stored.relkind IN ('r', 'p') AND stored.relreplident <> 'f'`,
      [source.config['publication.name'] ?? '', wanted(source)],
    );
    const byTable = Map.groupBy(rows, ({ table }) => table);
    return [...byTable].flatMap(([table, parts]) => findings(source, table, parts));
  },
};

function findings(source: CheckedSource, table: string, parts: readonly Row[]): Finding[] {
  const needed = neededOf(source, table, parts[0] as Row);
  const short = parts.filter(({ told }) => needed.some((column) => !told?.includes(column)));
  const [first] = short;
  if (first === undefined) return [];
  const lacking = needed.filter((column) => !first.told?.includes(column));
  const places = first.place + (short.length > 1 ? ` and ${short.length - 1} more` : '');
  const text = `a deletion in ${table} would not tell ${lacking.join(', ')}: the replica identity of ${places} is ${identityText(first)}`;
  const isPrimaryEnough = needed.every((column) => first.primary?.includes(column)) && first.identity !== 'd';
  const { unpublished } = first;
  if (!isPrimaryEnough && unpublished !== null)
    return [{ table, text, next: byIndex(first.place, needed, unpublished) }];
  const statements = short
    .slice(0, STATEMENTS_MAX)
    .map(({ place }) => `ALTER TABLE ${place} REPLICA IDENTITY ${isPrimaryEnough ? 'DEFAULT' : 'FULL'}`);
  if (short.length > STATEMENTS_MAX) statements.push(`and so on for ${short.length - STATEMENTS_MAX} more partitions`);
  return [{ table, text, next: `${byOwner(...statements)}; then: ${readAgain(source.system, table)}` }];
}

function byIndex(place: string, needed: readonly string[], unpublished: string): string {
  const columns = needed.map((column) => `"${column}"`).join(', ');
  const index = `a unique index of NOT NULL columns over ${columns}, and ALTER TABLE ${place} REPLICA IDENTITY USING INDEX …`;
  return `the table's owner gives it ${index}; REPLICA IDENTITY FULL would stop updates of it, since the generated column "${unpublished}" is not published`;
}

function identityText({ identity, told }: Row): string {
  const name = NAMES[identity] ?? identity;
  if (identity === 'n') return name;
  if (told === null) return identity === 'd' ? `${name}, and it has none that counts` : `${name} that was dropped`;
  return `${name} (${told.join(', ')})`;
}

/** An ignored deletion needs nothing, but a changed key is a deletion too. */
function neededOf(source: CheckedSource, table: string, { columns, primary }: Row): string[] {
  const raw = messageKey(source.config, table) ?? primary ?? [];
  const mapped = keyColumns(source, table).map((column) => nameIn(columns, column) ?? column);
  return [...new Set([...raw, ...mapped])].filter((column) => columns.includes(column));
}
