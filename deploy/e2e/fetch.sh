#!/usr/bin/env bash
# Fetches what e2e needs from the registries: Python packages into VENV
# (default .venv), JPMML-Evaluator and Apache Kafka into TOOLS (default
# .data/tools). Idempotent.
set -euo pipefail
cd "$(dirname "$0")/../.."
VENV=${VENV:-.venv} TOOLS=${TOOLS:-.data/tools}
JPMML=${JPMML_VERSION:-1.7.6}
sum=$(cksum deploy/e2e/requirements.txt | cut -d' ' -f1)
if [ ! -e "$VENV/.done-$sum" ]; then
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install -q --disable-pip-version-check -r deploy/e2e/requirements.txt
  touch "$VENV/.done-$sum"
fi
if [ ! -e "$TOOLS/jpmml-$JPMML/.done" ]; then
  mkdir -p "$TOOLS/jpmml-$JPMML"; tmp=$(mktemp -d)
  cat >"$tmp/pom.xml" <<X
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>oracle</artifactId><version>1</version><dependencies>
<dependency><groupId>org.jpmml</groupId><artifactId>pmml-evaluator-metro</artifactId><version>$JPMML</version></dependency>
</dependencies></project>
X
  mvn -B -q -f "$tmp/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$PWD/$TOOLS/jpmml-$JPMML"
  rm -rf "$tmp"
  touch "$TOOLS/jpmml-$JPMML/.done"
fi
javac -cp "$TOOLS/jpmml-$JPMML/*" -d "$TOOLS/oracle" deploy/e2e/jpmml/Score.java
echo "$TOOLS/oracle:$TOOLS/jpmml-$JPMML/*" >"$TOOLS/oracle.classpath"
KAFKA_DIR=${KAFKA_DIR:-$PWD/.data/kafka} bash deploy/tools/kafka.sh fetch
