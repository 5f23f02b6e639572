#!/bin/sh
# setup.sh DOMAIN MAIL: makes .env, the secrets and the folder of backups, and fetches the images. Repeats change nothing that is there.
set -eu
cd "$(dirname "$0")"
[ $# -eq 2 ] || {
    echo "setup.sh DOMAIN MAIL, such as: sudo ./setup.sh esteira.example.org you@example.org" >&2
    exit 2
}
umask 077

if [ ! -f .env ]; then
    sed -e "s/^DOMAIN=.*/DOMAIN=$1/" -e "s/^ACME_EMAIL=.*/ACME_EMAIL=$2/" env.example >.env
fi

# The folder keeps others out; the files must be readable for the users of the containers, whose numbers nobody has here.
mkdir -p secrets
made() {
    if [ ! -e "secrets/$1" ]; then
        cat >"secrets/$1.part"
        chmod 444 "secrets/$1.part"
        mv "secrets/$1.part" "secrets/$1"
    fi
}
openssl rand -hex 32 | made postgres_password
openssl rand -hex 32 | made owner_password
printf 'postgresql://esteira:%s@postgres/esteira\n' "$(cat secrets/owner_password)" | made owner_url
openssl rand -hex 32 | made app_password
printf 'postgresql://esteira_app:%s@postgres/esteira\n' "$(cat secrets/app_password)" | made database_url
openssl rand -base64 48 | tr -d '\n' | made secret_key
openssl genpkey -algorithm ed25519 | made signing_key
echo none | made mail_url

backups=$(sed -n 's/^BACKUP_DIR=//p' .env)
[ -d "$backups" ] || install -d -m 0700 -o 10001 -g 10001 "$backups"

[ -f images.lock ] || ./fetch.sh images.lock
echo "Set up. Look at .env, keep a copy of secrets/ elsewhere, and start: ./compose.sh up -d --wait"
