#!/bin/bash
# peer.sh PYTHON ARGUMENT... - runs peer.py; where its Python is missing, exits with 77: skipped.
python=$1
shift
if ! "$python" -c 'import safetensors' 2>/dev/null; then
  echo "skipped: no Python with safetensors at $python; make test installs it"
  exit 77
fi
exec "$python" "$(dirname "$0")/peer.py" "$@"
