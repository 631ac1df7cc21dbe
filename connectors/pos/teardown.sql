-- POS: takes back everything that setup.sql and the side schema made. Run by the administrator, with Seam stopped for this
-- system. Rows that Seam wrote into the application's tables stay. Statements are separated by a line `--;;`.

DROP DATABASE IF EXISTS seam;
--;;
DROP USER IF EXISTS 'seam_cdc'@'%';
--;;
DROP USER IF EXISTS 'seam_sink'@'%';
