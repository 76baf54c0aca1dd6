#!/bin/bash
# lint.sh [--fix] - formatting and static analysis of every file; --fix only formats.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
jobs=${JOBS:-2}
venv=build/venv/lint/bin
failed=0

# Everything that is, or is about to be, under version control.
files() {
  git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
    [ -f "$file" ] && printf '%s\n' "$file"
  done
}

# step NAME COMMAND... - runs one check; all of them run, whichever fails.
step() {
  local name=$1 start=$SECONDS
  shift
  if "$@"; then
    printf 'ok      %-28s %3d s\n' "$name" $((SECONDS - start))
  else
    printf 'FAILED  %-28s %3d s\n' "$name" $((SECONDS - start))
    failed=$((failed + 1))
  fi
}

mapfile -t c_files < <(files '*.c' '*.h' '*.cpp' '*.hpp')
mapfile -t python_files < <(files '*.py' '*.pyi')
mapfile -t package_files < <(files 'python/src/*.py' 'python/src/*.pyi')
mapfile -t test_files < <(files 'python/tests/*.py')
mapfile -t script_files < <(files '*.py' ':!python/')
mapfile -t shell_files < <(files '*.sh' .ci/run)
mapfile -t man_files < <(files 'man/*.[135]')
mapfile -t headers < <(cd include && files '*.h')

if [ "${1-}" = --fix ]; then
  clang-format -i "${c_files[@]}"
  "$venv/ruff" check --quiet --fix "${python_files[@]}"
  "$venv/ruff" format --quiet "${python_files[@]}"
  exit
fi

configure() {
  local log=build/lint.log
  mkdir -p build
  cmake -S . -B build/lint -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
    -DSFT_BUILD_TESTS=ON -DSFT_BUILD_EXAMPLES=ON -DSFT_BUILD_BENCH=ON >"$log" 2>&1 || {
    cat "$log"
    return 1
  }
  cmake -S python -B build/lint/python -DCMAKE_C_COMPILER=clang \
    "-DPython_EXECUTABLE=$PWD/build/venv/core/bin/python" >"$log" 2>&1 || {
    cat "$log"
    return 1
  }
}

# tidy BUILD PREFIX - the files under PREFIX that the build knows, for it holds their flags, but for
# those that it makes.
tidy() {
  python3 - "$@" <<'END' | xargs -P "$jobs" -n 2 clang-tidy -p "$1" --quiet 2>/dev/null
import json, os, sys
build, prefix = sys.argv[1:]
for path in sorted({entry["file"] for entry in json.load(open(build + "/compile_commands.json"))}):
    path = os.path.relpath(path)
    if path.startswith(prefix) and not path.startswith("build/"):
        print(f"'{path}'")
END
}

check_cpp() {
  cppcheck --enable=warning,performance,portability --error-exitcode=1 --inline-suppr --quiet \
    --std=c11 --suppress=missingIncludeSystem -j "$jobs" -I include "$@"
}

# The types of NumPy, pytest and Hypothesis are those in the environment of the tests.
check_types() {
  "$venv/mypy" --no-error-summary --python-executable build/venv/core/bin/python "$@"
}

# Tests give wrong arguments on purpose, and take results for what they have just made them.
check_tests() {
  local code options=()
  for code in arg-type attr-defined call-arg dict-item func-returns-value index list-item \
    no-any-return no-untyped-call operator union-attr var-annotated; do
    options+=(--disable-error-code "$code")
  done
  check_types --python-version 3.10 --no-warn-unused-ignores "${options[@]}" "${test_files[@]}"
}

# The stub says what the extension has, and nothing else.
stub_is_true() {
  local site
  site=$(build/venv/core/bin/python -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
  PYTHONPATH=$site MYPYPATH=python/src "$venv/python" -m mypy.stubtest --concise \
    --mypy-config-file mypy.ini safetensors._sft
}

headers_alone() {
  local header language
  for header in "${headers[@]}"; do
    for language in 'gcc -std=c11 -x c' 'clang -std=c11 -x c' 'g++ -std=c++17 -x c++' \
      'clang++ -std=c++17 -x c++'; do
      # shellcheck disable=SC2086 # the words of a compiler's command line
      echo "#include <$header>" |
        $language -Wall -Wextra -Wpedantic -Werror -fsyntax-only -I include - || return 1
    done
  done
}

step 'configure' configure
step 'headers alone, C11 and C++17' headers_alone
step 'clang-format' clang-format --dry-run -Werror "${c_files[@]}"
step 'cppcheck' check_cpp -I src src cli
step 'cppcheck, extension' check_cpp --library=python python/ext
step 'clang-tidy' tidy build/lint ''
step 'clang-tidy, extension' tidy build/lint/python python/ext/
step 'ruff check' "$venv/ruff" check --quiet "${python_files[@]}"
step 'ruff format' "$venv/ruff" format --quiet --check "${python_files[@]}"
step 'mypy' check_types "${script_files[@]}"
step 'mypy, package' check_types --python-version 3.10 "${package_files[@]}"
step 'mypy, tests of the package' check_tests
step 'stub of the extension' stub_is_true
step 'shellcheck' shellcheck "${shell_files[@]}"
if [ ${#man_files[@]} -gt 0 ]; then
  step 'mandoc' mandoc -T lint -W warning "${man_files[@]}"
fi
if [ "$failed" -gt 0 ]; then
  echo "lint: $failed checks failed"
  exit 1
fi
echo 'lint: no complaints'
