#!/bin/sh
# Run by the database's image when its volume is new: two roles, so that the one that serves cannot change what it recorded.
set -eu
secrets="${SECRETS_DIR:-/run/secrets}"
psql --quiet --no-psqlrc --set=ON_ERROR_STOP=1 --username="${POSTGRES_USER:-postgres}" --dbname=postgres \
  --set=owner_password="$(cat "$secrets/owner-password")" \
  --set=service_password="$(cat "$secrets/service-password")" <<'SQL'
create role claimgate_owner login password :'owner_password';
create role claimgate_service login password :'service_password';
create database claimgate owner claimgate_owner;
SQL
