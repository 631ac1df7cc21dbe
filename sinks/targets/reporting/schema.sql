-- Reporting: one table for each kind of fact of the retail chain, and the views that people ask for. PostgreSQL, database
-- `reporting`, schema `reporting`. Column for column the canonical entities (avro/*.avsc); nothing is translated or left out.
-- No foreign keys, and no NOT NULL beside the keys: facts arrive in the order in which their systems tell them, and a large
-- value that a record doesn't carry stays as it is. Times are UTC.
-- points_freshness needs the ledger in the side schema, so setup.sql makes it.

CREATE SCHEMA IF NOT EXISTS reporting;
COMMENT ON SCHEMA reporting IS 'Facts of all joined systems, kept current by Seam. Read-only for people.';

CREATE TABLE IF NOT EXISTS reporting.location (
  location_id  text NOT NULL,
  name         text,
  kind         text,
  time_zone    text,
  opened_on    date,
  PRIMARY KEY (location_id)
);
COMMENT ON TABLE reporting.location IS 'A place of the chain that sells, stores or makes goods. Maintained by the stock system.';
COMMENT ON COLUMN reporting.location.location_id IS 'Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept.';
COMMENT ON COLUMN reporting.location.name IS 'Name as the chain uses it in lists and on reports.';
COMMENT ON COLUMN reporting.location.kind IS 'What the place is for. One of STORE, WAREHOUSE, BAKERY.';
COMMENT ON COLUMN reporting.location.time_zone IS 'IANA time zone of the place, e.g. `America/New_York`; local times of its tills are read in it.';
COMMENT ON COLUMN reporting.location.opened_on IS 'First day of business; null where nobody recorded it.';

CREATE TABLE IF NOT EXISTS reporting.product (
  product_id     text NOT NULL,
  description    text,
  department     text,
  category       text,
  brand          text,
  package_size   text,
  unit_cost      numeric(12,4),
  status         text,
  specification  text,
  image          bytea,
  PRIMARY KEY (product_id)
);
COMMENT ON TABLE reporting.product IS 'An article the chain sells, with its cost. Maintained by the stock system; prices are a record of their own, per zone.';
COMMENT ON COLUMN reporting.product.product_id IS 'Canonical id of the product: the digits of the chain''s product number.';
COMMENT ON COLUMN reporting.product.description IS 'Name of the article as printed on receipts and lists.';
COMMENT ON COLUMN reporting.product.department IS 'Department of the store that sells it, e.g. `GROCERY`.';
COMMENT ON COLUMN reporting.product.category IS 'Commodity group within the department; null where the article is not grouped.';
COMMENT ON COLUMN reporting.product.brand IS 'Whose brand the article carries; drives margin reports. One of NATIONAL, PRIVATE.';
COMMENT ON COLUMN reporting.product.package_size IS 'Size as printed on the package, e.g. `12 OZ`; text for people, not for arithmetic.';
COMMENT ON COLUMN reporting.product.unit_cost IS 'What one unit costs the chain, in the chain''s currency, from the stock system''s costing.';
COMMENT ON COLUMN reporting.product.status IS 'Whether the article is offered. One of ACTIVE, DELISTED.';
COMMENT ON COLUMN reporting.product.specification IS 'Long text for buyers and labels: ingredients, handling. May be large; absent from a record when it did not change.';
COMMENT ON COLUMN reporting.product.image IS 'Picture of the article as stored by the stock system, file contents unchanged.';

CREATE TABLE IF NOT EXISTS reporting.price (
  product_id  text NOT NULL,
  zone        text NOT NULL,
  amount      numeric(10,2),
  currency    text,
  valid_from  date,
  note        text,
  PRIMARY KEY (product_id, zone)
);
COMMENT ON TABLE reporting.price IS 'What one unit of a product costs the customer in one price zone. Maintained by the stock system.';
COMMENT ON COLUMN reporting.price.product_id IS 'Canonical id of the product: the digits of the chain''s product number.';
COMMENT ON COLUMN reporting.price.zone IS 'Price zone: a group of stores with the same prices, e.g. `01`.';
COMMENT ON COLUMN reporting.price.amount IS 'Price of one unit, in `currency`, tax as in the stock system.';
COMMENT ON COLUMN reporting.price.currency IS 'ISO 4217 code of the price, e.g. `USD`.';
COMMENT ON COLUMN reporting.price.valid_from IS 'First day on which the price holds.';
COMMENT ON COLUMN reporting.price.note IS 'Remark of the pricing clerk, e.g. the reason for the price.';

CREATE TABLE IF NOT EXISTS reporting.member (
  member_id       text NOT NULL,
  full_name       text,
  email           text,
  birth_date      date,
  tier            text,
  status          text,
  points_balance  bigint,
  joined_on       date,
  reference       uuid,
  PRIMARY KEY (member_id)
);
COMMENT ON TABLE reporting.member IS 'A customer who joined the loyalty programme. Maintained by the customer system; the phone number is in `member-contact`.';
COMMENT ON COLUMN reporting.member.member_id IS 'Canonical id of the member: the member number of the customer system as text.';
COMMENT ON COLUMN reporting.member.full_name IS 'Name as the member gave it. Personal.';
COMMENT ON COLUMN reporting.member.email IS 'Address for mail to the member; null when none was given. Personal.';
COMMENT ON COLUMN reporting.member.birth_date IS 'Date of birth, for birthday offers; null when not given. Personal.';
COMMENT ON COLUMN reporting.member.tier IS 'Loyalty tier. The customer system derives it from the points balance. One of BASE, SILVER, GOLD.';
COMMENT ON COLUMN reporting.member.status IS 'Whether the member takes part in the programme. One of ACTIVE, CLOSED.';
COMMENT ON COLUMN reporting.member.points_balance IS 'Points the member may spend now, in points. A sum: points entries change it, as does the customer system itself.';
COMMENT ON COLUMN reporting.member.joined_on IS 'Day on which the member joined; null for members older than the records.';
COMMENT ON COLUMN reporting.member.reference IS 'Id of the member in the online shop; null for members who never ordered online.';

CREATE TABLE IF NOT EXISTS reporting.member_contact (
  member_id  text NOT NULL,
  phone      text,
  PRIMARY KEY (member_id)
);
COMMENT ON TABLE reporting.member_contact IS 'How to reach a member by phone. Written in the customer system and at the tills: the newest commit wins.';
COMMENT ON COLUMN reporting.member_contact.member_id IS 'Canonical id of the member: the member number of the customer system as text.';
COMMENT ON COLUMN reporting.member_contact.phone IS 'Phone number as typed by the clerk or the member; null when the member gave none or had it removed. Personal.';

CREATE TABLE IF NOT EXISTS reporting.points_entry (
  entry_id   text NOT NULL,
  member_id  text,
  sale_id    text,
  points     integer,
  earned_at  timestamptz,
  PRIMARY KEY (entry_id)
);
COMMENT ON TABLE reporting.points_entry IS 'Loyalty points earned or taken back by one line of a sale. Computed by the step `points` from `sale-line`.';
COMMENT ON COLUMN reporting.points_entry.entry_id IS 'Id of the sale line that caused the entry: sale id, a hyphen, line number.';
COMMENT ON COLUMN reporting.points_entry.member_id IS 'Canonical id of the member: the member number of the customer system as text.';
COMMENT ON COLUMN reporting.points_entry.sale_id IS 'Sale the points come from.';
COMMENT ON COLUMN reporting.points_entry.points IS 'Points added to the balance; negative when goods were returned. One whole unit of money earns one point.';
COMMENT ON COLUMN reporting.points_entry.earned_at IS 'When the goods were sold or returned, UTC.';
CREATE INDEX IF NOT EXISTS points_entry_member ON reporting.points_entry (member_id);

CREATE TABLE IF NOT EXISTS reporting.sale (
  sale_id      text NOT NULL,
  location_id  text,
  member_id    text,
  sold_at      timestamptz,
  total        numeric(12,2),
  tender       text,
  PRIMARY KEY (sale_id)
);
COMMENT ON TABLE reporting.sale IS 'One receipt of a till. Recorded by the till system of the stores; its articles are in `sale-line`.';
COMMENT ON COLUMN reporting.sale.sale_id IS 'Basket number of the till system as text.';
COMMENT ON COLUMN reporting.sale.location_id IS 'Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. The store that sold.';
COMMENT ON COLUMN reporting.sale.member_id IS 'Member whose card was shown; null for a sale without a card.';
COMMENT ON COLUMN reporting.sale.sold_at IS 'When the receipt was closed, UTC; the till''s local time read in the time zone of the chain.';
COMMENT ON COLUMN reporting.sale.total IS 'Amount of the receipt after discounts, in the chain''s currency.';
COMMENT ON COLUMN reporting.sale.tender IS 'How it was paid, as the till''s code, e.g. `CASH`; null when the till recorded none.';
CREATE INDEX IF NOT EXISTS sale_member ON reporting.sale (member_id, sold_at);

CREATE TABLE IF NOT EXISTS reporting.sale_line (
  sale_id      text NOT NULL,
  line_number  integer NOT NULL,
  product_id   text,
  location_id  text,
  member_id    text,
  quantity     numeric(12,3),
  amount       numeric(12,2),
  discount     numeric(12,2),
  kind         text,
  sold_at      timestamptz,
  PRIMARY KEY (sale_id, line_number)
);
COMMENT ON TABLE reporting.sale_line IS 'One article on one receipt, sold or returned. Recorded by the till system; stock and points follow from it.';
COMMENT ON COLUMN reporting.sale_line.sale_id IS 'Basket number of the till system as text.';
COMMENT ON COLUMN reporting.sale_line.line_number IS 'Place of the line on the receipt, from 1.';
COMMENT ON COLUMN reporting.sale_line.product_id IS 'Canonical id of the product: the digits of the chain''s product number.';
COMMENT ON COLUMN reporting.sale_line.location_id IS 'Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. The store that sold.';
COMMENT ON COLUMN reporting.sale_line.member_id IS 'Member whose card was shown; null for a sale without a card.';
COMMENT ON COLUMN reporting.sale_line.quantity IS 'Units sold or returned; never negative, `kind` tells the direction. Weighed goods have decimals.';
COMMENT ON COLUMN reporting.sale_line.amount IS 'Money for the line after discount, in the chain''s currency; never negative, `kind` tells the direction.';
COMMENT ON COLUMN reporting.sale_line.discount IS 'Money taken off the shelf price of the line, in the chain''s currency.';
COMMENT ON COLUMN reporting.sale_line.kind IS 'Direction of the goods. One of SALE, RETURN.';
COMMENT ON COLUMN reporting.sale_line.sold_at IS 'When the receipt was closed, UTC.';
CREATE INDEX IF NOT EXISTS sale_line_product ON reporting.sale_line (product_id, sold_at);
CREATE INDEX IF NOT EXISTS sale_line_member ON reporting.sale_line (member_id, sold_at);

CREATE TABLE IF NOT EXISTS reporting.stock_movement (
  movement_id  text NOT NULL,
  product_id   text,
  location_id  text,
  quantity     numeric(12,3),
  reason       text,
  moved_at     timestamptz,
  PRIMARY KEY (movement_id)
);
COMMENT ON TABLE reporting.stock_movement IS 'Goods that left or entered a location because of one sale line. Computed by the step `stock` from `sale-line`.';
COMMENT ON COLUMN reporting.stock_movement.movement_id IS 'Id of the sale line that caused the movement: sale id, a hyphen, line number.';
COMMENT ON COLUMN reporting.stock_movement.product_id IS 'Canonical id of the product: the digits of the chain''s product number.';
COMMENT ON COLUMN reporting.stock_movement.location_id IS 'Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. Where the stock changed.';
COMMENT ON COLUMN reporting.stock_movement.quantity IS 'Units added to the stock; negative for a sale.';
COMMENT ON COLUMN reporting.stock_movement.reason IS 'Why the goods moved. One of SALE, RETURN.';
COMMENT ON COLUMN reporting.stock_movement.moved_at IS 'When the goods moved, UTC: the time of the receipt.';
CREATE INDEX IF NOT EXISTS stock_movement_stock ON reporting.stock_movement (location_id, product_id);

CREATE TABLE IF NOT EXISTS reporting.stock_level (
  location_id  text NOT NULL,
  product_id   text NOT NULL,
  on_hand      numeric(14,3),
  counted_on   date,
  PRIMARY KEY (location_id, product_id)
);
COMMENT ON TABLE reporting.stock_level IS 'How much of a product a location has now. Maintained by the stock system: movements and clerks'' corrections change it.';
COMMENT ON COLUMN reporting.stock_level.location_id IS 'Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept.';
COMMENT ON COLUMN reporting.stock_level.product_id IS 'Canonical id of the product: the digits of the chain''s product number.';
COMMENT ON COLUMN reporting.stock_level.on_hand IS 'Units in stock now; negative when more was sold than was recorded as received.';
COMMENT ON COLUMN reporting.stock_level.counted_on IS 'Day of the last physical count; null when never counted.';

CREATE TABLE IF NOT EXISTS reporting.sales_order (
  order_id     text NOT NULL,
  member_id    text,
  product_id   text,
  location_id  text,
  quantity     numeric(12,3),
  unit_price   numeric(10,2),
  ordered_at   timestamptz,
  status       text,
  message      text,
  PRIMARY KEY (order_id)
);
COMMENT ON TABLE reporting.sales_order IS 'A web order of a member for one product made to order. Taken by the customer system.';
COMMENT ON COLUMN reporting.sales_order.order_id IS 'Order number of the customer system as text.';
COMMENT ON COLUMN reporting.sales_order.member_id IS 'Canonical id of the member: the member number of the customer system as text.';
COMMENT ON COLUMN reporting.sales_order.product_id IS 'Canonical id of the product: the digits of the chain''s product number.';
COMMENT ON COLUMN reporting.sales_order.location_id IS 'Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. Where the member collects the goods.';
COMMENT ON COLUMN reporting.sales_order.quantity IS 'Units ordered.';
COMMENT ON COLUMN reporting.sales_order.unit_price IS 'Agreed price of one unit, in the chain''s currency.';
COMMENT ON COLUMN reporting.sales_order.ordered_at IS 'When the order was placed, UTC.';
COMMENT ON COLUMN reporting.sales_order.status IS 'Whether the order stands. One of NEW, CANCELLED.';
COMMENT ON COLUMN reporting.sales_order.message IS 'What the member wrote with the order, e.g. the text on a cake. Personal.';

CREATE TABLE IF NOT EXISTS reporting.production_plan (
  plan_id       text NOT NULL,
  order_id      text,
  product_id    text,
  location_id   text,
  quantity      numeric(12,3),
  order_value   numeric(12,2),
  status        text,
  planned_for   date,
  completed_at  timestamptz,
  PRIMARY KEY (plan_id)
);
COMMENT ON TABLE reporting.production_plan IS 'The making of goods, planned and tracked by the stock system.';
COMMENT ON COLUMN reporting.production_plan.plan_id IS 'Plan number of the stock system; `PP-` and the order id for plans that came from a web order.';
COMMENT ON COLUMN reporting.production_plan.order_id IS 'Web order that is made; null for goods made for the shelf.';
COMMENT ON COLUMN reporting.production_plan.product_id IS 'Canonical id of the product: the digits of the chain''s product number.';
COMMENT ON COLUMN reporting.production_plan.location_id IS 'Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. Where the goods are wanted.';
COMMENT ON COLUMN reporting.production_plan.quantity IS 'Units to be made.';
COMMENT ON COLUMN reporting.production_plan.order_value IS 'Value of the goods, in the chain''s currency.';
COMMENT ON COLUMN reporting.production_plan.status IS 'How far the making has come. One of PLANNED, RUNNING, COMPLETED, CANCELLED.';
COMMENT ON COLUMN reporting.production_plan.planned_for IS 'Day on which the goods are to be made; null while not scheduled.';
COMMENT ON COLUMN reporting.production_plan.completed_at IS 'When the goods were finished, UTC; null until then.';

CREATE TABLE IF NOT EXISTS reporting.shipment (
  shipment_id     text NOT NULL,
  order_id        text,
  plan_id         text,
  product_id      text,
  location_id     text,
  quantity        numeric(12,3),
  declared_value  numeric(12,2),
  status          text,
  shipped_at      timestamptz,
  PRIMARY KEY (shipment_id)
);
COMMENT ON TABLE reporting.shipment IS 'Goods on their way, tracked by the logistics system.';
COMMENT ON COLUMN reporting.shipment.shipment_id IS 'Shipment number of the logistics system.';
COMMENT ON COLUMN reporting.shipment.order_id IS 'Web order the goods are for; null for transfers between locations.';
COMMENT ON COLUMN reporting.shipment.plan_id IS 'Production plan the goods come from; null for goods from the shelf.';
COMMENT ON COLUMN reporting.shipment.product_id IS 'Canonical id of the product: the digits of the chain''s product number.';
COMMENT ON COLUMN reporting.shipment.location_id IS 'Canonical id of the location: the digits of the store code without leading zeros, e.g. `330`; warehouse codes such as `W001` are kept. As recorded by the logistics system for the shipment.';
COMMENT ON COLUMN reporting.shipment.quantity IS 'Units shipped.';
COMMENT ON COLUMN reporting.shipment.declared_value IS 'Value declared to the carrier, in the chain''s currency.';
COMMENT ON COLUMN reporting.shipment.status IS 'How far the shipment has come. One of REQUESTED, SHIPPED, DELIVERED.';
COMMENT ON COLUMN reporting.shipment.shipped_at IS 'When the goods left, UTC; null until then.';

CREATE TABLE IF NOT EXISTS reporting.invoice (
  invoice_id   text NOT NULL,
  shipment_id  text,
  order_id     text,
  amount       numeric(12,2),
  currency     text,
  status       text,
  issued_on    date,
  paid_at      timestamptz,
  PRIMARY KEY (invoice_id)
);
COMMENT ON TABLE reporting.invoice IS 'An invoice and whether it is paid. Maintained by the finance system.';
COMMENT ON COLUMN reporting.invoice.invoice_id IS 'Canonical id: that of the request where the invoice came from one, else `FI-` and the finance system''s number.';
COMMENT ON COLUMN reporting.invoice.shipment_id IS 'Shipment that was invoiced; null for invoices written by hand.';
COMMENT ON COLUMN reporting.invoice.order_id IS 'Web order that was invoiced; null for invoices written by hand.';
COMMENT ON COLUMN reporting.invoice.amount IS 'Amount of the invoice, in `currency`.';
COMMENT ON COLUMN reporting.invoice.currency IS 'ISO 4217 code, e.g. `USD`.';
COMMENT ON COLUMN reporting.invoice.status IS 'Whether the invoice is paid. One of OPEN, PAID, VOID.';
COMMENT ON COLUMN reporting.invoice.issued_on IS 'Day on the invoice.';
COMMENT ON COLUMN reporting.invoice.paid_at IS 'When the payment was booked, UTC; null until then.';

CREATE TABLE IF NOT EXISTS reporting.market_survey (
  week           integer NOT NULL,
  product_id     text NOT NULL,
  competitor     text NOT NULL,
  market_units   bigint,
  average_price  numeric(10,2),
  surveyed_on    date,
  PRIMARY KEY (week, product_id, competitor)
);
COMMENT ON TABLE reporting.market_survey IS 'What a market researcher reports of one product at one competitor in one week. Loaded into the customer system by hand.';
COMMENT ON COLUMN reporting.market_survey.week IS 'Week of the survey, counted as the chain counts its weeks.';
COMMENT ON COLUMN reporting.market_survey.product_id IS 'Canonical id of the product: the digits of the chain''s product number.';
COMMENT ON COLUMN reporting.market_survey.competitor IS 'Name of the competitor as the researcher gives it.';
COMMENT ON COLUMN reporting.market_survey.market_units IS 'Units the market sold in that week, estimated by the researcher.';
COMMENT ON COLUMN reporting.market_survey.average_price IS 'Average price of one unit in that week, in the chain''s currency.';
COMMENT ON COLUMN reporting.market_survey.surveyed_on IS 'Day of the survey; null where the researcher did not say.';
-- Views. Weeks are ISO weeks of the head office's calendar, America/New_York, written as year and week: 201709.

CREATE OR REPLACE VIEW reporting.margin_by_product_week AS
WITH sold AS (
  SELECT
    product_id,
    to_char(sold_at AT TIME ZONE 'America/New_York', 'IYYYIW')::integer AS week,
    CASE kind WHEN 'RETURN' THEN -1 ELSE 1 END AS direction,
    quantity,
    amount,
    discount
  FROM reporting.sale_line
),
totals AS (
  SELECT
    product_id,
    week,
    sum(direction * quantity) AS units,
    sum(direction * amount) AS revenue,
    sum(direction * discount) AS discount
  FROM sold
  GROUP BY product_id, week
)
SELECT
  totals.week,
  totals.product_id,
  product.description,
  product.department,
  product.brand,
  totals.units,
  totals.revenue,
  totals.discount,
  totals.units * product.unit_cost AS cost,
  totals.revenue - totals.units * product.unit_cost AS margin,
  round(100 * (totals.revenue - totals.units * product.unit_cost) / nullif(totals.revenue, 0), 2) AS margin_percent
FROM totals
LEFT JOIN reporting.product USING (product_id);
COMMENT ON VIEW reporting.margin_by_product_week IS
  'Sales and margin of each product in each week: money of the tills less units at cost. Returns count negative, in the week in which they came back. Cost is today''s cost of the product; null while the product is not known.';

CREATE OR REPLACE VIEW reporting.member_behaviour AS
WITH bought AS (
  SELECT
    member_id,
    count(DISTINCT sale_id) FILTER (WHERE kind = 'SALE') AS baskets,
    count(*) FILTER (WHERE kind = 'SALE') AS lines,
    coalesce(sum(amount) FILTER (WHERE kind = 'SALE'), 0) AS spend,
    coalesce(sum(amount) FILTER (WHERE kind = 'RETURN'), 0) AS returned,
    min(sold_at) FILTER (WHERE kind = 'SALE') AS first_purchase_at,
    max(sold_at) FILTER (WHERE kind = 'SALE') AS last_purchase_at
  FROM reporting.sale_line
  WHERE member_id IS NOT NULL
  GROUP BY member_id
),
by_department AS (
  SELECT
    sale_line.member_id,
    product.department,
    row_number() OVER (
      PARTITION BY sale_line.member_id
      ORDER BY sum(sale_line.amount) DESC, product.department
    ) AS place
  FROM reporting.sale_line
  JOIN reporting.product USING (product_id)
  WHERE sale_line.member_id IS NOT NULL AND sale_line.kind = 'SALE'
  GROUP BY sale_line.member_id, product.department
),
earned AS (
  SELECT member_id, sum(points) AS points FROM reporting.points_entry GROUP BY member_id
)
SELECT
  member.member_id,
  member.tier,
  member.status,
  coalesce(bought.baskets, 0) AS baskets,
  coalesce(bought.lines, 0) AS lines,
  coalesce(bought.spend, 0) AS spend,
  coalesce(bought.returned, 0) AS returned,
  coalesce(bought.spend - bought.returned, 0) AS net_spend,
  round(bought.spend / nullif(bought.baskets, 0), 2) AS spend_per_basket,
  bought.first_purchase_at,
  bought.last_purchase_at,
  by_department.department AS favourite_department,
  coalesce(earned.points, 0) AS points_earned,
  member.points_balance
FROM reporting.member
LEFT JOIN bought USING (member_id)
LEFT JOIN by_department ON by_department.member_id = member.member_id AND by_department.place = 1
LEFT JOIN earned ON earned.member_id = member.member_id;
COMMENT ON VIEW reporting.member_behaviour IS
  'What each member buys, by the card shown at the till: baskets, spend, returns, first and last purchase, the department with most spend, points. Holds no name and no address.';

CREATE OR REPLACE VIEW reporting.sell_through AS
WITH market AS (
  SELECT
    week,
    product_id,
    sum(market_units) AS market_units,
    round(sum(average_price * market_units) / nullif(sum(market_units), 0), 2) AS market_price
  FROM reporting.market_survey
  GROUP BY week, product_id
),
own AS (
  SELECT week, product_id, units, revenue FROM reporting.margin_by_product_week
)
SELECT
  market.week,
  market.product_id,
  product.description,
  product.department,
  coalesce(own.units, 0) AS own_units,
  market.market_units,
  round(100 * coalesce(own.units, 0) / nullif(coalesce(own.units, 0) + market.market_units, 0), 2) AS share_percent,
  round(own.revenue / nullif(own.units, 0), 2) AS own_price,
  market.market_price
FROM market
LEFT JOIN own USING (week, product_id)
LEFT JOIN reporting.product ON product.product_id = market.product_id;
COMMENT ON VIEW reporting.sell_through IS
  'Units the chain sold of each surveyed product in each surveyed week beside what the survey says its competitors sold, and the chain''s share of both together. Prices are money by units.';

CREATE OR REPLACE VIEW reporting.stock_accuracy AS
WITH sold AS (
  SELECT
    location_id,
    product_id,
    sum(CASE kind WHEN 'RETURN' THEN -quantity ELSE quantity END) AS units
  FROM reporting.sale_line
  GROUP BY location_id, product_id
),
moved AS (
  SELECT location_id, product_id, sum(quantity) AS units
  FROM reporting.stock_movement
  GROUP BY location_id, product_id
)
SELECT
  location_id,
  product_id,
  stock_level.on_hand,
  stock_level.counted_on,
  coalesce(sold.units, 0) AS sold_units,
  coalesce(moved.units, 0) AS moved_units,
  coalesce(sold.units, 0) + coalesce(moved.units, 0) AS difference,
  stock_level.on_hand - coalesce(moved.units, 0) AS on_hand_without_movements
FROM sold
FULL JOIN moved USING (location_id, product_id)
FULL JOIN reporting.stock_level USING (location_id, product_id);
COMMENT ON VIEW reporting.stock_accuracy IS
  'Stock and what the tills sold, for each product in each location. `difference` is units sold plus units moved and must be 0. `on_hand_without_movements` is opening stock plus clerks'' corrections: the stock system knows both apart, this store does not.';
