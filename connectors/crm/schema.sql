-- CRM: members of the loyalty programme and the web shop, as installed. PostgreSQL, database `crm`, schema `crm`.

CREATE SCHEMA IF NOT EXISTS crm;

-- tier_cd: B base, S silver, G gold; stat_cd: A active, C closed
CREATE TABLE IF NOT EXISTS crm.mbr (
  mbr_id   integer        PRIMARY KEY,
  nm       varchar(80)    NOT NULL,
  eml      varchar(120),
  tel      varchar(30),
  brth_dt  date,
  tier_cd  char(1)        NOT NULL DEFAULT 'B',
  stat_cd  char(1)        NOT NULL DEFAULT 'A',
  pts_bal  bigint         NOT NULL DEFAULT 0,
  jn_dt    date,
  ref      uuid,
  rmrk     text
);

-- The tier follows the points.
CREATE OR REPLACE FUNCTION crm.mbr_tier() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.tier_cd := CASE WHEN NEW.pts_bal >= 2000 THEN 'G' WHEN NEW.pts_bal >= 500 THEN 'S' ELSE 'B' END;
  RETURN NEW;
END $$;
CREATE OR REPLACE TRIGGER mbr_tier BEFORE UPDATE ON crm.mbr
  FOR EACH ROW EXECUTE FUNCTION crm.mbr_tier();

-- Points ledger, one row for each line of a receipt.
CREATE TABLE IF NOT EXISTS crm.pts_led (
  ent_id   varchar(40)    PRIMARY KEY,
  mbr_id   integer        NOT NULL,
  bskt     bigint         NOT NULL,
  pts      integer        NOT NULL,
  ts       timestamptz    NOT NULL
);
CREATE INDEX IF NOT EXISTS pts_led_mbr ON crm.pts_led (mbr_id, ts);

-- stat: N new, X cancelled
CREATE TABLE IF NOT EXISTS crm.web_ord (
  ord_no   bigint         PRIMARY KEY,
  mbr_id   integer        NOT NULL,
  prod     varchar(14)    NOT NULL,
  str      char(6)        NOT NULL,
  qty      numeric(12,3)  NOT NULL,
  unit_prc numeric(10,2)  NOT NULL,
  ord_ts   timestamptz    NOT NULL,
  stat     char(1)        NOT NULL DEFAULT 'N',
  msg      text
);

-- Survey sheets, typed in by marketing. Never had a primary key.
CREATE TABLE IF NOT EXISTS crm.mkt_srvy (
  wk       integer        NOT NULL,
  prod     varchar(14)    NOT NULL,
  comp     varchar(60)    NOT NULL,
  units    bigint         NOT NULL,
  avg_prc  numeric(10,2)  NOT NULL,
  srv_dt   date
);
CREATE INDEX IF NOT EXISTS mkt_srvy_wk ON crm.mkt_srvy (wk, prod);
