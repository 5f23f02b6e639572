#!/usr/bin/env bash
# findings.sh FOLDER: what Checkov, Trivy and zizmor find in this repository, as SARIF, for GitHub's list of findings. It fails
# where one of them does not run; what they find is the list's, and gates of their own refuse it.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "$1"

.venv/bin/zizmor --offline --persona=pedantic --no-progress --no-exit-codes --format=sarif .github >"$1/zizmor.sarif"

deploy/release/trivy.sh config --skip-check-update --quiet --format sarif --output "$1/trivy.sarif" deploy

.venv/bin/uv tool run --quiet --from checkov==3.3.30 checkov --directory . --framework terraform dockerfile github_actions \
    --skip-download --quiet --compact --soft-fail --skip-path .venv --output sarif --output-file-path "$1" >/dev/null
mv "$1/results_sarif.sarif" "$1/checkov.sarif"
