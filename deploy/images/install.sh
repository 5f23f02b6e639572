#!/bin/sh
# install.sh VENV FILE: a virtual environment with what the file pins, each package by its hash.
set -eu

# Where packages come from is this machine's affair: given as secrets, they are in no layer.
if [ -f /run/secrets/uv ]; then
    export UV_CONFIG_FILE=/run/secrets/uv
fi
if [ -f /run/secrets/certificates ]; then
    export SSL_CERT_FILE=/run/secrets/certificates
fi
uv venv --quiet --no-project --python python3 "$1"
uv pip install --quiet --python "$1" --require-hashes --no-deps --only-binary :all: \
    --requirement "/build/requirements/$2"
# What uv leaves for others of its kind; the lock anybody could write to.
rm -f "$1/.lock" "$1/.gitignore"
