# Sourced first by run and drivers: directories, messages, and the mount namespace.

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
: "${MODE:=release}"
: "${BENCH_DIR:=$top/build/bench}"
export MODE BENCH_DIR LC_ALL=C.UTF-8 TZ=UTC

say() { # prints progress, not results
	printf 'bench: %s\n' "$*" >&2
}

die() {
	say "$@"
	exit 1
}

# Continues in a private mount namespace, with the built programs first in PATH.
start() { # ARGUMENTS OF THE PROGRAM
	[ "$(id -u)" = 0 ] || die "mounts are needed: run this as root"
	if [ -z "${BENCH_INSIDE-}" ]; then
		BENCH_INSIDE=1 exec unshare -m --propagation private sh "$0" "$@"
	fi
	umask 022
	unset SOURCE_DATE_EPOCH OVLCTL_ROOT OVLCTL_DRIVER XDG_DATA_HOME 2>/dev/null || :
	PATH=$top/build/$MODE:$top/build/tool/bench:$PATH
	export PATH
	command -v ovlctl >/dev/null || die "build it first: make bench"
}
