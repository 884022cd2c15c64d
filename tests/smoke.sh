#!/bin/sh
# The static executable works where there is nothing but itself: in an empty root folder, where
# this machine lets us have one.
# usage: smoke.sh PROGRAM
set -eu
program=$1
root=$(mktemp -d)
trap 'kill "$pid" 2>/dev/null || true; rm -rf "$root"' EXIT
cp "$program" "$root/oauth2d"
if [ "$(id -u)" -eq 0 ]; then
  chroot "$root" /oauth2d --listen localhost:0 >"$root/out" 2>/dev/null &
else
  "$root/oauth2d" --listen localhost:0 >"$root/out" 2>/dev/null &
fi
pid=$!
tries=0
until grep -q listening "$root/out"; do
  tries=$((tries + 1))
  [ "$tries" -lt 100 ] || { echo "smoke: it does not start" >&2; exit 1; }
  sleep 0.05
done
url=$(sed -n 's/^listening on //p' "$root/out" | head -n 1)
answer=$(curl -s "$url/oauth/token" -u application:secret \
  -d grant_type=password -d username=pedroetb -d password=password)
token=$(printf '%s' "$answer" | sed -n 's/.*"access_token":"\([0-9a-f]*\)".*/\1/p')
secret=$(curl -s "$url/" -H "Authorization: Bearer $token")
[ "$secret" = "Congratulations, you are in a secret area!" ] || {
  echo "smoke: wrong answer: $secret" >&2
  exit 1
}
kill "$pid"
wait "$pid"
echo "smoke: $program serves from an empty folder and stops cleanly"
