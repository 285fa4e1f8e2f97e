#!/bin/sh
# Makes what compose.yaml reads from secrets/: the database's password and URL, and a login on the bus for each of
# worker, beacon, hub, drop-in and operator, for the server (logins.conf) and as a context of the nats command line (<user>.json).
# Run it once, in this folder; what is there already stays as it is.
set -eu
umask 077
mkdir -p secrets

if [ ! -e secrets/databases ]; then
  openssl rand -hex 24 > secrets/postgres-password
  echo "postgres://tidemark:$(cat secrets/postgres-password)@postgres:5432/tidemark" > secrets/databases
fi

if [ ! -e secrets/logins.conf ]; then
  for user in worker beacon hub dropin operator; do
    password="$(openssl rand -hex 24)"
    host=nats
    if [ "$user" = hub ] || [ "$user" = dropin ]; then host=127.0.0.1; fi
    printf '{"url":"nats://%s:4222","user":"%s","password":"%s"}\n' "$host" "$user" "$password" > "secrets/$user.json"
    printf '%s_password: "%s"\n' "$user" "$password" >> secrets/logins.new
  done
  mv secrets/logins.new secrets/logins.conf
fi

# The user of the image reads these.
if [ "$(id -u)" = 0 ]; then
  chown 1000:1000 secrets/databases secrets/worker.json secrets/beacon.json secrets/operator.json
else
  echo "now: sudo chown 1000:1000 secrets/databases secrets/worker.json secrets/beacon.json secrets/operator.json"
fi
