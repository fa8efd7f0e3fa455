#!/usr/bin/env bash
# make browser: the product with its demo, opened in the system's Chromium. With
# SHOTS=1 it takes pictures of every screen instead of testing.
set -euo pipefail
cd "$(dirname "$0")/../.."
dir=$(mktemp -d)
bin/mudpulse run --data "$dir/data" --http 127.0.0.1:0 --mqtt 127.0.0.1:0 --kafka 127.0.0.1:0 --sql 127.0.0.1:0 >"$dir/out" 2>"$dir/log" &
pid=$!
end() {
  status=$?
  kill "$pid" 2>/dev/null && wait "$pid" 2>/dev/null
  [ $status = 0 ] || { echo "--- mudpulse, last of its log:"; grep -v msg=marker "$dir/log" | tail -30; }
  rm -rf "$dir"
  exit $status
}
trap end EXIT
for _ in $(seq 1 300); do
  MUDPULSE_LINK=$(grep -oE 'http://[^ ]+/#signin=[^ ]+' "$dir/out" || true)
  [ -n "$MUDPULSE_LINK" ] && break
  kill -0 "$pid" || { echo "mudpulse did not start"; exit 1; }
  sleep 0.2
done
export MUDPULSE_LINK MUDPULSE_URL=${MUDPULSE_LINK%%/#*}
MUDPULSE_SQL=$(sed -nE 's/^SQL \(Postgres\) +//p' "$dir/out")
export MUDPULSE_SQL
cd dashboard
if [ -n "${SHOTS:-}" ]; then
  sleep "${SHOTS_AFTER:-100}" # an hour and more on the demo's clock: something is wrong by then
  SHOTS_DOCS=${SHOTS_DOCS-1} SHOTS_DIR=${SHOTS_DIR:-../shots/} node e2e/shots.mjs
else
  node --test --test-concurrency=1 --test-timeout=900000 e2e/run.mjs
  kill "$pid"
  for _ in $(seq 600); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
  if kill -0 "$pid" 2>/dev/null; then echo "mudpulse does not stop within 120 s"; kill -9 "$pid"; exit 1; fi
  # The product refuses settings that it does not know, these among them.
  env -u MUDPULSE_LINK -u MUDPULSE_URL -u MUDPULSE_SQL PRODUCT="$PWD/../bin/mudpulse" node --test --test-concurrency=1 --test-timeout=600000 e2e/outage.mjs e2e/engineer.mjs e2e/offenders.mjs e2e/alarmpages.mjs e2e/truth.mjs e2e/below.mjs e2e/split.mjs
fi
