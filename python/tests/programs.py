"""What the tests of real programs share: they run offline, and on the package under test."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

# Read when the programs are imported.
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_OFFLINE"] = "1"
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import safetensors


def assert_ours() -> None:
    """The programs import the package under test, not the peer's."""
    assert "+sft." in safetensors.__version__
    package = Path(safetensors.__file__).parent
    loaded = [name for name in sys.modules if name.startswith("safetensors.")]
    for name in loaded:
        assert Path(sys.modules[name].__file__ or package / name).parent == package, name


def names_in(path: Path) -> list[str]:
    """The names of the tensors of a file, sorted."""
    with safetensors.safe_open(path, "np") as file:
        return file.keys()


def metadata_of(path: Path) -> dict[str, str]:
    """The text in a file's header."""
    with safetensors.safe_open(path, "np") as file:
        return file.metadata() or {}


def assert_equal_states(left: Any, right: Any) -> None:
    """Two modules have the same weights under the same names."""
    import torch

    first, second = left.state_dict(), right.state_dict()
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert tensor.dtype == second[name].dtype, name
        assert torch.equal(tensor.cpu(), second[name].cpu()), name
