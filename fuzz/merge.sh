#!/bin/bash
# merge.sh [FOUND] - takes what fuzzing found into the committed corpora, and drops from them what
# adds nothing. FOUND holds a folder a target, each with a folder `corpus`; scripts/fuzz.sh
# fills build/fuzz/found.
set -euo pipefail
cd "$(dirname "$0")/.."
found=${1-build/fuzz/found}
build=${FUZZ_BUILD-build/fuzz}
for program in "$build"/fuzz/fuzz_*; do
  if [ ! -x "$program" ] || [ ! -f "$program" ]; then
    continue
  fi
  name=$(basename "$program")
  name=${name#fuzz_}
  sources=("fuzz/corpus/$name")
  for folder in "$found/$name/corpus" "$found/fuzz_$name/corpus"; do
    [ -d "$folder" ] && sources+=("$folder")
  done
  merged=$(mktemp -d)
  # A smallest set that covers the same, and no input beyond 4 KiB: the corpora stay small.
  "$program" -set_cover_merge=1 -use_counters=0 -max_len=4096 "$merged" "${sources[@]}" 2>"$build/merge-$name.log"
  # libFuzzer names inputs by their hash. What has another name may be read by a test, and stays.
  mkdir -p "fuzz/corpus/$name"
  find "fuzz/corpus/$name" -type f -regextype posix-extended -regex '.*/[0-9a-f]{40}' -delete
  find "$merged" -type f -exec cp -t "fuzz/corpus/$name" {} +
  rm -rf "$merged"
  echo "$name: $(find "fuzz/corpus/$name" -type f | wc -l) inputs"
done
