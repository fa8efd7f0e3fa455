#!/usr/bin/env bash
# Trains the default models again from nothing: make train.
set -euo pipefail
cd "$(dirname "$0")/../.."
VENV=${VENV:-.venv}
[ -x "$VENV/bin/python" ] || { bash deploy/e2e/fetch.sh; }
tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
go run ./deploy/cmd/traindata >"$tmp/train.csv"
export PYTHONDONTWRITEBYTECODE=1
"$VENV/bin/python" simulators/train/defaults.py "$tmp/train.csv" simulators/models | grep -E '^[a-z_-]+: ' | tee simulators/models/training-report.txt
"$VENV/bin/python" simulators/train/library.py "$tmp/train.csv" simulators/models/library | grep -E '^[a-z_-]+: ' | tee simulators/models/library/training-report.txt
