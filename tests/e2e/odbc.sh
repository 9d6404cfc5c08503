# The words of stories that go through ODBC: find_driver, odbc_pg, after postgres.sh; recorded, record_has, without it.
# shellcheck shell=sh disable=SC2034,SC2154

# find_driver FILE: $DRIVER is the path of a driver that Debian installs, or of the folder that ETLRUN_TEST_ODBC names.
find_driver() {
	for DRIVER in ${ETLRUN_TEST_ODBC:+"$ETLRUN_TEST_ODBC/$1"} /usr/lib/*/odbc/"$1" /usr/lib/odbc/"$1"; do
		[ -f "$DRIVER" ] && return 0
	done
	skip "no ODBC driver $1 on this machine (Debian: odbc-postgresql, libsqliteodbc, tdsodbc)"
}

# odbc_pg DB: the connection string of the database, by psqlODBC, which find_driver has found.
odbc_pg() {
	echo "Driver=$DRIVER;Server=127.0.0.1;Port=$PGPORT;Database=$1;UID=postgres"
}

# Stories of T-SQL need a server: ETLRUN_TEST_MSSQL is the ODBC connection string of a database that may be filled and emptied.
# has_mssql: is there one? Else the story says what it left out.
has_mssql() {
	[ -n "${ETLRUN_TEST_MSSQL:-}" ] || { echo "skipped: $(basename "$story"), in part: no T-SQL server (ETLRUN_TEST_MSSQL)"; return 1; }
	command -v isql >/dev/null || { echo "skipped: $(basename "$story"), in part: no isql, to ask the T-SQL server (Debian: unixodbc)"; return 1; }
}

# mssql "SQL": one statement; its rows, columns separated by |, NULL as nothing.
mssql() {
	echo "$1" | tr '\n\t' '  ' | isql -k "$ETLRUN_TEST_MSSQL" -b -d'|' >answer 2>&1
	! grep -q '^\[ISQL\]ERROR' answer || return 1
	sed '/^$/d' answer
}

# expect_mssql "SQL" <<EOF: exactly these rows; NULL in them is nothing.
expect_mssql() {
	sed 's/NULL//g' >expected
	mssql "$1" >actual || { cat answer; fail "the T-SQL server cannot answer: $1"; }
	diff -u expected actual || fail "other rows: $1"
}

# ---- The recording driver (tests/odbc/recorder.h) ----------------------------------------------------

recorder=${ABS_TOP_BUILDDIR:-$(dirname "$ETLRUN")}/tests/odbc/.libs/libetlrun_recorder.so

skip_unless_recorder() {
	[ -f "$recorder" ] || skip "no recording ODBC driver in this build ($recorder)"
	# unixODBC is not told of any other file by the machine.
	ODBCSYSINI=$folder ODBCINI=$folder/odbc.ini
	export ODBCSYSINI ODBCINI
}

# recorded NAME ["more keys of the pipeline;" ["more keys of the target;"]]: in.db to the recorder, which answers by the script
# on standard input; the record begins anew.
recorded() {
	cat >script
	rm -f record
	{
		echo 'version = 1;'
		echo 'source = { plugin = "sqlite"; path = "in.db"; };'
		echo "target = { plugin = \"odbc\"; connection = \"Driver=$recorder;Script=$PWD/script;Record=$PWD/record;PWD=hidden\"; ${3:-} };"
		echo 'validators = ();'
		[ -z "${2:-}" ] || printf '%s\n' "$2"
	} >"$1"
	chmod 600 "$1"
}

# record_has "TEXT" [TIMES]: so many lines of the record have it; without a number, at least one.
record_has() {
	times=$(grep -cF -e "$1" record)
	[ "$times" -gt 0 ] && [ "$times" -eq "${2:-$times}" ] || { tail -n 40 record; fail "the record should have ${2:-some} of: $1 (it has $times)"; }
}
record_lacks() {
	! grep -F -e "$1" record || fail "the record must not have: $1"
}

# skip_unless_mssql: a server that speaks T-SQL.
skip_unless_mssql() {
	[ -n "${ETLRUN_TEST_MSSQL:-}" ] || skip "no T-SQL server (ETLRUN_TEST_MSSQL: an ODBC connection string)"
}
