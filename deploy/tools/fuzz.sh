#!/usr/bin/env bash
# Runs every fuzz target of every module for FUZZTIME (default 20s each).
set -euo pipefail
for dir in $(git ls-files '*_test.go' | xargs grep -l '^func Fuzz' | xargs -n1 dirname | sort -u); do
  for target in $(grep -hoE '^func Fuzz[A-Za-z0-9_]+' "$dir"/*_test.go | sed 's/func //' | sort -u); do
    echo "fuzz: $dir $target"
    # Documents are long: left to itself, go test spends a minute on making each new one shorter, and executes nothing meanwhile.
    go test -run '^$' -fuzz "^$target\$" -fuzztime "${FUZZTIME:-20s}" -fuzzminimizetime 100x "./$dir"
  done
done
