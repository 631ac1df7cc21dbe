-- POS: the tills of the stores, as their maker installed it. MariaDB, database `pos`.
-- All DATETIME columns are the clock on the wall of the head office, America/New_York, without zone.
-- Statements are separated by a line `--;;`.

CREATE TABLE IF NOT EXISTS tlog_hdr (
  bskt_no  BIGINT        NOT NULL,
  str_cd   CHAR(6)       NOT NULL,
  cust_no  CHAR(10)      NULL,
  sold_ts  DATETIME(3)   NOT NULL,
  tot_amt  DECIMAL(12,2) NOT NULL,
  tndr_cd  VARCHAR(4)    NULL,
  PRIMARY KEY (bskt_no),
  KEY tlog_hdr_str (str_cd, sold_ts)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
--;;
CREATE TABLE IF NOT EXISTS tlog_ln (
  bskt_no  BIGINT        NOT NULL,
  ln_no    SMALLINT      NOT NULL,
  str_cd   CHAR(6)       NOT NULL,
  cust_no  CHAR(10)      NULL,
  prod_cd  VARCHAR(14)   NOT NULL,
  qty      DECIMAL(12,3) NOT NULL,
  net_amt  DECIMAL(12,2) NOT NULL,
  disc_amt DECIMAL(12,2) NOT NULL,
  typ_cd   CHAR(1)       NOT NULL DEFAULT 'S',
  sold_ts  DATETIME(3)   NOT NULL,
  PRIMARY KEY (bskt_no, ln_no),
  KEY tlog_ln_prod (prod_cd, sold_ts)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
--;;
-- upd_dt is '0000-00-00' in rows of the first release.
CREATE TABLE IF NOT EXISTS cust (
  cust_no  CHAR(10)      NOT NULL,
  nm       VARCHAR(80)   NOT NULL DEFAULT '',
  tier_cd  CHAR(1)       NOT NULL DEFAULT 'B',
  pts      INT           NOT NULL DEFAULT 0,
  tel_no   VARCHAR(30)   NULL,
  upd_dt   DATE          NULL,
  PRIMARY KEY (cust_no)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
--;;
CREATE TABLE IF NOT EXISTS item (
  prod_cd  VARCHAR(14)   NOT NULL,
  descr    VARCHAR(120)  NOT NULL,
  dept     VARCHAR(40)   NOT NULL,
  actv     TINYINT(1)    NOT NULL DEFAULT 1,
  PRIMARY KEY (prod_cd)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
--;;
CREATE TABLE IF NOT EXISTS prc (
  prod_cd  VARCHAR(14)   NOT NULL,
  zn       CHAR(2)       NOT NULL,
  amt      DECIMAL(10,2) NOT NULL,
  PRIMARY KEY (prod_cd, zn),
  CONSTRAINT prc_item FOREIGN KEY (prod_cd) REFERENCES item (prod_cd)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci;
