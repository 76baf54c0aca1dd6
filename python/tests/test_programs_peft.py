"""peft saves and loads adapters on this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from programs import assert_ours, names_in

torch = pytest.importorskip("torch")
peft = pytest.importorskip("peft", reason="peft is not installed")


@pytest.fixture(autouse=True)
def ours() -> None:
    assert_ours()


class Base(torch.nn.Module):  # type: ignore[misc,name-defined]
    """What the adapters change."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(5)
        self.query = torch.nn.Linear(8, 8)
        self.value = torch.nn.Linear(8, 8)

    def forward(self, sample: Any) -> Any:
        return self.value(torch.relu(self.query(sample)))


def test_an_adapter_of_low_rank(tmp_path: Path) -> None:
    config = peft.LoraConfig(r=2, target_modules=["query", "value"], init_lora_weights=False)
    model = peft.get_peft_model(Base(), config)
    model.save_pretrained(tmp_path)
    names = names_in(tmp_path / "adapter_model.safetensors")
    assert len(names) == 4
    assert all("lora_" in name for name in names)
    loaded = peft.PeftModel.from_pretrained(Base(), tmp_path)
    sample = torch.randn(3, 8)
    with torch.no_grad():
        assert torch.equal(model(sample), loaded(sample))
        assert not torch.equal(model(sample), Base()(sample))


def test_two_adapters_side_by_side(tmp_path: Path) -> None:
    config = peft.LoraConfig(r=2, target_modules=["query"], init_lora_weights=False)
    model = peft.get_peft_model(Base(), config, adapter_name="one")
    model.add_adapter("two", peft.LoraConfig(r=3, target_modules=["value"]))
    model.save_pretrained(tmp_path)
    for adapter, rank in (("one", 2), ("two", 3)):
        from safetensors.torch import load_file

        weights = load_file(tmp_path / adapter / "adapter_model.safetensors")
        assert {min(tensor.shape) for tensor in weights.values()} == {rank}
