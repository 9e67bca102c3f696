# shellcheck shell=bash
# The user whom clients log on as; what pair, standalone and gluster share.

make_tester() {		# ID: in a node
	# The machine below may have such a user, with an id of its own.
	if ! id tester >/dev/null 2>&1; then
		useradd -M -u "$1" -U -s /usr/sbin/nologin tester
	elif [ "$(id -u tester)" != "$1" ]; then
		groupmod -g "$1" tester
		usermod -u "$1" -g "$1" tester
	fi
}

until_answers() {	# TESTBED LOG: until share alpha answers its client
	local end=$((SECONDS + 30))
	until "$1" exec client smbclient -Utester%tester //10.77.0.200/alpha \
		-c ls >"$2" 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.1
	done
}
