#!/bin/bash
# test-frameworks.sh - runs python/tests/test_frameworks*.py with TensorFlow, Paddle and MLX, each in
# an environment of its own over build/venv/peer, and tells which of them could be had.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
results=$PWD/build/results-frameworks
broken=() missing=()
export TF_CPP_MIN_LOG_LEVEL=2

rm -rf "$results"
mkdir -p "$results"
for framework in tensorflow paddle mlx; do
  echo "== $framework"
  if ! scripts/setup.sh "$framework"; then
    missing+=("$framework")
    continue
  fi
  "build/venv/$framework/bin/python" -m pytest --quiet -rs \
    --junitxml="$results/$framework.xml" python/tests/test_frameworks*.py
  [ $? -le 1 ] || broken+=("$framework")
done
python3 scripts/sum_results.py "$results" ${broken[@]+"${broken[@]}"}
code=$?
if [ ${#missing[@]} -gt 0 ]; then
  echo "not run, for it could not be installed: ${missing[*]}"
fi
exit "$code"
