#!/bin/bash
# test.sh [PART...] - builds and runs the tests; without arguments all parts of them:
#
#   release   everything, compiled by gcc as it is shipped
#   sanitize  the C tests and the fuzz corpora under ASan and UBSan, compiled by clang
#   threads   the tests of concurrent use under TSan
#   valgrind  the unit tests under memcheck
#
# Each part has a folder of its own under build/. A part that fails does not stop the next.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
jobs=${JOBS:-2}
export ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export UBSAN_OPTIONS=print_stacktrace=1
export TSAN_OPTIONS=halt_on_error=1
results=$PWD/build/results
broken=()

# build FOLDER OPTION... - configures and builds; quiet unless it fails.
build() {
  local folder=$1 log=$results/$1.build.log
  shift
  if ! { cmake -S . -B "build/$folder" -DSFT_WERROR=ON -DSFT_BUILD_TESTS=ON "$@" &&
    cmake --build "build/$folder" --parallel "$jobs"; } >"$log" 2>&1; then
    grep -E -A 8 'error:|CMake Error|undefined reference' "$log" | head -n 80
    echo "test: the build in build/$folder failed; the whole log is $log"
    broken+=("$folder")
    return 1
  fi
}

# run FOLDER ARGUMENT... - runs its tests.
run() {
  local folder=$1
  shift
  if ! ctest --test-dir "build/$folder" --output-on-failure --no-tests=error --parallel "$jobs" \
    --test-output-size-passed 100000 --test-output-size-failed 100000 \
    --output-junit "$results/$folder.xml" "$@"; then
    [ -s "$results/$folder.xml" ] || broken+=("$folder")
  fi
}

gcc=(-DCMAKE_C_COMPILER=gcc -DCMAKE_CXX_COMPILER=g++)
clang=(-DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++)

release() {
  build release "${gcc[@]}" -DCMAKE_BUILD_TYPE=Release -DSFT_BUILD_EXAMPLES=ON &&
    run release
}

sanitize() {
  build sanitize "${clang[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo "-DSFT_SANITIZE=address;undefined" &&
    run sanitize --label-regex 'unit|fuzz|cli'
}

threads() {
  build threads "${clang[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSFT_SANITIZE=thread \
    -DSFT_BUILD_COMMAND=OFF &&
    run threads --label-regex unit --tests-regex thread
}

valgrind() {
  build valgrind "${gcc[@]}" -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSFT_BUILD_COMMAND=OFF \
    "-DSFT_TEST_LAUNCHER=valgrind;--quiet;--leak-check=full;--error-exitcode=99" &&
    run valgrind --label-regex unit
}

if [ $# -eq 0 ]; then
  set -- release sanitize threads valgrind
fi
rm -rf "$results"
mkdir -p "$results"
for part in "$@"; do
  case $part in
  release | sanitize | threads | valgrind)
    echo "== $part"
    "$part"
    ;;
  *)
    echo "test: no such part: $part" >&2
    exit 64
    ;;
  esac
done
python3 scripts/sum_results.py "$results" ${broken[@]+"${broken[@]}"}
