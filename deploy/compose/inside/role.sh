#!/bin/bash
# role.sh: on the first start of PostgreSQL, the platform's own role and database. It is no superuser.
set -euo pipefail

password=$(cat "${DATABASE_PASSWORD_FILE:-/run/secrets/database_password}")
# CREATEDB: a backup is restored to a database beside the one that is there.
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres --set=password="$password" <<'SQL'
CREATE ROLE esteira LOGIN CREATEDB PASSWORD :'password';
CREATE DATABASE esteira OWNER esteira TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8' LOCALE 'C';
REVOKE ALL ON DATABASE esteira FROM PUBLIC;
SQL
