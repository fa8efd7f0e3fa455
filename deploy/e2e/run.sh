#!/usr/bin/env bash
# make e2e: the real binaries over Apache Kafka and over the embedded log; a real
# model on real data, judged by JPMML; kill -9. Needs what fetch.sh fetches.
set -euo pipefail
cd "$(dirname "$0")/../.."
bash deploy/e2e/fetch.sh
export KAFKA_DIR=${KAFKA_DIR:-$PWD/.data/kafka} KAFKA_PORT=${KAFKA_PORT:-29192}
bash deploy/tools/kafka.sh up --brokers 1
trap 'bash deploy/tools/kafka.sh down; bash deploy/tools/kafka.sh wipe' EXIT
export E2E_KAFKA=127.0.0.1:$KAFKA_PORT E2E_PYTHON=$PWD/${VENV:-.venv}/bin/python
E2E_ORACLE=$(cat "${TOOLS:-.data/tools}/oracle.classpath")

export E2E_ORACLE
skip=()
if [ -d ../shared/data ]; then
  E2E_DATA=$(cd ../shared/data && pwd); export E2E_DATA
else
  echo "e2e: ../shared is not here: C-MAPSS and AI4I are NOT RUN (their data are not part of the project)"
  skip=(-skip "CMAPSS|AI4I")
fi
status=0
tests() { go test -tags e2e -count=1 -timeout 20m "$@" 2>&1 | grep -vE "^=== (RUN|PAUSE|CONT)" || status=1; }
tests "${skip[@]}" ${E2E_RUN:+-run "$E2E_RUN"} -v ./deploy/e2e
if [ -z "${E2E_RUN:-}" ]; then
  tests -v ./storage/clickhouse # on ClickHouse's engine, from Python's chdb
  tests -v ./deploy/chaos/scorer
  bash deploy/chaos/gateway/run.sh || status=1 # it has a Kafka of its own
  bash deploy/e2e/schemathesis.sh || status=1
fi
exit $status
