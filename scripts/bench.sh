#!/bin/bash
# bench.sh - builds the benchmarks as the library is shipped and runs them.
#
# ROW=3 or ROW=1,2 runs these rows only; QUICK=1 takes small files and few rounds.
set -euo pipefail
cd "$(dirname "$0")/.."
ours=build/venv/python/bin/python
cmake -S . -B build -DSFT_BUILD_BENCH=ON "-DPython_EXECUTABLE=$PWD/$ours" --log-level=WARNING
cmake --build build --parallel "${JOBS:-2}" >build/bench.build.log || {
  cat build/bench.build.log
  exit 1
}
options=(--ours "$ours" --peer build/venv/bench/bin/python)
if [ -n "${QUICK-}" ]; then
  options+=(--scale quick)
fi
if [ -n "${ROW-}" ]; then
  options+=(--row "$ROW")
fi
exec "$ours" -m bench "${options[@]}"
