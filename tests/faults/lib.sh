# The words of the stories about a machine that fails: a call that fails, run after run, until each has. Sourced
# by such a story after lib.sh of tests/e2e. shim.c says what the FAULT_… variables mean.
# shellcheck shell=sh disable=SC2034,SC2154

: "${ABS_TOP_BUILDDIR:=$(dirname "$ETLRUN")}"
shim=$ABS_TOP_BUILDDIR/tests/faults/.libs/shim.so

skip_unless_shim() {
	[ -f "$shim" ] || skip "no $shim in this build (--disable-shared)"
	[ "${ETLRUN_SANITIZERS:-no}" = no ] || skip "a sanitizer wants to be in front of libc itself"
}

# The story goes on in a folder in memory, where there is one: hundreds of runs each wait for a disk several times.
use_memory() {
	new=$(mktemp -d /dev/shm/etlrun-e2e.XXXXXX 2>/dev/null) || return 0
	cd / && rm -rf "$folder"
	folder=$new
	HOME=$folder
	cd "$folder" || exit 99
}

# faulty_etlrun "FAULT_…=… FAULT_…=…" ARGS: like run_etlrun, with these faults in the story's folder. What the
# calls were is in the file trace.
faulty_etlrun() {
	faults=$1
	shift
	last_command="$faults etlrun $*"
	code=0
	rm -f trace
	# The faults are a list of assignments.
	# shellcheck disable=SC2086
	env LD_PRELOAD="$shim" FAULT_PATH="$folder/*" FAULT_TRACE="$folder/trace" $faults \
		timeout -k 5 60 "$ETLRUN" "$@" >stdout 2>stderr </dev/null || code=$?
}

# each_call FILE: the numbers of the calls worth failing: the first and the last of each kind on each file, or
# with FAULTS=all every one.
each_call() {
	if [ "${FAULTS:-some}" = all ]; then
		awk '{ print $1 }' "$1"
	else
		sed 's/-20[0-9TZ]*-[0-9a-f]*/-ID/' "$1" |
			awk '{ kind = $2 " " $3; if (!(kind in first)) first[kind] = $1; last[kind] = $1 }
			END { for (kind in first) { print first[kind]; print last[kind] } }' | sort -nu
	fi
}

# What a run leaves that nobody wants: staging files, half written ones, spools, journals of the target.
leftovers() {
	find . -maxdepth 1 \( -name '.*.etlrun-*' -o -name '*.part' -o -name '*.spool' -o -name 'out.db-*' \
		-o -name 'etilqs_*' \) | sed 's|^\./||' | sort
}
