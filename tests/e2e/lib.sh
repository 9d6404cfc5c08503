# The words an end-to-end story is told in: given_…, pipeline, run_etlrun, expect_…. Sourced by `run`, which
# then sources the story. POSIX sh. Every story has a folder of its own, is in it from its first line, and
# ends at the first expectation that does not hold, with what differed.
# shellcheck shell=sh disable=SC2034,SC2154

# ---- The story's folder ----------------------------------------------------------------------------

: "${ETLRUN:=$here/../../build/etlrun}"
: "${TOP_SRCDIR:=$here/../..}"
case $ETLRUN in /*) ;; *) ETLRUN=$(pwd)/$ETLRUN ;; esac
TOP_SRCDIR=$(cd "$TOP_SRCDIR" && pwd)
# With a wrapper, "valgrind -q" for one, every run of the story goes through it.
: "${ETLRUN_WRAPPER:=}"
export TOP_SRCDIR ETLRUN

folder=$(mktemp -d "${TMPDIR:-/tmp}/etlrun-e2e.XXXXXX") || exit 99
background=
# A command for the end of the story, however it ends: what ends the servers that it started.
at_leave=

leave() {
	status=$?
	trap - EXIT
	# What runs in the background still, a story that failed did not come to end.
	jobs -p >"$folder/.jobs"
	while read -r pid; do
		kill -KILL "$pid" && wait "$pid"
	done <"$folder/.jobs" 2>/dev/null
	$at_leave
	cd / || exit 99
	if [ -n "${KEEP:-}" ]; then
		echo "kept: $folder"
	else
		chmod -R u+w "$folder" && rm -rf "$folder"
	fi
	exit "$status"
}
trap leave EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
cd "$folder" || exit 99
HOME=$folder
LC_ALL=C.UTF-8
export HOME LC_ALL
unset ETL_IN ETL_OUT NO_COLOR ETLRUN_PLUGIN_PATH

# ---- Ending ----------------------------------------------------------------------------------------

fail() {
	echo "FAILED: $*"
	if [ -n "${last_command:-}" ]; then
		echo "after: $last_command (exit $code)"
		echo "--- standard error:"
		tail -n 40 stderr
		echo "--- standard output:"
		tail -n 15 stdout
	fi
	exit 1
}

skip() {
	echo "skipped: $(basename "$story"): $*"
	exit 77
}

# skip_unless_shared PATH: $shared is then that file or folder of the shared data.
skip_unless_shared() {
	shared=
	for root in "${ETLRUN_SHARED:-}" "$TOP_SRCDIR/../shared"; do
		[ -n "$root" ] && [ -e "$root/$1" ] && shared=$(cd "$root" && pwd)/$1 && return 0
	done
	skip "no shared/$1 (set ETLRUN_SHARED to the folder that holds it)"
}

skip_unless_command() {
	command -v "$1" >/dev/null || skip "no $1 on this machine"
}

# A build --without-NAME leaves out the stories that name the plugin, themselves or in an example they run;
# without sqlite, all of them.
skip_unless_built() {
	examples=$(grep -o 'etc/[a-z-]*\.cfg' "$story" | sort -u | sed "s|^|$TOP_SRCDIR/|")
	for plugin in ${ETLRUN_LEFT_OUT:-}; do
		# The examples are a list of paths.
		# shellcheck disable=SC2086
		if [ "$plugin" = sqlite ] || grep -qw "$plugin" "$story" $examples; then
			skip "this build has no plugin $plugin"
		fi
	done
}

# ---- Given -----------------------------------------------------------------------------------------

# given_sql FILE.db <<EOF: a database made by these statements; more of them when it is there already.
given_sql() {
	sqlite3 -bail "$1" || { echo "the story's own SQL for $1 is wrong"; exit 99; }
}

# given_file NAME <<EOF: any other file.
given_file() {
	cat >"$1"
}

# pipeline NAME <<EOF: a pipeline file. For the most common one, see simple_pipeline.
pipeline() {
	cat >"$1"
}

# simple_pipeline NAME ["more keys;"]: in.db to out.db.
simple_pipeline() {
	{
		echo 'version = 1;'
		echo 'source = { plugin = "sqlite"; path = "in.db"; };'
		echo 'target = { plugin = "sqlite"; path = "out.db"; };'
		[ $# -lt 2 ] || printf '%s\n' "$2"
	} >"$1"
}

# given_shop FILE.db: the demonstration shop.
given_shop() {
	sh "$TOP_SRCDIR/tests/data/make_demo.sh" "$1" >/dev/null || { echo "make_demo.sh failed"; exit 99; }
}

# ---- When ------------------------------------------------------------------------------------------

# run_etlrun ARGS: standard output and error go to the files stdout and stderr, the exit code to $code.
run_etlrun() {
	last_command="etlrun $*"
	code=0
	# The wrapper is a command and its arguments.
	# shellcheck disable=SC2086
	$ETLRUN_WRAPPER "$ETLRUN" "$@" >stdout 2>stderr </dev/null || code=$?
}

# start_etlrun ARGS: the same, in the background; then wait_etlrun, or signal_etlrun NAME.
start_etlrun() {
	last_command="etlrun $* &"
	code=0
	# Emptied here: what is waited for in them must come from this run.
	: >stdout
	: >stderr
	"$ETLRUN" "$@" >stdout 2>stderr </dev/null &
	background=$!
}

signal_etlrun() {
	kill -"$1" "$background" || fail "it had ended before SIG$1"
}

wait_etlrun() {
	code=0
	wait "$background" || code=$?
	background=
}

# soon COMMAND: waits up to a minute for the command to succeed.
soon() {
	tries=0
	until "$@" >/dev/null 2>&1; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] || fail "never came true: $*"
		sleep 0.1
	done
}

# ---- Then ------------------------------------------------------------------------------------------

expect_exit() {
	[ "$code" -eq "$1" ] || fail "exit $1 expected, got $code"
}

expect_in() {
	grep -qF -e "$2" "$1" || fail "$1 should say: $2"
}

expect_not_in() {
	! grep -qF -e "$2" "$1" || fail "$1 must not say: $2"
}

expect_stderr() { expect_in stderr "$1"; }
expect_stdout() { expect_in stdout "$1"; }
expect_no_stderr() { expect_not_in stderr "$1"; }

# expect_last_line TEXT: what the person sees last.
expect_last_line() {
	grep -v '^$' stderr | tail -n 1 >last_line
	grep -qF -e "$1" last_line || fail "the last line should say: $1"
}

# expect_text FILE <<EOF: the whole of it.
expect_text() {
	cat >expected
	diff -u expected "$1" || fail "$1 is not what was expected"
}

# expect_rows DB "SQL" <<EOF: exactly these rows, columns separated by |. NULL reads as NULL.
expect_rows() {
	cat >expected
	sqlite3 -bail -readonly -nullvalue NULL "$1" "$2" >actual 2>&1 || { cat actual; fail "$1 cannot answer: $2"; }
	diff -u expected actual || fail "other rows in $1: $2"
}

expect_file() { [ -e "$1" ] || fail "$1 should be there"; }
expect_no_file() { [ ! -e "$1" ] || fail "$1 should not be there"; }
expect_same_file() { cmp "$1" "$2" || fail "$1 and $2 differ"; }

# remember FILE…, then expect_unchanged FILE…: byte for byte.
remember() {
	for file in "$@"; do
		sha256sum "$file" >"remembered.$(basename "$file")"
	done
}

expect_unchanged() {
	for file in "$@"; do
		sha256sum "$file" | diff "remembered.$(basename "$file")" - || fail "$file was changed"
	done
}

# nothing_left_beside FILE: no staging file, no -wal, -shm or -journal.
expect_nothing_beside() {
	for file in "$1"?*; do
		case $file in
		"$1.etlrun"* | "$1?*") ;;
		*.cfg) ;;
		*) fail "$file was left behind" ;;
		esac
	done
}

# ---- Whole databases -------------------------------------------------------------------------------

# What sqlite3 knows of a schema, in an order of its own.
schema_facts() {
	sqlite3 -bail -readonly -nullvalue NULL "$1" <<-'EOF'
	.mode quote
	CREATE TEMP TABLE m AS SELECT * FROM sqlite_schema WHERE name NOT LIKE 'sqlite^_%' ESCAPE '^';
	SELECT 'object', type, name, tbl_name FROM m ORDER BY type, name;
	SELECT 'table', name, wr, strict FROM pragma_table_list WHERE schema = 'main' AND name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY name;
	SELECT 'column', m.name, x.* FROM m, pragma_table_xinfo(m.name) x ORDER BY m.name, x.cid;
	SELECT 'index', m.name, i.origin, i."unique", i.partial, replace(i.name, '_' || m.name || '_', '') NOT GLOB 'sqlite_autoindex*',
		(SELECT group_concat(coalesce(x.name, 'expression') || ' ' || x."desc" || ' ' || x.coll)
		FROM (SELECT * FROM pragma_index_xinfo(i.name) WHERE key = 1 ORDER BY seqno) x)
		FROM m, pragma_index_list(m.name) i WHERE m.type = 'table' ORDER BY 2, 3, 7, 4, 5;
	SELECT 'foreign key', m.name, f.seq, f."table", f."from", f."to", f.on_update, f.on_delete, f."match"
		FROM m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY 2, 4, 5, 6;
	SELECT 'sql', type, name, sql FROM m WHERE type <> 'table' ORDER BY type, name;
	EOF
}

# Every value of every table with its storage class; REAL to the last bit.
data_facts() {
	{
		echo ".mode quote"
		sqlite3 -bail -readonly "$1" "SELECT printf('SELECT %Q, * FROM \"%w\";', name, name) FROM pragma_table_list
			WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite^_%' ESCAPE '^' ORDER BY name"
	} | sqlite3 -bail -readonly "$1" | sort
	sqlite3 -bail -readonly "$1" "SELECT 'integrity', * FROM pragma_integrity_check"
}

# expect_same_database A B: every table, row, key, index, foreign key, view and trigger.
expect_same_database() {
	schema_facts "$1" >schema.a
	schema_facts "$2" >schema.b
	[ -s schema.a ] || fail "$1 has no schema to compare"
	diff -u schema.a schema.b || fail "the schemas of $1 and $2 differ"
	expect_same_data "$1" "$2"
}

expect_same_data() {
	data_facts "$1" >data.a
	data_facts "$2" >data.b
	diff -u data.a data.b | head -n 40
	cmp -s data.a data.b || fail "the rows of $1 and $2 differ"
}
