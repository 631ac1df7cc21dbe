-- FINANCE: takes back everything that setup.sql and the side schema made. Run by the administrator, with Seam stopped for this
-- system: a slot in use can't be dropped. Rows that Seam wrote into the application's tables stay.

SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = 'seam_finance';
DROP PUBLICATION IF EXISTS seam_finance;
DROP SCHEMA IF EXISTS seam CASCADE;
SELECT pg_replication_origin_drop(roname) FROM pg_replication_origin WHERE roname LIKE 'seam\_finance\_%';
DO $$
DECLARE
  role_name text;
BEGIN
  FOR role_name IN SELECT rolname FROM pg_roles WHERE rolname IN ('seam_cdc', 'seam_sink') LOOP
    EXECUTE format('DROP OWNED BY %I', role_name);
    EXECUTE format('ALTER ROLE %I IN DATABASE %I RESET ALL', role_name, current_database());
    BEGIN
      EXECUTE format('DROP ROLE %I', role_name);
    EXCEPTION WHEN dependent_objects_still_exist THEN
      RAISE NOTICE 'user % is still used by another database of this server', role_name;
    END;
  END LOOP;
END $$;
