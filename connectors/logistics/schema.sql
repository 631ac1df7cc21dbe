-- Logistics: shipments of the carrier's dispatch desk, as installed. MariaDB, database `logistics`. DATETIME is UTC.
-- Statements are separated by a line `--;;`.
-- stat: 0 requested, 1 shipped, 2 delivered.

CREATE TABLE IF NOT EXISTS shp (
  shp_no   VARCHAR(24)   NOT NULL,
  pln_no   VARCHAR(24)   NULL,
  ord_no   VARCHAR(24)   NULL,
  prod_cd  VARCHAR(14)   NOT NULL,
  frm_loc  CHAR(6)       NOT NULL,
  qty      DECIMAL(12,3) NOT NULL,
  decl_val DECIMAL(12,2) NOT NULL DEFAULT 0,
  stat     TINYINT       NOT NULL DEFAULT 0,
  shp_dt   DATETIME(6)   NULL,
  PRIMARY KEY (shp_no),
  KEY shp_stat (stat)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
