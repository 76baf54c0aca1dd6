"""Real checkpoints, as other projects publish them, beside the peer.

SFT_TEST_DATA names the folder, as for the tests of the C library; without it, it is looked for
beside the clone.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from conftest import ROOT, Both
from operations import Raised, Returned

DATA = (ROOT / (os.environ.get("SFT_TEST_DATA") or "../shared/data")).resolve()
FILES = sorted(path for path in DATA.glob("checkpoints/*") if path.is_file())
SAFETENSORS = [path for path in FILES if path.suffix == ".safetensors"]
OTHERS = [path for path in FILES if path.suffix != ".safetensors"]

needs_checkpoints = pytest.mark.skipif(
    not SAFETENSORS, reason=f"no real checkpoints in {DATA}: set SFT_TEST_DATA"
)


@needs_checkpoints
@pytest.mark.parametrize("framework", ["np", "pt", "flax"])
@pytest.mark.parametrize("backend", [None, "mmap", "pread"])
def test_tensors_are_the_peers(both: Both, framework: str, backend: str | None) -> None:
    for path in SAFETENSORS:
        # The peer knows no None: its default is what it has for "mmap".
        call = "safe_open(path, framework, backend=backend or 'mmap').get_tensors()"
        ours = "safe_open(path, framework, backend=backend).get_tensors()"
        uses = "jax\n" if framework == "flax" else "torch\n" if framework == "pt" else ""
        outcome = both(
            uses + ours, instead=uses + call, path=str(path), framework=framework, backend=backend
        )
        assert isinstance(outcome, Returned), outcome


@needs_checkpoints
def test_saved_again_they_are_the_same_bytes(both: Both) -> None:
    for path in SAFETENSORS:
        source = """
with safe_open(path, 'np') as f:
    saved = sn.save(f.get_tensors(), f.metadata())
saved
"""
        outcome = both(source, path=str(path))
        assert isinstance(outcome, Returned), outcome


@needs_checkpoints
@pytest.mark.parametrize("path", OTHERS, ids=[path.name for path in OTHERS])
def test_other_formats_are_refused_alike(both: Both, path: Path) -> None:
    outcome = both("safe_open(path, 'np')", path=str(path))
    assert isinstance(outcome, Raised)
    assert outcome.kind == "SafetensorError"
