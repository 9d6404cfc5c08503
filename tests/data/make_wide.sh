#!/bin/sh
# Makes a database with enough rows to be read in parts: make_wide.sh FILE.db ROWS. One table with gaps in its
# rowids, one without rowid, one without a key, one empty; every storage class in one column.
set -eu
[ $# -eq 2 ] || { echo "usage: $0 FILE.db ROWS" >&2; exit 2; }
rm -f "$1"
exec sqlite3 -bail "$1" <<EOF
CREATE TABLE gaps (id INTEGER PRIMARY KEY, mixed, label TEXT, amount NUMERIC, x REAL);
CREATE TABLE keyed (a TEXT, b INTEGER, c TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID;
CREATE TABLE heap (word TEXT, n INTEGER);
CREATE TABLE empty (id INTEGER PRIMARY KEY, word TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $2)
INSERT INTO gaps SELECT i * 7 + (i / 1000) * 100000 - 5000,
	CASE i % 5 WHEN 0 THEN NULL WHEN 1 THEN i WHEN 2 THEN i / 3.0 WHEN 3 THEN 'text ' || i ELSE CAST(printf('%x', i) AS BLOB) END,
	printf('label %d of a row that is as long as rows are', i), i / 100.0, 1.0 / i FROM n;
INSERT INTO keyed SELECT 'k' || (id % 97), id, label FROM gaps WHERE id % 3 = 0;
INSERT INTO heap SELECT 'w' || (id % 10), id % 3 FROM gaps WHERE id % 5 = 0;
CREATE INDEX gaps_by_label ON gaps(label);
EOF
