#!/bin/bash
# build.sh [--prefix PREFIX] - builds the library and the command in build/.
set -euo pipefail
cd "$(dirname "$0")/.."
arguments=()
if [ "${1-}" = --prefix ]; then
  arguments+=("-DCMAKE_INSTALL_PREFIX:PATH=$2")
fi
cmake -S . -B build --log-level=WARNING ${arguments[@]+"${arguments[@]}"}
cmake --build build --parallel "${JOBS:-2}"
