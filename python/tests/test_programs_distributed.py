"""PyTorch writes and reads distributed checkpoints, in the layout of the hub, on this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from programs import assert_ours, names_in

torch = pytest.importorskip("torch")
dcp = pytest.importorskip("torch.distributed.checkpoint")
if not hasattr(dcp, "HuggingFaceStorageWriter"):
    pytest.skip("this PyTorch writes no such checkpoints", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore:torch.distributed is disabled")


@pytest.fixture(autouse=True)
def ours() -> None:
    assert_ours()


def state() -> dict[str, Any]:
    """Two tensors of two types."""
    return {"w": torch.arange(12.0).reshape(3, 4), "h": torch.ones(5, dtype=torch.bfloat16)}


def test_save_and_load(tmp_path: Path) -> None:
    saved = state()
    writer = dcp.HuggingFaceStorageWriter(path=str(tmp_path), fqn_to_index_mapping={"w": 1, "h": 2})
    dcp.save(saved, storage_writer=writer, no_dist=True)
    files = sorted(tmp_path.rglob("*.safetensors"))
    assert sorted(name for file in files for name in names_in(file)) == ["h", "w"]
    loaded = {name: torch.zeros_like(tensor) for name, tensor in saved.items()}
    reader = dcp.HuggingFaceStorageReader(path=str(tmp_path))
    dcp.load(loaded, storage_reader=reader, no_dist=True)
    assert all(torch.equal(loaded[name], saved[name]) for name in saved)
