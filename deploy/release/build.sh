#!/usr/bin/env bash
# build.sh IMAGE…: each becomes build/images/IMAGE.tar, an OCI archive, with what is in it beside (IMAGE.cdx.json).
# Prints IMAGE=DIGEST. Needs docker with a builder that can write archives, and skopeo.
set -euo pipefail
cd "$(dirname "$0")/../.."

# Attestations of buildx's own hold the time, and with them no two builds would have one digest. Ours lie beside the image.
export BUILDER=docker BUILDX_NO_DEFAULT_ATTESTATIONS=1
mkdir -p build/images

for image in "$@"; do
    archive=build/images/$image.tar
    OUTPUT="type=oci,dest=$archive" deploy/images/build.sh "$image" >&2
    skopeo copy --quiet "oci-archive:$archive" "docker-daemon:esteira/$image:built" >&2
    container=$(docker create "esteira/$image:built" none)
    docker cp --quiet "$container:/opt/esteira/sbom.cdx.json" "build/images/$image.cdx.json" >&2
    docker rm "$container" >&2
    echo "$image=$(skopeo inspect --format '{{.Digest}}' "oci-archive:$archive")"
done
