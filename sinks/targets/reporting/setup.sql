-- Reporting: the user that writes. The store is ours: there is nothing to capture. Run by the administrator, after the side
-- schema. Can be run again. Undone by teardown.sql.

DO $$ BEGIN
  IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'seam_sink') THEN
    CREATE ROLE seam_sink LOGIN;
  END IF;
END $$;
ALTER ROLE seam_sink LOGIN PASSWORD :'sink_password';
GRANT USAGE ON SCHEMA reporting, seam TO seam_sink;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA reporting, seam TO seam_sink;
GRANT EXECUTE ON FUNCTION
  pg_replication_origin_create(text),
  pg_replication_origin_oid(text),
  pg_replication_origin_session_setup(text),
  pg_replication_origin_xact_setup(pg_lsn, timestamptz),
  pg_replication_origin_session_is_setup()
  TO seam_sink;

-- From the till's commit to this store, by the minute of arrival. Rows of the first snapshot, read long after they were
-- written, are told by their age: what took longer than an hour was not on its way, and is left out.
CREATE OR REPLACE VIEW reporting.points_freshness AS
WITH entry AS (
  SELECT
    applied_at,
    1000 * extract(epoch FROM applied_at) - commit_time_us / 1000.0 AS delay_ms
  FROM seam.applied
  WHERE entity = 'points-entry' AND NOT deleted
)
SELECT
  date_trunc('minute', applied_at) AS minute,
  count(*) AS entries,
  count(*) FILTER (WHERE delay_ms <= 2000) AS within_two_seconds,
  round(100.0 * count(*) FILTER (WHERE delay_ms <= 2000) / count(*), 2) AS within_two_seconds_percent,
  round(percentile_cont(0.5) WITHIN GROUP (ORDER BY delay_ms)::numeric, 0) AS median_ms,
  round(percentile_cont(0.99) WITHIN GROUP (ORDER BY delay_ms)::numeric, 0) AS p99_ms,
  round(max(delay_ms), 0) AS slowest_ms
FROM entry
WHERE delay_ms <= 3600000
GROUP BY date_trunc('minute', applied_at);
COMMENT ON VIEW reporting.points_freshness IS
  'How soon after the till''s commit points arrive here. The till''s log keeps whole seconds, so a delay reads up to one second too long. An entry applied again counts with its last arrival.';
