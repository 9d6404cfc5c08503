# The words of stories that go through ODBC: find_driver, odbc_pg. Sourced by a story after postgres.sh.
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
