#!/bin/bash
# run.sh PYTHON TEST... - runs pytest; where its Python lacks PyTorch, exits with 77: skipped.
python=$1
shift
if ! "$python" -c 'import joblib, pytest, sklearn, torch' 2>/dev/null; then
  echo "skipped: no Python with PyTorch and scikit-learn at $python; make test installs it"
  exit 77
fi
# Skipped tests say why, and those that print what they counted show it.
exec "$python" -m pytest -p no:cacheprovider -p no:xdist --quiet --disable-warnings -rP -rs "$@"
