#!/bin/bash
# role.sh: on the first start of PostgreSQL, the database and its two roles. Neither is a superuser: `esteira` owns the tables and
# makes backups, `esteira_app` is what the platform runs as, and is given its rights with each migration.
set -euo pipefail

secrets=${SECRETS:-/run/secrets}
# CREATEDB: a backup is restored to a database beside the one that is there. As a member of the platform's role the owner may end
# its sessions, which stand in the way of a restore.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres \
    --set=owner="$(cat "$secrets/owner_password")" --set=app="$(cat "$secrets/app_password")" <<'SQL'
CREATE ROLE esteira LOGIN CREATEDB PASSWORD :'owner';
CREATE ROLE esteira_app LOGIN PASSWORD :'app';
GRANT esteira_app TO esteira;
CREATE DATABASE esteira OWNER esteira TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C';
REVOKE ALL ON DATABASE esteira FROM PUBLIC;
GRANT CONNECT ON DATABASE esteira TO esteira_app;
SQL
