-- Seam's own tables in a target database: what was applied, and where reading resumes, change in one transaction with the
-- target's rows. Nothing of the target is altered. Runs however often. To undo: DROP DATABASE seam.
CREATE DATABASE IF NOT EXISTS seam CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
--;;
-- The lease of each topic partition: who may write (epoch), and from which offset it goes on.
CREATE TABLE IF NOT EXISTS seam.sink_offset (
  topic       VARCHAR(200) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  `partition` INT NOT NULL,
  next_offset BIGINT NOT NULL,
  epoch       BIGINT NOT NULL,
  owner       VARCHAR(200) NOT NULL,
  taken_at    DATETIME(6) NOT NULL,
  PRIMARY KEY (topic, `partition`)
) ENGINE = InnoDB;
--;;
-- The ledger: per key the newest record that was applied. A deleted key keeps its position, or a late record would bring it back.
-- record_*: of a shared entity the record itself, to bring it back over an older change made here.
-- The key `\truncate` of an entity, alone or with the system and table whose keys it took, is the newest truncation. An empty hash: the contents aren't wholly known, or the key is deleted.
CREATE TABLE IF NOT EXISTS seam.applied (
  entity         VARCHAR(60) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  `key`          VARCHAR(500) NOT NULL,
  `position`     VARBINARY(64) NOT NULL,
  hash           VARBINARY(16) NOT NULL,
  deleted        TINYINT NOT NULL,
  hops           INT NOT NULL,
  seam_wrote     TINYINT NOT NULL,
  commit_time_us BIGINT NOT NULL,
  applied_at     DATETIME(6) NOT NULL,
  record_value   LONGBLOB NULL,
  record_meta    BLOB NULL,
  PRIMARY KEY (entity, `key`)
) ENGINE = InnoDB;
--;;
-- Earlier versions kept contents of records that this target does not take.
UPDATE seam.applied SET record_value = NULL, record_meta = NULL WHERE deleted AND record_value IS NOT NULL;
--;;
-- Hashes of what was written here, for entities that are also captured from here. An empty hash: a deletion.
CREATE TABLE IF NOT EXISTS seam.echo (
  entity     VARCHAR(60) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  `key`      VARCHAR(500) NOT NULL,
  hash       VARBINARY(16) NOT NULL,
  hops       INT NOT NULL,
  written_at DATETIME(6) NOT NULL,
  PRIMARY KEY (entity, `key`, hash),
  KEY echo_written_at (written_at)
) ENGINE = InnoDB;
--;;
-- What each key has contributed to which total, so that a correction changes the total by exactly the difference.
CREATE TABLE IF NOT EXISTS seam.effect (
  effect    VARCHAR(60) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  `key`     VARCHAR(500) NOT NULL,
  group_key VARCHAR(1000) NOT NULL,
  amount    DECIMAL(65, 20) NOT NULL,
  PRIMARY KEY (effect, `key`)
) ENGINE = InnoDB;
--;;
-- Keys that the target's database assigned itself.
CREATE TABLE IF NOT EXISTS seam.identity (
  entity        VARCHAR(60) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  canonical_key VARCHAR(500) NOT NULL,
  local_key     VARCHAR(500) NOT NULL,
  PRIMARY KEY (entity, canonical_key),
  UNIQUE KEY (entity, local_key)
) ENGINE = InnoDB;
--;;
-- Records set aside. next_try_at: is tried again by itself; NULL: a dead letter, or (reason_code KEY_PARKED) behind one of its key,
-- tried when an operator asks: that sets next_try_at and says who.
CREATE TABLE IF NOT EXISTS seam.parked (
  id          BIGINT AUTO_INCREMENT PRIMARY KEY,
  entity      VARCHAR(60) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  `key`       VARCHAR(500) NOT NULL,
  topic       VARCHAR(200) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  `partition` INT NOT NULL,
  `offset`    BIGINT NOT NULL,
  value       LONGBLOB,
  meta        BLOB,
  reason_code VARCHAR(100) NOT NULL,
  reason      VARCHAR(1000) NOT NULL,
  parked_at   DATETIME(6) NOT NULL,
  attempts    INT NOT NULL,
  next_try_at DATETIME(6),
  KEY parked_key (entity, `key`)
) ENGINE = InnoDB;
--;;
-- Replays: who wrote records of the log here once more, why, and what came of it. Texts hold keys and counts, never other values.
CREATE TABLE IF NOT EXISTS seam.replay (
  id         VARCHAR(40) CHARACTER SET ascii COLLATE ascii_nopad_bin PRIMARY KEY,
  state      VARCHAR(20) NOT NULL,
  reason     VARCHAR(1000) NOT NULL,
  planned_by VARCHAR(200) NOT NULL,
  applied_by VARCHAR(200) NOT NULL,
  scope      MEDIUMTEXT NOT NULL,
  predicted  TEXT NOT NULL,
  counted    TEXT NOT NULL,
  started_at DATETIME(6) NOT NULL,
  changed_at DATETIME(6) NOT NULL,
  ended_at   DATETIME(6)
) ENGINE = InnoDB;
--;;
ALTER TABLE seam.parked ADD COLUMN IF NOT EXISTS asked_by VARCHAR(200);
--;;
ALTER TABLE seam.parked ADD COLUMN IF NOT EXISTS asked_at DATETIME(6);
--;;
-- A truncation is one record of the log and is set aside once for each of its keys that waits.
CREATE UNIQUE INDEX IF NOT EXISTS parked_place ON seam.parked (topic, `partition`, `offset`, `key`);
--;;
ALTER TABLE seam.parked DROP INDEX IF EXISTS topic;
--;;
-- Which source table said the newest record of the key, where several feed the entity: a truncation takes the keys of its own table.
ALTER TABLE seam.applied ADD COLUMN IF NOT EXISTS source_table VARCHAR(200);
--;;
-- Dead letters that an operator has given up: what it was, who, when and why; a hash (SHA-256) in place of its contents.
CREATE TABLE IF NOT EXISTS seam.discarded (
  id             BIGINT PRIMARY KEY,
  entity         VARCHAR(60) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  `key`          VARCHAR(500) NOT NULL,
  topic          VARCHAR(200) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  `partition`    INT NOT NULL,
  `offset`       BIGINT NOT NULL,
  contents_hash  CHAR(64) CHARACTER SET ascii NOT NULL,
  reason_code    VARCHAR(100) NOT NULL,
  reason         VARCHAR(1000) NOT NULL,
  parked_at      DATETIME(6) NOT NULL,
  attempts       INT NOT NULL,
  discarded_at   DATETIME(6) NOT NULL,
  discarded_by   VARCHAR(200) NOT NULL,
  discard_reason VARCHAR(1000) NOT NULL
) ENGINE = InnoDB;
--;;
-- Rows of target tables whose key does not say whose they are: stored in another spelling than the canonical key, or made of it by a
-- converter that makes one of several. Nearly every row is not in here.
CREATE TABLE IF NOT EXISTS seam.row_owner (
  entity  VARCHAR(60) CHARACTER SET ascii COLLATE ascii_nopad_bin NOT NULL,
  row_key VARCHAR(600) NOT NULL,
  `key`   VARCHAR(500) NOT NULL,
  PRIMARY KEY (entity, row_key),
  KEY row_owner_key (entity, `key`)
) ENGINE = InnoDB;
