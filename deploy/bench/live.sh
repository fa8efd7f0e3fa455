#!/usr/bin/env bash
# make bench-live: an empty mudpulse, 100 drills that send a frame of 100 readings a second over MQTT, one page in Chromium,
# then 500 live clients beside it, one of which stops reading. Figures are kept in docs/benchmarks/live.md.
set -euo pipefail
cd "$(dirname "$0")/../../dashboard"
PRODUCT=$PWD/../bin/mudpulse node e2e/bench.mjs
