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

# part ARCHITECTURE TRIPLET LAUNCHER... - TRIPLET is that of the cross compiler.
part() {
  local name=$1 triplet=$2 build=build/$1 log=$results/$1.log root launcher
  shift 2
  launcher=$(IFS=';' && echo "$*")
  root=$PWD/build/foreign/$name/usr
  if ! { cmake -S . -B "$build" -DCMAKE_SYSTEM_NAME=Linux "-DCMAKE_SYSTEM_PROCESSOR=$name" \
    "-DCMAKE_C_COMPILER=$triplet-gcc" "-DSFT_CMOCKA_INCLUDE=$root/include" \
    "-DSFT_CMOCKA_LIBRARY=$(echo "$root"/lib/*/libcmocka.so)" \
    "-DZLIB_INCLUDE_DIR=$root/include" "-DZLIB_LIBRARY=$(echo "$root"/lib/*/libz.a)" \
    "-DCMAKE_C_FLAGS=-isystem \"$root/include\" -L\"$(dirname "$root"/lib/*/libcmocka.so)\"" \
    -DSFT_BUILD_TESTS=ON -DSFT_BUILD_COMMAND=OFF -DSFT_WERROR=ON "-DSFT_TEST_LAUNCHER=$launcher" &&
    cmake --build "$build" --parallel "$jobs"; } >"$log" 2>&1; then
    grep -E -A 8 'error:|CMake Error|undefined reference' "$log" | head -n 60
    echo "test: the build in $build failed; the whole log is $log"
    broken+=("$name")
    return
  fi
  # An emulator is slow: it gets three times the time that a test has by itself.
  ctest --test-dir "$build" --output-on-failure --no-tests=error --parallel "$jobs" \
    --label-regex 'unit|fuzz' --timeout 4500 --test-output-size-passed 100000 \
    --output-junit "$results/$name.xml" || [ -s "$results/$name.xml" ] || broken+=("$name")
}

foreign=$PWD/build/foreign
part s390x s390x-linux-gnu qemu-s390x -L /usr/s390x-linux-gnu \
  -E "LD_LIBRARY_PATH=$foreign/s390x/usr/lib/s390x-linux-gnu:/usr/s390x-linux-gnu/lib"
part i386 i686-linux-gnu /usr/i686-linux-gnu/lib/ld-linux.so.2 --library-path \
  "$foreign/i386/usr/lib/i386-linux-gnu:/usr/i686-linux-gnu/lib"
python3 scripts/sum_results.py "$results" ${broken[@]+"${broken[@]}"}
