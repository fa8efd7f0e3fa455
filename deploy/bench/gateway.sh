#!/usr/bin/env bash
# make bench-gateway: the gateway as a process of its own, spool with fsync,
# produced to the embedded log in another. BENCHTIME messages in flood.
set -euo pipefail
cd "$(dirname "$0")/../../gateway"
ulimit -n "$(ulimit -Hn)"
grep -m1 'model name' /proc/cpuinfo | sed 's/.*: /machine: /'; echo "cores: $(nproc), load: $(cut -d' ' -f1-3 /proc/loadavg), $(go version | cut -d' ' -f3)"
go test -run '^$' -bench 'Flood' -benchtime "${BENCHTIME:-300000x}" .
go test -run '^$' -bench 'Connections|Latency|Hundred' -benchtime 1x .
