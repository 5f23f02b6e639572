#!/bin/sh
# build.sh [platform] [steps] [runner] …: builds the images with docker buildx where there is docker, else with buildah.
#
# From the environment: IMAGE_PREFIX (esteira/), IMAGE_TAG (the version), BASE and UV (other images to stand on), SOURCE (where
# the sources are, for the label), SOURCE_DATE_EPOCH (time of the commit), BUILDER (docker or buildah), OUTPUT (docker's exporter).
# BUILD_OPTIONS and BUILDAH_OPTIONS are more words for the builder, such as --no-cache, and for buildah itself.
# UV_CONFIG_FILE and SSL_CERT_FILE, as uv knows them, are lent to the build and stay in no image.
set -eu

cd "$(dirname "$0")/../.."
[ $# -gt 0 ] || set -- platform steps
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' pyproject.toml)
prefix=${IMAGE_PREFIX-esteira/}
tag=${IMAGE_TAG-$version}
epoch=${SOURCE_DATE_EPOCH-$(git log -1 --format=%ct)}
revision=${REVISION-$(git rev-parse HEAD)}
if [ -z "${BUILDER-}" ]; then
    BUILDER=buildah
    if command -v docker >/dev/null && docker buildx version >/dev/null 2>&1; then BUILDER=docker; fi
fi

for target in "$@"; do
    set -- --file deploy/images/Dockerfile --target "$target" \
        --build-arg "VERSION=$version" --build-arg "REVISION=$revision" --build-arg "SOURCE=${SOURCE-}"
    [ -z "${BASE-}" ] || set -- "$@" --build-arg "BASE=$BASE"
    [ -z "${UV-}" ] || set -- "$@" --build-arg "UV=$UV"
    [ -z "${UV_CONFIG_FILE-}" ] || set -- "$@" --secret "id=uv,src=$UV_CONFIG_FILE"
    [ -z "${SSL_CERT_FILE-}" ] || set -- "$@" --secret "id=certificates,src=$SSL_CERT_FILE"
    name=$prefix$target:$tag
    # shellcheck disable=SC2086  # words on purpose
    set -- ${BUILD_OPTIONS-} "$@"
    echo "Building $name with $BUILDER …"
    case $BUILDER in
        docker)
            docker buildx build "$@" --build-arg "SOURCE_DATE_EPOCH=$epoch" \
                --output "${OUTPUT-type=docker},name=$name,rewrite-timestamp=true" .
            ;;
        buildah)
            # shellcheck disable=SC2086  # words on purpose
            buildah ${BUILDAH_OPTIONS-} bud --isolation chroot --format docker --layers --pull=false \
                --timestamp "$epoch" "$@" --tag "$name" .
            ;;
        *)
            echo "BUILDER is $BUILDER; allowed: docker or buildah." >&2
            exit 2
            ;;
    esac
done
