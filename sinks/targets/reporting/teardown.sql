-- Reporting: takes back what setup.sql and the side schema made. Run by the administrator, with the sink stopped.
-- Tables and their rows stay; to drop them too: DROP SCHEMA reporting CASCADE

DROP VIEW IF EXISTS reporting.points_freshness;
DROP SCHEMA IF EXISTS seam CASCADE;
SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname LIKE 'seam\_reporting\_%';
DO $$ BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'seam_sink') THEN
    DROP OWNED BY seam_sink;
    BEGIN
      DROP ROLE seam_sink;
    EXCEPTION WHEN dependent_objects_still_exist THEN
      RAISE NOTICE 'user seam_sink is still used by another database of this server';
    END;
  END IF;
END $$;
