#!/bin/bash
# test.sh [PART...] - builds and runs the tests; without arguments all parts of them:
#
#   release   everything, compiled by gcc as it is shipped
#   sanitize  the C tests and the fuzz corpora under ASan and UBSan, compiled by clang
#   threads   the tests of concurrent use under TSan
#   valgrind  the unit tests under memcheck
#   python    the Python package, in build/venv/python with every framework
#   python-sanitize  its tests that need NumPy alone, with the extension and libsft under ASan and UBSan
#
# Each part has a folder of its own under build/. A part that fails does not stop the next.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
jobs=${JOBS:-2}
# Memory that cannot be had is NULL, as it is without a sanitizer.
ASAN_OPTIONS=detect_stack_use_after_return=1:strict_string_checks=1
export ASAN_OPTIONS=$ASAN_OPTIONS:allocator_may_return_null=1
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
  build release "${gcc[@]}" -DCMAKE_BUILD_TYPE=Release -DSFT_BUILD_EXAMPLES=ON -DSFT_BUILD_BENCH=ON \
    "-DPython_EXECUTABLE=$PWD/build/venv/python/bin/python" &&
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

# run_python PART PYTHON ARGUMENT... - runs pytest. Warnings are the frameworks' own.
run_python() {
  local part=$1 python=$2 code=0
  shift 2
  "$python" -m pytest --quiet --disable-warnings --numprocesses "$jobs" --dist worksteal \
    --junitxml="$results/$part.xml" "$@" || code=$?
  # 1 says that tests failed, which the XML tells too; all others are trouble of another kind.
  if [ "$code" -gt 1 ] || [ ! -s "$results/$part.xml" ]; then
    broken+=("$part")
  fi
}

python() {
  run_python python build/venv/python/bin/python python/tests
}

# The interpreter is not built for the sanitizers: their libraries are loaded before it. With the
# allocator of C, Python's own objects are watched too; leaks cannot be told from what an
# interpreter never frees.
python-sanitize() {
  local folder=build/python-sanitize python=$PWD/build/venv/core/bin/python runtime=() library
  if ! CC=gcc scripts/package.sh unpack "$folder" cmake.build-type=RelWithDebInfo install.strip=false \
    cmake.define.SFT_WERROR=ON "cmake.define.SFT_SANITIZE=address;undefined"; then
    broken+=(python-sanitize)
    return
  fi
  for library in libasan.so libubsan.so libstdc++.so; do
    runtime+=("$(realpath "$(gcc -print-file-name=$library)")")
  done
  # The peer is not under test: it runs as it is.
  local peer=$PWD/$folder/peer report=$results/python-sanitize.report
  printf '#!/bin/sh\nexec env -u LD_PRELOAD -u PYTHONMALLOC %q "$@"\n' \
    "$PWD/build/venv/peer/bin/python" >"$peer"
  chmod +x "$peer"
  # pytest takes what is printed, so the sanitizers write to files, one for each process they end.
  SFT_PEER_PYTHON=$peer SFT_SANITIZE=1 PYTHONMALLOC=malloc PYTHONPATH=$PWD/$folder \
    LD_PRELOAD="$(IFS=:; echo "${runtime[*]}")" UBSAN_OPTIONS="$UBSAN_OPTIONS:log_path=$report" \
    ASAN_OPTIONS="$ASAN_OPTIONS:detect_leaks=0:log_path=$report" \
    run_python python-sanitize "$python" python/tests
  if compgen -G "$report.*" >/dev/null; then
    head -n 60 "$report".*
    broken+=(python-sanitize)
  fi
}

if [ $# -eq 0 ]; then
  set -- release sanitize threads valgrind python python-sanitize
fi
rm -rf "$results"
mkdir -p "$results"
for part in "$@"; do
  case $part in
  release | sanitize | threads | valgrind | python | python-sanitize)
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
