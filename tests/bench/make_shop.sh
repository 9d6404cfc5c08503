#!/bin/sh
# A shop for the bench: CUSTOMERS customers and ten times as many orders, two indexes, one foreign key.
#   make_shop.sh FILE.db [CUSTOMERS]
set -eu
file=$1 customers=${2:-200000}
rm -f "$file"
sqlite3 "$file" <<EOF
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE customer (id INTEGER PRIMARY KEY, name TEXT NOT NULL, email TEXT, city TEXT, joined TIMESTAMP,
	credit DECIMAL(10,2), active BOOLEAN NOT NULL, note TEXT);
CREATE TABLE "order" (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer (id), placed TIMESTAMP,
	total DECIMAL(10,2), paid BOOLEAN, status TEXT, remark TEXT, signature BLOB);
BEGIN;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $customers)
INSERT INTO customer SELECT i, 'Customer ' || i || ' Müller', 'c' || i || '@example.org', 'City ' || (i % 997),
	datetime(1500000000 + i * 61, 'unixepoch'), (i * 37 % 100000) / 100.0, i % 9 > 0,
	CASE WHEN i % 5 THEN NULL ELSE 'called on day ' || i END FROM n;
WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $customers * 10)
INSERT INTO "order" SELECT i, 1 + i * 7919 % $customers, datetime(1600000000 + i * 13, 'unixepoch'),
	(i * 7177 % 1000000) / 100.0, i % 3 > 0, CASE i % 4 WHEN 0 THEN 'new' WHEN 1 THEN 'packed' WHEN 2 THEN 'sent' ELSE 'done' END,
	'order number ' || i || ' of the shop', CASE WHEN i % 10 = 0 THEN randomblob(32) END FROM n;
COMMIT;
CREATE INDEX order_customer ON "order" (customer_id);
CREATE INDEX order_placed ON "order" (placed);
EOF
