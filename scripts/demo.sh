#!/bin/bash
# demo.sh [BUILD] - what the command, the library and the Python package do, on the small trained
# network in examples/digits. Builds the first two, in build/, unless BUILD is a folder where that is
# done; the package is in build/venv/demo.
set -euo pipefail
cd "$(dirname "$0")/.."
if [ $# -eq 0 ]; then
  mkdir -p build
  log=build/demo.build.log
  if ! { cmake -S . -B build -DSFT_BUILD_EXAMPLES=ON &&
    cmake --build build --parallel "${JOBS:-2}"; } >"$log" 2>&1; then
    cat "$log"
    exit 1
  fi
fi
if ! build/venv/demo/bin/python -c 'import safetensors; assert "+sft." in safetensors.__version__'; then
  echo 'demo: build/venv/demo does not have our Python package: run scripts/setup.sh demo' >&2
  exit 77
fi
build=$(cd "${1:-build}" && pwd)
export PATH=$build:$build/examples:$PWD/build/venv/demo/bin:$PATH
bold='' plain=''
if [ -t 1 ] && [ -z "${NO_COLOR-}" ]; then
  bold=$'\e[1m' plain=$'\e[0m'
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() {
  printf '\n# %s\n' "$1"
}

# show COMMAND [CODE] - prints a command as a person would type it, runs it, and expects that
# exit code of it, 0 by default.
show() {
  local code=0
  printf '%s$ %s%s\n' "$bold" "$1" "$plain"
  bash -c "$1" 2>&1 || code=$?
  if [ "$code" -ne "${2:-0}" ]; then
    echo "demo: that gave exit code $code, not ${2:-0}" >&2
    exit 1
  fi
}

cp examples/digits/*.pt examples/digits/heldout.safetensors examples/digits/digits.py \
  examples/attacks/poisoned.pt "$work"
cd "$work"

say 'A small network as PyTorch saves it: a pickle, which is a program. What would it do?'
show 'sft scan digits.pt digits-legacy.pt'
say 'Nothing but build tensors. A safetensors file of it, without running anything.'
show 'sft convert digits.pt'
say 'It keeps every rule of the format. The older form of the checkpoint gives the same tensors.'
show 'sft check digits.safetensors'
show 'sft convert digits-legacy.pt && sft diff --data digits.safetensors digits-legacy.safetensors'
say 'The network in plain C, on digits it has never seen: examples/digits/digits.c.'
show 'digits digits.safetensors heldout.safetensors guesses.safetensors'
say 'The same in Python, which compares its guesses with those that C has just written.'
show 'python -c "import safetensors; print(safetensors.__version__)"'
show 'python digits.py digits.safetensors heldout.safetensors guesses.safetensors'
say 'Another model, with two attacks in it. What would loading it do?'
show 'sft scan poisoned.pt' 1
say 'So it is refused.'
show 'sft convert poisoned.pt' 1
say 'What is in a file, and the tensors in it.'
show 'sft info digits.safetensors'
show 'sft ls digits.safetensors'
say 'One image of the held-out set, cut out of the file as an array for numpy.load.'
show "sft cat --npy heldout.safetensors 'images[7]' >image.npy"
show 'od -An -tu1 -w8 -j128 image.npy'
say 'A copy that lost its end is refused, in one line.'
show 'head -c 20000 digits.safetensors >damaged.safetensors'
show 'sft check damaged.safetensors' 1
