#!/usr/bin/env bash
# make bench-pmml: package scoring beside JPMML-Evaluator, ONNX Runtime, XGBoost,
# LightGBM and lleaves: the same models and rows, one thread each, in one go. Rates
# are rows a second of the scoring thread's CPU time, so that a busy machine does
# not decide. MODELS keeps the trained models from one go to the next.
set -euo pipefail
cd "$(dirname "$0")/../.."
VENV=${BENCH_VENV:-.data/bench-venv} TOOLS=${TOOLS:-.data/tools} MODELS=${MODELS:-.data/bench-pmml}
names="logistic forest lightgbm xgboost mlp svm iforest kmeans"
mkdir -p "$TOOLS" "$MODELS"
sum=$(cksum deploy/bench/pmml/requirements.txt | cut -d' ' -f1)
if [ ! -e "$VENV/.done-$sum" ]; then
  python3 -m venv "$VENV"
  "$VENV/bin/pip" install -q --disable-pip-version-check -r deploy/bench/pmml/requirements.txt
  touch "$VENV/.done-$sum"
fi
bash deploy/tools/jpmml.sh
javac -cp "$(cat "$TOOLS/oracle.classpath")" -d "$TOOLS/bench" deploy/bench/pmml/Bench.java
[ -e "$MODELS/rows.csv" ] || "$VENV/bin/python" deploy/bench/pmml/models.py "$MODELS" 40000
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
go build -o "$work/pmmlbench" ./deploy/cmd/pmmlbench
models=()
for n in $names; do models+=("$n=$MODELS/$n.pmml"); done
export OMP_NUM_THREADS=1
"$work/pmmlbench" "$MODELS/rows.csv" "${models[@]}" >"$work/ours"
"$VENV/bin/python" deploy/bench/pmml/peers.py "$MODELS" >"$work/peers"
java -Xss64m -XX:+UseSerialGC -cp "$TOOLS/bench:$(cat "$TOOLS/oracle.classpath")" Bench "$MODELS/rows.csv" "${models[@]}" >"$work/jpmml"
printf 'machine: %s cores, %s, load %s, %s\n' "$(nproc --all)" "$(sed -n 's/^model name\s*: //p;T;q' /proc/cpuinfo)" "$(cut -d' ' -f1-3 /proc/loadavg)" "$(go version | cut -d' ' -f3,4)"
"$VENV/bin/pip" list --disable-pip-version-check 2>/dev/null | grep -iE '^(onnxruntime|xgboost|lightgbm|lleaves|scikit-learn|sklearn2pmml) '
printf 'JPMML-Evaluator %s, %s\n\n' "${JPMML_VERSION:-1.7.6}" "$(java -version 2>&1 | head -1)"
"$VENV/bin/python" deploy/bench/pmml/report.py "$work/ours" "$work/jpmml" "$work/peers"
