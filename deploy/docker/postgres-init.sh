#!/bin/bash
# The image of PostgreSQL runs this once, when it has made its data: `skein` owns its database and nothing else. The superuser
# loses the password again: it logs in from inside the container only.
set -e

psql -v ON_ERROR_STOP=1 -v password="$POSTGRES_PASSWORD" --no-psqlrc --username "$POSTGRES_USER" --dbname postgres <<'SQL'
create role skein login password :'password';
create database skein owner skein;
alter role current_user password null;
SQL
