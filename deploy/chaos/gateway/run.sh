#!/usr/bin/env bash
# make chaos-gateway: what the gateway acknowledged is in the log, whatever fails.
# CHAOS=long is the long dose (Kafka away for minutes, three brokers, and Telegraf
# beside ours: peer.sh); CHAOS_RUN names tests. Needs what deploy/e2e/fetch.sh fetches, and Mosquitto.
set -euo pipefail
cd "$(dirname "$0")/../../.."
export KAFKA_DIR=${KAFKA_DIR:-$PWD/.data/kafka} KAFKA_PORT=${KAFKA_PORT:-29392}
bash deploy/tools/kafka.sh fetch
trap 'bash deploy/tools/kafka.sh down; bash deploy/tools/kafka.sh wipe' EXIT
bash deploy/tools/kafka.sh wipe
[ "${CHAOS:-}" = long ] && time=60m || time=10m
set +e # the exit status is kept for the end
go test -tags e2e -count=1 -parallel 3 -timeout $time ${CHAOS_RUN:+-run "$CHAOS_RUN"} -v ./deploy/chaos/gateway 2>&1 | grep -vE '^=== (RUN|PAUSE|CONT|NAME)'
rc=${PIPESTATUS[0]}
if [ "${CHAOS:-}" = long ] && [ -z "${CHAOS_RUN:-}" ]; then
  bash deploy/chaos/gateway/peer.sh || rc=$?
fi
exit "$rc"
