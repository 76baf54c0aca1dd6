#!/bin/bash
# smoke.sh VENVS BUILD - runs every row once on tiny files and looks at what comes out. Without the
# environments of the Python tests in VENVS, exits with 77: skipped.
set -euo pipefail
ours=$1/python/bin/python peer=$1/peer/bin/python
for python in "$ours" "$peer"; do
  if ! "$python" -c 'import safetensors, torch' 2>/dev/null; then
    echo "skipped: no Python with safetensors and PyTorch at $python; make test installs it"
    exit 77
  fi
done
"$ours" -m bench --build "$2" --ours "$ours" --peer "$peer" --scale tiny --rounds 1 \
  --output "$2/bench-smoke.json"
exec "$ours" -m bench.smoke "$2/bench-smoke.json"
