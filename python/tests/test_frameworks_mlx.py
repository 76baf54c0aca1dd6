"""Saving and loading for MLX."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy as sn
from samples import DTYPES, Dtype

mx = pytest.importorskip("mlx.core", reason="MLX has an environment of its own")
ml_dtypes = pytest.importorskip("ml_dtypes")
sm = pytest.importorskip("safetensors.mlx")

# MLX makes float64 of no array, and has no 8-bit floats.
TYPES = [
    dtype
    for dtype in DTYPES
    if dtype.numpy and dtype.name != "F64" and not dtype.name.startswith("F8")
]
BACKENDS = [None, "mmap", "pread"]


def sample(dtype: Dtype) -> dict[str, np.ndarray]:
    """Arrays of a type: a matrix, a scalar, one without elements."""
    kind = np.dtype(getattr(ml_dtypes, dtype.numpy) if dtype.extension else dtype.numpy)
    data = np.arange(96, dtype=np.uint8) % (2 if dtype.name == "BOOL" else 100)
    full = data[: 12 * kind.itemsize].view(kind)
    return {
        "matrix": full.reshape(3, 4),
        "scalar": full[5].reshape(()),
        "empty": np.zeros((0, 4), kind),
    }


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_type_both_ways(dtype: Dtype, backend: str | None, tmp_path: Path) -> None:
    arrays = sample(dtype)
    data = sn.save(arrays)
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    for loaded in (sm.load_file(path, backend=backend), sm.load(data), sm.load(data, copy=False)):
        assert loaded.keys() == arrays.keys()
        for name, array in arrays.items():
            assert str(loaded[name].dtype).rpartition(".")[2].rstrip("_") == dtype.numpy
            assert loaded[name].shape == array.shape
        assert sm.save(loaded) == data
        sm.save_file(loaded, tmp_path / "again")
        assert (tmp_path / "again").read_bytes() == data
    with safetensors.safe_open(path, "mlx", backend=backend) as file:
        part = file.get_slice("matrix")[1:, :2]
    assert sm.save({"p": part}) == sn.save({"p": np.ascontiguousarray(arrays["matrix"][1:, :2])})


def test_bfloat16_has_its_values() -> None:
    array = mx.array([1.5, -2.0], dtype=mx.bfloat16)
    assert sm.load(sm.save({"w": array}))["w"].tolist() == [1.5, -2.0]


def test_views_in_another_order_are_saved_as_they_read(tmp_path: Path) -> None:
    array = mx.arange(6).reshape(2, 3).T
    sm.save_file({"t": array}, tmp_path / "x")
    assert sm.load_file(tmp_path / "x")["t"].tolist() == [[0, 3], [1, 4], [2, 5]]


def test_mlx_reads_what_this_package_writes_and_the_other_way(tmp_path: Path) -> None:
    """MLX has a reader and a writer of its own."""
    arrays = {"a": mx.arange(3), "b": mx.ones((2, 2), dtype=mx.bfloat16)}
    sm.save_file(arrays, tmp_path / "ours.safetensors")
    theirs = mx.load(str(tmp_path / "ours.safetensors"))
    assert theirs["a"].tolist() == [0, 1, 2]
    mx.save_safetensors(str(tmp_path / "theirs.safetensors"), arrays)
    ours = sm.load_file(tmp_path / "theirs.safetensors")
    assert ours["b"].dtype == mx.bfloat16
    assert ours["b"].tolist() == [[1, 1], [1, 1]]


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected a dict of \[str, mx\.array\]"):
        sm.save([mx.zeros(1)])
    with pytest.raises(ValueError, match=r"Key `a` is invalid, expected mx\.array"):
        sm.save({"a": [1.0]})
    floats = np.zeros(2, ml_dtypes.float8_e4m3fn)
    with pytest.raises(safetensors.DtypeError, match="MLX has no type for float8_e4m3fn"):
        sm.load(sn.save({"w": floats}))


def test_the_streaming_writer_takes_arrays(tmp_path: Path) -> None:
    arrays = {"a": mx.ones((2, 2), dtype=mx.bfloat16), "b": mx.arange(6).reshape(2, 3).T}
    with safetensors.stream_file(tmp_path / "x", arrays) as writer:
        for name, array in arrays.items():
            writer.write(name, array)
    assert (tmp_path / "x").read_bytes() == sm.save(arrays)


def test_private_helpers_make_new_dicts() -> None:
    arrays = {"a": mx.arange(3)}
    as_numpy = sm._mx2np(arrays)
    assert isinstance(as_numpy["a"], np.ndarray)
    assert sm._np2mx(as_numpy)["a"].tolist() == [0, 1, 2]
    assert isinstance(as_numpy["a"], np.ndarray)
