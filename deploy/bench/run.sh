#!/usr/bin/env bash
# make bench: what each part costs alone, then the whole flow in one process, beside
# the budgets of docs/benchmarks/README.md. BENCHTIME bounds each micro-benchmark.
set -euo pipefail
cd "$(dirname "$0")/../.."
t=${BENCHTIME:-2s}
say() { printf '\n== %s\n' "$1"; }
bench() { # bench PACKAGE PATTERN [ARG…]: its result lines
  local pkg=$1 pattern=$2; shift 2
  go test "$pkg" -run '^$' -bench "$pattern" -benchtime "$t" -benchmem "$@" | grep -E '^Benchmark' | sed -E 's/^Benchmark//; s/-[0-9]+ +[0-9]+ +/  /; s/ +0 ns\/op//'
}
printf 'machine: %s cores, %s, load %s, %s\n' "$(nproc)" "$(sed -n 's/^model name\s*: //p;T;q' /proc/cpuinfo)" "$(cut -d' ' -f1-3 /proc/loadavg)" "$(go version | cut -d' ' -f3,4)"
say "gateway: 50 connections in flood, spooled with fsync, produced (budget 10 CPU-s per million protobuf frames)"
bench ./gateway 'Flood'
say "scoring: one thread, one row a call, each kind's largest document of the corpus (large models beside other engines: make bench-pmml)"
bench ./scoring 'Score'
say "scorer: a frame of 100 readings, bytes to score's bytes (budget 11 + 4 µs)"
bench ./services/scorer 'Frame'
say "store: frames of 100 readings appended and committed (budget 15 µs, checkpoint and seal 10)"
bench ./storage/duckdb 'Commit'
say "the whole flow in one process"
go run ./deploy/cmd/flowbench -flood "${FLOOD:-10s}" -calm "${CALM:-10s}"
