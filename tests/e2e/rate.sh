# rate: so many rows a second are read, by all readers together, and a signal does not wait for the next. One suite for several
# sources, told by rate*.test. Who tells it defines
#
#	at_source <<EOF		SQL there
#	source_end		source = …; of the pipeline

rate_pipeline() {
	source_end >rate.cfg
	cat >>rate.cfg <<-EOF
	target = { plugin = "sqlite"; path = "out.db"; };
	workers = 3;
	rate = { rows = $1; };
	EOF
	rm -f out.db*
}
milliseconds() { echo $(($(date +%s%N) / 1000000)); }

rates() {
	at_source <<-SQL
	CREATE TABLE a (id INTEGER PRIMARY KEY);
	CREATE TABLE b (id INTEGER PRIMARY KEY);
	INSERT INTO a WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 150) SELECT i FROM n;
	INSERT INTO b SELECT id FROM a;
	SQL
	rate_pipeline 100
	start=$(milliseconds)
	run_etlrun rate.cfg
	took=$(($(milliseconds) - start))
	expect_exit 0
	[ $took -ge 2900 ] || fail "300 rows at 100 a second took $took ms"
	[ $took -lt 9000 ] || fail "300 rows at 100 a second took $took ms"
	sqlite3 out.db "SELECT (SELECT count(*) FROM a), (SELECT sum(id) FROM b)" >found
	expect_text found <<-EOF
	150|11325
	EOF

	# Much more than there is: no wait at all.
	rate_pipeline 1000000
	start=$(milliseconds)
	run_etlrun rate.cfg
	took=$(($(milliseconds) - start))
	expect_exit 0
	[ $took -lt 2500 ] || fail "300 rows at a million a second took $took ms"

	# A row a second: the wait ends with the signal.
	rate_pipeline 1
	start_etlrun -v rate.cfg
	soon grep -q 'phase load' stderr
	sleep 0.5
	start=$(milliseconds)
	signal_etlrun TERM
	wait_etlrun
	took=$(($(milliseconds) - start))
	expect_exit 143
	[ $took -lt 2000 ] || fail "it ended $took ms after the signal"
}
