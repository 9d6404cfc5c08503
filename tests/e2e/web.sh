# The words of stories about web servers: given_web, web_plays, expect_asked. The server is a small one of the stories' own, on the
# loopback (tests/net/web.py). Sourced by a story.
# shellcheck shell=sh disable=SC2034,SC2154

# given_web FOLDER: it serves FOLDER until the story ends; $web is its address.
given_web() {
	skip_unless_command python3
	unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
	web_folder=$1
	web_plays ""
}
# web_plays "WORDS": from now on, and what was asked before is forgotten.
web_plays() {
	leave_web
	rm -f web.port
	echo "$1" >web.play
	: >web.requests
	python3 "$TOP_SRCDIR/tests/net/web.py" "$web_folder" 2>web.log &
	web_pid=$!
	[ -n "$at_leave" ] || at_leave=leave_web
	soon test -f web.port
	web=http://127.0.0.1:$(cat web.port)
}
leave_web() {
	[ -z "${web_pid:-}" ] || { kill "$web_pid" && wait "$web_pid"; } 2>/dev/null
	web_pid=
}
# expect_asked <<EOF: the requests of the last play, in their order.
expect_asked() {
	cat >asked.expected
	diff asked.expected web.requests >asked.diff || { cat asked.diff; fail "other requests were expected"; }
}
