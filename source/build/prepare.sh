#!/bin/bash
# Prepares a Debian machine to build and test samba-mirror: packages, and
# Samba's configured source with its generated headers under a cache folder.
#
#   prepare.sh            what the build and the tests need
#   prepare.sh trixie     in addition: Samba 4.22, to compile against only
#   prepare.sh --print    where the tree of the installed Samba is (nothing is done)
#
# A second run finds everything in place and ends at once. Environment:
#   SAMBA_MIRROR_CACHE    the cache folder [/var/cache/samba-mirror]
set -euo pipefail

# Samba's configure wants Debian's own python3, also where another one
# stands earlier in the user's PATH.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C
cache=${SAMBA_MIRROR_CACHE:-/var/cache/samba-mirror}

die() { echo "prepare: $*" >&2; exit 1; }
say() { echo "prepare: $*" >&2; }

packages=(
	# to build
	build-essential dpkg-dev pkg-config python3 libtalloc-dev libtevent-dev
	libtdb-dev samba-dev libgnutls28-dev libcmocka-dev libjansson-dev
	libacl1-dev libpopt-dev zlib1g-dev libnl-3-dev libnl-route-3-dev
	libseccomp-dev libdeflate-dev
	# to run and to test
	samba samba-vfs-modules smbclient samba-testsuite ctdb tdb-tools
	libsmbclient-dev iproute2 iptables ethtool xfsprogs e2fsprogs attr acl
	procps psmisc util-linux iputils-arping gnutls-bin faketime nftables
	tcpdump tshark valgrind snmp snmptrapd msmtp smitools fence-agents
	# make check-style
	clang libclang-rt-dev clang-tidy cppcheck shellcheck
)
# Optional, and on this architecture only: faster encryption of links.
[ "$(uname -m)" != x86_64 ] || packages+=(libipsec-mb-dev)

headers_common=s3_param_proto_h,param_local.h,ntstatus_generated
headers_common+=,werror_generated,PIDL_AUTH,PIDL_FILE_ID,PIDL_KRB5PAC,PIDL_LSA
headers_common+=,PIDL_MISC,PIDL_NETLOGON,PIDL_SAMR,PIDL_SECURITY
headers_common+=,PIDL_SERVER_ID,PIDL_SMB2_LEASE_STRUCT,PIDL_SMB_ACL,PIDL_SMBXSRV
headers_common+=,PIDL_OPEN_FILES,PIDL_XATTR,PIDL_NBT

install_packages() {
	local missing
	missing=$( { dpkg-query -W -f '${db:Status-Status} ${Package}\n' \
		"${packages[@]}" 2>/dev/null || true; } | sed -n 's/^installed //p' |
		sort | comm -13 - <(printf '%s\n' "${packages[@]}" | sort))
	[ -n "$missing" ] || return 0
	[ "$(id -u)" = 0 ] || die "run as root: these packages are missing: $missing"
	say "installing packages:" "${missing//$'\n'/ }"
	# Debian starts the daemons of a package it installs; here they would
	# occupy the ports and stand for no configuration that anybody wanted.
	local policy=/usr/sbin/policy-rc.d made=
	if [ ! -e "$policy" ]; then
		printf '#!/bin/sh\nexit 101\n' >"$policy"; chmod +x "$policy"; made=1
	fi
	apt-get -qq update || say "apt-get update failed, going on with the old lists"
	local rc=0
	# shellcheck disable=SC2086
	apt-get -qq install -y --no-install-recommends $missing >/dev/null || rc=$?
	[ -z "$made" ] || rm -f "$policy"
	[ "$rc" = 0 ] || die "apt-get install failed; see above"
}

# apt with a source list of our own, so that the machine's stays as it is
src_apt() {
	local dir=$1; shift
	"$@" -o Dir::Etc::sourcelist="$dir/sources.list" \
		-o Dir::Etc::sourceparts=- -o Dir::State::lists="$dir/lists" \
		-o APT::Get::List-Cleanup=0
}

source_lines() { # SUITE...: deb-src lines from the mirrors that serve Samba here
	local uri suite
	uri=$(apt-cache policy samba | sed -nE 's|^ *[0-9]+ (https?://[^ ]*/debian) .*|\1|p' | head -n1)
	[ -n "$uri" ] || uri=http://deb.debian.org/debian
	for suite in "$@"; do
		case $suite in
		*-security) echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${uri%/debian}/debian-security $suite main" ;;
		*) echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $uri $suite main" ;;
		esac
	done
}

fetch_source() { # DIR VERSION|'' SUITE...: leaves the unpacked tree in DIR/src
	local dir=$1 version=$2; shift 2
	mkdir -p "$dir/lists/partial"
	source_lines "$@" >"$dir/sources.list"
	src_apt "$dir" apt-get -qq update
	rm -rf "$dir/unpack" "$dir/src"; mkdir "$dir/unpack"
	chmod 1777 "$dir/unpack"	# apt downloads as _apt
	( cd "$dir/unpack" &&
	  src_apt "$dir" apt-get -qq source "samba${version:+=$version}" ) >"$dir/source.log" 2>&1 ||
		die "no source package samba $version; is this an old point release? run apt-get upgrade"
	mv "$dir/unpack"/samba-*/ "$dir/src"
	rm -rf "$dir/unpack"
}

tree_version() { dpkg-query -W -f '${Version}' samba 2>/dev/null; }
tree_path() { echo "$cache/samba-$(tree_version | sed 's/^[0-9]*://')"; }

prepare_installed() { # the tree of the Samba that is installed here
	local dir codename version
	dir=$(tree_path); version=$(tree_version)
	[ -e "$dir/ready" ] && return 0
	[ "$(id -u)" = 0 ] || die "run as root: Samba's headers for $version are not in $cache yet"
	# shellcheck disable=SC1091
	codename=$(. /etc/os-release; echo "$VERSION_CODENAME")
	say "fetching the source of samba $version"
	fetch_source "$dir" "$version" "$codename" "$codename-updates" "$codename-security"
	say "installing Samba's build dependencies"
	( cd "$dir" && apt-get -qq build-dep -y --no-install-recommends ./src >/dev/null ) ||
		die "apt-get build-dep failed; see above"
	say "configuring (about 75 s)"
	( cd "$dir/src" && make -f debian/rules bin/configured.stamp ) >"$dir/configure.log" 2>&1 ||
		die "Samba's configure failed, see $dir/configure.log"
	say "generating headers (about 20 s)"
	( cd "$dir/src" && PYTHONHASHSEED=1 python3 buildtools/bin/waf build \
		--targets="$headers_common" ) >"$dir/headers.log" 2>&1 ||
		die "generating headers failed, see $dir/headers.log"
	touch "$dir/ready"
}

prepare_trixie() { # Samba 4.22, to compile against: not to load anywhere
	local dir=$cache/samba-trixie
	[ -e "$dir/ready" ] && return 0
	say "fetching the source of Debian 13's samba"
	fetch_source "$dir" '' trixie trixie-security
	say "configuring it (about 50 s)"
	( cd "$dir/src" && PYTHONHASHSEED=1 python3 buildtools/bin/waf configure \
		--enable-fhs --prefix=/usr --without-ad-dc --disable-cephfs \
		--disable-glusterfs --without-json \
		--bundled-libraries='talloc,tdb,tevent,ldb,popt,!cmocka' ) >"$dir/configure.log" 2>&1 ||
		die "Samba's configure failed, see $dir/configure.log"
	( cd "$dir/src" && PYTHONHASHSEED=1 python3 buildtools/bin/waf build \
		--targets="$headers_common,hresult_generated,PIDL_SMB3POSIX" ) >"$dir/headers.log" 2>&1 ||
		die "generating headers failed, see $dir/headers.log"
	touch "$dir/ready"
}

case ${1:-} in
--print) tree_path; exit 0 ;;
''|trixie) ;;
*) sed -n '2,/^set -euo/p' "$0" | sed -n 's/^# \{0,1\}//p'; exit 2 ;;
esac

mkdir -p "$cache"
# Two runs at once (a build and a test, say) wait for each other.
exec 9>"$cache/lock"; flock 9
install_packages
prepare_installed
[ "${1:-}" != trixie ] || prepare_trixie
