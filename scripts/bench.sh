#!/bin/bash
# bench.sh - builds the benchmarks as the library is shipped and runs them.
set -euo pipefail
cd "$(dirname "$0")/.."
cmake -S . -B build -DSFT_BUILD_BENCH=ON --log-level=WARNING
cmake --build build --parallel "${JOBS:-2}" >build/bench.build.log || {
  cat build/bench.build.log
  exit 1
}
exec build/venv/bench/bin/python bench/run.py --build build
