-- ERP: stock, cost and production, as its maker installed it. PostgreSQL, database `erp`, schema `erp`.
-- cmpl_ts is the clock on the wall of the head office, America/New_York, without zone.

CREATE SCHEMA IF NOT EXISTS erp;

-- typ_cd: S store, W warehouse, B bakery
CREATE TABLE IF NOT EXISTS erp.loc (
  loc_cd   char(6)        PRIMARY KEY,
  nm       varchar(60)    NOT NULL,
  typ_cd   char(1)        NOT NULL,
  tz       varchar(40)    NOT NULL,
  opn_dt   date
);

-- brnd_cd: N national, P private; del_fg: Y no longer offered
CREATE TABLE IF NOT EXISTS erp.prod (
  prod_no  varchar(14)    PRIMARY KEY,
  descr    varchar(120)   NOT NULL,
  dept     varchar(40)    NOT NULL,
  ctgry    varchar(60),
  brnd_cd  char(1)        NOT NULL,
  pkg      varchar(40),
  unit_cst numeric(12,4)  NOT NULL,
  del_fg   char(1)        NOT NULL DEFAULT 'N',
  spec_txt text,
  img      bytea
);

CREATE TABLE IF NOT EXISTS erp.prc (
  prod_no  varchar(14)    NOT NULL REFERENCES erp.prod,
  zn       char(2)        NOT NULL,
  amt      numeric(10,2)  NOT NULL,
  vld_frm  date           NOT NULL,
  rem      varchar(200),
  PRIMARY KEY (prod_no, zn)
);

CREATE TABLE IF NOT EXISTS erp.stk (
  loc_cd   char(6)        NOT NULL,
  prod_no  varchar(14)    NOT NULL,
  qoh      numeric(14,3)  NOT NULL DEFAULT 0,
  cnt_dt   date,
  PRIMARY KEY (loc_cd, prod_no)
);

-- Stock when the books were opened.
CREATE TABLE IF NOT EXISTS erp.stk_open (
  loc_cd   char(6)        NOT NULL,
  prod_no  varchar(14)    NOT NULL,
  qty      numeric(14,3)  NOT NULL,
  PRIMARY KEY (loc_cd, prod_no)
);

-- Loaded by the nightly batch of the tills before Seam came. rsn_cd: S sale, R return
CREATE TABLE IF NOT EXISTS erp.stk_mvmt (
  mvmt_id  varchar(40)    PRIMARY KEY,
  loc_cd   char(6)        NOT NULL,
  prod_no  varchar(14)    NOT NULL,
  qty      numeric(12,3)  NOT NULL,
  rsn_cd   char(1)        NOT NULL,
  mv_ts    timestamptz    NOT NULL
);
CREATE INDEX IF NOT EXISTS stk_mvmt_stk ON erp.stk_mvmt (loc_cd, prod_no);

-- Corrections of the stock clerks.
CREATE TABLE IF NOT EXISTS erp.stk_adj (
  adj_id   serial         PRIMARY KEY,
  loc_cd   char(6)        NOT NULL,
  prod_no  varchar(14)    NOT NULL,
  qty      numeric(12,3)  NOT NULL,
  who      varchar(30)    NOT NULL,
  ts       timestamptz    NOT NULL DEFAULT now()
);

CREATE OR REPLACE FUNCTION erp.stk_adj_apply() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO erp.stk AS s (loc_cd, prod_no, qoh, cnt_dt)
  VALUES (NEW.loc_cd, NEW.prod_no, NEW.qty, NEW.ts::date)
  ON CONFLICT (loc_cd, prod_no) DO UPDATE SET qoh = s.qoh + NEW.qty, cnt_dt = NEW.ts::date;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER stk_adj_apply AFTER INSERT ON erp.stk_adj
  FOR EACH ROW EXECUTE FUNCTION erp.stk_adj_apply();

-- stat: N new, X cancelled
CREATE TABLE IF NOT EXISTS erp.so_hdr (
  ord_no   varchar(24)    PRIMARY KEY,
  mbr_no   varchar(12)    NOT NULL,
  prod_no  varchar(14)    NOT NULL REFERENCES erp.prod,
  loc_cd   char(6)        NOT NULL,
  qty      numeric(12,3)  NOT NULL,
  prc      numeric(10,2)  NOT NULL,
  stat     char(1)        NOT NULL,
  ord_ts   timestamptz    NOT NULL
);

-- stat: P planned, R running, C completed, X cancelled
CREATE TABLE IF NOT EXISTS erp.prod_plan (
  plan_no  varchar(24)    PRIMARY KEY,
  ord_no   varchar(24),
  prod_no  varchar(14)    NOT NULL,
  loc_cd   char(6)        NOT NULL,
  qty      numeric(12,3)  NOT NULL,
  ord_val  numeric(12,2)  NOT NULL DEFAULT 0,
  stat     char(1)        NOT NULL DEFAULT 'P',
  pln_dt   date,
  cmpl_ts  timestamp
);
CREATE INDEX IF NOT EXISTS prod_plan_stat ON erp.prod_plan (stat);

-- What is completed stays completed: cancelling comes too late. Completion is stamped.
CREATE OR REPLACE FUNCTION erp.prod_plan_stat() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.stat = 'C' AND NEW.stat = 'X' THEN
    NEW.stat := OLD.stat;
  END IF;
  IF NEW.stat = 'C' AND NEW.cmpl_ts IS NULL THEN
    NEW.cmpl_ts := clock_timestamp() AT TIME ZONE 'America/New_York';
  END IF;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER prod_plan_stat BEFORE UPDATE ON erp.prod_plan
  FOR EACH ROW EXECUTE FUNCTION erp.prod_plan_stat();
