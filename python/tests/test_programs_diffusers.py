"""diffusers saves and loads small models of random weights on this package."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from programs import assert_equal_states, assert_ours

torch = pytest.importorskip("torch")
diffusers = pytest.importorskip("diffusers", reason="diffusers is not installed")


@pytest.fixture(autouse=True)
def ours() -> None:
    assert_ours()


def unet() -> Any:
    """A U-Net of two levels."""
    return diffusers.UNet2DModel(
        sample_size=8,
        in_channels=3,
        out_channels=3,
        layers_per_block=1,
        block_out_channels=(8, 16),
        norm_num_groups=4,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )


def autoencoder() -> Any:
    """An autoencoder of one level."""
    return diffusers.AutoencoderKL(
        block_out_channels=(8,), norm_num_groups=4, latent_channels=2, sample_size=8
    )


@pytest.mark.parametrize("make", [unet, autoencoder])
def test_save_and_load(make: Any, tmp_path: Path) -> None:
    model = make()
    model.save_pretrained(tmp_path)
    assert (tmp_path / "diffusion_pytorch_model.safetensors").exists()
    assert_equal_states(model, type(model).from_pretrained(tmp_path))


def test_shards(tmp_path: Path) -> None:
    model = unet()
    model.save_pretrained(tmp_path, max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    assert_equal_states(model, diffusers.UNet2DModel.from_pretrained(tmp_path))


def test_what_is_loaded_computes_the_same(tmp_path: Path) -> None:
    model = unet()
    model.save_pretrained(tmp_path)
    loaded = diffusers.UNet2DModel.from_pretrained(tmp_path)
    sample = torch.randn(1, 3, 8, 8)
    model.eval()
    with torch.no_grad():
        expected, computed = model(sample, 3).sample, loaded(sample, 3).sample
    assert torch.allclose(expected, computed, atol=1e-5)
