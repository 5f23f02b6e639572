#!/bin/sh
# fetch.sh FILE: fetches the images that images.env names, and writes to FILE which ones came, by digest.
set -eu
cd "$(dirname "$0")"

: >"$1.part"
while IFS='=' read -r name image; do
    case $name in '' | \#*) continue ;; esac
    # One that was built on this server is in no registry.
    docker pull --quiet "$image" >/dev/null || docker image inspect "$image" >/dev/null
    came=$(docker image inspect --format '{{if .RepoDigests}}{{index .RepoDigests 0}}{{else}}{{.Id}}{{end}}' "$image")
    echo "$name=$came" >>"$1.part"
done <images.env
mv "$1.part" "$1"
