#!/bin/sh
# rollback.sh: back to the images that ran before the last update. The database stays: it serves the former release too.
set -eu
cd "$(dirname "$0")"
[ -f images.lock.previous ] || {
    echo "Nothing ran before." >&2
    exit 1
}
mv images.lock images.lock.next
cp images.lock.previous images.lock
# Not prepare: it would bring no migration back, and the newer ones are there.
if ./compose.sh up -d --wait --wait-timeout 300 --no-deps postgres web worker beat engine proxy backup; then
    mv images.lock.next images.lock.undone
    rm images.lock.previous
    echo "Rolled back. What was undone stands in images.lock.undone."
    exit 0
fi
mv images.lock.next images.lock
echo "The former release does not come up either. Restore the backup that was made before the update: docs/one-server.md" >&2
exit 1
