-- Seam's own tables in a target database: what was applied, and where reading resumes, change in one transaction with the
-- target's rows. Nothing of the target is altered. Runs however often. To undo: DROP SCHEMA seam CASCADE.
CREATE SCHEMA IF NOT EXISTS seam;

-- The lease of each topic partition: who may write (epoch), and from which offset it goes on.
CREATE TABLE IF NOT EXISTS seam.sink_offset (
  topic       text COLLATE "C" NOT NULL,
  partition   integer NOT NULL,
  next_offset bigint NOT NULL,
  epoch       bigint NOT NULL,
  owner       text NOT NULL,
  taken_at    timestamptz NOT NULL,
  PRIMARY KEY (topic, partition)
);

-- The ledger: per key the newest record that was applied. A deleted key keeps its position, or a late record would bring it back.
-- record_*: of a shared entity the record itself, to bring it back over an older change made here.
-- The key `\truncate` of an entity, alone or with the system and table whose keys it took, is the newest truncation. An empty hash: the contents aren't wholly known, or the key is deleted.
CREATE TABLE IF NOT EXISTS seam.applied (
  entity         text COLLATE "C" NOT NULL,
  key            text COLLATE "C" NOT NULL,
  position       bytea NOT NULL,
  hash           bytea NOT NULL,
  deleted        boolean NOT NULL,
  hops           integer NOT NULL,
  seam_wrote     boolean NOT NULL,
  commit_time_us bigint NOT NULL,
  applied_at     timestamptz NOT NULL,
  record_value   bytea,
  record_meta    bytea,
  PRIMARY KEY (entity, key)
) WITH (fillfactor = 90);
-- Earlier versions kept contents of records that this target does not take.
UPDATE seam.applied SET record_value = NULL, record_meta = NULL WHERE deleted AND record_value IS NOT NULL;

-- Hashes of what was written here, for entities that are also captured from here. An empty hash: a deletion.
CREATE TABLE IF NOT EXISTS seam.echo (
  entity     text COLLATE "C" NOT NULL,
  key        text COLLATE "C" NOT NULL,
  hash       bytea NOT NULL,
  hops       integer NOT NULL,
  written_at timestamptz NOT NULL,
  PRIMARY KEY (entity, key, hash)
);
CREATE INDEX IF NOT EXISTS echo_written_at ON seam.echo (written_at);

-- What each key has contributed to which total, so that a correction changes the total by exactly the difference.
CREATE TABLE IF NOT EXISTS seam.effect (
  effect    text COLLATE "C" NOT NULL,
  key       text COLLATE "C" NOT NULL,
  group_key text COLLATE "C" NOT NULL,
  amount    numeric NOT NULL,
  PRIMARY KEY (effect, key)
);

-- Keys that the target's database assigned itself.
CREATE TABLE IF NOT EXISTS seam.identity (
  entity        text COLLATE "C" NOT NULL,
  canonical_key text COLLATE "C" NOT NULL,
  local_key     text COLLATE "C" NOT NULL,
  PRIMARY KEY (entity, canonical_key),
  UNIQUE (entity, local_key)
);

-- Records set aside. next_try_at: is tried again by itself; NULL: a dead letter, or (reason_code KEY_PARKED) behind one of its key,
-- tried when an operator asks: that sets next_try_at and says who.
CREATE TABLE IF NOT EXISTS seam.parked (
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  entity      text COLLATE "C" NOT NULL,
  key         text COLLATE "C" NOT NULL,
  topic       text COLLATE "C" NOT NULL,
  partition   integer NOT NULL,
  "offset"    bigint NOT NULL,
  value       bytea,
  meta        bytea,
  reason_code text NOT NULL,
  reason      text NOT NULL,
  parked_at   timestamptz NOT NULL,
  attempts    integer NOT NULL,
  next_try_at timestamptz
);
CREATE INDEX IF NOT EXISTS parked_key ON seam.parked (entity, key);

-- Replays: who wrote records of the log here once more, why, and what came of it. Texts hold keys and counts, never other values.
CREATE TABLE IF NOT EXISTS seam.replay (
  id         text COLLATE "C" PRIMARY KEY,
  state      text NOT NULL,
  reason     text NOT NULL,
  planned_by text NOT NULL,
  applied_by text NOT NULL,
  scope      text NOT NULL,
  predicted  text NOT NULL,
  counted    text NOT NULL,
  started_at timestamptz NOT NULL,
  changed_at timestamptz NOT NULL,
  ended_at   timestamptz
);

ALTER TABLE seam.parked ADD COLUMN IF NOT EXISTS asked_by text;
ALTER TABLE seam.parked ADD COLUMN IF NOT EXISTS asked_at timestamptz;

-- A truncation is one record of the log and is set aside once for each of its keys that waits.
CREATE UNIQUE INDEX IF NOT EXISTS parked_place ON seam.parked (topic, partition, "offset", key);
ALTER TABLE seam.parked DROP CONSTRAINT IF EXISTS parked_topic_partition_offset_key;

-- Which source table said the newest record of the key, where several feed the entity: a truncation takes the keys of its own table.
ALTER TABLE seam.applied ADD COLUMN IF NOT EXISTS source_table text COLLATE "C";

-- Dead letters that an operator has given up: what it was, who, when and why; a hash (SHA-256) in place of its contents.
CREATE TABLE IF NOT EXISTS seam.discarded (
  id             bigint PRIMARY KEY,
  entity         text COLLATE "C" NOT NULL,
  key            text COLLATE "C" NOT NULL,
  topic          text COLLATE "C" NOT NULL,
  partition      integer NOT NULL,
  "offset"       bigint NOT NULL,
  contents_hash  text NOT NULL,
  reason_code    text NOT NULL,
  reason         text NOT NULL,
  parked_at      timestamptz NOT NULL,
  attempts       integer NOT NULL,
  discarded_at   timestamptz NOT NULL,
  discarded_by   text NOT NULL,
  discard_reason text NOT NULL
);

-- Rows of target tables whose key does not say whose they are: stored in another spelling than the canonical key, or made of it by a
-- converter that makes one of several. Nearly every row is not in here.
CREATE TABLE IF NOT EXISTS seam.row_owner (
  entity  text COLLATE "C" NOT NULL,
  row_key text COLLATE "C" NOT NULL,
  key     text COLLATE "C" NOT NULL,
  PRIMARY KEY (entity, row_key)
);
CREATE INDEX IF NOT EXISTS row_owner_key ON seam.row_owner (entity, key);
