"""Saving and loading for JAX: every type, where arrays lie, what is never changed."""

from __future__ import annotations

import json
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from samples import DTYPES, Dtype

jax = pytest.importorskip("jax")
jnp = pytest.importorskip("jax.numpy")
ml_dtypes = pytest.importorskip("ml_dtypes")
sf = pytest.importorskip("safetensors.flax")

NARROW = [dtype for dtype in DTYPES if dtype.numpy and dtype.name not in ("F64", "I64", "U64")]
WIDE = [dtype for dtype in DTYPES if dtype.name in ("F64", "I64", "U64")]
BACKENDS = [None, "mmap", "pread"]


def sample(dtype: Dtype) -> dict[str, Any]:
    """Arrays of a type: a matrix, a scalar, one without elements."""
    kind = np.dtype(getattr(ml_dtypes, dtype.numpy) if dtype.extension else dtype.numpy)
    data = np.arange(96, dtype=np.uint8) % (2 if dtype.name == "BOOL" else 100)
    full = data[: 12 * kind.itemsize].view(kind)
    return {
        "matrix": jnp.asarray(full.reshape(3, 4)),
        "scalar": jnp.asarray(full[5].reshape(())),
        "empty": jnp.zeros((0, 4), kind),
    }


def assert_same(loaded: dict[str, Any], arrays: dict[str, Any]) -> None:
    """The same names, types, shapes and bytes."""
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert isinstance(loaded[name], jax.Array)
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert np.asarray(loaded[name]).tobytes() == np.asarray(array).tobytes()


@pytest.mark.parametrize("dtype", NARROW, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_type_both_ways(dtype: Dtype, backend: str | None, tmp_path: Path) -> None:
    arrays = sample(dtype)
    path = tmp_path / "model.safetensors"
    sf.save_file(arrays, path)
    assert path.read_bytes() == sf.save(arrays)
    assert_same(sf.load_file(path, backend=backend), arrays)
    assert_same(sf.load(path.read_bytes()), arrays)
    assert_same(sf.load(path.read_bytes(), copy=False), arrays)
    with safetensors.safe_open(path, "flax", backend=backend) as file:
        assert file.get_slice("matrix").get_dtype() == dtype.name
        assert_same({"matrix": file.get_tensor("matrix")}, {"matrix": arrays["matrix"]})
        part = np.asarray(file.get_slice("matrix")[1:, :2])
    assert part.tobytes() == np.asarray(arrays["matrix"])[1:, :2].tobytes()


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
@pytest.mark.parametrize("dtype", WIDE, ids=lambda dtype: dtype.name)
def test_wide_types_both_ways(dtype: Dtype) -> None:
    """JAX has 64-bit types only if it is told so."""
    with jax.enable_x64(True):
        arrays = sample(dtype)
        data = sf.save(arrays)
        assert_same(sf.load(data), arrays)
    assert sf.load(data)["matrix"].dtype.itemsize == 4


def test_neither_dict_is_changed(tmp_path: Path) -> None:
    """The peer puts numpy arrays into the caller's dict."""
    arrays = {"b": jnp.zeros(2), "a": jnp.ones(2)}
    metadata = {"k": "v"}
    held = [(name, id(array)) for name, array in arrays.items()]
    sf.save(arrays, metadata)
    sf.save_file(arrays, tmp_path / "x", metadata=metadata)
    assert held == [(name, id(array)) for name, array in arrays.items()]
    assert metadata == {"k": "v"}


def test_a_frozen_dict_can_be_saved() -> None:
    core = pytest.importorskip("flax.core", reason="frozen dicts are Flax's")
    params = {"kernel": jnp.ones((2, 2)), "bias": jnp.zeros(2)}
    assert sf.save(core.freeze(params)) == sf.save(params)


def test_numpy_arrays_pass_for_jax_arrays() -> None:
    assert sf.save({"a": np.arange(3, dtype=np.int32)}) == sf.save({"a": jnp.arange(3)})


def test_large_arrays_come_without_a_copy_and_stay(tmp_path: Path) -> None:
    """Their memory is that of the file's reading; a change of the file is not seen."""
    path = tmp_path / "model.safetensors"
    sf.save_file({"big": jnp.ones(1 << 18), "small": jnp.ones(3)}, path)
    loaded = sf.load_file(path)
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    assert float(loaded["big"].sum()) == 1 << 18
    assert float(loaded["small"].sum()) == 3


def test_load_takes_any_buffer(tmp_path: Path) -> None:
    data = sf.save({"a": jnp.arange(10)})
    (tmp_path / "x").write_bytes(data)
    with (tmp_path / "x").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        for buffer in (data, bytearray(data), memoryview(data), mapped):
            assert sf.load(buffer)["a"].tolist() == list(range(10))


def test_a_copy_knows_no_later_change_of_the_buffer() -> None:
    data = bytearray(sf.save({"a": jnp.zeros(1 << 18)}))
    loaded = sf.load(data)["a"]
    data[-100:] = b"\1" * 100
    assert not loaded.any()


def test_load_file_takes_a_folder_of_shards(tmp_path: Path) -> None:
    sf.save_file({"a": jnp.arange(3)}, tmp_path / "one.safetensors")
    sf.save_file({"b": jnp.arange(4)}, tmp_path / "two.safetensors")
    index = {"metadata": {}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert_same(sf.load_file(tmp_path), {"a": jnp.arange(3), "b": jnp.arange(4)})


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected a dict of \[str, jax\.Array\]"):
        sf.save([jnp.zeros(1)])
    with pytest.raises(safetensors.DtypeError, match="tensor `bad`"):
        sf.save({"bad": jnp.zeros(4, jnp.int4)})
    sf.save_file({"a": jnp.zeros(1)}, tmp_path / "x")
    with pytest.raises(safetensors.SafetensorError, match="is not supported for framework flax"):
        safetensors.safe_open(tmp_path / "x", "flax", device="cuda:0")


def test_private_helpers_make_new_dicts() -> None:
    arrays = {"a": jnp.arange(3)}
    as_numpy = sf._jnp2np(arrays)
    assert isinstance(as_numpy["a"], np.ndarray)
    assert isinstance(arrays["a"], jax.Array)
    assert_same(sf._np2jnp(as_numpy), arrays)
    assert isinstance(as_numpy["a"], np.ndarray)
