#!/bin/bash
# backup.sh now | schedule | check | list | forget: the database and the files, kept KEEP_DAYS days.
#
# dumps/NAME.dump is the database, lists/NAME.list the files that belong to it, files/ has each file once. A backup counts from
# the moment its dump is there, which is last.
# shellcheck source=deploy/compose/inside/common.sh
. "$(dirname "$0")/common.sh"

keep_days=${KEEP_DAYS:-14}
at=${AT:-02:30}
[[ $keep_days =~ ^[0-9]+$ && $keep_days -gt 0 ]] || fail "BACKUP_KEEP_DAYS is '$keep_days'; allowed: a number of days above 0."

# What was copied a moment ago stands in no list yet: nobody may forget it meanwhile.
alone() {
    mkdir -p "$backups/dumps" "$backups/lists" "$backups/files"
    exec 9>"$backups/lock"
    flock --nonblock 9 || fail "A backup is being made already."
}

now() {
    local name
    name=$(date +%Y-%m-%dT%H%M%SZ)
    rm -rf "$backups/coming"
    mkdir "$backups/coming"

    # The database first: whatever file it knows of is then still there, for files are older than their rows.
    pg_dump --format=custom --no-owner --no-privileges --file="$backups/coming/dump"
    pg_restore --list "$backups/coming/dump" >"$work/contents"
    listed "$storage" >"$backups/coming/list"
    listed "$backups/files" >"$work/have"
    comm -23 "$backups/coming/list" "$work/have" | cut -f 1 >"$work/new"
    mkdir "$backups/coming/files"
    copied "$work/new" "$storage" "$backups/coming/files"
    # Linked when all of them are there: a half-copied file never gets its name.
    cp --archive --link --remove-destination "$backups/coming/files/." "$backups/files/"
    sync --file-system "$backups/files"
    mv "$backups/coming/list" "$backups/lists/$name.list"
    mv "$backups/coming/dump" "$backups/dumps/$name.dump"
    rm -rf "$backups/coming"
    echo "Backup $name: $(stat --format=%s "$backups/dumps/$name.dump") bytes of database, $(wc -l <"$work/new") new files."
    forget
}

# What is older than it has to be kept, but never the last one; then the files that no list names any more.
forget() {
    local old name
    find "$backups/dumps" -name '*.dump' -mmin "+$((keep_days * 1440))" -printf '%f\n' | sort >"$work/old"
    find "$backups/dumps" -name '*.dump' -printf '%f\n' | sort | tail -n 1 >"$work/newest"
    comm -23 "$work/old" "$work/newest" | while IFS= read -r old; do
        name=${old%.dump}
        rm -f "$backups/dumps/$name.dump" "$backups/lists/$name.list"
        echo "Backup $name is older than $keep_days days and was deleted."
    done
    cut --fields=1 "$backups"/lists/*.list | sort --unique >"$work/named"
    listed "$backups/files" | cut --fields=1 | sort >"$work/have"
    comm -13 "$work/named" "$work/have" | while IFS= read -r old; do rm -f "$backups/files/$old"; done
}

schedule() {
    local next
    [[ -n $(find "$backups" -name '*.dump' -print -quit) ]] || again
    while true; do
        next=$(date --date="today $at" +%s)
        (($(date +%s) < next)) || next=$(date --date="tomorrow $at" +%s)
        pause $((next - $(date +%s)))
        again
    done
}

# Until one is made; each try by a process of its own, so that what it leaves behind when it fails is gone.
again() {
    until bash "$0" now; do
        echo "The backup failed; trying again in 15 minutes." >&2
        pause 900
    done
}

# As the first process it would hear SIGTERM only between two commands.
pause() {
    sleep "$1" &
    trap 'kill $!; exit 0' TERM INT
    wait $!
}

case ${1:-} in
    now)
        alone
        now
        ;;
    forget)
        alone
        forget
        ;;
    schedule) schedule ;;
    check)
        [[ -n $(find "$backups/dumps" -name '*.dump' -mmin -1560 -print -quit) ]] || fail "No backup was made in the last 26 hours."
        ;;
    list) find "$backups/dumps" -name '*.dump' -printf '%f\t%s bytes\n' | sed 's/\.dump//' | sort ;;
    *) fail "backup.sh now | schedule | check | list | forget" ;;
esac
