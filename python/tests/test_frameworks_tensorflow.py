"""Saving and loading for TensorFlow."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import safetensors
import safetensors.numpy as sn
from samples import DTYPES, Dtype

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
tf = pytest.importorskip("tensorflow", reason="TensorFlow has an environment of its own")
ml_dtypes = pytest.importorskip("ml_dtypes")
stf = pytest.importorskip("safetensors.tensorflow")

TYPES = [dtype for dtype in DTYPES if dtype.numpy and hasattr(tf.dtypes, dtype.numpy)]
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


def test_the_usual_types_are_there() -> None:
    assert {"F32", "F16", "BF16", "I64", "U8", "BOOL", "C64"} <= {dtype.name for dtype in TYPES}


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_type_both_ways(dtype: Dtype, backend: str | None, tmp_path: Path) -> None:
    arrays = sample(dtype)
    tensors = {name: tf.convert_to_tensor(array) for name, array in arrays.items()}
    path = tmp_path / "model.safetensors"
    stf.save_file(tensors, path)
    data = path.read_bytes()
    assert data == stf.save(tensors) == sn.save(arrays)
    for loaded in (
        stf.load_file(path, backend=backend),
        stf.load(data),
        stf.load(data, copy=False),
    ):
        assert loaded.keys() == arrays.keys()
        for name, array in arrays.items():
            assert loaded[name].dtype.name == dtype.numpy
            assert loaded[name].shape == array.shape
            assert loaded[name].numpy().tobytes() == array.tobytes()
    with safetensors.safe_open(path, "tf", backend=backend) as file:
        part = file.get_slice("matrix")[1:, :2]
    assert part.numpy().tobytes() == arrays["matrix"][1:, :2].tobytes()


def test_variables_and_the_callers_dict(tmp_path: Path) -> None:
    """The peer puts numpy arrays into the dict."""
    tensors = {"v": tf.Variable([1.0, 2.0]), "t": tf.constant([3])}
    held = [(name, id(tensor)) for name, tensor in tensors.items()]
    stf.save_file(tensors, tmp_path / "x", metadata={"k": "v"})
    assert held == [(name, id(tensor)) for name, tensor in tensors.items()]
    assert stf.load_file(tmp_path / "x")["v"].numpy().tolist() == [1, 2]


def test_a_later_change_of_the_file_is_not_seen(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    stf.save_file({"a": tf.ones(1 << 18)}, path)
    loaded = stf.load_file(path)["a"]
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    assert float(tf.reduce_sum(loaded)) == 1 << 18


def test_what_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Expected a dict of \[str, tf\.Tensor\]"):
        stf.save([tf.zeros(1)])
    with pytest.raises(ValueError, match=r"Key `a` is invalid, expected tf\.Tensor"):
        stf.save({"a": [1.0]})
    with pytest.raises(safetensors.DtypeError, match="tensor `bad`"):
        stf.save({"bad": tf.zeros(1, tf.complex128)})
    with pytest.raises(safetensors.SafetensorError, match="header too small"):
        stf.load(b"")


def test_the_streaming_writer_takes_tensors(tmp_path: Path) -> None:
    tensors = {"a": tf.ones((2, 2), tf.bfloat16), "b": tf.constant([1, 2])}
    with safetensors.stream_file(tmp_path / "x", tensors) as writer:
        for name, tensor in tensors.items():
            writer.write(name, tensor)
    assert (tmp_path / "x").read_bytes() == stf.save(tensors)


def test_private_helpers_make_new_dicts() -> None:
    arrays = {"a": np.arange(3)}
    tensors = stf._np2tf(arrays)
    assert isinstance(tensors["a"], tf.Tensor)
    assert isinstance(arrays["a"], np.ndarray)
    assert stf._tf2np(tensors)["a"].tolist() == [0, 1, 2]
    assert isinstance(tensors["a"], tf.Tensor)
