# shellcheck shell=bash
# lib.sh: for the tests in this folder; they source it, define functions and end with "tests NAME...". What is
# printed is what cmocka prints, so that test/run can read it. A function fails when a command in it fails.
#
#   skip WORDS      this test cannot be run here, and why
#   is WANT GOT     are they the same?
#   ... | said PATTERN   does a line say it? All is read, so that who writes is never cut off, as grep -q does
#   $work           a folder for this program

TOP=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
cd "$TOP" || exit 1
export LC_ALL=C TZ=UTC
# What a test makes is made as from a shell, although make has started us.
unset MAKEFLAGS MFLAGS MAKELEVEL
BIN=$(realpath -- "${TASKFLOW_BIN:-build/taskflowd}")
export BIN
work=$(mktemp -d "${TMPDIR:-/tmp}/taskflow-deploy.XXXXXX")
chmod 755 "$work"
trap 'rm -rf "$work"' EXIT

skip() { echo "skipped: $*"; exit 77; }
# shellcheck disable=SC2317  # for those who source us
is() { [[ $1 == "$2" ]] || { echo "wanted \"$1\", not \"$2\""; return 1; }; }
# shellcheck disable=SC2317
said() { local text; text=$(cat); grep -q "$@" <<<"$text"; }
needs() { local t; for t; do [[ -n $(type -P "$t") ]] || skip "$t is not installed"; done; }

tests() {
    local name rc failed=()
    for name in "$@"; do
        echo "[ RUN      ] $name"
        (set -euo pipefail; "$name")
        rc=$?
        case $rc in
        0) echo "[       OK ] $name" ;;
        77) echo "[  SKIPPED ] $name" ;;
        *) echo "[  FAILED  ] $name"; failed+=("$name") ;;
        esac
    done
    echo "[==========] $# test(s) run."
    if ((${#failed[@]} > 0)); then
        echo " ${#failed[@]} FAILED TEST(S)"
        exit 1
    fi
    exit 0
}
