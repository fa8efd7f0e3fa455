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
  echo "e2e: ../shared is not here: C-MAPSS is NOT RUN (its data are not part of the project)"
  skip=(-skip CMAPSS)
fi
rc=0
go test -tags e2e -count=1 -timeout 20m "${skip[@]}" ${E2E_RUN:+-run "$E2E_RUN"} -v ./deploy/e2e 2>&1 | grep -vE '^=== (RUN|PAUSE|CONT)' || rc=1
if [ -z "${E2E_RUN:-}" ]; then bash deploy/chaos/gateway/run.sh || rc=1; fi # it has a Kafka of its own
if [ -z "${E2E_RUN:-}" ]; then bash deploy/e2e/schemathesis.sh || rc=1; fi
exit $rc
