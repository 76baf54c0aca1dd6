"""accelerate saves models and loads checkpoints, sharded and in pieces, on this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from programs import assert_equal_states, assert_ours, names_in

torch = pytest.importorskip("torch")
accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed")


@pytest.fixture(autouse=True)
def ours() -> None:
    assert_ours()


def network() -> Any:
    """Three layers."""
    return torch.nn.Sequential(
        torch.nn.Linear(16, 32), torch.nn.ReLU(), torch.nn.Linear(32, 32), torch.nn.Linear(32, 4)
    )


class Tied(torch.nn.Module):  # type: ignore[misc,name-defined]
    """An embedding that is the output layer too."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = torch.nn.Embedding(20, 8)
        self.head = torch.nn.Linear(8, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens: Any) -> Any:
        return self.head(self.embed(tokens))


@pytest.mark.parametrize("limit", ["10GB", "3KB"])
def test_save_model_and_load_checkpoint_in_model(limit: str, tmp_path: Path) -> None:
    model = network()
    accelerate.Accelerator(cpu=True).save_model(model, tmp_path, max_shard_size=limit)
    files = list(tmp_path.glob("*.safetensors"))
    assert (len(files) > 1) is (limit == "3KB")
    loaded = network()
    accelerate.load_checkpoint_in_model(loaded, tmp_path)
    assert_equal_states(model, loaded)


@pytest.mark.parametrize("limit", ["10GB", "3KB"])
def test_load_checkpoint_and_dispatch(limit: str, tmp_path: Path) -> None:
    model = network()
    accelerate.Accelerator(cpu=True).save_model(model, tmp_path, max_shard_size=limit)
    with accelerate.init_empty_weights():
        empty = network()
    assert all(parameter.is_meta for parameter in empty.parameters())
    found = sorted(tmp_path.glob("*.index.json")) or sorted(tmp_path.glob("*.safetensors"))
    loaded = accelerate.load_checkpoint_and_dispatch(empty, str(found[0]), device_map={"": "cpu"})
    assert_equal_states(model, loaded)
    sample = torch.randn(2, 16)
    with torch.no_grad():
        assert torch.equal(model(sample), loaded(sample))


def test_tied_weights_are_saved_once(tmp_path: Path) -> None:
    model = Tied()
    accelerate.Accelerator(cpu=True).save_model(model, tmp_path)
    assert len(names_in(tmp_path / "model.safetensors")) == 1
    loaded = Tied()
    accelerate.load_checkpoint_in_model(loaded, tmp_path)
    assert_equal_states(model, loaded)


def test_offloaded_to_disk(tmp_path: Path) -> None:
    """Weights that stay in the file, and are read layer by layer when they are used."""
    model = network()
    checkpoint, offload = tmp_path / "checkpoint", tmp_path / "offload"
    accelerate.Accelerator(cpu=True).save_model(model, checkpoint)
    with accelerate.init_empty_weights():
        empty = network()
    places = {"0": "cpu", "1": "cpu", "2": "disk", "3": "disk"}
    loaded = accelerate.load_checkpoint_and_dispatch(
        empty,
        str(checkpoint / "model.safetensors"),
        device_map=places,
        offload_folder=offload,
    )
    sample = torch.randn(2, 16)
    with torch.no_grad():
        assert torch.equal(model(sample), loaded(sample))


def test_save_state_and_load_state(tmp_path: Path) -> None:
    accelerator = accelerate.Accelerator(cpu=True)
    model = accelerator.prepare(network())
    accelerator.save_state(tmp_path)
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    accelerator.load_state(tmp_path)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
