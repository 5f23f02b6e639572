#!/bin/sh
# restore.sh NAME|latest: database and files of a backup take the place of what is there. restore.sh --list | --drop DATABASE
set -eu
cd "$(dirname "$0")"

case ${1:-} in
    '')
        echo "restore.sh NAME|latest. These are there:" >&2
        ./compose.sh run --rm --no-deps backup list >&2
        exit 2
        ;;
    --list) exec ./compose.sh run --rm --no-deps backup list ;;
    --drop) exec ./compose.sh run --rm restore drop "$2" ;;
esac
./compose.sh stop proxy web worker beat engine backup
if ! ./compose.sh run --rm restore whole "$1"; then
    echo "Nothing took the place of your database. Starting again what ran." >&2
    ./compose.sh up -d --wait
    exit 1
fi
# Migrations that came after the backup, where there are any.
./compose.sh run --rm prepare
./compose.sh up -d --wait
