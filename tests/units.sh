#!/bin/sh
# The README's systemd units, by systemd's own tools: nothing in them is unknown to it, and what the
# service is exposed to stays small.
set -eu
cd "$(dirname "$0")/.."
if ! command -v systemd-analyze >/dev/null; then
  echo "systemd-analyze is not installed (Debian: apt-get install systemd): left out"
  exit 0
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# The block that follows the line which ends in the unit's path. The program itself need not be there.
unit() {
  awk -v mark="/etc/systemd/system/$1" '
    index($0, mark) { on = 1; next }
    on && /^    / { sub(/^    /, ""); print; begun = 1; next }
    on && /^$/ { if (begun) print; next }
    on && begun { exit }
  ' README.md | sed "s#/usr/local/bin/oauth2d#$(command -v true)#" >"$folder/$1"
  grep -q '^\[Unit\]' "$folder/$1"
}
unit oauth2d.socket
unit oauth2d.service

cd "$folder"
# It exits with 0 on what it ignores, so each line counts.
said=$(systemd-analyze verify --man=no ./oauth2d.socket ./oauth2d.service 2>&1) || true
if [ -n "$said" ]; then
  echo "$said" >&2
  exit 1
fi
systemd-analyze security --no-pager --offline=true --threshold=20 ./oauth2d.service | tail -1
