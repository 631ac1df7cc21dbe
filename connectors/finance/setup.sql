-- FINANCE: everything Seam asks of this database, and nothing else. Run by its administrator, after the side schema.
-- Can be run again: the outcome is the same. Undone by teardown.sql.
--
-- The server must have wal_level = logical, and one free replication slot and WAL sender for this system.
-- Set max_slot_wal_keep_size: it limits the disk that a stopped Seam may cost, and Seam says so when the slot is lost.

-- 1. The user that reads. REPLICATION for the log, SELECT on the captured tables only. REPLICATION would also allow a copy of the
-- whole server: let pg_hba.conf admit this user to database "finance" and not to "replication", and it reads what is published.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'seam_cdc') THEN
    CREATE ROLE seam_cdc LOGIN REPLICATION;
  END IF;
END $$;
ALTER ROLE seam_cdc LOGIN REPLICATION PASSWORD :'cdc_password';
GRANT USAGE ON SCHEMA fin TO seam_cdc;
GRANT SELECT ON fin.inv TO seam_cdc;

-- 2. Two small tables of our own, in the side schema.
CREATE SCHEMA IF NOT EXISTS seam;
-- One row, written every few seconds, so that the slot of a quiet database moves on and its log can be freed.
CREATE TABLE IF NOT EXISTS seam.heartbeat (
  id    integer      PRIMARY KEY,
  beat  timestamptz  NOT NULL
);
-- Rows here ask the connector for a snapshot while it streams: how a table is read again.
CREATE TABLE IF NOT EXISTS seam.signal (
  id    varchar(64)  PRIMARY KEY,
  type  varchar(32)  NOT NULL,
  data  text
);
GRANT USAGE ON SCHEMA seam TO seam_cdc;
GRANT SELECT, INSERT, UPDATE, DELETE ON seam.heartbeat, seam.signal TO seam_cdc;
-- What Seam wrote here itself, so that its echo is told from news.
GRANT SELECT ON seam.applied, seam.echo, seam.identity TO seam_cdc;

-- 3. What the log tells: these tables only. Made here and not by the connector, whose user could not.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'seam_finance') THEN
    CREATE PUBLICATION seam_finance;
  END IF;
END $$;
ALTER PUBLICATION seam_finance SET TABLE fin.inv, seam.heartbeat, seam.signal;

-- REPLICA IDENTITY stays as it is: every captured table has a primary key, and that is all a delete needs to tell.

-- 4. The user that writes: rows of the target tables, and Seam's own ledger beside them. No DDL, no TRUNCATE.
DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'seam_sink') THEN
    CREATE ROLE seam_sink LOGIN;
  END IF;
END $$;
ALTER ROLE seam_sink LOGIN PASSWORD :'sink_password';
GRANT USAGE ON SCHEMA fin, seam TO seam_sink;
GRANT SELECT, INSERT, UPDATE ON fin.inv TO seam_sink;
GRANT USAGE ON SEQUENCE fin.inv_inv_id_seq TO seam_sink;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA seam TO seam_sink;
REVOKE ALL ON seam.heartbeat, seam.signal FROM seam_sink;
-- Marks what Seam wrote, so that it is told from what people and programs wrote.
GRANT EXECUTE ON FUNCTION
  pg_replication_origin_create(text),
  pg_replication_origin_oid(text),
  pg_replication_origin_session_setup(text),
  pg_replication_origin_xact_setup(pg_lsn, timestamptz),
  pg_replication_origin_session_is_setup()
  TO seam_sink;
