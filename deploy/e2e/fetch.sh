#!/usr/bin/env bash
# Fetches what e2e needs from the registries: Python packages into VENV
# (default .venv), JPMML-Evaluator and Apache Kafka into TOOLS (default
# .data/tools). Idempotent.
set -euo pipefail
cd "$(dirname "$0")/../.."
VENV=${VENV:-.venv} TOOLS=${TOOLS:-.data/tools}
sum=$(cksum deploy/e2e/requirements.txt | cut -d' ' -f1)
if [ ! -e "$VENV/.done-$sum" ]; then
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install -q --disable-pip-version-check -r deploy/e2e/requirements.txt
  touch "$VENV/.done-$sum"
fi
TOOLS=$TOOLS bash deploy/tools/jpmml.sh
KAFKA_DIR=${KAFKA_DIR:-$PWD/.data/kafka} bash deploy/tools/kafka.sh fetch
