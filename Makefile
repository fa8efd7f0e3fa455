# mudpulse. `make` alone prints the targets; CI runs nothing else.
SHELL := /bin/bash
MODULES := $(sort $(dir $(wildcard */go.mod)))
ALONE := telemetry scoring gateway
BIN := bin
WEB := $(shell find dashboard -path dashboard/node_modules -prune -o -path dashboard/dist -prune -o -type f -print 2>/dev/null | grep -vE '_test|\.go$$|/e2e/')
VENV ?= .venv
export GOFLAGS := -buildvcs=false

help: ## print this list
	@awk -F':.*## ' '/^[a-z0-9-]+:.*## /{printf "  %-16s — %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: build ## the whole platform with twelve simulated drills; prints the address and a sign-in link
	@$(BIN)/mudpulse run

build: web ## every process and tool, into bin/
	@mkdir -p $(BIN)
	go build -o $(BIN)/ ./services/cmd/... ./simulators/cmd/... ./scoring/cmd/...

web: dashboard/dist/index.html ## the dashboard, into dashboard/dist
dashboard/dist/index.html: dashboard/node_modules/.installed $(WEB)
	cd dashboard && npm run --silent build
	@touch $@
dashboard/node_modules/.installed: dashboard/package-lock.json
	@bash deploy/tools/setup.sh node
	cd dashboard && npm ci --no-audit --no-fund --silent
	@touch $@

setup: ## what tests need: names what is missing, installs what it may
	@bash deploy/tools/setup.sh all

test: setup unit browser ## unit, integration and browser tests; sets up all it needs

unit: ## Go and TypeScript unit and integration tests
	go test $(addsuffix ...,$(addprefix ./,$(MODULES)))
	@$(MAKE) --no-print-directory dashboard/node_modules/.installed
	cd dashboard && npm test --silent

browser: build ## browser tests: real Chromium against the running product
	@bash deploy/e2e/browser.sh

check: ## formatting, vet, import table, modules that stand alone, gateway without cgo, docs
	@bash deploy/tools/check.sh $(MODULES) -- $(ALONE)
	@$(MAKE) --no-print-directory dashboard/node_modules/.installed
	cd dashboard && npm run --silent check

e2e: build ## real processes, Apache Kafka, JPMML, kill -9: needs Java 17, Maven, Python 3
	@bash deploy/e2e/run.sh

test-arm64: ## the corpus scored on arm64, under qemu-user, to the same bits as here: needs qemu-aarch64
	@command -v qemu-aarch64 >/dev/null || { echo "qemu-aarch64 is not here: apt-get install qemu-user"; exit 1; }
	cd scoring && go test -tags bits -count=1 -run TestScoresAreTheSameBitsEverywhere .
	@mkdir -p $(BIN)
	cd scoring && CGO_ENABLED=0 GOARCH=arm64 go test -tags bits -c -o ../$(BIN)/scoring-arm64.test .
	cd scoring && qemu-aarch64 ../$(BIN)/scoring-arm64.test -test.run TestScoresAreTheSameBitsEverywhere -test.v | tail -3

pmml-golden: ## JPMML's answers to new or changed cases of the PMML corpus: needs Java 17, Maven
	@bash deploy/tools/jpmml.sh
	go run ./scoring/internal/oracle/cmd/oracle golden

pmml-oracle: ## our engine beside JPMML, live: every kind, 200,000 generated rows, and 300 generated documents; ROWS, SEED: needs Java 17, Maven
	@bash deploy/tools/jpmml.sh
	go run ./scoring/internal/oracle/cmd/oracle live -rows $(or $(ROWS),200000) -seed $(or $(SEED),1)
	go run ./scoring/internal/oracle/cmd/oracle live -random 300 -rows 15000 -seed $(or $(SEED),1)

chaos-gateway: build ## the gateway killed, cut off and full: acknowledged = in Kafka (CHAOS=long: the long dose)
	@bash deploy/chaos/gateway/run.sh

bench-gateway: ## CPU, memory and latency of the gateway alone, beside DESIGN's budgets
	@bash deploy/bench/gateway.sh

schema: build ## Schemathesis against the API's description: no 5xx, no undocumented answer
	@bash deploy/e2e/schemathesis.sh

bench-scorer: build ## the scorer from a Kafka topic beside Spark + JPMML; latency; features, models, drills, memory: needs Java 17, Maven, Python 3
	@bash deploy/bench/scorer.sh

bench-ledger: build ## what the running product's ledger of 10,000 devices costs an ask (ARGS: -devices, -frames)
	@go run ./deploy/cmd/benchledger $(ARGS)

bench-live: build ## frame published → drawn in Chromium, 500 live clients, script a frame
	@bash deploy/bench/live.sh

chaos-scorer: build ## scorers killed at crash points (KILLS of them, default 200), on both logs, against an undisturbed run
	@bash deploy/chaos/scorer/run.sh

bench: build ## throughput, CPU, latency by stage, beside DESIGN's budgets
	@bash deploy/bench/run.sh

chaos-store: ## kill the columnstore at every crash point, fill its disk, CHAOS_DOSE times (default 12: over 200 kills), and its memory
	CHAOS_DOSE=$${CHAOS_DOSE:-12} go test -count=1 -timeout 90m -v ./deploy/chaos/store
	STEADY_HOURS=$${STEADY_HOURS:-1} go test -count=1 -timeout 90m -v -run TestAWall ./storage/duckdb

store-suite: ## what any store must pass, and the naive model it is compared with, on STORAGETEST_DOSE more seeds (default 40)
	STORAGETEST_DOSE=$${STORAGETEST_DOSE:-40} go test -count=1 -timeout 90m -v -run TestSuite ./storage/duckdb

bench-store: ## a million readings a second into the columnstore while screens ask, beside ClickHouse's engine and QuestDB
	@bash deploy/bench/store/run.sh

fuzz: ## every fuzz target for FUZZTIME (default 20s)
	@bash deploy/tools/fuzz.sh

screenshots: build ## every screen at desk and phone size from the running product, into shots/; the README's into docs/screenshots/
	@SHOTS=1 bash deploy/e2e/browser.sh

evaluate: build ## the default models on fleets that none has seen, beside plain limits; ARGS for less than hours of it
	@nice -n 19 $(BIN)/mudpulse evaluate $(ARGS)

train: ## train the default models again from nothing, seeded (Python 3, Java)
	@bash simulators/train/train.sh

evidence-month: ## a simulated month of twelve drills: every alarm's evidence whole, its sums right, its chain verified, changed bytes found
	EVIDENCE_DAYS=30 go test -count=1 -timeout 60m -v -run TestEveryAlarmOfASimulatedFleet ./services/evaluate

clean: ## remove what was built
	rm -rf $(BIN) dashboard/dist/* dashboard/node_modules $(VENV)

.DEFAULT_GOAL := help
.PHONY: help $(shell sed -n 's/^\([a-z0-9-]*\):.*\#\# .*/\1/p' $(firstword $(MAKEFILE_LIST)))

bench-pmml: ## scoring beside JPMML, ONNX Runtime, XGBoost, LightGBM, lleaves: needs Java 17, Maven, Python 3
	@bash deploy/bench/pmml.sh
