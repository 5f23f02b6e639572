#!/usr/bin/env bash
# push.sh IMAGE NAME:TAG DIGEST: build/images/IMAGE.tar to a registry, if it is DIGEST here, and only if it is DIGEST there.
# A tag is written once; a second call finds it and is content.
set -euo pipefail
cd "$(dirname "$0")/../.."
archive=oci-archive:build/images/$1.tar target=docker://$2 digest=$3

digest_of() {
    skopeo inspect --no-tags --format '{{.Digest}}' "$1"
}

require() {
    if [ "$2" != "$digest" ]; then
        echo "$1 is $2 and not $digest." >&2
        exit 1
    fi
}

require "$archive" "$(digest_of "$archive")"
# Fails where the tag is not there yet, which is why it is asked; whatever else is wrong, the copy will say.
if [ "$(digest_of "$target" 2>/dev/null || true)" != "$digest" ]; then
    skopeo copy --quiet --preserve-digests "$archive" "$target"
fi
require "$target" "$(digest_of "$target")"
