# Rows that both ends changed, between two stores, whatever they are: told by sync_conflicts*.test, which define at_source and
# the rest as for sync.sh.

# Both ends begin alike: four rows, synced once.
synced() {
	at_source <<-SQL
	DROP TABLE IF EXISTS item;
	CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(40), price INTEGER, at TIMESTAMP);
	INSERT INTO item VALUES (1, 'one', 10, '2026-01-01 00:00:00'), (2, 'two', 20, '2026-01-01 00:00:00'),
		(3, 'three', 30, '2026-01-01 00:00:00'), (4, 'four', 40, '2026-01-01 00:00:00');
	SQL
	at_target <<-SQL
	DROP TABLE IF EXISTS item;
	CREATE TABLE item (id INTEGER PRIMARY KEY, name VARCHAR(40), price INTEGER, at TIMESTAMP);
	SQL
	case $2 in
	*tables*) tables= ;;
	*) tables='tables = ( { name = "item"; } );' ;;
	esac
	sync_pipeline c.cfg "name = \"$1\"; delete = \"hard\"; $tables $2"
	run_sync c.cfg
	expect_exit 0
	expect_sync item 4 4 0 0 0
}
expect_items() {
	rows_at_target 'SELECT id, name, price FROM item ORDER BY id' >found
	expect_text found
}
# conflicts_told: what the JSON report says of the conflicts of item.
conflicts_told() {
	run_etlrun --summary sum.json c.cfg
	sed -n 's/.*"conflicts": {\([^}]*\)}.*/\1/p' sum.json
}

# One row changed in the source, one in the target, one at both ends, one nowhere.
changed() {
	at_source <<-SQL
	UPDATE item SET name = 'ONE', at = '2026-01-02 00:00:00' WHERE id = 1;
	UPDATE item SET name = 'THREE', at = '2026-01-02 00:00:00' WHERE id = 3;
	SQL
	at_target <<-SQL
	UPDATE item SET price = 21 WHERE id = 2;
	UPDATE item SET price = 31, at = '$1' WHERE id = 3;
	SQL
}

# Parked, listed, and settled by the next run.
parking() {
	synced park 'conflicts = "park";'
	run_etlrun plan c.cfg
	expect_stdout 'the hashes of its rows are kept; of a row that both ends changed: both are parked'
	changed '2026-01-03 00:00:00'
	run_sync c.cfg
	expect_exit 6
	expect_sync item 4 0 1 1 0
	expect_stderr 'conflicts    item: 1 parked, 1 changed in the target alone, and left; `etlrun conflicts list` shows'
	expect_items <<-EOF
	1|ONE|10
	2|two|21
	3|three|31
	4|four|40
	EOF
	run_etlrun conflicts list c.cfg
	expect_exit 0
	expect_stdout 'id=3  parked by run '
	expect_stdout '    name: source THREE, target three'
	expect_stdout '    price: source 30, target 31'
	expect_stdout '1 row is parked'
	run_etlrun conflicts list --format json c.cfg
	expect_stdout '"take": null, "key": {"id": 3}, "source": {"id": 3, "name": "THREE", "price": 30'
	# It stays, and is no new conflict.
	[ "$(conflicts_told)" = ' "parked": 0, "still_parked": 1, "for_source": 0, "for_target": 0, "target_alone": 1 ' ] || fail "$(conflicts_told)"
	# Until somebody says which: the source's.
	run_etlrun conflicts resolve 9 --take source c.cfg
	expect_exit 2
	expect_stderr 'no row 9 is parked'
	run_etlrun conflicts resolve 3 --take source c.cfg
	expect_exit 0
	run_etlrun conflicts list c.cfg
	expect_stdout "; the next run takes the source's"
	run_sync c.cfg
	expect_exit 0
	expect_sync item 4 0 1 2 0
	expect_items <<-EOF
	1|ONE|10
	2|two|21
	3|THREE|30
	4|four|40
	EOF
	run_etlrun conflicts list c.cfg
	expect_stdout '0 rows are parked'
	run_sync c.cfg
	expect_exit 0
	expect_sync item 4 0 0 3 0

	# The target's: its row stays, until the source changes again.
	changed '2026-01-03 00:00:00'
	at_source <<-SQL
	UPDATE item SET name = 'Three' WHERE id = 3;
	SQL
	run_sync c.cfg
	expect_exit 6
	run_etlrun conflicts resolve --all --take target c.cfg
	expect_exit 0
	for run in 1 2; do
		run_sync c.cfg
		expect_exit 0
		expect_sync item 4 0 0 2 0
	done
	expect_items <<-EOF
	1|ONE|10
	2|two|21
	3|THREE|31
	4|four|40
	EOF
	at_source <<-SQL
	UPDATE item SET name = 'tre' WHERE id = 3;
	SQL
	run_sync c.cfg
	expect_exit 6
	# What was settled for another version is not done.
	run_etlrun conflicts resolve id=3 --take source c.cfg
	expect_exit 0
	at_target <<-SQL
	UPDATE item SET price = 32 WHERE id = 3;
	SQL
	run_sync c.cfg
	expect_exit 6
	# It leaves when the two become equal, by whosever hand.
	at_target <<-SQL
	UPDATE item SET name = 'tre', price = 30, at = '2026-01-02 00:00:00' WHERE id = 3;
	SQL
	run_sync c.cfg
	expect_exit 0
	run_etlrun conflicts list c.cfg
	expect_stdout '0 rows are parked'
}

# Rows that are gone at one end, and changed at the other or not.
deleting() {
	synced gone 'conflicts = "park";'
	at_source <<-SQL
	DELETE FROM item WHERE id IN (1, 2);
	UPDATE item SET name = 'FOUR' WHERE id = 4;
	SQL
	at_target <<-SQL
	UPDATE item SET price = 21 WHERE id = 2;
	DELETE FROM item WHERE id IN (3, 4);
	INSERT INTO item VALUES (7, 'own', 70, NULL);
	SQL
	run_sync c.cfg
	expect_exit 6
	expect_sync item 2 0 0 0 1
	expect_stderr 'item: 2 parked, 1 changed in the target alone, and left'
	expect_items <<-EOF
	2|two|21
	7|own|70
	EOF
	run_etlrun conflicts list c.cfg
	expect_stdout 'gone from the source, and changed in the target'
	expect_stdout 'changed in the source, and gone from the target'
	run_etlrun conflicts resolve 2 --take source c.cfg
	expect_exit 0
	run_etlrun conflicts resolve 4 --take source c.cfg
	expect_exit 0
	run_sync c.cfg
	expect_exit 0
	expect_sync item 2 1 0 0 1
	expect_items <<-EOF
	4|FOUR|40
	7|own|70
	EOF
	# What is gone at both ends is forgotten: a row that comes again is a new one.
	at_source <<-SQL
	DELETE FROM item WHERE id = 3;
	SQL
	run_sync c.cfg
	expect_exit 0
	at_source <<-SQL
	INSERT INTO item VALUES (3, 'three', 30, '2026-01-01 00:00:00');
	SQL
	run_sync c.cfg
	expect_exit 0
	expect_sync item 2 1 0 1 0
	# A table that somebody emptied is filled again.
	at_target <<-SQL
	DELETE FROM item;
	SQL
	run_sync c.cfg
	expect_exit 0
	expect_sync item 2 2 0 0 0
}

# The policies that decide by themselves.
deciding() {
	synced target 'conflicts = "target";'
	changed '2026-01-03 00:00:00'
	[ "$(conflicts_told)" = ' "parked": 0, "still_parked": 0, "for_source": 0, "for_target": 1, "target_alone": 1 ' ] || fail "$(cat sum.json)"
	expect_exit 0
	expect_items <<-EOF
	1|ONE|10
	2|two|21
	3|three|31
	4|four|40
	EOF
	synced newest 'conflicts = "newest"; tables = ( { name = "item"; newest = "at"; clock_skew = "1h"; } );'
	changed '2026-01-01 12:00:00'
	run_sync c.cfg
	expect_exit 0
	expect_stderr 'item: 1 decided for the source, 1 changed in the target alone, and left'
	expect_items <<-EOF
	1|ONE|10
	2|two|21
	3|THREE|30
	4|four|40
	EOF
	# The target's is the newer one; then they are within the clocks' difference, and nobody can tell.
	at_source <<-SQL
	UPDATE item SET name = 'x', at = '2026-02-01 00:00:00' WHERE id IN (1, 4);
	SQL
	at_target <<-SQL
	UPDATE item SET price = 11, at = '2026-02-02 00:00:00' WHERE id = 1;
	UPDATE item SET price = 41, at = '2026-02-01 00:59:59' WHERE id = 4;
	SQL
	run_sync c.cfg
	expect_exit 6
	expect_stderr 'item: 1 parked, 1 decided for the target'
	expect_items <<-EOF
	1|ONE|11
	2|two|21
	3|THREE|30
	4|four|41
	EOF
	# The source has the last word by itself, and keeps nothing; with row_hashes it says what it overrode.
	synced source 'row_hashes = true;'
	changed '2026-01-03 00:00:00'
	run_sync c.cfg
	expect_exit 0
	expect_sync item 4 0 3 1 0
	expect_stderr 'item: 1 decided for the source'
	# Without hashes of them every row that differs is a conflict.
	sync_pipeline c.cfg 'name = "first"; tables = ( { name = "item"; conflicts = "park"; } );'
	at_target <<-SQL
	UPDATE item SET price = 99 WHERE id = 4;
	SQL
	run_sync c.cfg
	expect_exit 6
	expect_stderr 'item: 1 parked'
}

# A column that is the target's own once a row is there.
by_column() {
	synced column 'tables = ( { name = "item"; columns = ( { name = "price"; conflicts = "target"; } ); } );'
	changed '2026-01-01 00:00:00'
	at_source <<-SQL
	UPDATE item SET price = 400 WHERE id = 4;
	INSERT INTO item VALUES (5, 'five', 50, NULL);
	SQL
	run_sync c.cfg
	expect_exit 0
	expect_sync item 5 1 2 2 0
	expect_items <<-EOF
	1|ONE|10
	2|two|21
	3|THREE|31
	4|four|40
	5|five|50
	EOF
	run_sync c.cfg
	expect_sync item 5 0 0 5 0
	for verb in validate diff; do
		run_etlrun $verb c.cfg
		expect_exit 0
	done
}

# By a cursor: a table of which rows are parked is looked at as a whole.
by_cursor_too() {
	synced cursor 'conflicts = "park"; overlap = "0s"; sweep_every = 100; tables = ( { name = "item"; cursor = "at"; } );'
	changed '2026-01-03 00:00:00'
	run_sync c.cfg
	expect_exit 6
	expect_stderr 'rows from at'
	at_source <<-SQL
	INSERT INTO item VALUES (8, 'eight', 80, '2026-02-01 00:00:00');
	SQL
	run_sync c.cfg
	expect_exit 6
	expect_stderr 'every row is read: rows of it are parked'
	run_etlrun conflicts resolve 3 --take source c.cfg
	run_sync c.cfg
	expect_exit 0
	run_sync c.cfg
	expect_exit 0
	expect_stderr 'rows from at'
	expect_items <<-EOF
	1|ONE|10
	2|two|21
	3|THREE|30
	4|four|40
	8|eight|80
	EOF
}

# What cannot be is said before anything is read.
refused_words() {
	sync_pipeline bad.cfg "$1"
	for verb in check run; do
		run_etlrun $verb bad.cfg
		expect_exit 2
		expect_stderr "$2"
	done
}
not_like_that() {
	synced words 'conflicts = "park";'
	refused_words 'conflicts = "newest";' 'write newest = "COLUMN"'
	refused_words 'conflicts = "newest"; newest = "when";' 'the column of `newest` does not come to the target'
	refused_words 'tables = ( { name = "item"; columns = ( { name = "id"; conflicts = "target"; } ); } );' 'of the key of "item", by which rows are told apart'
	refused_words 'tables = ( { name = "item"; columns = ( { name = "price"; conflicts = "park"; } ); } );' 'must be one of source, target'
	sync_pipeline bad.cfg 'conflicts = "park";'
	sed 's/mode = "sync"/mode = "merge"/' bad.cfg >merge.cfg
	run_etlrun check merge.cfg
	expect_exit 2
	expect_stderr '`conflicts` belongs to mode = "sync"'
	run_etlrun conflicts resolve --all bad.cfg
	expect_exit 2
	expect_stderr 'Write --take source, or --take target'
	run_etlrun conflicts settle bad.cfg
	expect_exit 2
	expect_stderr 'list, or resolve'
}

# Killed on its way: rows and what is kept of them are both as before, or both as after, and the next run ends alike.
killed() {
	[ "${ETLRUN_FAULT_POINTS:-no}" = yes ] || return 0
	for point in run.load conflicts.kept run.before_seal "$@" run.after_commit; do
		synced killed 'conflicts = "park";'
		changed '2026-01-03 00:00:00'
		rows_at_target 'SELECT * FROM item ORDER BY id' >before
		code=0
		ETLRUN_FAULT=$point:1 "$ETLRUN" c.cfg >stdout 2>stderr || code=$?
		expect_exit 137
		rows_at_target 'SELECT * FROM item ORDER BY id' >now
		run_etlrun conflicts list c.cfg
		if cmp -s before now; then
			expect_stdout '0 rows are parked'
		else
			expect_stdout '1 row is parked'
		fi
		run_sync c.cfg
		expect_exit 6
		expect_items <<-EOF
		1|ONE|10
		2|two|21
		3|three|31
		4|four|40
		EOF
		# What was written is known: a change in the source alone is no conflict.
		at_source <<-SQL
		UPDATE item SET name = 'one' WHERE id = 1;
		SQL
		run_sync c.cfg
		expect_exit 6
		expect_sync item 4 0 1 1 0
	done
}

every_conflict() {
	parking
	deleting
	deciding
	by_column
	not_like_that
	by_cursor_too
}
