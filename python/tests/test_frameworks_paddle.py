"""Saving and loading for PaddlePaddle."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy as sn
from samples import DTYPES, Dtype

paddle = pytest.importorskip("paddle", reason="PaddlePaddle has an environment of its own")
ml_dtypes = pytest.importorskip("ml_dtypes")
sp = pytest.importorskip("safetensors.paddle")

TYPES = [dtype for dtype in DTYPES if dtype.name in sp._TYPES]
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


def bits(tensor: Any) -> bytes:
    """The tensor's bytes; Paddle's own arrays of bfloat16 and 8-bit floats are integers."""
    return bytes(sp._to_ndarray(tensor, "t")[0])


def test_the_usual_types_are_there() -> None:
    names = {dtype.name for dtype in TYPES}
    assert {"F32", "F16", "BF16", "I64", "U8", "BOOL", "C64", "F8_E4M3", "F8_E5M2"} <= names


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_type_both_ways(dtype: Dtype, backend: str | None, tmp_path: Path) -> None:
    arrays = sample(dtype)
    data = sn.save(arrays)
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)
    tensors = sp.load(data)
    assert sp.save(tensors) == data
    sp.save_file(tensors, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == data
    for loaded in (
        tensors,
        sp.load_file(path, backend=backend),
        sp.load(data, copy=False),
        sp.load(bytearray(data), copy=False),
    ):
        assert loaded.keys() == arrays.keys()
        for name, array in arrays.items():
            assert loaded[name].dtype == sp._getdtype(dtype.name)
            assert loaded[name].shape == list(array.shape)
            assert bits(loaded[name]) == array.tobytes()
    with safetensors.safe_open(path, "paddle", backend=backend) as file:
        part = file.get_slice("matrix")[1:, :2]
    assert bits(part) == arrays["matrix"][1:, :2].tobytes()


def test_bfloat16_has_its_values() -> None:
    tensor = paddle.to_tensor([1.5, -2.0]).astype("bfloat16")
    loaded = sp.load(sp.save({"w": tensor}))["w"]
    assert loaded.astype("float32").tolist() == [1.5, -2.0]


def test_writing_to_a_loaded_tensor_never_changes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    sp.save_file({"w": paddle.zeros([5000])}, path)
    before = path.read_bytes()
    for backend in BACKENDS:
        loaded = sp.load_file(path, backend=backend)["w"]
        loaded.add_(paddle.ones([5000]))
        assert float(loaded.sum()) == 5000
    assert path.read_bytes() == before


def test_a_later_change_of_the_file_is_not_seen(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    sp.save_file({"w": paddle.ones([1 << 18])}, path)
    loaded = sp.load_file(path)["w"]
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    assert float(loaded.sum()) == 1 << 18


def test_names_of_the_cpu(tmp_path: Path) -> None:
    sp.save_file({"w": paddle.ones([3])}, tmp_path / "x")
    for device in ("cpu", None):
        assert sp.load_file(tmp_path / "x", device=device)["w"].place.is_cpu_place()
    assert sp.load(sp.save({"w": paddle.ones([3])}), "cpu")["w"].place.is_cpu_place()


def test_names_of_devices_that_paddle_has_otherwise() -> None:
    from safetensors._convert import paddle_place

    assert [paddle_place(device) for device in (None, "cpu", 1, "cuda:1", "gpu")] == [
        "cpu",
        "cpu",
        "gpu:1",
        "gpu:1",
        "gpu",
    ]


def test_unsigned_16_bit_integers_are_refused() -> None:
    """Paddle would take them for bfloat16, and does so in the peer."""
    with pytest.raises(safetensors.DtypeError, match="Paddle has no type for uint16"):
        sp.load(sn.save({"w": np.zeros(2, np.uint16)}))
    with pytest.raises(KeyError):
        sp._getdtype("U16")


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected a dict of \[str, paddle\.Tensor\]"):
        sp.save([paddle.zeros([1])])
    with pytest.raises(ValueError, match=r"Key `a` is invalid, expected paddle\.Tensor"):
        sp.save({"a": 1.0})
    with pytest.raises(ValueError, match="non contiguous tensor: `a`"):
        sp.save({"a": paddle.zeros([2, 3]).t()})
    with pytest.raises(safetensors.DtypeError, match="tensor `bad`"):
        sp.save({"bad": paddle.zeros([1]).astype("complex128")})
    with pytest.raises(safetensors.SafetensorError, match="header too small"):
        sp.load(b"")


def test_the_callers_dict_is_not_changed(tmp_path: Path) -> None:
    tensors = {"b": paddle.zeros([2]), "a": paddle.ones([2])}
    held = [(name, id(tensor)) for name, tensor in tensors.items()]
    sp.save_file(tensors, tmp_path / "x", metadata={"k": "v"})
    assert held == [(name, id(tensor)) for name, tensor in tensors.items()]


def test_load_file_takes_a_folder_of_shards(tmp_path: Path) -> None:
    sp.save_file({"a": paddle.ones([3])}, tmp_path / "one.safetensors")
    sp.save_file({"b": paddle.ones([4])}, tmp_path / "two.safetensors")
    index = {"metadata": {}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    assert sorted(sp.load_file(tmp_path)) == ["a", "b"]


def test_the_streaming_writer_takes_tensors(tmp_path: Path) -> None:
    tensors = {"a": paddle.ones([2, 2]).astype("bfloat16"), "b": paddle.arange(6).reshape([2, 3])}
    with safetensors.stream_file(tmp_path / "x", tensors) as writer:
        for name, tensor in tensors.items():
            writer.write(name, tensor)
    assert (tmp_path / "x").read_bytes() == sp.save(tensors)


def test_private_helpers() -> None:
    tensors = {"a": paddle.arange(3)}
    data = sp.save(tensors)
    loaded = sp._view2paddle(safetensors.deserialize(data), "cpu")
    assert loaded["a"].tolist() == [0, 1, 2]
    arrays = sp._paddle2np(tensors)
    assert arrays["a"].tolist() == [0, 1, 2]
    assert sp._np2paddle(arrays)["a"].tolist() == [0, 1, 2]
