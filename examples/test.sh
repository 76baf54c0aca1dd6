#!/bin/bash
# test.sh FOLDER - runs the examples that were built in FOLDER and compares what they print.
# Runs in the top folder of the repository.
set -euo pipefail
bin=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=build/venv/demo/bin/python
passed=0 skipped=0

# expect NAME WANTED COMMAND... - compares standard output and the exit code.
expect() {
  local name=$1 wanted=$2 got code=0
  shift 2
  got=$("$@" 2>&1) || code=$?
  got="$got (exit $code)"
  if [ "$got" != "$wanted" ]; then
    printf '%s: wanted\n%s\ngot\n%s\n' "$name" "$wanted" "$got"
    exit 1
  fi
  passed=$((passed + 1))
}

expect inspect 'conv1.bias F32 16
conv1.weight F32 16x1x3x3
conv2.bias F32 32
conv2.weight F32 32x16x3x3
linear.bias F32 10
linear.weight F32 10x128 (exit 0)' "$bin/inspect" examples/digits/digits.safetensors

expect write "wrote $work/one and $work/two (exit 0)" "$bin/write" "$work/one" "$work/two"
expect 'write, the same twice' ' (exit 0)' cmp "$work/one" "$work/two"
expect 'inspect what write wrote' 'bias U8 2
weight U8 2x3 (exit 0)' "$bin/inspect" "$work/one"

expect slices 'U8 [2, 2] 01 03 04 06 (exit 0)' "$bin/slices" "$work/one" weight ':,::2'
expect 'slices, last row' 'U8 [3] 04 05 06 (exit 0)' "$bin/slices" "$work/one" weight '[-1]'
expect 'slices, no such tensor' "slices: $work/one: no tensor is called nope (exit 1)" \
  "$bin/slices" "$work/one" nope ':'

expect checkpoint 'clean
6 tensors, 24360 bytes; not in it: 2 values (exit 0)' \
  "$bin/checkpoint" examples/digits/digits.pt "$work/converted"
expect 'checkpoint, the older form' 'clean
6 tensors, 24360 bytes; not in it: 2 values (exit 0)' \
  "$bin/checkpoint" examples/digits/digits-legacy.pt "$work/again"
expect 'checkpoint, the same twice' ' (exit 0)' cmp "$work/converted" "$work/again"
got=$("$bin/checkpoint" examples/attacks/poisoned.pt "$work/poisoned" 2>/dev/null) &&
  echo 'checkpoint converted an attack' && exit 1
expect 'checkpoint, an attack' 'dangerous (exit 0)' echo "${got%%$'\n'*}"
expect 'checkpoint, an attack, nothing left' ' (exit 1)' test -e "$work/poisoned"
python3 examples/attacks/make.py "$work/poisoned.pt"
expect 'the attack as its script makes it' ' (exit 0)' \
  cmp examples/attacks/poisoned.pt "$work/poisoned.pt"

# The last digits of the largest difference are the compiler's and the processor's own.
digits=(examples/digits/digits.safetensors examples/digits/heldout.safetensors)
got=$("$bin/digits" "${digits[@]}" "$work/guesses")
expect digits '356 of 360 held-out digits are right: 98.89 %
PyTorch had 356/360
logits are PyTorch'\''s but for rounding (exit 0)' echo "${got% (largest difference*}"

if "$bin/digits" "$work/one" examples/digits/heldout.safetensors 2>"$work/error"; then
  echo 'digits accepted a file without its tensors'
  exit 1
fi
expect 'digits, wrong file' 'digits: conv1.weight: the file has no such tensor (exit 0)' \
  cat "$work/error"

if [ -x "$python" ]; then
  expect 'digits.py' '356 of 360 held-out digits are right: 98.89%
logits are PyTorch'\''s but for rounding
all 360 guesses are the ones of C (exit 0)' \
    "$python" examples/digits/digits.py "${digits[@]}" "$work/guesses"
  # One guess of C made wrong.
  printf '\377' | dd of="$work/guesses" bs=1 seek=$(($(stat -c %s "$work/guesses") - 1)) conv=notrunc status=none
  expect 'digits.py, another guess' '356 of 360 held-out digits are right: 98.89%
logits are PyTorch'\''s but for rounding
1 of 360 guesses are NOT the ones of C (exit 1)' \
    "$python" examples/digits/digits.py "${digits[@]}" "$work/guesses"
else
  skipped=2
  echo "skipped: digits.py: $python is not there: run scripts/setup.sh demo"
fi
echo "$passed passed, 0 failed, $skipped skipped"
