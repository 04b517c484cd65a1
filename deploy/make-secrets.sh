#!/bin/sh
# Makes the secrets of compose.yaml in ./secrets, each once: what is there already stays as it is.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets

# The files are mounted for other users than the one who made them; on this machine the folder keeps others out.
keep() {
  file="secrets/$1"
  shift
  [ ! -e "$file" ] || return 0
  "$@" > "$file.new"
  chmod 644 "$file.new"
  mv "$file.new" "$file"
}

url() { echo "postgresql://claimgate_$1:$(cat "secrets/$1-password")@database/claimgate"; }

keep admin-token openssl rand -base64 32
keep key-encryption-key openssl rand -base64 32
keep postgres-password openssl rand -hex 24
keep owner-password openssl rand -hex 24
keep service-password openssl rand -hex 24
keep migration-database-url url owner
keep database-url url service
