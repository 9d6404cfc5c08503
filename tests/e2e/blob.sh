# The words of stories about Azure Blob Storage: given_azurite, blob, given_blob. The emulator is Azurite, the real one, which
# runs on Node.js; it is installed once into the build folder. Sourced by a story.
# shellcheck shell=sh disable=SC2034,SC2154

# find_azurite: $azurite is its program, or the story is skipped.
find_azurite() {
	skip_unless_command python3
	skip_unless_command node
	azurite_folder=${AZURITE_FOLDER:-${ABS_TOP_BUILDDIR:-$(dirname "$ETLRUN")}/azurite}
	azurite=$azurite_folder/node_modules/azurite/dist/src/blob/main.js
	[ ! -f "$azurite" ] || return 0
	skip_unless_command npm
	mkdir -p "$azurite_folder.new"
	# What packages would run when they are installed is not needed.
	if ! (cd "$azurite_folder.new" && timeout 400 npm install --no-audit --no-fund --ignore-scripts azurite@3) >"$azurite_folder.log" 2>&1 </dev/null; then
		rm -rf "$azurite_folder.new"
		skip "Azurite is not there and npm could not install it: $(tail -n 1 "$azurite_folder.log")"
	fi
	rm -rf "$azurite_folder"
	mv "$azurite_folder.new" "$azurite_folder"
	[ -f "$azurite" ] || fail "npm installed another Azurite than this story knows: there is no $azurite"
}

# given_azurite: it runs until the story ends, with the account $account and its key $account_key; $blobs is its address.
given_azurite() {
	find_azurite
	account=shop
	account_key=$(python3 -c 'import base64, os; print(base64.b64encode(os.urandom(64)).decode())')
	mkdir azurite
	AZURITE_ACCOUNTS=$account:$account_key node "$azurite" --blobHost 127.0.0.1 --blobPort 0 --location "$folder/azurite" --silent --disableTelemetry \
		--disableProductStyleUrl >azurite.log 2>&1 &
	azurite_pid=$!
	at_leave=leave_azurite
	soon grep -q 'listens on' azurite.log
	blobs=$(sed -n 's|.* listens on \(http://[0-9.:]*\).*|\1|p' azurite.log | head -n 1)/$account
	unset http_proxy HTTP_PROXY all_proxy ALL_PROXY
}
leave_azurite() {
	[ -z "${azurite_pid:-}" ] || { kill "$azurite_pid" && wait "$azurite_pid"; } 2>/dev/null
}

# blob VERB …: see tests/net/blob.py.
blob() {
	python3 "$TOP_SRCDIR/tests/net/blob.py" "$blobs" "$account" "$account_key" "$@" || { echo "the story's own blob failed"; exit 99; }
}
