#!/bin/sh
# strip.sh FOLDER: takes out of compiled modules what only their debuggers read, thirty megabytes of it.
set -eu

command -v strip >/dev/null || {
    apt-get update -q
    apt-get install -q -y --no-install-recommends binutils
}
# Not those that a wheel brings beside its own in NAME.libs: their headers were moved, which strip does not bear.
find "$1" -name '*.so*' -type f ! -path '*.libs/*' -exec strip --strip-unneeded {} +
