#!/bin/sh
# update.sh: what images.env names, after a backup. Goes back by itself when it does not come up.
set -eu
cd "$(dirname "$0")"

./fetch.sh images.lock.next
if cmp -s images.lock images.lock.next; then
    rm images.lock.next
    echo "This is what runs already."
    exit 0
fi
./compose.sh run --rm backup now
cp images.lock images.lock.previous
mv images.lock.next images.lock
# Migrations only add while the former release still serves; what they take away comes a release later.
if ./compose.sh run --rm prepare && ./compose.sh up -d --wait --wait-timeout 300 --remove-orphans; then
    echo "Updated. ./rollback.sh goes back to what ran before."
    exit 0
fi
echo "It did not come up; its last words are above and in ./compose.sh logs. Going back." >&2
./rollback.sh
exit 1
