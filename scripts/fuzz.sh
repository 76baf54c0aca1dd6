#!/bin/bash
# fuzz.sh SECONDS - runs every fuzz target for that long, two at a time (JOBS), starting from its
# committed corpus.
#
# What the targets find new is kept in build/fuzz/found/TARGET; a crash ends the run of its
# target, is kept there too, and fails this script.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
seconds=$1
build=build/fuzz
mkdir -p "$build"
if ! { cmake -S . -B "$build" -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
  -DCMAKE_BUILD_TYPE=RelWithDebInfo "-DSFT_SANITIZE=address;undefined" -DSFT_BUILD_FUZZERS=ON \
  -DSFT_BUILD_COMMAND=OFF && cmake --build "$build" --parallel "${JOBS:-2}"; } >"$build/log" 2>&1; then
  cat "$build/log"
  exit 1
fi

# fuzz TARGET - one run; the last line of libFuzzer tells how many inputs it tried.
fuzz() {
  local target=$1 name found log options=()
  name=$(basename "$target")
  found=$build/found/$name
  log=$build/$name.log
  mkdir -p "$found/corpus"
  if [ -f "fuzz/dict/${name#fuzz_}.dict" ]; then
    options+=("-dict=fuzz/dict/${name#fuzz_}.dict")
  fi
  if "$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$found/" ${options[@]+"${options[@]}"} "$found/corpus" "fuzz/corpus/${name#fuzz_}" >"$log" 2>&1; then
    echo "$name: $(sed -n 's/^stat::number_of_executed_units: *//p' "$log") executions, no finding"
  else
    tail -n 40 "$log"
    echo "$name: FAILED; the input is in $found, the log is $log"
    return 1
  fi
}

failed=0
running=0
for target in "$build"/fuzz/fuzz_*; do
  if [ -x "$target" ] && [ -f "$target" ]; then
    fuzz "$target" &
    running=$((running + 1))
    if [ "$running" -ge "${JOBS:-2}" ]; then
      wait -n || failed=1
      running=$((running - 1))
    fi
  fi
done
while [ "$running" -gt 0 ]; do
  wait -n || failed=1
  running=$((running - 1))
done
exit $failed
