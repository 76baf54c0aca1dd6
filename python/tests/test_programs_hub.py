"""huggingface_hub saves and loads PyTorch's models and state dicts on this package."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from programs import assert_equal_states, assert_ours, metadata_of, names_in

torch = pytest.importorskip("torch")
hub = pytest.importorskip("huggingface_hub", reason="huggingface_hub is not installed")


@pytest.fixture(autouse=True)
def ours() -> None:
    assert_ours()


class Tied(torch.nn.Module):  # type: ignore[misc,name-defined]
    """Two layers with one weight, and a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = torch.nn.Linear(16, 16)
        self.second = torch.nn.Linear(16, 16)
        self.second.weight = self.first.weight
        self.register_buffer("steps", torch.arange(4))


@pytest.mark.parametrize("limit", ["5GB", "1KB"])
def test_save_and_load_a_model(limit: str, tmp_path: Path) -> None:
    model = Tied()
    hub.save_torch_model(model, tmp_path, max_shard_size=limit)
    files = sorted(tmp_path.glob("*.safetensors"))
    assert (len(files) > 1) is (limit == "1KB")
    names = [name for file in files for name in names_in(file)]
    assert len(names) == len(set(names)) == len(model.state_dict()) - 1
    loaded = Tied()
    hub.load_torch_model(loaded, tmp_path, strict=False)
    assert_equal_states(model, loaded)


def test_save_a_state_dict_in_shards(tmp_path: Path) -> None:
    state = {f"layer.{i}": torch.full((200,), float(i)) for i in range(5)}
    hub.save_torch_state_dict(state, tmp_path, max_shard_size="1KB", metadata={"mine": "yes"})
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["weight_map"].keys() == state.keys()
    loaded: dict[str, Any] = {}
    for file in sorted(set(index["weight_map"].values())):
        loaded |= hub.load_state_dict_from_file(tmp_path / file)
    assert all(torch.equal(loaded[name], state[name]) for name in state)


def test_what_is_dropped_is_noted(tmp_path: Path) -> None:
    hub.save_torch_model(Tied(), tmp_path, metadata={"k": "v"})
    metadata = metadata_of(tmp_path / "model.safetensors")
    assert metadata["k"] == "v"
    assert metadata["second.weight"] == "first.weight"


def test_the_mixin_for_models(tmp_path: Path) -> None:
    class Net(torch.nn.Module, hub.PyTorchModelHubMixin):  # type: ignore[misc,name-defined]
        def __init__(self, width: int = 4) -> None:
            super().__init__()
            self.layer = torch.nn.Linear(width, width)

    model = Net(width=6)
    model.save_pretrained(tmp_path)
    assert (tmp_path / "model.safetensors").exists()
    assert_equal_states(model, Net.from_pretrained(tmp_path))
