# commit_every: a sync that is published in batches, told by batches*.test between whatever stores. As sync.sh, and
#
#	batches_at_target	run, batch, table, inserted, updated, deleted of the target's own record, columns with |

in_batches() {
	at_source <<-SQL
	CREATE TABLE maker (id INTEGER PRIMARY KEY, name VARCHAR(40));
	CREATE TABLE part (id INTEGER PRIMARY KEY, maker_id INTEGER NOT NULL REFERENCES maker, name VARCHAR(40));
	INSERT INTO maker VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e');
	INSERT INTO part VALUES (10, 5, 'p'), (11, 4, 'q'), (12, 3, 'r'), (13, 2, 's'), (14, 1, 't'), (15, 5, 'u');
	SQL
	at_target <<-SQL
	CREATE TABLE maker (id INTEGER PRIMARY KEY, name VARCHAR(40) UNIQUE);
	CREATE TABLE part (id INTEGER PRIMARY KEY, maker_id INTEGER NOT NULL REFERENCES maker, name VARCHAR(40));
	SQL
	sync_pipeline batches.cfg 'delete = "hard"; commit_every = 4; tables = ( { name = "part"; }, { name = "maker"; } );'

	run_etlrun plan batches.cfg
	expect_exit 0
	expect_stdout 'published: in batches, of 4 rows at most, as many rows as take 10 s'
	expect_stdout 'rollback: no, commit_every publishes it in several transactions'
	for other in 'undo = true' 'scope = "table"'; do
		run_etlrun plan --set "$(echo "$other" | tr -d ' ')" batches.cfg
		expect_exit 2
		expect_stderr 'remove one of them'
	done
	# Parents before their children, so many rows in each, the run's record with the last.
	run_sync batches.cfg
	expect_exit 0
	expect_sync maker 5 5 0 0 0
	expect_sync part 6 6 0 0 0
	expect_stderr 'batches      3 published, 11 rows'
	batches_at_target >found
	expect_text found <<-EOF
	1|maker|4|0|0
	2|maker|1|0|0
	2|part|3|0|0
	3|maker|0|0|0
	3|part|3|0|0
	EOF
	run_sync batches.cfg
	expect_exit 0
	expect_sync maker 5 0 0 5 0
	expect_sync part 6 0 0 6 0
	run_etlrun status batches.cfg
	expect_exit 0
	expect_stdout 'batches: 3 published, 11 rows written in them'

	# What changed, then what goes, children first.
	at_source <<-SQL
	DELETE FROM part WHERE id IN (10, 15, 13);
	DELETE FROM maker WHERE id IN (5, 2);
	UPDATE maker SET name = 'A' WHERE id = 1;
	UPDATE part SET name = 'T' WHERE id = 14;
	INSERT INTO part VALUES (16, 1, 'v');
	SQL
	run_sync --set commit_every=2 batches.cfg
	expect_exit 0
	expect_sync maker 3 0 1 2 2
	expect_sync part 4 1 1 2 3
	batches_at_target >found
	expect_text found <<-EOF
	1|maker|0|1|0
	1|part|0|1|0
	2|part|1|0|1
	3|part|0|0|2
	4|maker|0|0|2
	4|part|0|0|0
	EOF
	rows_at_target 'SELECT part.id, maker.name, part.name FROM part JOIN maker ON maker.id = maker_id ORDER BY part.id' >found
	expect_text found <<-EOF
	11|d|q
	12|c|r
	14|A|T
	16|A|v
	EOF
	rows_at_target 'SELECT id, name FROM maker ORDER BY id' >found
	expect_text found <<-EOF
	1|A
	3|c
	4|d
	EOF

	# A unique value that goes from a row of one batch to a row of another, and one that is free when a row is gone: what does not go alone
	# goes together.
	at_source <<-SQL
	UPDATE maker SET name = 'x' WHERE id = 1;
	UPDATE maker SET name = 'A' WHERE id = 4;
	DELETE FROM part WHERE id = 12;
	DELETE FROM maker WHERE id = 3;
	INSERT INTO maker VALUES (0, 'c');
	SQL
	run_sync --set commit_every=1 batches.cfg
	expect_exit 0
	expect_sync maker 3 1 2 0 1
	expect_sync part 3 0 0 3 1
	expect_stderr 'all that is left is published together'
	rows_at_target 'SELECT id, name FROM maker ORDER BY id' >found
	expect_text found <<-EOF
	0|c
	1|x
	4|A
	EOF

	# Rows that refer to each other are not cut, and a table that is new in the target comes whole.
	fresh_and_staff
	sync_pipeline fresh.cfg 'delete = "hard"; commit_every = 2; tables = ( { name = "fresh"; }, { name = "staff"; } );'
	run_sync fresh.cfg
	expect_exit 0
	expect_sync fresh 3 3 0 0 0
	expect_sync staff 3 3 0 0 0
	run_sync fresh.cfg
	expect_exit 0
	expect_sync fresh 3 0 0 3 0
	expect_sync staff 3 0 0 3 0

	# A cursor moves with the last batch.
	at_source <<-SQL
	CREATE TABLE event (id INTEGER PRIMARY KEY, at INTEGER);
	INSERT INTO event VALUES (1, 10), (2, 20), (3, 30), (4, 40), (5, 50);
	SQL
	at_target <<-SQL
	CREATE TABLE event (id INTEGER PRIMARY KEY, at INTEGER);
	SQL
	sync_pipeline event.cfg 'commit_every = { rows = 2; seconds = 3; }; tables = ( { name = "event"; cursor = "at"; } );'
	run_sync event.cfg
	expect_exit 0
	expect_sync event 5 5 0 0 0
	expect_stderr 'batches      3 published, 5 rows'
	at_source <<-SQL
	INSERT INTO event VALUES (6, 60), (7, 70), (8, 80);
	SQL
	run_sync event.cfg
	expect_exit 0
	expect_stderr 'rows from at 50 on'
	expect_sync event 4 3 0 1 0
	run_sync event.cfg
	expect_exit 0
	expect_stderr 'rows from at 80 on'
}

# refused_batch TRIGGER: what a row of the second batch is refused for. The first one stands, and says so.
refused_batch() {
	at_source <<-SQL
	CREATE TABLE step (id INTEGER PRIMARY KEY, name VARCHAR(40));
	INSERT INTO step VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, 'd'), (5, 'e');
	SQL
	at_target <<-SQL
	CREATE TABLE step (id INTEGER PRIMARY KEY, name VARCHAR(40));
	$1
	SQL
	sync_pipeline step.cfg 'commit_every = 2; tables = ( { name = "step"; } );'
	run_etlrun --summary sum.json step.cfg
	expect_exit 5
	expect_stderr 'not today'
	expect_stderr '1 batch with 2 rows stands in the target, the rest is not published'
	expect_stderr 'batches      1 published, 2 rows: step (2); the rest is not, and comes with the next run'
	grep -q '"batches": { "published": 1, "rows": 2 }' sum.json || { cat sum.json; fail "no batches in the report"; }
	grep -q '"inserted": 2' sum.json || { cat sum.json; fail "no rows in the report"; }
	rows_at_target 'SELECT id FROM step ORDER BY id' >found
	expect_text found <<-EOF
	1
	2
	EOF
	run_etlrun status step.cfg
	expect_stdout 'batches: 1 published, 2 rows written in them'
	at_target <<-SQL
	$2
	SQL
	run_sync step.cfg
	expect_exit 0
	expect_sync step 5 3 0 2 0
}
