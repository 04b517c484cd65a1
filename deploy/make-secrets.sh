#!/bin/sh
# Makes the secrets of compose.yaml in ./secrets, each once: what is there already stays as it is.
set -eu
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets

# The files are mounted for other users than the one who made them; on this machine the folder keeps others out.
keep() {
  if [ ! -e "secrets/$1" ]; then
    cat > "secrets/$1.new"
    chmod 644 "secrets/$1.new"
    mv "secrets/$1.new" "secrets/$1"
  fi
}

openssl rand -base64 32 | keep admin-token
openssl rand -base64 32 | keep key-encryption-key
for name in postgres owner service; do openssl rand -hex 24 | keep "$name-password"; done
echo "postgresql://claimgate_owner:$(cat secrets/owner-password)@database/claimgate" | keep migration-database-url
echo "postgresql://claimgate_service:$(cat secrets/service-password)@database/claimgate" | keep database-url
