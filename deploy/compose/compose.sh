#!/bin/sh
# compose.sh …: docker compose, with the settings and the very images of this server.
set -eu
cd "$(dirname "$0")"
[ -f .env ] && [ -f images.lock ] || {
    echo "Run ./setup.sh DOMAIN MAIL first." >&2
    exit 1
}
exec docker compose --env-file .env --env-file images.lock "$@"
