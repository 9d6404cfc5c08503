# A sync that is taken back, between two stores: told by sync_undo*.test, which define at_source and the rest as for sync.sh, and
#
#	last_run	the newest run that is published and not taken back
#	kept_rows	everything that is kept between runs, without the runs' names
. "$here/conflicts.sh"

theirs() {
	rows_at_target 'SELECT * FROM item ORDER BY id'
	kept_rows
}
take_back() {
	run_etlrun rollback "$(last_run)" c.cfg
}
expect_as_before() {
	theirs >now
	diff -u "${1-before}" now || fail "it is not what it was"
}

# New, changed and deleted rows go back, and so does how far the cursor came: the next run brings them again.
rows_and_cursor() {
	synced hard 'undo = true; row_hashes = true; overlap = "0s"; sweep_every = 2; tables = ( { name = "item"; cursor = "at"; } );'
	theirs >before
	at_source <<-SQL
	UPDATE item SET name = 'ONE', at = '2026-01-02 00:00:00' WHERE id = 1;
	INSERT INTO item VALUES (5, 'five', 50, '2026-01-02 00:00:00');
	DELETE FROM item WHERE id = 2;
	SQL
	run_sync c.cfg
	expect_exit 0
	expect_sync item 4 1 1 2 0
	theirs >after
	take_back
	expect_exit 0
	expect_as_before
	run_sync c.cfg
	expect_exit 0
	expect_stderr 'rows from at 2026-01-01 00:00:00 on'
	expect_sync item 4 1 1 2 0
	expect_as_before after
	# The next run compares all, and deletes.
	run_sync c.cfg
	expect_exit 0
	expect_sync item 4 0 0 4 1
	take_back
	expect_exit 0
	expect_as_before after
	take_back
	expect_exit 0
	expect_as_before
}

# Rows that are marked as deleted.
marks() {
	synced soft 'undo = true;'
	at_target <<-SQL
	ALTER TABLE item ADD COLUMN gone INTEGER;
	SQL
	theirs >before
	at_source <<-SQL
	DELETE FROM item WHERE id = 2;
	SQL
	sync_pipeline c.cfg 'name = "soft"; undo = true; allow_drift = [ "add" ]; tables = ( { name = "item"; delete = "soft"; delete_column = "gone"; } );'
	run_sync c.cfg
	expect_exit 0
	expect_sync item 3 0 0 3 1
	take_back
	expect_exit 0
	expect_as_before
}

# What was known of the rows goes back with them, and what was parked.
kept_too() {
	synced kept 'undo = true; conflicts = "park";'
	theirs >before
	changed '2026-01-03 00:00:00'
	theirs >held
	run_sync c.cfg
	expect_exit 6
	take_back
	expect_exit 0
	expect_as_before held
	run_etlrun conflicts list c.cfg
	expect_stdout '0 rows are parked'
	run_sync c.cfg
	expect_exit 6
	run_etlrun conflicts resolve --all --take source c.cfg
	theirs >held
	run_sync c.cfg
	expect_exit 0
	first=$(last_run)
	at_source <<-SQL
	UPDATE item SET name = 'later' WHERE id = 4;
	SQL
	run_sync c.cfg
	expect_exit 0
	# The later one first.
	run_etlrun rollback "$first" c.cfg
	expect_exit 4
	expect_stderr 'take later runs back first'
	take_back
	expect_exit 0
	take_back
	expect_exit 0
	expect_as_before held
	run_sync c.cfg
	expect_exit 0
	expect_items <<-EOF
	1|ONE|10
	2|two|21
	3|THREE|30
	4|later|40
	EOF
}

# What somebody changed since is not lost, and is named.
refused() {
	synced refused 'undo = true;'
	at_source <<-SQL
	UPDATE item SET name = 'x' WHERE id IN (1, 2, 3);
	INSERT INTO item VALUES (5, 'five', 50, NULL);
	SQL
	run_sync c.cfg
	expect_exit 0
	at_target <<-SQL
	UPDATE item SET price = 11 WHERE id = 1;
	DELETE FROM item WHERE id = 3;
	UPDATE item SET price = 51 WHERE id = 5;
	SQL
	theirs >held
	take_back
	expect_exit 4
	for id in 1 3 5; do
		expect_stderr "\"item\": row id=$id was changed since"
	done
	expect_no_stderr 'row id=2 '
	expect_stderr 'nothing was taken back'
	expect_as_before held
	# Without undo a sync cannot be taken back, and says so before.
	sync_pipeline c.cfg 'name = "refused"; tables = ( { name = "item"; } );'
	run_etlrun plan c.cfg
	expect_stdout 'rollback: no, undo = true would keep what is changed'
	run_sync c.cfg
	expect_exit 0
	take_back
	expect_exit 2
	expect_stderr 'undo = true'
}
every_undo() {
	rows_and_cursor
	marks
	kept_too
	refused
}
