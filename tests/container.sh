#!/usr/bin/env bash
# Builds the README's container and asks it for a token, where Docker can run.
#
# usage: container.sh
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker info >/dev/null 2>&1; then
  echo "no Docker engine answers: the container was not built"
  exit 0
fi

folder=$(mktemp -d)
name=oauth2d-try-$$
trap 'docker rm --force "$name" >/dev/null 2>&1 || true; rm -rf "$folder"' EXIT

# The first indented block below **Container**.
awk '/^\*\*Container\*\* [(]/ { seen = 1 }
     seen && /^    / { print substr($0, 5); begun = 1; next }
     begun && NF { exit }' README.md > "$folder/Dockerfile"
cat > "$folder/oauth2d.conf" <<'END'
[server]
listen = 0.0.0.0:3000
issuer = http://localhost:3000
state_file = /state/tokens
[client try]
secret_hash = sha256$2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b
grants = client_credentials
END
chmod 644 "$folder/oauth2d.conf"

docker build --quiet --tag oauth2d-try --file "$folder/Dockerfile" . >/dev/null
docker run --detach --name "$name" --publish 127.0.0.1::3000 \
  --volume "$folder/oauth2d.conf:/etc/oauth2d/oauth2d.conf:ro" oauth2d-try >/dev/null
for _ in $(seq 100); do
  docker exec "$name" /oauth2d --health --config /etc/oauth2d/oauth2d.conf 2>/dev/null && break
  sleep 0.1
done
place=$(docker port "$name" 3000/tcp | head -n 1)
curl --silent --fail "http://$place/oauth/token" \
  -d grant_type=client_credentials -d client_id=try -d client_secret=secret >/dev/null
docker stop "$name" >/dev/null
[ "$(docker inspect --format '{{.State.ExitCode}}' "$name")" = 0 ]
echo "container: built, gave a token, stopped with 0"
