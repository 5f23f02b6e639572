#!/bin/bash
# restore.sh into NAME|latest DATABASE: to a database beside the platform's own, which is not touched.
# restore.sh whole NAME|latest: that and the files, and then the databases change places. The platform must stand still.
# restore.sh drop DATABASE
# shellcheck source=deploy/compose/inside/common.sh
. "$(dirname "$0")/common.sh"

database=${PGDATABASE:-esteira}

chosen() {
    local name=$1
    if [[ $name == latest ]]; then
        name=$(find "$backups/dumps" -name '*.dump' -printf '%f\n' | sort | tail -n 1)
        name=${name%.dump}
    fi
    [[ -n $name && -f $backups/dumps/$name.dump && -f $backups/lists/$name.list ]] || fail "There is no backup '$1' in $backups."
    echo "$name"
}

into() {
    local name=$1 target=$2
    [[ $target =~ ^[a-z_]+$ && $target != "$database" ]] || fail "Restore to another database than $database, named with a-z and _."
    dropdb --if-exists --force "$target"
    createdb --template=template0 --encoding=UTF8 --locale-provider=builtin --builtin-locale=C.UTF-8 --locale=C "$target"
    # As role.sh says of the first one; what the platform may do in it comes with `prepare`.
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname="$target" <<SQL
REVOKE ALL ON DATABASE "$target" FROM PUBLIC;
GRANT CONNECT ON DATABASE "$target" TO esteira_app;
SQL
    pg_restore --no-owner --no-privileges --exit-on-error --jobs=2 --dbname="$target" "$backups/dumps/$name.dump"
    echo "Backup $name is in the database $target."
}

# What the list names and the storage has not, or has shorter: a log may have grown since.
files() {
    local name=$1 missing
    mkdir -p "$storage"
    listed "$storage" >"$work/here"
    awk -F '\t' 'NR == FNR {size[$1] = $2; next} !($1 in size) || size[$1] + 0 < $2 + 0 {print $1}' "$work/here" "$backups/lists/$name.list" >"$work/wanted"
    while IFS= read -r missing; do
        [[ -f $backups/files/$missing ]] || fail "The backup has lost $missing. Nothing was changed."
    done <"$work/wanted"
    copied "$work/wanted" "$backups/files" "$storage"
    echo "$(wc -l <"$work/wanted") files were brought back."
}

whole() {
    local name=$1 before
    into "$name" esteira_restoring
    files "$name"
    before=esteira_before_$(date +%Y%m%d%H%M%S)
    # In one transaction: there is never no database of that name.
    psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --dbname=postgres <<SQL
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '$database' AND pg_has_role(usesysid, 'MEMBER') \g /dev/null
BEGIN;
ALTER DATABASE "$database" RENAME TO "$before";
ALTER DATABASE "esteira_restoring" RENAME TO "$database";
COMMIT;
SQL
    echo "The platform has the database of backup $name. The former one is $before, until you drop it: ./restore.sh --drop $before"
}

case ${1:-} in
    into) into "$(chosen "$2")" "$3" ;;
    whole)
        name=$(chosen "$2")
        whole "$name"
        ;;
    drop)
        [[ $2 =~ ^esteira_[a-z0-9_]+$ ]] || fail "$2 is no database that a restore or a drill has left."
        dropdb --force "$2"
        ;;
    *) fail "restore.sh into NAME DATABASE | whole NAME | drop DATABASE" ;;
esac
