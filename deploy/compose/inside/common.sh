# Sourced by backup.sh and restore.sh.
# shellcheck shell=bash disable=SC2034
set -euo pipefail
umask 077
# comm and sort must agree, whatever language somebody has set.
export LC_ALL=C TZ=UTC

backups=${BACKUPS:-/backups}
storage=${DATA:-/data}/storage
if [[ -n ${PASSWORD_FILE:-} ]]; then
    PGPASSWORD=$(<"$PASSWORD_FILE")
    export PGPASSWORD
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    echo "$*" >&2
    exit 1
}

# Path and size of every file below a folder, but for what is still being received.
listed() {
    (cd "$1" && find . -type f ! -path '*/incoming/*' -printf '%P\t%s\n') | sort
}

# Files of a list of paths, from one folder into another. One that was deleted meanwhile is left out.
copied() {
    local paths=$1 from=$2 to=$3 path ends
    set +e
    tar --create --directory="$from" --ignore-failed-read --verbatim-files-from --files-from="$paths" --file=- 2>"$work/tar" |
        tar --extract --directory="$to" --file=-
    ends=("${PIPESTATUS[@]}")
    set -e
    ((ends[1] == 0)) || fail "Files cannot be written to $to. Is there room?"
    ((ends[0] == 0)) && return
    # It complains of a log that grew under its hands, and of a file that was deleted; both are well.
    while IFS= read -r path; do
        [[ -e $to/$path || ! -e $from/$path ]] || fail "$from/$path cannot be read. $(tail -n 1 "$work/tar")"
    done <"$paths"
}
