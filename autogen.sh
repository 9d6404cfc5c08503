#!/bin/sh
# From a bare machine to a proven program.
#
#   ./autogen.sh          the build files: configure and what it needs
#   ./autogen.sh demo     installs what is missing, builds, moves a small shop from one database to another
#   ./autogen.sh check    installs what is missing, builds in the ways that matter, runs the tests: 20 minutes
#   ./autogen.sh check-long  after that, what takes patience: every story with sanitizers, valgrind, the other sweeps, each
#                         plugin left out, distcheck
#
# Made for Debian 12; needs root or sudo only when a package is missing. What it builds is in build/ and in
# folders named build-*; the log of each part of `check` is build-check/PART.log. JOBS=N overrides the number
# of compilers at a time.
set -eu

cd "$(dirname "$0")"
top=$(pwd)
jobs=${JOBS:-$(nproc 2>/dev/null || echo 2)}

packages="build-essential autoconf automake libtool libltdl-dev pkg-config \
libconfig-dev libxxhash-dev libsqlite3-dev nettle-dev libpcre2-dev libpq-dev unixodbc-dev libsimdjson-dev \
zlib1g-dev libzstd-dev libcurl4-openssl-dev sqlite3"
check_packages="check clang freetds-bin groff-base libclang-rt-14-dev libsqliteodbc locales odbc-postgresql pgbouncer postgresql-15 python3 tdsodbc unixodbc valgrind xz-utils zstd"

say() { printf '%s\n' "$*"; }
die() { say "autogen.sh: $*" >&2; exit 1; }

# ---- Packages --------------------------------------------------------------------------------------

is_installed() {
	[ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null || true)" = installed ]
}

missing_packages() {
	# pkgconf provides pkg-config since Debian 12; either will do.
	for package in $packages; do
		is_installed "$package" && continue
		[ "$package" = pkg-config ] && is_installed pkgconf && continue
		printf '%s ' "$package"
	done
}

as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif [ -t 0 ]; then
		sudo "$@"
	else
		sudo -n "$@"
	fi
}

install_packages() {
	command -v dpkg-query >/dev/null ||
		die "this is no Debian: install what corresponds to: $packages, then run ./autogen.sh && ./configure && make"
	missing=$(missing_packages)
	[ -n "$missing" ] || return 0
	say "== installing: $missing"
	if [ "$(id -u)" -ne 0 ] && ! command -v sudo >/dev/null; then
		die "these packages are missing, and there is neither root nor sudo to install them: $missing"
	fi
	as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q </dev/null ||
		die "apt-get update failed; without it these packages cannot be installed: $missing"
	# The names are words of a list: each is an argument.
	# shellcheck disable=SC2086
	as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends $missing </dev/null ||
		die "apt-get could not install: $missing"
}

# ---- Building --------------------------------------------------------------------------------------

build_files() {
	autoreconf -fi
}

# prepare [PACKAGE…]: these too.
prepare() {
	packages="$packages $*"
	install_packages
	[ ! -f config.status ] ||
		die "this folder itself is configured, which hides every other build: run 'make distclean' in it first"
	say "== build files"
	build_files >/dev/null 2>"$top/autogen.log" || { cat "$top/autogen.log" >&2; die "autoreconf failed"; }
}

# configured FOLDER OPTIONS…: a build folder configured with these options, made or kept.
configured() {
	folder=$1
	shift
	mkdir -p "$folder"
	(cd "$folder" && "$top/configure" -q "$@")
}

# ---- demo ------------------------------------------------------------------------------------------

demo() {
	prepare
	say "== building in build/"
	if ! (configured build && make -C build -j"$jobs") >build-demo.log 2>&1; then
		tail -n 40 build-demo.log >&2
		die "the build failed; all of it is in build-demo.log"
	fi

	demo=$top/build/demo
	rm -rf "$demo"
	mkdir -p "$demo"
	sh tests/data/make_demo.sh "$demo/shop.db"
	ETL_IN=$demo/shop.db
	ETL_OUT=$demo/shop-copy.db
	export ETL_IN ETL_OUT

	say "== a shop: $(sqlite3 "$ETL_IN" "SELECT count(*) || ' tables' FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"), made by tests/data/make_demo.sh"
	say
	say "\$ ETL_IN=$ETL_IN ETL_OUT=$ETL_OUT build/etlrun etc/sqlite-copy.cfg"
	build/etlrun etc/sqlite-copy.cfg </dev/null
	say
	say "== the proof: every row read again from both files, and compared"
	say "\$ build/etlrun validate etc/sqlite-copy.cfg"
	build/etlrun validate etc/sqlite-copy.cfg </dev/null
	say
	say "== and without etlrun: what sqlite3 itself says of the two files"
	for file in "$ETL_IN" "$ETL_OUT"; do
		say "$file: $(sqlite3 "$file" "SELECT (SELECT count(*) FROM customer) || ' customers, ' ||
			(SELECT count(*) FROM sale) || ' sales, ' || (SELECT count(*) FROM sale_line) || ' lines, turnover ' ||
			(SELECT printf('%.2f', sum(quantity * price)) FROM sale_line) ||
			', integrity ' || (SELECT * FROM pragma_integrity_check)")"
	done
	say
	say "The copy is $ETL_OUT. Next: README.md, or build/etlrun --help"
}

# ---- check -----------------------------------------------------------------------------------------

passed=0
failed=0
skipped=0
failures=
logs=$top/build-check
# Of the sweeps (tests/e2e/Makefile.inc) those that a plain build has each time: the others are the sanitizers', need named
# points, or are check-long's.
sweeps_each="tests/e2e/disk_faults.test tests/e2e/kills.test tests/e2e/no_memory.test tests/e2e/state_torn.test \
tests/e2e/surroundings.test"

# Adds up what automake's test harness printed in a log: "# PASS:  12".
count_of() {
	sed -n "s/^# $2: *//p" "$1" | awk '{ n += $1 } END { print n + 0 }'
}

# part NAME COMMAND…: runs it, counts its tests (or itself, when it has none), never stops the others.
part() {
	name=$1
	shift
	log=$logs/$name.log
	began=$(date +%s)
	status=ok
	("$@") >"$log" 2>&1 </dev/null || status=FAILED
	took=$(($(date +%s) - began))

	good=$(($(count_of "$log" PASS) + $(count_of "$log" XFAIL)))
	bad=$(($(count_of "$log" FAIL) + $(count_of "$log" XPASS) + $(count_of "$log" ERROR)))
	left=$(count_of "$log" SKIP)
	[ "$((good + bad + left))" -gt 0 ] || [ "$status" = FAILED ] || good=1
	[ "$bad" -gt 0 ] || [ "$status" = ok ] || bad=1
	passed=$((passed + good))
	failed=$((failed + bad))
	skipped=$((skipped + left))
	printf '%-12s %-7s %4d s   %d passed, %d failed, %d skipped\n' "$name" "$status" "$took" "$good" "$bad" "$left"
	[ "$status" = ok ] && return 0
	failures="$failures $name"
	grep -E '^(FAIL|ERROR|XPASS): |error:|ERROR: |SUMMARY: ' "$log" | sort -u | head -n 30 || true
	say "--- the end of $log"
	tail -n 25 "$log"
	say "---"
}

# built FOLDER OPTIONS…: a build with these options.
built() {
	configured "$@" && make -C "$1" -j"$jobs"
}

# tested FOLDER OPTIONS…: … and all its tests; what they skip and why is in the log too. Some of them wait for a moment
# to come, so one more runs than there are processors.
tested() {
	built "$@" || return 1
	rc=0
	make -C "$1" -j"$((jobs + ${waiting:-1}))" ${sweeps+SWEEPS="$sweeps"} ${patient+PATIENT="$patient"} "${tests:-check}" || rc=1
	say_skipped "$1"
	return $rc
}

say_skipped() {
	find "$1/tests" -name '*.log' ! -name test-suite.log -exec sed -n '/^skipped: /p' {} +
}

# For builds that are about what is there, not about how it runs: they take half the time. The warnings that only an
# optimising compiler finds are those of the first build.
plain="CFLAGS=-O0"

# What a release is built with, and every story but the longest and those that the builds with sanitizers tell.
gcc_tested() {
	# Many of them wait more than they work.
	sweeps=$sweeps_each patient= tests=check-rest waiting=2
	tested build --enable-werror CFLAGS=-O2
}

# A second opinion on every line, the tests' included; what is read and written beyond its bounds, or never freed. Of the
# stories those that move values, and the sweeps that damage what is read.
sanitizers_tested() {
	tests=check-sanitized
	tested build-clang --enable-werror --enable-sanitizers=address,undefined --enable-fuzzers \
		CC=clang CXX=clang++ "CFLAGS=-O0 -g1"
}

# A minute of fuzzing what reads JSON, and beside it all others together, the same one each time; an hour is
# `make -C build-clang fuzz FUZZ_SECONDS=…`.
fuzz_tested() {
	FUZZ_SEED=1 FUZZ_SECONDS_json=60 make -C build-clang -j"$jobs" fuzz FUZZ_SECONDS=6
}

threads_tested() {
	built build-tsan --enable-werror --enable-sanitizers=thread "CFLAGS=-O1 -g1" && make -C build-tsan -j"$jobs" check-flow
}

# The release, in which everything is made in place with the plugins linked in, and installed, as people may who unpack it;
# and what becomes of a run that dies at a named point, which a plain build has none of.
release_tested() {
	make -C build dist && dist_complete && rm -rf build-release && mkdir build-release &&
		tar -xf build/etlrun-*.tar.xz -C build-release --strip-components=1 || return 1
	in_place "" && rc=0 || return 1
	make -C build-release -j"$((jobs + 1))" check-linked || rc=1
	say_skipped build-release
	return $rc
}

# in_place "OPTIONS": the release configured with these options, and made.
in_place() {
	# shellcheck disable=SC2086
	(cd build-release && ./configure -q --enable-werror --disable-shared --enable-fault-points "$plain" $1 &&
		make -j"$jobs")
}

# without_tested NAME…: without these the rest builds and does its job. The objects of the release serve all such builds.
without_tested() {
	without=
	for plugin in "$@"; do
		without="$without --without-$plugin"
	done
	# What was linked with more plugins than there are now is not newer than they.
	rm -f build-release/etlrun build-release/plugins/*.la build-release/plugins/.libs/*
	in_place "$without" || return 1
	for plugin in "$@"; do
		! build-release/etlrun plugins "$plugin" || { say "--without-$plugin still has $plugin"; return 1; }
	done
	make -C build-release -j"$jobs" check-left && rc=0 || rc=1
	say_skipped build-release
	return $rc
}

# Without all that can be spared; check-long leaves out each by itself.
without_most_tested() {
	without_tested postgres odbc map mask keymap sql counts totals checksum rules
}

# Every file that is kept is in the release, but for what only the repository needs.
dist_complete() {
	[ -e .git ] || { say "skipped: dist_complete: no repository here that says what is kept"; return 0; }
	git ls-files >"$logs/kept" || return 1
	tar -tf build/etlrun-*.tar.xz | sed 's|^[^/]*/||' | sort >"$logs/released"
	grep -v '^\.' "$logs/kept" | sort | comm -23 - "$logs/released" >"$logs/missing"
	[ ! -s "$logs/missing" ] || { say "not in the release:"; cat "$logs/missing"; return 1; }
}

# install_tested FOLDER: installed below an empty folder, used from there, and taken away without a trace.
install_tested() {
	below=$top/$1/installed
	rm -rf "$below"
	make -C "$1" install DESTDIR="$below" || return 1
	"$below/usr/local/bin/etlrun" copy --plugin-path "$below/usr/local/lib/etlrun/plugins-1" \
		"sqlite:$logs/shop.db" "sqlite:$below/copy.db" && rm "$below"/copy.db* || return 1
	[ "$1" != build ] || make -C "$1" installcheck DESTDIR="$below" || return 1
	make -C "$1" uninstall DESTDIR="$below" || return 1
	left=$(find "$below" ! -type d)
	[ -z "$left" ] || { say "make uninstall left: $left"; return 1; }
}

installs_tested() {
	sh tests/data/make_demo.sh "$logs/shop.db" && install_tested build && install_tested build-release
}

# ---- check-long ------------------------------------------------------------------------------------

# What takes patience: the other sweeps, the longest stories, those that only builds with sanitizers have told, more seeds.
sweeps_tested() {
	SEEDS="$(seq -s ' ' 20)" make -C build -j"$jobs" check-patient
}

# Every story with sanitizers.
all_sanitized() {
	make -C build-clang -j"$((jobs + 1))" check
}

all_threads() {
	make -C build-tsan -j"$jobs" check-flow SERVERS_FLOW='$(E2E_SERVERS)'
}

# Each plugin left out by itself.
without_each_tested() {
	for each in sqlite postgres odbc map mask keymap sql counts totals checksum rules; do
		without_tested $each || return 1
	done
}

# The release builds elsewhere, from a tree that cannot be written to, and does its job there.
dist_tested() {
	make -C build -j"$jobs" distcheck DISTCHECK_CONFIGURE_FLAGS="$plain" \
		check_PROGRAMS= check_LTLIBRARIES= \
		TESTS="tests/e2e/demo.test tests/e2e/chinook.test tests/e2e/postgres_copy.test tests/e2e/manual.test"
}

# ---- Both ------------------------------------------------------------------------------------------

# Each reason to skip, and the tests that had it.
say_skips() {
	[ "$skipped" -gt 0 ] || return 0
	say "skipped:"
	cat "$logs"/*.log | sed -n 's/^skipped: \([^:]*\): \(.*\)/\2\t\1/p' | sort -u |
		awk -F '\t' '$1 != last { printf "%s  %s:", last ? "\n" : "", $1; last = $1 } { printf " %s", $2 } END { print "" }' |
		fold -s -w 100
}

begin_check() {
	began_all=$(date +%s)
	# shellcheck disable=SC2086
	prepare $check_packages
	mkdir -p "$logs"
	# The tests look for shared data beside the checkout; a copy of the tree inside the build has none there.
	[ -n "${ETLRUN_SHARED:-}" ] || [ ! -d "$top/../shared" ] || ETLRUN_SHARED=$(cd "$top/../shared" && pwd)
	export ETLRUN_SHARED="${ETLRUN_SHARED:-}"
}

end_check() {
	say
	say_skips
	[ -z "$failures" ] || say "failed parts:$failures (logs in build-check/)"
	say "$(($(date +%s) - began_all)) seconds in all"
	say
	say "$passed passed, $failed failed, $skipped skipped"
	[ "$failed" -eq 0 ]
}

check() {
	rm -rf "$logs" build build-tsan build-clang build-release
	begin_check
	part gcc gcc_tested
	part sanitizers sanitizers_tested
	part fuzz fuzz_tested
	part threads threads_tested
	part manuals make -C build check-manuals
	part release release_tested
	part install installs_tested
	part without without_most_tested
	end_check
}

check_long() {
	[ -f build-clang/config.status ] || die "check-long goes on where check ended: ./autogen.sh check first"
	begin_check
	part valgrind make -C build check-valgrind
	part sweeps sweeps_tested
	part all-sanitized all_sanitized
	part all-threads all_threads
	part without-each without_each_tested
	part distcheck dist_tested
	end_check
}

case ${1:-} in
'') build_files && say "Now: ./configure && make" ;;
demo) demo ;;
check) check ;;
check-long) check_long ;;
-h | --help | help) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" ;;
*) die "'$1' is none of: demo, check, check-long (or nothing, for the build files)" ;;
esac
