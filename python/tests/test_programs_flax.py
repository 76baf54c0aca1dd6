"""A Flax model's parameters go through this package's files instead of msgpack."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

jax = pytest.importorskip("jax")
nn = pytest.importorskip("flax.linen", reason="flax is not installed")
traverse_util = pytest.importorskip("flax.traverse_util")
sf = pytest.importorskip("safetensors.flax")


class Net(nn.Module):  # type: ignore[misc,name-defined]
    """Two dense layers."""

    @nn.compact  # type: ignore[untyped-decorator]
    def __call__(self, sample: Any) -> Any:
        return nn.Dense(3)(nn.relu(nn.Dense(8)(sample)))


@pytest.mark.parametrize("backend", [None, "mmap", "pread"])
def test_parameters_as_a_flat_dict(backend: str | None, tmp_path: Path) -> None:
    sample = jax.random.normal(jax.random.key(1), (2, 5))
    params = Net().init(jax.random.key(0), sample)
    path = tmp_path / "flax_model.safetensors"
    sf.save_file(traverse_util.flatten_dict(params, sep="."), path, {"format": "flax"})
    flat = sf.load_file(path, backend=backend)
    assert sorted(flat) == [
        f"params.Dense_{i}.{leaf}" for i in range(2) for leaf in ("bias", "kernel")
    ]
    loaded = traverse_util.unflatten_dict(flat, sep=".")
    assert np.array_equal(Net().apply(loaded, sample), Net().apply(params, sample))


def test_loaded_parameters_train(tmp_path: Path) -> None:
    """Arrays whose memory is that of the reading take part in compiled, donating steps."""
    params = {"w": jax.numpy.ones((256, 256)), "b": jax.numpy.zeros(256)}
    sf.save_file(params, tmp_path / "x")
    loaded = sf.load_file(tmp_path / "x")
    step = jax.jit(lambda p: jax.tree.map(lambda leaf: leaf * 2 + 1, p), donate_argnums=0)
    stepped = step(loaded)
    assert float(stepped["w"][0, 0]) == 3.0
    assert float(stepped["b"].sum()) == 256.0
    again = sf.load_file(tmp_path / "x")
    assert float(again["w"][0, 0]) == 1.0
