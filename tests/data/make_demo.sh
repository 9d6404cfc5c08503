#!/bin/sh
# Makes the demonstration database: make_demo.sh FILE.db. A small shop with what real ones have: foreign
# keys, a tree of categories, unique and expression indexes, a view, a trigger, defaults, checks, a table
# without rowid, and a few values that careless copies lose. Same rows every time.
set -eu
[ $# -eq 1 ] || { echo "usage: $0 FILE.db" >&2; exit 2; }
rm -f "$1"
exec sqlite3 -bail "$1" <<'EOF'
CREATE TABLE category (
	id INTEGER PRIMARY KEY,
	parent_id INTEGER REFERENCES category(id),
	name TEXT NOT NULL UNIQUE COLLATE NOCASE
);
CREATE TABLE product (
	id INTEGER PRIMARY KEY AUTOINCREMENT,
	category_id INTEGER NOT NULL REFERENCES category(id) ON DELETE RESTRICT,
	sku VARCHAR(12) NOT NULL UNIQUE,
	title TEXT NOT NULL,
	price DECIMAL(10,2) NOT NULL CHECK (price >= 0),
	weight REAL,
	picture BLOB,
	active BOOLEAN NOT NULL DEFAULT 1
);
CREATE TABLE customer (
	id INTEGER PRIMARY KEY,
	name TEXT NOT NULL,
	email TEXT UNIQUE,
	country TEXT NOT NULL DEFAULT 'DE',
	since DATE NOT NULL
);
CREATE TABLE sale (
	id INTEGER PRIMARY KEY,
	customer_id INTEGER NOT NULL REFERENCES customer(id) ON DELETE CASCADE ON UPDATE CASCADE,
	placed DATETIME NOT NULL,
	status TEXT NOT NULL DEFAULT 'new' CHECK (status IN ('new', 'paid', 'shipped', 'returned')),
	note TEXT
);
CREATE TABLE sale_line (
	sale_id INTEGER NOT NULL REFERENCES sale(id) ON DELETE CASCADE,
	line INTEGER NOT NULL,
	product_id INTEGER NOT NULL REFERENCES product(id),
	quantity INTEGER NOT NULL CHECK (quantity > 0),
	price DECIMAL(10,2) NOT NULL,
	total DECIMAL(12,2) GENERATED ALWAYS AS (quantity * price) VIRTUAL,
	PRIMARY KEY (sale_id, line)
) WITHOUT ROWID;
CREATE TABLE change_log (at TEXT DEFAULT CURRENT_TIMESTAMP, product_id INTEGER, was NUMERIC, became NUMERIC);

INSERT INTO category VALUES (1, NULL, 'Everything'), (2, 1, 'Kitchen'), (3, 1, 'Garden'), (4, 2, 'Knives'), (5, 2, 'Pots');
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
INSERT INTO product (category_id, sku, title, price, weight, picture)
	SELECT 2 + i % 4, printf('%08d', i), 'Product no. ' || i, i * 37 % 9900 / 100.0, i / 7.0,
		CASE WHEN i % 50 = 0 THEN zeroblob(i) END FROM n;
UPDATE product SET title = 'Käsemesser „Grün“ 🧀', price = 0 WHERE id = 7;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO customer (id, name, email, country, since)
	SELECT i, 'Customer ' || i, CASE WHEN i % 9 THEN 'c' || i || '@example.org' END,
		substr('DEATCHFRUS', 1 + i % 5 * 2, 2), date('2020-01-01', '+' || i || ' days') FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 4000)
INSERT INTO sale (id, customer_id, placed, status, note)
	SELECT i, 1 + i * 131 % 500, datetime('2023-01-01', '+' || (i * 3) || ' hours'),
		CASE i % 4 WHEN 0 THEN 'new' WHEN 1 THEN 'paid' WHEN 2 THEN 'shipped' ELSE 'returned' END,
		CASE WHEN i % 100 = 0 THEN 'leave it' || char(10) || 'with the "neighbour"; it''s fine' END FROM n;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12000)
INSERT INTO sale_line (sale_id, line, product_id, quantity, price)
	SELECT 1 + (i - 1) / 3, 1 + (i - 1) % 3, 1 + i * 17 % 200, 1 + i % 5, i * 13 % 5000 / 100.0 FROM n;
INSERT INTO change_log VALUES ('2024-02-29 23:59:59', 7, 0.1 + 0.2, 0), ('2024-03-01 00:00:00', 8, 'on request', NULL);

CREATE INDEX sale_by_customer ON sale(customer_id, placed DESC);
CREATE INDEX sale_open ON sale(placed) WHERE status = 'new';
CREATE INDEX product_by_title ON product(lower(title));
CREATE INDEX line_by_product ON sale_line(product_id);
CREATE VIEW turnover AS
	SELECT c.country, count(DISTINCT s.id) AS sales, sum(l.total) AS turnover
	FROM customer c JOIN sale s ON s.customer_id = c.id JOIN sale_line l ON l.sale_id = s.id GROUP BY c.country;
CREATE TRIGGER product_price AFTER UPDATE OF price ON product WHEN old.price <> new.price BEGIN
	INSERT INTO change_log (product_id, was, became) VALUES (new.id, old.price, new.price);
END;
EOF
