#!/usr/bin/env bash
# Fetches JPMML-Evaluator through Maven into TOOLS (default .data/tools) and
# compiles the oracle process beside it; prints nothing. Idempotent.
set -euo pipefail
cd "$(dirname "$0")/../.."
TOOLS=${TOOLS:-.data/tools}
JPMML=${JPMML_VERSION:-1.7.6}
if [ ! -e "$TOOLS/jpmml-$JPMML/.done" ]; then
  mkdir -p "$TOOLS/jpmml-$JPMML"; tmp=$(mktemp -d)
  cat >"$tmp/pom.xml" <<P
<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>local</groupId><artifactId>oracle</artifactId><version>1</version><dependencies>
<dependency><groupId>org.jpmml</groupId><artifactId>pmml-evaluator-metro</artifactId><version>$JPMML</version></dependency>
</dependencies></project>
P
  mvn -B -q -f "$tmp/pom.xml" dependency:copy-dependencies -DincludeScope=runtime -DoutputDirectory="$(cd "$TOOLS/jpmml-$JPMML" && pwd)"
  rm -rf "$tmp"
  touch "$TOOLS/jpmml-$JPMML/.done"
fi
if [ ! "$TOOLS/oracle/Oracle.class" -nt scoring/internal/oracle/Oracle.java ]; then
  javac -Xlint:-options -cp "$TOOLS/jpmml-$JPMML/*" -d "$TOOLS/oracle" scoring/internal/oracle/Oracle.java
fi
root=$(cd "$TOOLS" && pwd)
echo "$root/oracle:$root/jpmml-$JPMML/*" >"$TOOLS/oracle.classpath"
