#!/bin/sh
# Prints M(struct, member) for every member of every struct in the headers that are named, in their order.
# The test compares it with members.def, so that no new member goes unwatched.
cat "$@" | awk '
{ text = text $0 " " }
END {
	while (match(text, /\/\*([^*]|\*+[^*\/])*\*+\//))
		text = substr(text, 1, RSTART - 1) " " substr(text, RSTART + RLENGTH)
	gsub(/[ \t]+/, " ", text)
	while (match(text, /struct [A-Za-z_]+ \{[^}]*\}/)) {
		body = substr(text, RSTART, RLENGTH)
		text = substr(text, RSTART + RLENGTH)
		name = body; sub(/^struct /, "", name); sub(/ .*/, "", name)
		sub(/^[^{]*\{/, "", body); sub(/\}$/, "", body)
		count = split(body, parts, ";")
		for (i = 1; i <= count; i++)
			members(name, parts[i])
	}
}
function members(name, part,    words, n, i, word) {
	if (part !~ /[A-Za-z]/)
		return
	if (match(part, /\( ?\* ?[A-Za-z_]+ ?\)/)) {
		word = substr(part, RSTART, RLENGTH)
		gsub(/[^A-Za-z_]/, "", word)
		print "M(" name ", " word ")"
		return
	}
	n = split(part, words, ",")
	for (i = 1; i <= n; i++) {
		word = words[i]
		sub(/\[.*/, "", word); sub(/ *$/, "", word); sub(/.*[ *]/, "", word)
		print "M(" name ", " word ")"
	}
}'
