# The words of stories about Azure: given_az, az_plays, expect_az, given_imds. There is no Azure here: `az` is a stand-in, a
# script of the story on PATH that writes down how it was called and plays what az is known to answer; the metadata service of
# a machine is a small HTTP server on the loopback. Sourced by a story.
# shellcheck shell=sh disable=SC2034,SC2154

# given_az: the stand-in, logged in, with the one server "shop" in westeurope, and no database on it.
given_az() {
	mkdir -p bin az/databases
	sed "s|@AZ@|$folder/az|" >bin/az <<'SCRIPT'
#!/bin/sh
# A stand-in for az (Azure CLI): see azure.sh.
here=@AZ@
echo "$*" >>"$here/calls"
plays=$(cat "$here/plays" 2>/dev/null)
name= tag= query=
for word; do
	case $word in
	--name=*) name=${word#*=} ;;
	--tags=etlrun-run=*) tag=${word#*=*=} ;;
	--query=*) query=$word ;;
	esac
done
database=$here/databases/$name

fails() { # CODE, and the words on standard error
	code=$1
	shift
	printf '%s\n' "$@" >&2
	exit "$code"
}

# The server of the story does what Azure would, when there is one.
server_does() {
	[ -z "$AZ_SERVER" ] || echo "$1" | isql -b -k "$AZ_SERVER" >"$here/server" 2>&1 || fails 1 "ERROR: (InternalServerError) $(cat "$here/server")"
}

case $plays in
expired) fails 1 "ERROR: AADSTS700082: The refresh token has expired due to inactivity. Interactive authentication is needed. Please run:" "az login" ;;
hangs) sleep 60 ;;
esac

case "$1 $2 $3" in
"account get-access-token "*)
	case $plays in
	garbage) echo '{"accessToken": "no token", "expires_on": 4102444800}' ;;
	old) echo '{"accessToken": "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJkYiJ9.c2lnbmF0dXJl", "expires_on": 1700000000}' ;;
	*) echo '{"accessToken": "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJkYiJ9.c2lnbmF0dXJl", "expiresOn": "2100-01-01 00:00:00.000000",
		"expires_on": 4102444800, "tokenType": "Bearer"}' ;;
	esac
	;;
"sql server list")
	case $query in
	*"'shop'"*) echo '[ { "name": "shop", "resourceGroup": "shop-group", "location": "westeurope", "state": "Ready" } ]' ;;
	*) echo '[]' ;;
	esac
	;;
"sql db show")
	[ -f "$database" ] || fails 3 "ERROR: (ResourceNotFound) The requested resource of type 'Microsoft.Sql/servers/databases' with name '$name' was not found."
	status=Online
	if [ -s "$here/slow-$name" ]; then
		status=Creating
		sed -i 1d "$here/slow-$name"
	fi
	echo "{ \"name\": \"$name\", \"status\": \"$status\", \"tags\": { \"etlrun-run\": \"$(cat "$database")\" } }"
	;;
"sql db create")
	case $plays in
	restricted) fails 1 "ERROR: (ProvisioningDisabled) Provisioning is restricted in this region. Please choose a different region." ;;
	slow) echo once >"$here/slow-$name" ;;
	waits) sleep 20 ;;
	esac
	# As az does: one that is there is changed without a word.
	[ -f "$database" ] || server_does "CREATE DATABASE [$name]"
	echo "$tag" >"$database"
	[ "$plays" != stolen ] || echo another-run >"$database"
	echo "{ \"name\": \"$name\", \"status\": \"Online\" }"
	;;
"sql db delete")
	[ "$plays" != locked ] || fails 1 "ERROR: (ScopeLocked) The scope cannot perform delete operation because following scope(s) are locked."
	server_does "DROP DATABASE IF EXISTS [$name]"
	rm -f "$database" "$here/slow-$name"
	;;
"keyvault secret show") echo "word-from-the-vault" ;;
*) fails 2 "ERROR: '$1 $2 $3' is not in this stand-in" ;;
esac
SCRIPT
	chmod +x bin/az
	PATH=$folder/bin:$PATH
	export PATH AZ_SERVER
	: >az/calls
}

# az_plays WORD: from now on; "" is what goes well. Forgets the calls.
az_plays() {
	echo "$1" >az/plays
	: >az/calls
}

# given_database NAME [RUN]: one that is there already, in az's eyes.
given_database() {
	echo "${2:-}" >"az/databases/$1"
}

# expect_az "WORDS": a call begins so. expect_no_az: none does.
expect_az() {
	grep -q "^$1" az/calls || { cat az/calls; fail "az was not called so: $1"; }
}
expect_no_az() {
	! grep -q "^$1" az/calls || { cat az/calls; fail "az was called: $1"; }
}
# expect_databases "NAMES": exactly these, in az's eyes.
expect_databases() {
	there=$(cd az/databases && echo *)
	[ "$there" != '*' ] || there=
	[ "$there" = "$1" ] || fail "databases \"$1\" expected, there are \"$there\""
}

# given_imds STATUS BODY: $imds is its address; it answers so until the story ends, and writes requests down.
given_imds() {
	[ -z "${imds_pid:-}" ] || { kill "$imds_pid"; wait "$imds_pid"; } 2>/dev/null
	rm -f imds.port
	cat >imds.py <<-'PYTHON'
	import http.server, sys
	class Answer(http.server.BaseHTTPRequestHandler):
	    protocol_version = "HTTP/1.1"
	    def do_GET(self):
	        with open("imds.calls", "a") as calls:
	            calls.write(self.path + " Metadata=" + str(self.headers.get("Metadata")) + "\n")
	        body = sys.argv[2].encode()
	        self.send_response(int(sys.argv[1]))
	        self.send_header("Content-Length", str(len(body)))
	        self.send_header("Connection", "close")
	        self.end_headers()
	        self.wfile.write(body)
	        self.close_connection = True
	    def log_message(self, *words):
	        pass
	server = http.server.HTTPServer(("127.0.0.1", 0), Answer)
	with open("imds.new", "w") as port:
	    port.write(str(server.server_port))
	import os
	os.rename("imds.new", "imds.port")
	server.serve_forever()
	PYTHON
	python3 imds.py "$1" "$2" &
	imds_pid=$!
	at_leave=leave_azure
	soon test -f imds.port
	imds=http://127.0.0.1:$(cat imds.port)/metadata/identity/oauth2/token
	: >imds.calls
}
leave_azure() {
	[ -z "${imds_pid:-}" ] || kill "$imds_pid" 2>/dev/null
}
