#!/bin/bash
# test-foreign.sh - builds the C tests as big-endian (s390x, under qemu-user) and as 32-bit (i386,
# run by this processor) programs, and runs them.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
jobs=${JOBS:-2}
results=$PWD/build/results-foreign
rm -rf "$results"
mkdir -p "$results"
broken=()

# part DEBIAN_ARCHITECTURE GNU_TRIPLET [LAUNCHER...]
part() {
  local name=$1 triplet=$2 build=build/$1 log=$results/$1.log launcher
  shift 2
  launcher=$(IFS=';' && echo "$*")
  if ! { cmake -S . -B "$build" -DCMAKE_SYSTEM_NAME=Linux "-DCMAKE_SYSTEM_PROCESSOR=$name" \
    "-DCMAKE_C_COMPILER=$triplet-gcc" "-DCMAKE_LIBRARY_ARCHITECTURE=${triplet/i686/i386}" \
    -DSFT_BUILD_TESTS=ON -DSFT_BUILD_COMMAND=OFF -DSFT_WERROR=ON "-DSFT_TEST_LAUNCHER=$launcher" &&
    cmake --build "$build" --parallel "$jobs"; } >"$log" 2>&1; then
    grep -E -A 8 'error:|CMake Error|undefined reference' "$log" | head -n 60
    broken+=("$name")
    return
  fi
  # An emulator is slow: three times the time that a test has by itself.
  ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$jobs" \
    --label-regex 'unit|fuzz' --timeout 4500 --output-junit "$results/$name.xml" ||
    [ -s "$results/$name.xml" ] || broken+=("$name")
}

part s390x s390x-linux-gnu qemu-s390x
part i386 i686-linux-gnu
python3 scripts/sum_results.py "$results" ${broken[@]+"${broken[@]}"}
