#!/usr/bin/env bash
# make bench-scorer: the scorer's process over a topic of a real Apache Kafka beside
# Spark Structured Streaming with JPMML over the same records on the same broker (for
# Spark in JSON, flat, as its users write them; Maven Central has no spark-protobuf of
# this version): a forest of 100 trees of depth 10 and a logistic regression. Then a frame's way to its score, and a
# partition alone. RECORDS (several, in quotes), SECONDS_OF_SPARK (for each model), DRILLS, FOR bound it;
# PARTS=process leaves out what comes after Spark.
# JPMML is AGPL: it runs as a process of its own. Needs Java 17, Maven, Python 3.
set -euo pipefail
cd "$(dirname "$0")/../.."
VENV=${BENCH_VENV:-.data/bench-scorer-venv} TOOLS=${TOOLS:-.data/tools} SPARK=4.2.0
export KAFKA_DIR=${KAFKA_DIR:-$PWD/.data/kafka-bench} KAFKA_PORT=${KAFKA_PORT:-29392}
broker=127.0.0.1:$KAFKA_PORT
here=deploy/bench/scorer
mkdir -p "$TOOLS"
sum=$(cksum $here/requirements.txt | cut -d' ' -f1)
if [ ! -e "$VENV/.done-$sum" ]; then
  [ -e "$VENV/bin/python" ] || python3 -m venv "$VENV"
  "$VENV/bin/pip" install -q --disable-pip-version-check -r $here/requirements.txt
  touch "$VENV/.done-$sum"
fi
lib=$TOOLS/spark-$SPARK
if [ ! -e "$lib/.done" ]; then
  pom=$(mktemp -d)
  dep() { echo "<dependency><groupId>org.apache.spark</groupId><artifactId>$1_2.13</artifactId><version>$SPARK</version></dependency>"; }
  { echo '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>spark</artifactId><version>1</version><dependencies>'
    dep spark-sql-kafka-0-10; echo '</dependencies></project>'; } >"$pom/pom.xml"
  mvn -B -q -f "$pom/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(mkdir -p "$lib" && cd "$lib" && pwd)"
  rm -rf "$pom"; touch "$lib/.done"
fi
site=$("$VENV/bin/python" -c 'import pyspark; print(pyspark.__path__[0])')
work=$(mktemp -d)
trap 'rm -rf "$work"; bash deploy/tools/kafka.sh down; bash deploy/tools/kafka.sh wipe' EXIT
jpmml=$("$VENV/bin/python" -c 'import jpmml_evaluator_pyspark as j; print(j.spark_jars())')
mkdir "$work/udf"
javac -Xlint:-options -cp "$site/jars/*:${jpmml//,/:}" -d "$work/udf" $here/PmmlUdf.java
(cd "$work/udf" && jar cf ../udf.jar .)
jars=$(ls "$PWD/$lib"/{commons-pool2,kafka-clients,spark-sql-kafka,spark-token-provider-kafka}*.jar | paste -sd,),$jpmml,$work/udf.jar
models=$TOOLS/bench-scorer-models
[ -e "$models/logistic.pmml" ] || { mkdir -p "$models"; "$VENV/bin/python" $here/models.py "$models"; }
go build -o "$work/benchscorer" ./deploy/cmd/benchscorer
bash deploy/tools/kafka.sh up --brokers 1 >/dev/null
printf 'machine: %s cores, %s, load %s, %s; Apache Kafka, Spark %s, %s\n' "$(nproc)" "$(sed -n 's/^model name\s*: //p;T;q' /proc/cpuinfo)" \
  "$(cut -d' ' -f1-3 /proc/loadavg)" "$(go version | cut -d' ' -f3,4)" "$SPARK" "$(java -version 2>&1 | head -1)"
run=$(date +%s)
for n in ${RECORDS:-500000 1000000}; do
declare -A batch=([logistic]=$((n / 5)) [forest]=$((n / 50))) # records a batch of Spark's, which gains by larger ones
for m in logistic forest; do
  "$work/benchscorer" process --broker $broker --prefix "$run-$n-$m." --model "$models/$m.pmml" --records "$n" >"$work/$m.ours"
  SPARK_LOCAL_IP=127.0.0.1 "$VENV/bin/python" $here/spark.py "$(realpath "$models/$m.pmml")" $broker "$run-$n-$m.json" "$run-$n-$m.spark" "$jars" "${SECONDS_OF_SPARK:-60}" "$(nproc)" "${batch[$m]}" 2>"$work/spark.err" | tail -1 >"$work/$m.spark" \
    || { grep -v "^\s*at " "$work/spark.err" | tail -40 >&2; exit 1; }
  "$VENV/bin/python" - "$m" "$work/$m.ours" "$work/$m.spark" <<'P'
import json, sys
name, ours, spark = sys.argv[1], *(json.load(open(p)) for p in sys.argv[2:])
warm, whole = 1e6 * ours["warm_cpu"] / ours["warm_records"], 1e6 * ours["cpu"] / ours["records"]
theirs, need = 1e6 * spark["cpu"] / spark["records"], {"forest": 50, "logistic": 5}[name]
print(f"{name}, {ours['records']} records: CPU-seconds of the scoring process per million records, from the first score on: mudpulse {warm:.2f} (median of 3 runs), Spark + JPMML {theirs:.1f} (from its second batch on): "
      f"{theirs / warm:.1f} x fewer (budget {need} x{'' if theirs / warm >= need else ': NOT MET'}); mudpulse from its start on {whole:.2f}, {theirs / whole:.1f} x fewer: "
      f"its start took {ours['start']:.2f} CPU-s; Spark's, not counted, {spark['start']:.0f} to the end of its first batch; "
      f"records/s by the clock: mudpulse {ours['warm_records'] / ours['seconds']:.0f}, Spark {spark['records'] / spark['seconds']:.0f}, over {ours['records']} and {spark['records']} records")
P
done
done
case ${PARTS:-} in process) exit;; esac
for keep in 1h 1s; do # without checkpoints, and with one of each partition meanwhile: sixty times that is the longest between two
  "$work/benchscorer" latency --broker $broker --prefix "$run-latency-$keep." --keep $keep --drills "${DRILLS:-1000}" --for "${FOR:-60s}" --models simulators/models/washout.pmml,simulators/models/expected_spp.pmml,simulators/models/stick_slip.pmml
done
bash deploy/tools/kafka.sh down
"$work/benchscorer" engine --drills "${FLEET:-10000}" --models simulators/models/washout.pmml,simulators/models/expected_spp.pmml,simulators/models/stick_slip.pmml
