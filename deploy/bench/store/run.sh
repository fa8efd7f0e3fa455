#!/usr/bin/env bash
# make bench-store: a million readings a second into the columnstore for three
# minutes while the dashboard's questions are asked; then ClickHouse's engine
# (chdb) over the very rows that were sealed. BENCH_FOR, BENCH_DRILLS shorten it.
set -euo pipefail
cd "$(dirname "$0")/../../.."
VENV=${VENV:-.venv}
mkdir -p bin
go build -o bin/benchstore ./deploy/cmd/benchstore
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
echo "machine      $(nproc) cores, load $(cut -d' ' -f1-3 /proc/loadavg) before"
bin/benchstore -dir "$dir/store" -for "${BENCH_FOR:-3m}" -drills "${BENCH_DRILLS:-10000}"
echo "analysts     200 connected SQL clients that ask without pause, and none, in turn, ${BENCH_ANALYSTS:-15s} each"
bin/benchstore -analysts 200 -for "${BENCH_ANALYSTS:-15s}" -drills "${BENCH_DRILLS:-10000}"
if [ -n "${BENCH_PEERS:-1}" ]; then
  [ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"
  "$VENV/bin/pip" install -q --disable-pip-version-check chdb==4.4.* pyarrow
  "$VENV/bin/python" deploy/bench/store/clickhouse.py "$dir/store/sealed" "$dir/chdb"
fi
