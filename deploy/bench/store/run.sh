#!/usr/bin/env bash
# make bench-store: a million readings a second into the columnstore for three
# minutes while the dashboard's questions are asked; then 200 connected analysts;
# then ClickHouse's engine (chdb) and QuestDB over the very rows that were sealed.
# BENCH_FOR, BENCH_DRILLS, BENCH_ANALYSTS shorten it; BENCH_PEERS= leaves the peers
# out. Needs Python 3; for QuestDB Java 17 and Maven. A peer that cannot be had or
# fails is named NOT RUN.
set -euo pipefail
cd "$(dirname "$0")/../../.."
VENV=${BENCH_VENV:-.data/bench-store-venv} TOOLS=${TOOLS:-.data/tools} QUESTDB=9.3.4
here=deploy/bench/store
mkdir -p bin "$TOOLS"
go build -o bin/benchstore ./deploy/cmd/benchstore
if [ -n "${BENCH_PEERS-1}" ]; then # fetched first, so that nothing is waited for later
  { [ -x "$VENV/bin/python" ] || python3 -m venv "$VENV"; } && "$VENV/bin/pip" install -q --disable-pip-version-check -r $here/requirements.txt || echo "peers        their Python packages could not be had"
  jar=$TOOLS/questdb-$QUESTDB.jar
  [ -e "$jar" ] || mvn -B -q org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy -Dartifact=org.questdb:questdb:$QUESTDB -DoutputDirectory="$(cd "$TOOLS" && pwd)" || echo "QuestDB      could not be had"
fi
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
printf 'machine      %s cores, %s, load %s before, %s\n' "$(nproc)" "$(sed -n 's/^model name\s*: //p;T;q' /proc/cpuinfo)" "$(cut -d' ' -f1-3 /proc/loadavg)" "$(go version | cut -d' ' -f3,4)"
failed=0
bin/benchstore -dir "$dir/store" -for "${BENCH_FOR:-3m}" -drills "${BENCH_DRILLS:-10500}" || failed=1
echo "analysts     200 connected SQL clients that ask without pause, and none, in turn, ${BENCH_ANALYSTS:-15s} each"
bin/benchstore -analysts 200 -for "${BENCH_ANALYSTS:-15s}" -drills "${BENCH_DRILLS:-10500}" || failed=1
if [ -n "${BENCH_PEERS-1}" ]; then
  "$VENV/bin/python" $here/clickhouse.py "$dir/store/sealed" "$dir/chdb" || echo "ClickHouse   NOT RUN to its end"
  "$VENV/bin/python" $here/questdb.py "$TOOLS/questdb-$QUESTDB.jar" "$dir/store/sealed" "$dir/questdb" || echo "QuestDB      NOT RUN to its end"
fi
echo "machine      load $(cut -d' ' -f1-3 /proc/loadavg) after, $SECONDS s in all"
exit $failed
