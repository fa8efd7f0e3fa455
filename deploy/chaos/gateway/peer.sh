#!/usr/bin/env bash
# Telegraf beside our gateway through the same failures; prints both. Builds
# Telegraf from its Go module, the two plugins that are needed, into .data.
set -euo pipefail
cd "$(dirname "$0")/../../.."
VERSION=${TELEGRAF_VERSION:-v1.37.0}
export TELEGRAF=${TELEGRAF:-$PWD/.data/telegraf/telegraf}
if [ ! -x "$TELEGRAF" ]; then
  tmp=$(mktemp -d); trap 'rm -rf "$tmp"' EXIT
  (cd "$tmp" && GOBIN=$(dirname "$TELEGRAF") GOWORK=off nice go install -p 1 \
    -tags custom,inputs.mqtt_consumer,outputs.kafka,parsers.value,serializers.template "github.com/influxdata/telegraf/cmd/telegraf@$VERSION")
fi
[ -x bin/mudpulse ] && [ -x bin/gateway ] || make build
go test -tags e2e -count=1 -timeout 30m -run TestBesideTelegraf -v ./deploy/chaos/gateway 2>&1 | grep -vE '^=== (RUN|PAUSE|CONT|NAME)'
exit "${PIPESTATUS[0]}"
