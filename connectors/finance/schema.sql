-- Finance: outgoing invoices, as installed. PostgreSQL, database `finance`, schema `fin`.

CREATE SCHEMA IF NOT EXISTS fin;

-- inv_id is the legal invoice number, assigned here and nowhere else. stat: O open, P paid, V void
CREATE TABLE IF NOT EXISTS fin.inv (
  inv_id   bigserial      PRIMARY KEY,
  ext_ref  varchar(40)    NOT NULL,
  shp_ref  varchar(24),
  ord_ref  varchar(24),
  amt      numeric(12,2)  NOT NULL,
  cur      char(3)        NOT NULL DEFAULT 'USD',
  stat     char(1)        NOT NULL DEFAULT 'O',
  iss_dt   date           NOT NULL DEFAULT current_date,
  paid_ts  timestamptz
);
CREATE INDEX IF NOT EXISTS inv_ext_ref ON fin.inv (ext_ref);
