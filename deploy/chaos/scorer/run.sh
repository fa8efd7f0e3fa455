#!/usr/bin/env bash
# make chaos-scorer: the long dose. A real Kafka beside the embedded log; needs root for a small disk.
set -euo pipefail
cd "$(dirname "$0")/../../.."
export KAFKA_DIR=${KAFKA_DIR:-$PWD/.data/kafka} KAFKA_PORT=${KAFKA_PORT:-29192} CHAOS_KILLS=${KILLS:-200}
bash deploy/tools/kafka.sh up --brokers 1
trap 'bash deploy/tools/kafka.sh down; bash deploy/tools/kafka.sh wipe' EXIT
export E2E_KAFKA=127.0.0.1:$KAFKA_PORT
go test -tags e2e -count=1 -timeout 3h -v ./deploy/chaos/scorer
