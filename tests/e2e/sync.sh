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

# A table that the run makes, and one whose rows refer to each other.
fresh_and_staff() {
	at_source <<-SQL
	CREATE TABLE fresh (id INTEGER PRIMARY KEY, name VARCHAR(40));
	CREATE TABLE staff (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES staff);
	INSERT INTO fresh VALUES (1, 'a'), (2, 'b'), (3, 'c');
	INSERT INTO staff VALUES (1, NULL), (3, 1), (2, 3);
	SQL
	at_target <<-SQL
	CREATE TABLE staff (id INTEGER PRIMARY KEY, boss INTEGER REFERENCES staff);
	SQL
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
	# Who looks at what differs sees the rows that are equal too.
	for verb in diff validate; do
		run_etlrun $verb sync.cfg
		expect_exit 0
	done
	run_etlrun diff sync.cfg
	expect_stderr 'customer: equal; 4 rows'

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

# Two rows of the source with one key: the first goes, the other is a reject, in each run, whichever the target has.
doubles() {
	at_source <<-SQL
	CREATE TABLE twice (id INTEGER, what VARCHAR(40));
	INSERT INTO twice VALUES (1, 'first'), (2, 'two'), (1, 'second');
	SQL
	at_target <<-SQL
	CREATE TABLE twice (id INTEGER PRIMARY KEY, what VARCHAR(40));
	SQL
	sync_pipeline twice.cfg 'workers = 1; on_error = "reject"; delete = "hard"; tables = ( { name = "twice"; } );'
	for written in 2 0 0; do
		run_sync twice.cfg
		expect_exit 6
		expect_sync twice 3 $written 0 $((2 - written)) 0
		grep -h '"code":"duplicate"' ./*.rejects-*.jsonl >found || fail "no reject"
		expect_in found '"second"'
		rm -f ./*.rejects-*
	done
	rows_at_target 'SELECT id, what FROM twice ORDER BY id' >found
	expect_text found <<-EOF
	1|first
	2|two
	EOF
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
	# Who looks sees what the cursor does not.
	run_etlrun diff cursor.cfg
	expect_exit 0
	expect_stderr "$1: equal; 3 rows"
	# What the cursor says is of no use when somebody emptied the table.
	at_target <<-SQL
	DELETE FROM $1;
	SQL
	run_sync cursor.cfg
	expect_exit 0
	expect_stderr 'every row is read: there is no row of it in the target'
	expect_sync $1 3 3 0 0 0
	sync_pipeline deletes.cfg "delete = \"hard\"; tables = ( { name = \"$1\"; cursor = \"at\"; } );"
	run_sync deletes.cfg
	expect_exit 2
	expect_stderr 'a cursor does not see what is deleted; write sweep_every = N'
}

# stops WORDS …: a run, check and plan end with exit 5 and say all of that, and the run moves nothing.
stops() {
	rows_at_target 'SELECT * FROM person ORDER BY id' >before
	for verb in check plan run; do
		run_etlrun $verb drift.cfg
		expect_exit 5
		for words in "$@"; do
			expect_stderr "$words"
		done
	done
	rows_at_target 'SELECT * FROM person ORDER BY id' >after
	cmp -s before after || fail "rows were moved: $*"
}
drift_pipeline() {
	sync_pipeline drift.cfg "overlap = \"0s\"; tables = ( { name = \"person\"; ${1-} } );"
}

# Columns that appear, vanish or change their type at either end.
drift() {
	at_source <<-SQL
	CREATE TABLE person (id INTEGER PRIMARY KEY, name VARCHAR(40), fax VARCHAR(20), size INTEGER);
	INSERT INTO person VALUES (1, 'Ada', '11', 170), (2, 'Blaise', '22', 180);
	SQL
	at_target <<-SQL
	CREATE TABLE person (id INTEGER PRIMARY KEY, name VARCHAR(40), fax VARCHAR(20), size INTEGER);
	SQL
	drift_pipeline
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 2 2 0 0 0
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 2 0 0 2 0

	# A column appears in the source.
	at_source <<-SQL
	ALTER TABLE person ADD COLUMN phone VARCHAR(20);
	UPDATE person SET phone = '0' || id;
	INSERT INTO person VALUES (3, 'Maria', '33', 160, '03');
	SQL
	stops 'drift.cfg:3: the source'\''s table "person" has a new column "phone"' ' since the last run; write exclude_columns = [ "phone" ]'
	drift_pipeline 'exclude_columns = [ "phone" ];'
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 3 1 0 2 0
	expect_no_stderr drift
	# What was left out by name is nothing new when it is not.
	at_target <<-SQL
	ALTER TABLE person ADD COLUMN phone VARCHAR(20);
	SQL
	drift_pipeline
	stops 'the target'\''s table "person" has a new column "phone"'
	drift_pipeline 'columns = ( { name = "phone"; } );'
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 3 0 3 0 0
	drift_pipeline
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 3 0 0 3 0

	# allow_drift leaves out what the target has no place for, in each run until it has, and says so; then all rows are compared.
	at_source <<-SQL
	ALTER TABLE person ADD COLUMN mail VARCHAR(20);
	UPDATE person SET mail = 'a@b' WHERE id = 2;
	INSERT INTO person VALUES (4, 'Grace', '44', 165, '04', 'g@h');
	SQL
	drift_pipeline 'allow_drift = [ "add" ]; cursor = "id";'
	run_etlrun plan drift.cfg
	expect_exit 0
	expect_stdout 'person.mail'
	run_etlrun check drift.cfg
	expect_exit 0
	expect_stdout 'column "mail" of "person" is new in the source and not in the target: it is left out'
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 4 1 0 3 0
	expect_stderr 'column "mail" of "person" is new in the source and not in the target: it is left out'
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 1 0 0 1 0
	expect_stderr 'column "mail" of "person"'
	at_target <<-SQL
	ALTER TABLE person ADD COLUMN mail VARCHAR(20);
	ALTER TABLE person ADD COLUMN noted INTEGER DEFAULT 7;
	SQL
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 4 0 2 2 0
	rows_at_target 'SELECT id, name, fax, size, phone, mail, noted FROM person ORDER BY id' >found
	expect_text found <<-EOF
	1|Ada|11|170|01|NULL|7
	2|Blaise|22|180|02|a@b|7
	3|Maria|33|160|03|NULL|7
	4|Grace|44|165|04|g@h|7
	EOF
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 1 0 0 1 0

	# One that nothing fills is not allowed.
	at_target <<-SQL
	DROP TABLE person;
	CREATE TABLE person (id INTEGER PRIMARY KEY, name VARCHAR(40), fax VARCHAR(20), size INTEGER, phone VARCHAR(20),
		mail VARCHAR(20), noted INTEGER DEFAULT 7, must INTEGER NOT NULL);
	SQL
	drift_pipeline 'allow_drift = [ "add", "type" ];'
	stops 'has a new column "must"' ' since the last run, which must not be NULL, has no default and does not come from the source'
	at_target <<-SQL
	ALTER TABLE person DROP COLUMN must;
	SQL

	# A column vanishes, at the source and then at the target.
	at_source <<-SQL
	ALTER TABLE person DROP COLUMN fax;
	SQL
	stops 'the source'\''s table "person" had a column "fax"' ' in the last run and has it no more; write columns = ( { as = "fax"; value = … } )'
	drift_pipeline 'columns = ( { as = "fax"; value = "none"; } );'
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 4 4 0 0 0
	drift_pipeline
	run_sync --set 'allow_drift = [ "drop" ]' drift.cfg
	expect_exit 0
	expect_sync person 4 0 0 4 0
	at_target <<-SQL
	ALTER TABLE person DROP COLUMN size;
	SQL
	stops 'the target'\''s table "person" had a column "size"' ' in the last run and has it no more; write exclude_columns = [ "size" ]'
	drift_pipeline 'exclude_columns = [ "size" ];'
	run_sync drift.cfg
	expect_exit 0

	# Types, and all that changed is said.
	at_source <<-SQL
	ALTER TABLE person DROP COLUMN phone;
	ALTER TABLE person ADD COLUMN phone INTEGER;
	UPDATE person SET phone = 90 + id;
	SQL
	at_target <<-SQL
	ALTER TABLE person DROP COLUMN mail;
	ALTER TABLE person ADD COLUMN mail CHAR(20);
	SQL
	stops 'the column "phone" of the source'\''s table "person" was ' ' in the last run and is ' '; write columns = ( { name = "phone"; type = "…"; } )'
	expect_stderr 'the column "mail" of the target'\''s table "person" was'
	expect_stderr 'and 1 more, above; nothing was moved'
	drift_pipeline 'exclude_columns = [ "size" ]; columns = ( { name = "phone"; type = "varchar(20)"; } ); allow_drift = [ "type" ];'
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 4 0 4 0 0
	rows_at_target 'SELECT id, phone, fax FROM person ORDER BY id' >found
	expect_text found <<-EOF
	1|91|none
	2|92|none
	3|93|none
	4|94|none
	EOF
	drift_pipeline 'exclude_columns = [ "size" ];'
	run_sync drift.cfg
	expect_exit 0
	expect_sync person 4 0 0 4 0
}

# max_rows: so many in a run, parents before their children, and what goes the other way round.
bounded() {
	at_source <<-SQL
	CREATE TABLE maker (id INTEGER PRIMARY KEY, name VARCHAR(40));
	CREATE TABLE part (id INTEGER PRIMARY KEY, maker_id INTEGER NOT NULL REFERENCES maker, name VARCHAR(40));
	INSERT INTO maker VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e');
	INSERT INTO part VALUES (10, 5, 'p'), (11, 4, 'q'), (12, 3, 'r'), (13, 2, 's'), (14, 1, 't'), (15, 5, 'u');
	SQL
	at_target <<-SQL
	CREATE TABLE maker (id INTEGER PRIMARY KEY, name VARCHAR(40));
	CREATE TABLE part (id INTEGER PRIMARY KEY, maker_id INTEGER NOT NULL REFERENCES maker, name VARCHAR(40));
	SQL
	sync_pipeline bounded.cfg 'delete = "hard"; max_rows = 4; tables = ( { name = "part"; }, { name = "maker"; } );'
	run_sync bounded.cfg
	expect_exit 0
	expect_sync maker 5 4 0 0 0
	expect_sync part 6 0 0 0 0
	expect_stderr 'max_rows     stopped at 4 rows; 7 rows of 2 tables wait for the next run: maker (1), part (6)'
	run_sync bounded.cfg
	expect_exit 0
	expect_sync maker 5 1 0 4 0
	expect_sync part 6 3 0 0 0
	expect_stderr 'stopped at 4 rows; 3 rows of 1 table wait for the next run: part (3)'
	run_sync bounded.cfg
	expect_exit 0
	expect_sync part 6 3 0 3 0
	expect_no_stderr max_rows
	run_sync bounded.cfg
	expect_exit 0
	expect_sync maker 5 0 0 5 0
	expect_sync part 6 0 0 6 0

	at_source <<-SQL
	DELETE FROM part WHERE id IN (10, 15);
	DELETE FROM maker WHERE id = 5;
	UPDATE maker SET name = 'A' WHERE id = 1;
	UPDATE part SET name = 'T' WHERE id = 14;
	SQL
	run_sync --set max_rows=1 bounded.cfg
	expect_exit 0
	expect_sync maker 4 0 1 3 0
	expect_sync part 4 0 0 3 0
	run_sync --set max_rows=2 bounded.cfg
	expect_exit 0
	expect_sync maker 4 0 0 4 0
	expect_sync part 4 0 1 3 1
	expect_stderr 'stopped at 2 rows; 2 rows of 2 tables wait for the next run: maker (1), part (1)'
	rows_at_target 'SELECT count(*) FROM part' >found
	expect_text found <<-EOF
	5
	EOF
	run_sync --set max_rows=2 bounded.cfg
	expect_exit 0
	expect_sync maker 4 0 0 4 1
	expect_sync part 4 0 0 4 1
	rows_at_target 'SELECT part.id, maker.name, part.name FROM part JOIN maker ON maker.id = maker_id ORDER BY part.id' >found
	expect_text found <<-EOF
	11|d|q
	12|c|r
	13|b|s
	14|A|T
	EOF
	run_sync bounded.cfg
	expect_exit 0
	expect_sync maker 4 0 0 4 0
	expect_sync part 4 0 0 4 0

	# A table that the run makes; and one whose rows refer to each other, which is not cut.
	fresh_and_staff
	sync_pipeline fresh.cfg 'max_rows = 2; tables = ( { name = "fresh"; }, { name = "staff"; } );'
	run_sync fresh.cfg
	expect_exit 0
	expect_sync fresh 3 2 0 0 0
	expect_sync staff 3 0 0 0 0
	run_sync fresh.cfg
	expect_exit 0
	expect_sync fresh 3 1 0 2 0
	expect_sync staff 3 3 0 0 0
	rows_at_target 'SELECT id FROM fresh ORDER BY id' >found
	expect_text found <<-EOF
	1
	2
	3
	EOF

	# A cursor stays where it was until all of its table is there.
	at_source <<-SQL
	CREATE TABLE event (id INTEGER PRIMARY KEY, at INTEGER);
	INSERT INTO event VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50);
	SQL
	at_target <<-SQL
	CREATE TABLE event (id INTEGER PRIMARY KEY, at INTEGER);
	SQL
	sync_pipeline event.cfg 'max_rows = 3; tables = ( { name = "event"; cursor = "at"; } );'
	run_sync event.cfg
	expect_exit 0
	expect_sync event 5 3 0 0 0
	run_sync event.cfg
	expect_exit 0
	expect_stderr 'every row is read: no run has said'
	expect_sync event 5 2 0 3 0
	at_source <<-SQL
	INSERT INTO event VALUES (6, 60), (7, 70), (8, 80), (9, 90);
	SQL
	run_sync event.cfg
	expect_exit 0
	expect_stderr 'rows from at 50 on'
	expect_sync event 5 3 0 1 0
	run_sync event.cfg
	expect_exit 0
	expect_stderr 'rows from at 50 on'
	expect_sync event 5 1 0 4 0
	run_sync event.cfg
	expect_exit 0
	expect_stderr 'rows from at 90 on'
	expect_sync event 1 0 0 1 0
	rows_at_target 'SELECT count(*), sum(at) FROM event' >found
	expect_text found <<-EOF
	9|450
	EOF
	# A new column is in every row, those too that are behind the cursor.
	at_source <<-SQL
	ALTER TABLE event ADD COLUMN note INTEGER;
	UPDATE event SET note = id;
	SQL
	at_target <<-SQL
	ALTER TABLE event ADD COLUMN note INTEGER;
	SQL
	for so_many in '--set max_rows=5' '--limit 6'; do
		# Two words each.
		# shellcheck disable=SC2086
		run_sync --set 'allow_drift = [ "add" ]' $so_many event.cfg
		expect_exit 0
		expect_stderr 'every row is read: '
	done
	run_sync event.cfg
	expect_exit 0
	expect_stderr 'every row is read: not all of it came when its columns had changed'
	run_sync event.cfg
	expect_exit 0
	rows_at_target 'SELECT count(*), sum(note) FROM event' >found
	expect_text found <<-EOF
	9|45
	EOF
	run_sync event.cfg
	expect_exit 0
	expect_stderr 'rows from at 90 on'
}

# What `diff --save` wrote down is all that `run --from` writes, whoever hashed the rows.
saved_differences() {
	at_source <<-SQL
	CREATE TABLE entry (id INTEGER PRIMARY KEY, what VARCHAR(40));
	INSERT INTO entry VALUES (1, 'one'), (2, 'two'), (3, 'three');
	SQL
	at_target <<-SQL
	CREATE TABLE entry (id INTEGER PRIMARY KEY, what VARCHAR(40));
	INSERT INTO entry VALUES (1, 'one'), (2, 'zwei'), (4, 'vier');
	SQL
	sync_pipeline saved.cfg 'delete = "hard"; tables = ( { name = "entry"; } );'
	run_etlrun diff --save saved.jsonl saved.cfg
	expect_exit 7
	at_source <<-SQL
	UPDATE entry SET what = 'ONE' WHERE id = 1;
	SQL
	at_target <<-SQL
	INSERT INTO entry VALUES (5, 'fünf');
	SQL
	run_sync --from saved.jsonl saved.cfg
	expect_exit 0
	expect_sync entry 3 1 1 0 1
	rows_at_target 'SELECT id, what FROM entry ORDER BY id' >found
	expect_text found <<-EOF
	1|one
	2|two
	3|three
	5|fünf
	EOF
}

# Everything of the suite but what one end alone has.
# sweep: beside its cursor each run compares the next part of a table's keys, and what was deleted there is found.
swept() {
	at_source <<-SQL
	CREATE TABLE swept (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, name VARCHAR(40));
	INSERT INTO swept VALUES (1, 1, 'a'), (25, 2, 'b'), (30, 3, 'c'), (50, 4, 'd'), (55, 5, 'e'), (80, 6, 'f'), (100, 7, 'g');
	SQL
	at_target <<-SQL
	CREATE TABLE swept (id INTEGER PRIMARY KEY, at INTEGER NOT NULL, name VARCHAR(40));
	SQL
	sync_pipeline swept.cfg 'delete = "hard"; sweep = "25%"; overlap = "0s"; tables = ( { name = "swept"; cursor = "at"; } );'
	run_sync swept.cfg
	expect_exit 0
	expect_sync swept 7 7 0 0 0

	# None of this moves the cursor, but for the last, which is in the part that is swept first, too.
	at_source <<-SQL
	DELETE FROM swept WHERE id IN (25, 50, 100);
	UPDATE swept SET name = 'C' WHERE id = 30;
	UPDATE swept SET name = 'E' WHERE id = 55;
	INSERT INTO swept VALUES (20, 8, 'new');
	UPDATE swept SET name = 'F', at = 9 WHERE id = 80;
	SQL
	run_sync swept.cfg
	expect_exit 0
	expect_stderr 'swept from 0 % to 25 % of its keys, from the lowest to 20'
	# Both rows that the cursor found; of the swept ones 1 and 20, which counts once.
	expect_sync swept 4 1 1 1 0
	run_sync swept.cfg
	expect_exit 0
	expect_stderr 'swept from 25 % to 50 % of its keys, above 20 to '
	rows_at_target 'SELECT id, name FROM swept WHERE id <= 40 ORDER BY id' >found
	expect_text found <<-EOF
	1|a
	20|new
	30|C
	EOF
	rows_at_target 'SELECT id, name FROM swept WHERE id > 45 ORDER BY id' >found
	expect_text found <<-EOF
	50|d
	55|e
	80|F
	100|g
	EOF
	for part in '50 % to 75 %' '75 % to 100 %'; do
		run_sync swept.cfg
		expect_exit 0
		expect_stderr "swept from $part of its keys"
	done
	rows_at_target 'SELECT id, name FROM swept ORDER BY id' >found
	expect_text found <<-EOF
	1|a
	20|new
	30|C
	55|E
	80|F
	EOF
	run_etlrun diff swept.cfg
	expect_exit 0
	# And again from the first: nothing is written.
	run_sync swept.cfg
	expect_exit 0
	expect_stderr 'swept from 0 % to 25 %'
	awk -F, '$2 == "swept" && $11 + $12 + $14 > 0 { exit 1 }' sum.csv || { cat sum.csv; fail "rows were written"; }

	# A key that is no number has no parts.
	at_source <<-SQL
	CREATE TABLE worded (id VARCHAR(9) PRIMARY KEY, at INTEGER);
	SQL
	at_target <<-SQL
	CREATE TABLE worded (id VARCHAR(9) PRIMARY KEY, at INTEGER);
	SQL
	sync_pipeline worded.cfg 'sweep = "25%"; tables = ( { name = "worded"; cursor = "at"; } );'
	run_etlrun check worded.cfg
	expect_exit 2
	expect_stderr 'the key of "worded" is not one column of whole numbers that comes as it is'
	run_etlrun check --set max_rows=5 swept.cfg
	expect_exit 2
	expect_stderr 'remove one of them'
}

every_chapter() {
	swept
	the_suite
	marked_rows
	doubles
	saved_differences
	by_cursor counted INTEGER 10 20 30 40
	by_cursor timed TIMESTAMP "'2026-01-01 00:00:00'" "'2026-01-02 00:00:00'" "'2026-01-02 00:00:00.5'" "'2026-01-03 00:00:00'"
	drift
	bounded
}
