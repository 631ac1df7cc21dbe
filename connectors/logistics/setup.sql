-- LOGISTICS: everything Seam asks of this database, and nothing else. Run by its administrator, after the side schema.
-- Can be run again: the outcome is the same. Undone by teardown.sql. Statements are separated by a line `--;;`.
--
-- The server must have log_bin on, binlog_format = ROW, binlog_row_image = FULL, and keep its binary log longer than Seam may
-- ever be stopped (binlog_expire_logs_seconds): what is purged unread is lost, and Seam says so and stops.

-- 1. The user that reads.
CREATE USER IF NOT EXISTS 'seam_cdc'@'%' IDENTIFIED BY :'cdc_password';
--;;
ALTER USER 'seam_cdc'@'%' IDENTIFIED BY :'cdc_password';
--;;
-- REPLICATION SLAVE reads the binary log, BINLOG MONITOR asks where it stands, RELOAD takes the short lock of the first
-- snapshot. MariaDB gives these for the whole server only: the log holds changes of every table, of which the connector keeps
-- those granted below. Guard this password as you would a replica's.
GRANT REPLICATION SLAVE, BINLOG MONITOR, RELOAD ON *.* TO 'seam_cdc'@'%';
--;;
GRANT SELECT ON logistics.shp TO 'seam_cdc'@'%';
--;;
-- 2. Two small tables of our own, in the side schema.
CREATE DATABASE IF NOT EXISTS seam CHARACTER SET utf8mb4;
--;;
-- One row, written every few seconds, once a minute while nothing else happens: proves that the way from here to Kafka is open.
CREATE TABLE IF NOT EXISTS seam.heartbeat (
  id    INT          NOT NULL PRIMARY KEY,
  beat  DATETIME(6)  NOT NULL
) ENGINE = InnoDB;
--;;
-- Rows here ask the connector for a snapshot while it streams: how a table is read again.
CREATE TABLE IF NOT EXISTS seam.signal (
  id    VARCHAR(64)  NOT NULL PRIMARY KEY,
  type  VARCHAR(32)  NOT NULL,
  data  TEXT         NULL
) ENGINE = InnoDB;
--;;
GRANT SELECT, INSERT, UPDATE, DELETE ON seam.heartbeat TO 'seam_cdc'@'%';
--;;
GRANT SELECT, INSERT, UPDATE, DELETE ON seam.signal TO 'seam_cdc'@'%';
--;;
-- What Seam wrote here itself, so that its echo is told from news.
GRANT SELECT ON seam.applied TO 'seam_cdc'@'%';
--;;
GRANT SELECT ON seam.echo TO 'seam_cdc'@'%';
--;;
GRANT SELECT ON seam.identity TO 'seam_cdc'@'%';
--;;
-- 3. The user that writes: rows of the target tables, and Seam's own ledger beside them. No DDL, no TRUNCATE.
CREATE USER IF NOT EXISTS 'seam_sink'@'%' IDENTIFIED BY :'sink_password';
--;;
ALTER USER 'seam_sink'@'%' IDENTIFIED BY :'sink_password';
--;;
GRANT SELECT, INSERT, UPDATE ON logistics.shp TO 'seam_sink'@'%';
--;;
GRANT SELECT, INSERT, UPDATE, DELETE ON seam.* TO 'seam_sink'@'%';
--;;
-- Marks what Seam wrote, by a GTID domain and server id of its own in its sessions. Reads and changes no table by itself.
GRANT BINLOG REPLAY ON *.* TO 'seam_sink'@'%';
