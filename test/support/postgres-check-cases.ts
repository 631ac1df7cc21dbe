/** What owners of a PostgreSQL database do to it, what Seam must say of it, and how it is healed. */
/** Columns of the key, and of other fields. */
export type Mapped = {
  readonly key?: readonly string[];
  readonly fields?: readonly string[];
  /** Nothing was read yet. */
  readonly isUnread?: boolean;
  readonly config?: object;
};

export type CheckCase = {
  readonly it: string;
  readonly table: string;
  readonly given: string;
  readonly mapped?: Mapped;
  /** What goes wrong. */
  readonly when: string;
  readonly finds: { readonly id: string; readonly text: string };
  /** Others that follow from the same cause. */
  readonly also?: readonly string[];
  /** Where no SQL is handed over: what a person does. */
  readonly heals?: string;
  /** Was told whole all the time: nothing is to be read again. */
  readonly losesNothing?: true;
};

export const plain = (
  name: string,
) => `CREATE TABLE lab.${name} (id int PRIMARY KEY, code text NOT NULL UNIQUE, body text);
  ALTER PUBLICATION seam_lab ADD TABLE lab.${name};`;
export const partitioned = (
  name: string,
) => `CREATE TABLE lab.${name} (id int, body text, region text, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
  CREATE TABLE lab.${name}_eu PARTITION OF lab.${name} FOR VALUES IN ('EU'); CREATE TABLE lab.${name}_us PARTITION OF lab.${name} FOR VALUES IN ('US');
  INSERT INTO lab.${name} VALUES (1, 'one', 'EU'), (2, 'two', 'US');
  ALTER PUBLICATION seam_lab ADD TABLE lab.${name};`;

export const cases: readonly CheckCase[] = [
  {
    it: 'a right that was revoked',
    table: 'lab.granted',
    given: plain('granted'),
    when: 'REVOKE SELECT ON lab.granted FROM seam_cdc',
    finds: { id: 'TABLE_NOT_READABLE', text: 'seam_cdc may not read lab.granted: it lacks SELECT on id, code, body' },
    losesNothing: true,
  },
  {
    it: 'rights on some columns only',
    table: 'lab.partly',
    given: plain('partly'),
    when: 'REVOKE SELECT ON lab.partly FROM seam_cdc; GRANT SELECT (id, body) ON lab.partly TO seam_cdc',
    finds: { id: 'TABLE_NOT_READABLE', text: 'it lacks SELECT on code' },
    losesNothing: true,
  },
  {
    it: 'the right to read the log that was revoked',
    table: 'lab.log_read',
    given: plain('log_read'),
    when: 'ALTER ROLE seam_cdc NOREPLICATION',
    finds: { id: 'REPLICATION_NOT_GRANTED', text: 'seam_cdc may not read the log of lab: it lacks REPLICATION' },
    losesNothing: true,
  },
  {
    it: 'a schema that may not be used',
    table: 'other.shut',
    given: `CREATE SCHEMA other; CREATE TABLE other.shut (id int PRIMARY KEY, body text); ALTER PUBLICATION seam_lab ADD TABLE other.shut;
      GRANT USAGE ON SCHEMA other TO seam_cdc; GRANT SELECT ON other.shut TO seam_cdc;`,
    when: 'REVOKE USAGE ON SCHEMA other FROM seam_cdc',
    finds: { id: 'TABLE_NOT_READABLE', text: 'USAGE on schema other' },
    losesNothing: true,
  },
  {
    it: 'a policy that hides rows, as case 03',
    table: 'lab.rls',
    given: plain('rls'),
    when: `ALTER TABLE lab.rls ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON lab.rls USING (body LIKE 'two%')`,
    finds: { id: 'ROWS_HIDDEN', text: 'row level security hides rows of lab.rls from seam_cdc' },
    losesNothing: true,
  },
  {
    it: 'a table that left the publication',
    table: 'lab.dropped',
    given: plain('dropped'),
    when: 'ALTER PUBLICATION seam_lab DROP TABLE lab.dropped',
    finds: { id: 'TABLE_NOT_PUBLISHED', text: 'lab.dropped is not in publication seam_lab' },
  },
  {
    it: 'a table that was swapped under its name, as case 08',
    table: 'lab.swap',
    given: plain('swap'),
    when: `CREATE TABLE lab.swap_new (LIKE lab.swap INCLUDING ALL); ALTER TABLE lab.swap RENAME TO swap_bak; ALTER TABLE lab.swap_new RENAME TO swap`,
    finds: { id: 'TABLE_NOT_PUBLISHED', text: 'another table has its name now' },
    also: ['TABLE_REPLACED'],
  },
  {
    it: 'a WHERE of the publication',
    table: 'lab.filtered',
    given: plain('filtered'),
    when: 'ALTER PUBLICATION seam_lab DROP TABLE lab.filtered; ALTER PUBLICATION seam_lab ADD TABLE lab.filtered WHERE (id > 5)',
    finds: { id: 'PUBLICATION_FILTERS', text: 'tells only rows of lab.filtered that fit its WHERE' },
    also: ['CHANGES_NOT_TOLD'],
  },
  {
    it: 'a column list of the publication',
    table: 'lab.listed',
    given: plain('listed'),
    when: 'ALTER PUBLICATION seam_lab DROP TABLE lab.listed; ALTER PUBLICATION seam_lab ADD TABLE lab.listed (id, code)',
    finds: {
      id: 'PUBLICATION_FILTERS',
      text: 'lab.listed body: the column list of publication seam_lab leaves out what the mapping reads',
    },
    also: ['CHANGES_NOT_TOLD'],
  },
  {
    it: 'a generated column that is not published',
    table: 'lab.generated',
    given: `CREATE TABLE lab.generated (id int PRIMARY KEY, a int, body int GENERATED ALWAYS AS (a * 2) STORED); ALTER PUBLICATION seam_lab ADD TABLE lab.generated;
      ALTER PUBLICATION seam_lab SET (publish_generated_columns = stored)`,
    when: 'ALTER PUBLICATION seam_lab SET (publish_generated_columns = none)',
    finds: { id: 'PUBLICATION_FILTERS', text: 'does not publish generated columns' },
  },
  {
    it: 'a virtual generated column',
    table: 'lab.virtual',
    given: plain('virtual'),
    when: 'ALTER TABLE lab.virtual DROP COLUMN body, ADD COLUMN body int GENERATED ALWAYS AS (id * 2) VIRTUAL',
    finds: { id: 'PUBLICATION_FILTERS', text: 'never tells a virtual generated column' },
    heals: 'ALTER TABLE lab.virtual DROP COLUMN body, ADD COLUMN body int',
  },
  {
    it: 'kinds of changes that are not published',
    table: 'lab.actions',
    given: plain('actions'),
    when: "ALTER PUBLICATION seam_lab SET (publish = 'insert')",
    finds: { id: 'PUBLICATION_OPERATIONS', text: 'does not tell update and delete and truncate of lab.actions' },
  },
  {
    it: 'partitions under their own names, as case 23',
    table: 'lab.byleaf',
    given: `ALTER PUBLICATION seam_lab SET (publish_via_partition_root = true); ${partitioned('byleaf')}`,
    when: 'ALTER PUBLICATION seam_lab SET (publish_via_partition_root = false)',
    finds: { id: 'TABLE_NOT_PUBLISHED', text: 'come under the names of its partitions' },
  },
  {
    it: 'a replica identity that tells another column, as case 05',
    table: 'lab.ridx',
    given: plain('ridx'),
    when: 'ALTER TABLE lab.ridx REPLICA IDENTITY USING INDEX ridx_code_key',
    finds: {
      id: 'REPLICA_IDENTITY_LACKS_KEY',
      text: 'a deletion in lab.ridx would not tell id: the replica identity of lab.ridx is an index (code)',
    },
  },
  {
    it: 'a replica identity of nothing',
    table: 'lab.nothing',
    given: plain('nothing'),
    when: 'ALTER TABLE lab.nothing REPLICA IDENTITY NOTHING',
    finds: { id: 'REPLICA_IDENTITY_LACKS_KEY', text: 'NOTHING' },
  },
  {
    it: 'an index of the replica identity that was dropped',
    table: 'lab.gone',
    given: `${plain('gone')} CREATE UNIQUE INDEX gone_id ON lab.gone (id); ALTER TABLE lab.gone REPLICA IDENTITY USING INDEX gone_id;`,
    when: 'DROP INDEX lab.gone_id',
    finds: { id: 'REPLICA_IDENTITY_LACKS_KEY', text: 'an index that was dropped' },
  },
  {
    it: 'a key that is made of a column which deletions do not tell',
    table: 'lab.derived',
    given: `${plain('derived')} ALTER TABLE lab.derived REPLICA IDENTITY FULL;`,
    mapped: { key: ['code'] },
    when: 'ALTER TABLE lab.derived REPLICA IDENTITY DEFAULT',
    finds: { id: 'REPLICA_IDENTITY_LACKS_KEY', text: 'would not tell code' },
  },
  {
    it: 'columns of message.key.columns which deletions do not tell',
    table: 'lab.message',
    given: `${plain('message')} ALTER TABLE lab.message REPLICA IDENTITY FULL;`,
    mapped: { config: { 'message.key.columns': 'lab\\.other:id;lab\\.message:code' } },
    when: 'ALTER TABLE lab.message REPLICA IDENTITY DEFAULT',
    finds: { id: 'REPLICA_IDENTITY_LACKS_KEY', text: 'would not tell code' },
  },
  {
    it: 'no key, beside a generated column that keeps the whole row from being the identity',
    table: 'lab.keyless',
    given: `CREATE TABLE lab.keyless (id int, body text, twice int GENERATED ALWAYS AS (id * 2) VIRTUAL);
      CREATE UNIQUE INDEX keyless_id ON lab.keyless (id); ALTER TABLE lab.keyless ALTER COLUMN id SET NOT NULL;
      ALTER TABLE lab.keyless REPLICA IDENTITY USING INDEX keyless_id; ALTER PUBLICATION seam_lab ADD TABLE lab.keyless;`,
    mapped: { key: ['id'] },
    when: 'ALTER TABLE lab.keyless REPLICA IDENTITY DEFAULT',
    finds: { id: 'REPLICA_IDENTITY_LACKS_KEY', text: 'the primary key, and it has none that counts' },
    heals: 'ALTER TABLE lab.keyless REPLICA IDENTITY USING INDEX keyless_id',
  },
  {
    it: 'one partition with another replica identity',
    table: 'lab.leafid',
    given: partitioned('leafid'),
    when: 'ALTER TABLE lab.leafid_us REPLICA IDENTITY NOTHING',
    finds: { id: 'REPLICA_IDENTITY_LACKS_KEY', text: 'the replica identity of lab.leafid_us is NOTHING' },
  },
  {
    it: 'a partition that is not logged',
    table: 'lab.unlogged',
    given: partitioned('unlogged'),
    when: `CREATE UNLOGGED TABLE lab.unlogged_cn PARTITION OF lab.unlogged FOR VALUES IN ('CN')`,
    finds: { id: 'TABLE_NOT_LOGGED', text: 'lab.unlogged_cn is unlogged' },
  },
  {
    it: 'a view in the place of a table',
    table: 'lab.viewed',
    given: plain('viewed'),
    when: 'ALTER TABLE lab.viewed RENAME TO viewed_base; CREATE VIEW lab.viewed AS SELECT * FROM lab.viewed_base',
    finds: { id: 'TABLE_NOT_LOGGED', text: 'lab.viewed is a view' },
    also: ['TABLE_REPLACED'],
    heals: 'DROP VIEW lab.viewed; ALTER TABLE lab.viewed_base RENAME TO viewed',
  },
  {
    it: 'a table that inherits',
    table: 'lab.parent',
    given: plain('parent'),
    when: 'CREATE TABLE lab.child () INHERITS (lab.parent)',
    finds: { id: 'TABLE_HAS_CHILDREN', text: 'lab.parent shows rows of lab.child' },
    heals: 'DROP TABLE lab.child',
  },
  {
    it: 'a table that is gone',
    table: 'lab.away',
    given: plain('away'),
    when: 'ALTER TABLE lab.away RENAME TO away_bak',
    finds: { id: 'TABLE_MISSING_IN_SOURCE', text: 'lab.away is not there' },
    heals: 'ALTER TABLE lab.away_bak RENAME TO away',
  },
  {
    it: 'a format of bytes, as case 06',
    table: 'lab.byt',
    given: 'CREATE TABLE lab.byt (id int PRIMARY KEY, body bytea); ALTER PUBLICATION seam_lab ADD TABLE lab.byt;',
    when: `ALTER ROLE seam_cdc IN DATABASE lab SET bytea_output = 'escape'`,
    finds: { id: 'FORMATS_DIFFER', text: 'print body of lab.byt in another form: bytea_output = escape, not hex' },
    also: ['FORMATS_NOT_PINNED'],
    heals: `ALTER ROLE seam_cdc IN DATABASE lab SET bytea_output = 'hex'`,
  },
  {
    it: 'a format of money, as case 06',
    table: 'lab.mon',
    given: 'CREATE TABLE lab.mon (id int PRIMARY KEY, body money); ALTER PUBLICATION seam_lab ADD TABLE lab.mon;',
    when: `ALTER ROLE seam_cdc IN DATABASE lab SET lc_monetary = 'C.UTF-8'`,
    finds: { id: 'FORMATS_DIFFER', text: 'print body of lab.mon in another form: lc_monetary = C.UTF-8, not C' },
    also: ['FORMATS_NOT_PINNED'],
    heals: `ALTER ROLE seam_cdc IN DATABASE lab SET lc_monetary = 'C'`,
  },
  {
    it: 'a format of intervals, as case 06',
    table: 'lab.ivl',
    given:
      'CREATE DOMAIN lab.span AS interval; CREATE TABLE lab.ivl (id int PRIMARY KEY, body lab.span[]); ALTER PUBLICATION seam_lab ADD TABLE lab.ivl;',
    when: `ALTER ROLE seam_cdc IN DATABASE lab SET intervalstyle = 'sql_standard'`,
    finds: {
      id: 'FORMATS_DIFFER',
      text: 'print body of lab.ivl in another form: intervalstyle = sql_standard, not postgres',
    },
    also: ['FORMATS_NOT_PINNED'],
    heals: `ALTER ROLE seam_cdc IN DATABASE lab SET intervalstyle = 'postgres'`,
  },
  {
    it: 'requests that the log does not tell',
    table: 'lab.signalled',
    given: plain('signalled'),
    when: 'ALTER PUBLICATION seam_lab DROP TABLE seam.signal',
    finds: { id: 'SIGNAL_NOT_PUBLISHED', text: 'no table of lab can be read again' },
    losesNothing: true,
  },
];
