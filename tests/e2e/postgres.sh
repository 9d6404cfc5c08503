# The words of stories that need a PostgreSQL server: start_postgres, given_pg, expect_pg, start_pgbouncer. Sourced
# by a story: . "$here/postgres.sh". Every story has a cluster of its own, which runs as an ordinary user on a free port of the
# loopback and on a Unix socket, and which ends with the story, however that ends. The server lets everybody in
# without a password; given_role makes those who need one. Where there is no server to start, the story is skipped.
# shellcheck shell=sh disable=SC2034,SC2154

# ---- Which server, and as whom ---------------------------------------------------------------------

# The newest server of 15 or later: ETLRUN_TEST_PGBIN, Debian's folders, or what pg_config knows.
find_server() {
	for pg_bin in ${ETLRUN_TEST_PGBIN:-$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV) $(pg_config --bindir 2>/dev/null)}; do
		[ -x "$pg_bin/initdb" ] || continue
		pg_version=$("$pg_bin/postgres" -V | sed 's/[^0-9]*\([0-9]*\).*/\1/')
		[ "$pg_version" -lt 15 ] || return 0
	done
	skip "no PostgreSQL server of version 15 or later (ETLRUN_TEST_PGBIN: the folder of its programs)"
}

# The server refuses to be root's.
find_user() {
	pg_owner=$(id -un)
	if [ "$(id -u)" -eq 0 ]; then
		for pg_owner in postgres nobody ''; do
			id "$pg_owner" >/dev/null 2>&1 && break
		done
		[ -n "$pg_owner" ] && command -v setpriv >/dev/null ||
			skip "a PostgreSQL server cannot run as root, and there is no other user for it (or no setpriv)"
	fi
}

# as_server SIGNAL COMMAND: exec'd, so that $! is the command's own process. It gets the signal when the story's shell
# dies, by SIGKILL too.
as_server() {
	[ "$(id -u)" -ne 0 ] || exec setpriv --reuid "$pg_owner" --regid "$(id -g "$pg_owner")" --clear-groups --pdeathsig "$@"
	as_child "$@"
}

# as_child SIGNAL COMMAND: as whoever runs the story.
as_child() {
	! setpriv --pdeathsig TERM true 2>/dev/null || exec setpriv --pdeathsig "$@"
	shift
	exec "$@"
}

# A folder which the server's user may reach, below the story's when that is possible, with a name that is short
# enough for a Unix socket in it: such paths have 107 bytes.
make_server_folder() {
	[ -z "$pg_folder" ] || return 0
	pg_folder=$folder/pg
	mkdir "$pg_folder" && chmod 711 "$folder" || exit 99
	if [ ${#pg_folder} -gt 80 ] || ! (as_server TERM test -x "$pg_folder"); then
		pg_folder=$(mktemp -d /tmp/etlrun-pg.XXXXXX) || exit 99
	fi
	chown "$pg_owner" "$pg_folder" && chmod 755 "$pg_folder" || exit 99
}

# ---- Starting and ending ---------------------------------------------------------------------------

pg_folder=
pg_pid=
# Somebody's own server may have it.
unset PGPORT
pg_companions=
proxy_pid=

# At the end of the story: at once, nothing is worth keeping.
leave_postgres() {
	for pid in $pg_companions $proxy_pid; do
		kill -TERM "$pid" 2>/dev/null
	done
	[ -z "$pg_pid" ] || { kill -QUIT "$pg_pid" 2>/dev/null && wait "$pg_pid" 2>/dev/null; }
	[ -n "${KEEP:-}" ] || [ -z "$pg_folder" ] || rm -rf "$pg_folder"
}
at_leave=leave_postgres

# An initialised cluster costs a second of processor time: the build's first story makes it, the others copy it.
make_cluster() {
	template=${ABS_TOP_BUILDDIR:-$(dirname "$ETLRUN")}/tests/pgdata-$pg_version-$pg_owner
	if ! : 2>/dev/null >>"$template.lock"; then
		init_cluster "$pg_folder/data"
		return
	fi
	(
		flock 9
		[ -d "$template" ] && exit
		rm -rf "$template.new"
		init_cluster "$pg_folder/first" && cp -a "$pg_folder/first" "$template.new" && mv "$template.new" "$template"
	) 9>>"$template.lock" || exit 99
	cp -a --reflink=auto "$template" "$pg_folder/data" || exit 99
}

init_cluster() {
	(as_server TERM "$pg_bin/initdb" -D "$1" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync --no-instructions) >initdb.log 2>&1 9>&- ||
		{ cat initdb.log; exit 99; }
}

# next_port: the next of a row of ports below those that the system itself gives to connections. Another story may
# have it: then the server says so and the next is tried.
pg_ports=0
next_port() {
	pg_ports=$((pg_ports + 1))
	port=$((10000 + ($$ * 7919 + pg_ports * 4001) % 22000))
}

# start_postgres [SETTING=VALUE…]: of postgresql.conf, on top of the story's own.
start_postgres() {
	if [ -z "$pg_folder" ] || [ ! -d "$pg_folder/data" ]; then
		find_server
		find_user
		make_server_folder
		make_cluster
		PATH=$pg_bin:$PATH
		PGHOST=$pg_folder PGUSER=postgres PGDATABASE=postgres
		export PATH PGHOST PGPORT PGUSER PGDATABASE PGURI
		unset PGPASSWORD PGPASSFILE PGSERVICE PGSERVICEFILE PGOPTIONS PGSSLMODE PGHOSTADDR PGAPPNAME
	fi
	{
		echo "listen_addresses = '127.0.0.1'"
		echo "unix_socket_directories = '$pg_folder'"
		echo "fsync = off"
		echo "full_page_writes = off"
		echo "shared_buffers = 32MB"
		echo "max_connections = 40"
		echo "restart_after_crash = on"
		for setting in "$@"; do
			printf "%s = '%s'\n" "${setting%%=*}" "${setting#*=}"
		done
	} >"$pg_folder/data/postgresql.auto.conf"
	until run_server; do
		grep -q 'Address already in use' "$pg_folder/log" && [ $pg_ports -lt 50 ] ||
			{ tail -n 20 "$pg_folder/log"; fail "the PostgreSQL server does not start"; }
	done
	PGPORT=$port
	PGURI=$(pg_uri postgres)
}

# run_server: on $PGPORT again, or on the next; 0 when it answers.
run_server() {
	[ -z "$pg_pid" ] || fail "the PostgreSQL server is running already"
	port=${PGPORT:-}
	[ -n "$port" ] || next_port
	: >"$pg_folder/log"
	rm -f "$pg_folder/data/postmaster.pid"
	as_server QUIT "$pg_bin/postgres" -D "$pg_folder/data" -p "$port" </dev/null >>"$pg_folder/log" 2>&1 &
	pg_pid=$!
	tries=0
	until grep -q '^ready' "$pg_folder/data/postmaster.pid" 2>/dev/null; do
		tries=$((tries + 1))
		if ! kill -0 "$pg_pid" 2>/dev/null || [ $tries -gt 1200 ]; then
			kill -QUIT "$pg_pid" 2>/dev/null
			wait "$pg_pid"
			pg_pid=
			return 1
		fi
		sleep 0.05
	done
}

# stop_postgres [smart|fast|immediate]: fast when not said.
stop_postgres() {
	case ${1:-fast} in
	smart) kill -TERM "$pg_pid" ;;
	fast) kill -INT "$pg_pid" ;;
	immediate) kill -QUIT "$pg_pid" ;;
	esac || fail "the PostgreSQL server had ended before"
	wait "$pg_pid"
	pg_pid=
}

# restart_postgres [immediate]: on the same port, with the same settings.
restart_postgres() {
	stop_postgres "$@"
	run_server || { tail -n 20 "$pg_folder/log"; fail "the PostgreSQL server does not start again"; }
}

# ---- Given and then --------------------------------------------------------------------------------

# psql without anybody's habits.
pg_psql() {
	PGOPTIONS="-c client_min_messages=warning" psql -X -q -v ON_ERROR_STOP=1 "$@"
}

# pg_uri DB [USER[:PASSWORD]]: of the database over TCP.
pg_uri() {
	echo "postgresql://${2:-postgres}@127.0.0.1:$PGPORT/$1"
}

# given_pg DB <<EOF: these statements in the database, which is made when it is not there.
given_pg() {
	[ "$(pg_psql -Atc "SELECT count(*) FROM pg_database WHERE datname = '$1'" postgres)" = 1 ] ||
		pg_psql -c "CREATE DATABASE \"$1\"" postgres || exit 99
	pg_psql -o /dev/null -d "$1" || { echo "the story's own SQL for $1 is wrong"; exit 99; }
}

# given_role NAME PASSWORD [ATTRIBUTES]: a role that over TCP must say its password, by SCRAM.
given_role() {
	loaded=$(pg_psql -Atc 'SELECT pg_conf_load_time()' postgres)
	pg_psql -d postgres -c "SET password_encryption = 'scram-sha-256'" -c "CREATE ROLE \"$1\" LOGIN PASSWORD '$2' ${3:-}" || exit 99
	{
		echo "host all \"$1\" 127.0.0.1/32 scram-sha-256"
		cat "$pg_folder/data/pg_hba.conf"
	} >"$pg_folder/hba" && cat "$pg_folder/hba" >"$pg_folder/data/pg_hba.conf"
	kill -HUP "$pg_pid"
	soon pg_reloaded "$loaded"
}

pg_reloaded() {
	[ "$(pg_psql -Atc 'SELECT pg_conf_load_time()' postgres)" != "$1" ]
}

# pg_rows DB "SQL": columns separated by |, NULL as NULL.
pg_rows() {
	pg_psql -At -P null=NULL -d "$1" -c "$2"
}

# expect_pg DB "SQL" <<EOF: exactly these rows.
expect_pg() {
	cat >expected
	pg_rows "$1" "$2" >actual 2>&1 || { cat actual; fail "$1 cannot answer: $2"; }
	diff -u expected actual || fail "other rows in $1: $2"
}

# expect_no_stage DB: no staging schema is left. Old generations, when they are kept, are none.
expect_no_stage() {
	expect_pg "$1" "SELECT 'left behind: ' || nspname FROM pg_namespace
		WHERE nspname LIKE '\_etlrun\_%' AND nspname NOT LIKE '\_etlrun\_old\_%'" </dev/null
}

# pg_sessions DB: how many connections of etlrun there are.
pg_sessions() {
	pg_rows "$1" "SELECT count(*) FROM pg_stat_activity WHERE datname = '$1' AND pid <> pg_backend_pid()"
}

# ---- Between the client and the server ---------------------------------------------------------------

# start_pgbouncer session|transaction [KEY=VALUE…]: $POOL_URI is then the URI of the database postgres through it; the
# other databases are there by their names.
start_pgbouncer() {
	pooler=$(command -v pgbouncer || command -v /usr/sbin/pgbouncer) || skip "no pgbouncer on this machine"
	pool_mode=$1
	shift
	until run_pooler "$@"; do
		grep -q 'Address already in use' "$pg_folder/pooler.log" && [ $pg_ports -lt 50 ] ||
			{ tail -n 20 "$pg_folder/pooler.log"; fail "pgbouncer does not start"; }
	done
	POOL_PORT=$port
	POOL_URI=postgresql://postgres@127.0.0.1:$port/postgres
}

run_pooler() {
	next_port
	echo '"postgres" ""' >"$pg_folder/pooler.users"
	{
		echo "[databases]"
		echo "* = host=127.0.0.1 port=$PGPORT"
		echo "[pgbouncer]"
		printf '%s\n' "listen_addr = 127.0.0.1" "listen_port = $port" "unix_socket_dir =" "pool_mode = $pool_mode" \
			"auth_type = trust" "auth_file = $pg_folder/pooler.users" "admin_users = postgres" "$@"
	} >"$pg_folder/pooler.ini"
	# Emptied here: "process up" must come from this one, and not from the one before.
	: >"$pg_folder/pooler.log"
	as_server TERM "$pooler" "$pg_folder/pooler.ini" </dev/null >>"$pg_folder/pooler.log" 2>&1 &
	pooler_pid=$!
	tries=0
	until grep -q 'process up' "$pg_folder/pooler.log"; do
		tries=$((tries + 1))
		if ! kill -0 "$pooler_pid" 2>/dev/null || [ $tries -gt 600 ]; then
			kill -TERM "$pooler_pid" 2>/dev/null
			wait "$pooler_pid"
			return 1
		fi
		sleep 0.05
	done
	pg_companions="$pg_companions $pooler_pid"
}

# start_proxy [-n N] [-t TEXT] [-x] FAULT [WHEN NUMBER] (tests/net/proxy.c): $PROXY_URI is then the URI of the database
# postgres through it; proxy_uri DB that of another. What it did is in the file proxy.log. One after the other listens
# on the same port: what was told to connect to the first comes to the next.
PROXY_PORT=
start_proxy() {
	[ -z "$proxy_pid" ] || stop_proxy
	: >proxy.port
	as_child TERM "${ABS_TOP_BUILDDIR:-$(dirname "$ETLRUN")}/tests/net/proxy" ${PROXY_PORT:+-l "$PROXY_PORT"} -s 127.0.0.1 -p "$PGPORT" "$@" \
		</dev/null >proxy.port 2>proxy.log &
	proxy_pid=$!
	soon test -s proxy.port
	PROXY_PORT=$(cat proxy.port)
	PROXY_URI=$(proxy_uri postgres)
}

proxy_uri() {
	echo "postgresql://postgres@127.0.0.1:$PROXY_PORT/$1?sslmode=disable&gssencmode=disable"
}

stop_proxy() {
	kill -TERM "$proxy_pid" || fail "the proxy has ended by itself"
	wait "$proxy_pid" 2>/dev/null
	proxy_pid=
}
