#!/bin/sh
# drill.sh [NAME]: restores a backup (the latest) to a database of its own and holds it against the files. Changes nothing.
set -eu
cd "$(dirname "$0")"

./compose.sh run --rm restore into "${1:-latest}" esteira_drill
ended=0
# As the owner: nobody else may read what was restored.
./compose.sh run --rm prepare manage drill --restored esteira_drill || ended=$?
./compose.sh run --rm restore drop esteira_drill
exit $ended
