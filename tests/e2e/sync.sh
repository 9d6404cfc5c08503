# mode = "sync" between two stores, whatever they are: one suite, told by sync_*.test. Who tells it defines
#
#	at_source <<EOF, at_target <<EOF	SQL there
#	rows_at_target SQL			its rows, columns with |
#	ends					source = …; target = …; of the pipeline

# sync_pipeline FILE TEXT: between the ends.
sync_pipeline() {
	{ ends; echo "mode = \"sync\"; validators = ( { plugin = \"counts\"; }, { plugin = \"checksum\"; } ); $2"; } >"$1"
}

# expect_sync TABLE READ INSERTED UPDATED UNCHANGED DELETED: of the run before, which wrote sum.csv.
expect_sync() {
	awk -F, -v table="$1" '$1 == "data" && $2 == table { print $2, $4, $11, $12, $13, $14 }' sum.csv >counted
	echo "$*" | cmp -s - counted || { cat sum.csv; fail "counted: $(cat counted), not: $*"; }
}
run_sync() {
	run_etlrun --summary sum.csv "$@"
}

the_suite() {
	at_source <<-SQL
	CREATE TABLE customer (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL, city VARCHAR(40));
	CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL, total NUMERIC(10,2), noted TIMESTAMP);
	INSERT INTO customer VALUES (1, 'Ada', 'London'), (2, 'Blaise', NULL), (3, 'Émilie', 'Paris'), (4, 'Maria', 'Milan');
	INSERT INTO orders VALUES (10, 1, 12.50, '2026-01-02 03:04:05'), (11, 2, 0.10, NULL), (12, 2, NULL, '2026-02-01 00:00:00');
	SQL
	at_target <<-SQL
	CREATE TABLE customer (id INTEGER PRIMARY KEY, name VARCHAR(40) NOT NULL UNIQUE, city VARCHAR(40));
	CREATE TABLE orders (id INTEGER PRIMARY KEY, customer_id INTEGER NOT NULL REFERENCES customer, total NUMERIC(10,2), noted TIMESTAMP);
	SQL
	sync_pipeline sync.cfg 'delete = "hard"; tables = ( { name = "customer"; }, { name = "orders"; } );'

	# The first run brings everything, the second writes nothing.
	run_sync sync.cfg
	expect_exit 0
	expect_sync customer 4 4 0 0 0
	expect_sync orders 3 3 0 0 0
	run_sync sync.cfg
	expect_exit 0
	expect_sync customer 4 0 0 4 0
	expect_sync orders 3 0 0 3 0

	# New, changed, deleted, each counted apart; a child goes with its parent; a name that goes from one row to another.
	at_source <<-SQL
	INSERT INTO customer VALUES (5, 'Sofja', 'Stockholm');
	UPDATE customer SET city = 'Clermont' WHERE id = 2;
	DELETE FROM orders WHERE id IN (10, 11);
	DELETE FROM customer WHERE id IN (1, 4);
	UPDATE customer SET name = 'Ada' WHERE id = 3;
	INSERT INTO orders VALUES (13, 5, 99999999.99, '2026-03-01 12:00:00');
	SQL
	run_sync sync.cfg
	expect_exit 0
	expect_sync customer 3 1 2 0 2
	expect_sync orders 2 1 0 1 2
	rows_at_target 'SELECT id, name, city FROM customer ORDER BY id' >found
	expect_text found <<-EOF
	2|Blaise|Clermont
	3|Ada|Paris
	5|Sofja|Stockholm
	EOF
	rows_at_target 'SELECT id, customer_id, total FROM orders ORDER BY id' >found
	expect_text found <<-EOF
	12|2|NULL
	13|5|99999999.99
	EOF

	# What the target has and the source never had stays with delete = "none", and what was changed there is mended.
	at_target <<-SQL
	INSERT INTO customer VALUES (77, 'Niels', 'Copenhagen');
	UPDATE customer SET city = 'elsewhere' WHERE id = 5;
	SQL
	sync_pipeline none.cfg 'tables = ( { name = "customer"; }, { name = "orders"; } );'
	run_sync none.cfg
	expect_exit 0
	expect_sync customer 3 0 1 2 0
	rows_at_target 'SELECT id, city FROM customer ORDER BY id' >found
	expect_text found <<-EOF
	2|Clermont
	3|Paris
	5|Stockholm
	77|Copenhagen
	EOF

	# A child whose parent is not there is rejected, and goes with its parent when that has come, without being asked.
	at_source <<-SQL
	INSERT INTO orders VALUES (14, 6, 1.00, NULL);
	SQL
	sync_pipeline late.cfg 'on_error = "reject"; delete = "hard"; tables = ( { name = "customer"; }, { name = "orders"; } );'
	run_sync late.cfg
	expect_exit 6
	expect_sync customer 3 0 0 3 1
	expect_sync orders 3 0 0 2 0
	at_source <<-SQL
	INSERT INTO customer VALUES (6, 'Grace', 'New York');
	SQL
	rm -f ./*.rejects-*
	run_sync late.cfg
	expect_exit 0
	expect_sync customer 4 1 0 3 0
	expect_sync orders 3 1 0 2 0

	# Nothing is left of a source without rows.
	at_source <<-SQL
	DELETE FROM orders;
	SQL
	run_sync sync.cfg
	expect_exit 0
	expect_sync orders 0 0 0 0 3
	rows_at_target 'SELECT count(*) FROM orders' >found
	expect_text found <<-EOF
	0
	EOF
}

# A flag, or a time: a row that is gone is marked once, and one that comes back is unmarked, equal though it is.
marked_rows() {
	at_source <<-SQL
	CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(40));
	INSERT INTO item VALUES (1, 'one'), (2, 'two'), (3, 'three');
	SQL
	at_target <<-SQL
	CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(40), gone_at TIMESTAMP, gone INTEGER NOT NULL DEFAULT 0);
	SQL
	for column in gone gone_at; do
		at_target <<-SQL
		DELETE FROM item;
		SQL
		sync_pipeline marks.cfg "tables = ( { name = \"item\"; delete = \"soft\"; delete_column = \"$column\"; } );"
		run_sync marks.cfg
		expect_exit 0
		at_source <<-SQL
		DELETE FROM item WHERE id = 2;
		SQL
		run_sync marks.cfg
		expect_exit 0
		expect_sync item 2 0 0 2 1
		run_sync marks.cfg
		expect_exit 0
		expect_sync item 2 0 0 2 0
		rows_at_target "SELECT id FROM item WHERE NOT (gone = 0 AND gone_at IS NULL)" >found
		expect_text found <<-EOF
		2
		EOF
		at_source <<-SQL
		INSERT INTO item VALUES (2, 'two');
		SQL
		run_sync marks.cfg
		expect_exit 0
		expect_sync item 3 0 1 2 0
		rows_at_target "SELECT count(*) FROM item WHERE gone = 0 AND gone_at IS NULL" >found
		expect_text found <<-EOF
		3
		EOF
	done
}

# by_cursor TABLE TYPE FOUR-VALUES: by a cursor only what is new since is read; what it does not see, every so many runs.
by_cursor() {
	at_source <<-SQL
	CREATE TABLE $1 (id INTEGER PRIMARY KEY, what VARCHAR(40), at $2);
	INSERT INTO $1 VALUES (1, 'one', $3), (2, 'two', $4), (3, 'no time', NULL);
	SQL
	at_target <<-SQL
	CREATE TABLE $1 (id INTEGER PRIMARY KEY, what VARCHAR(40), at $2);
	SQL
	sync_pipeline cursor.cfg "overlap = \"0s\"; sweep_every = 3; delete = \"hard\"; tables = ( { name = \"$1\"; cursor = \"at\"; } );"
	# Until the target keeps the state of a run nobody knows where to go on.
	run_sync cursor.cfg
	expect_exit 0
	expect_sync $1 3 3 0 0 0
	at_source <<-SQL
	INSERT INTO $1 VALUES (4, 'four', $5);
	DELETE FROM $1 WHERE id = 1;
	SQL
	# The row that the cursor stands on comes again, and the one that has none.
	run_sync cursor.cfg
	expect_exit 0
	expect_sync $1 3 1 0 2 0
	expect_stderr 'rows from at'
	at_source <<-SQL
	UPDATE $1 SET what = 'zwei', at = $6 WHERE id = 2;
	SQL
	run_sync cursor.cfg
	expect_exit 0
	expect_sync $1 3 0 1 2 0
	rows_at_target "SELECT id, what FROM $1 ORDER BY id" >found
	expect_text found <<-EOF
	1|one
	2|zwei
	3|no time
	4|four
	EOF
	# The third one compares all, and sees that a row is gone.
	run_sync cursor.cfg
	expect_exit 0
	expect_sync $1 3 0 0 3 1
	expect_stderr 'every row is read: sweep_every'
	# After that it goes on from there.
	run_sync cursor.cfg
	expect_exit 0
	expect_sync $1 2 0 0 2 0
	sync_pipeline deletes.cfg "delete = \"hard\"; tables = ( { name = \"$1\"; cursor = \"at\"; } );"
	run_sync deletes.cfg
	expect_exit 2
	expect_stderr 'a cursor does not see what is deleted; write sweep_every = N'
}
