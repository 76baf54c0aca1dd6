#!/bin/bash
# test-pythons.sh [PYTHON...] - builds the Python package for every CPython from 3.10 on that is on
# the PATH, under ~/.pyenv/versions or named, and runs the tests that need NumPy alone. Ends with a
# table of the versions that were tested, and the names of those that were not.
#
# pip builds as it does for everyone: with a build backend that it fetches itself.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
results=$PWD/build/results-pythons
wanted=(3.10 3.11 3.12 3.13 3.13t 3.14 3.14t)
broken=() untested=()

# What a version is called, "3.13t" for one without the global lock; nothing if it cannot run.
version_of() {
  "$1" -c 'import sys
print("%d.%d%s" % (sys.version_info[0], sys.version_info[1], getattr(sys, "abiflags", "").strip("d")))
' 2>/dev/null
}

# The interpreter of a version: the first that says it is one.
find_python() {
  local version=$1 path
  shift
  for path in "$@" "$(command -v "python$version")" ~/.pyenv/versions/*/bin/"python$version"; do
    if [ -n "$path" ] && [ "$(version_of "$path")" = "$version" ]; then
      realpath "$path"
      return
    fi
  done
  return 1
}

# prepare PYTHON VENV - an environment with the tests' needs, and the package built afresh.
prepare() {
  if [ "$(cat "$2/stamp" 2>/dev/null)" != "$("$1" -VV; cat tests/requirements-pythons.txt)" ]; then
    rm -rf "$2"
    "$1" -m venv "$2" &&
      "$2/bin/python" -m pip install -q --only-binary :all: -r tests/requirements-pythons.txt || return
    { "$1" -VV; cat tests/requirements-pythons.txt; } >"$2/stamp"
  fi
  "$2/bin/python" -m pip install -q --force-reinstall --no-deps ./python || return
  # An extension that does not declare to run without the global lock turns it on.
  "$2/bin/python" -W error -c 'import safetensors'
}

rm -rf "$results"
mkdir -p "$results"
for version in "${wanted[@]}"; do
  if ! python=$(find_python "$version" "$@"); then
    untested+=("$version")
    continue
  fi
  echo "== $("$python" -VV)"
  venv=build/venv/python$version
  if ! prepare "$python" "$venv" >"$results/$version.log" 2>&1; then
    tail -n 30 "$results/$version.log" | cut -c 1-500
    broken+=("$version")
    continue
  fi
  "$venv/bin/python" -m pytest --quiet --numprocesses "${JOBS:-2}" --dist worksteal \
    --junitxml="$results/$version.xml" python/tests
  [ $? -le 1 ] || broken+=("$version")
done
python3 scripts/sum_results.py "$results" ${broken[@]+"${broken[@]}"}
code=$?
if [ ${#untested[@]} -gt 0 ]; then
  echo "untested, for they are not here: ${untested[*]}"
fi
exit "$code"
