"""NumPy's arrays from an open file: every type, own memory or mapped, large and small."""

from __future__ import annotations

import ctypes
import importlib
import os
import struct
import sys
from pathlib import Path
from random import Random

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from samples import DTYPE, DTYPES, PLAIN, Dtype, Tensor, encode, numbers, random_tensor, raw

BACKENDS = (None, "mmap", "pread")
FRAMEWORKS = ("np", "numpy")
TENSORS = {"b": numbers((2, 3)), "a": numbers((4,)), "none": numbers((0, 3)), "one": numbers(())}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small file with metadata."""
    file = tmp_path / "x.safetensors"
    file.write_bytes(encode(TENSORS, {"k": "v", "z": "\u00e4"}))
    return file


def assert_equal(array: np.ndarray, tensor: Tensor) -> None:
    """An array is this tensor of plain type."""
    assert array.dtype == np.dtype(tensor.dtype.numpy)
    assert array.shape == tensor.shape
    assert array.tobytes() == tensor.data


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("framework", FRAMEWORKS)
@pytest.mark.parametrize("dtype", PLAIN, ids=lambda dtype: dtype.name)
def test_every_plain_type(
    tmp_path: Path, framework: str, backend: str | None, dtype: object
) -> None:
    rng = Random(dtype.name)
    shapes = ((), (3,), (2, 0, 3), (2, 3, 4), (1,) * 20)
    tensors = {str(shape): random_tensor(rng, dtype, shape) for shape in shapes}
    path = tmp_path / "x"
    path.write_bytes(encode(tensors))
    with safe_open(path, framework, backend=backend) as f:
        every = f.get_tensors()
        for name, tensor in tensors.items():
            assert_equal(every[name], tensor)
            assert_equal(f.get_tensor(name), tensor)


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.extension], ids=lambda dtype: dtype.name)
def test_every_type_of_ml_dtypes(tmp_path: Path, dtype: Dtype) -> None:
    extension = pytest.importorskip("ml_dtypes", reason="numpy has these from ml_dtypes alone")
    tensor = random_tensor(Random(1), dtype, (3, 5))
    path = tmp_path / "x"
    path.write_bytes(encode({"x": tensor}))
    with safe_open(path, "np") as f:
        array = f.get_tensor("x")
    assert array.dtype == np.dtype(getattr(extension, dtype.numpy))
    assert (array.shape, array.tobytes()) == (tensor.shape, tensor.data)


def test_a_type_without_ml_dtypes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ml_dtypes", None)
    path = tmp_path / "x"
    path.write_bytes(
        encode({"w": random_tensor(Random(1), DTYPE["BF16"], (2,)), "v": numbers((1,))})
    )
    with safe_open(path, "np") as f:
        with pytest.raises(SafetensorError, match=r"`w` has the type BF16.*pip install ml_dtypes"):
            f.get_tensor("w")
        assert f.get_tensor("v").tolist() == [0.0]


@pytest.mark.parametrize("name", ["F4", "F6_E2M3", "F6_E3M2"])
def test_a_type_that_numpy_lacks(tmp_path: Path, name: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(encode({"w": random_tensor(Random(1), DTYPE[name], (4,))}))
    with safe_open(path, "np") as f:
        for work in (f.get_tensors, lambda: f.get_tensor("w")):
            with pytest.raises(SafetensorError) as caught:
                work()
            assert "`w`" in str(caught.value) and name in str(caught.value)


@pytest.mark.parametrize("backend", BACKENDS)
def test_arrays_are_writable_and_the_file_is_safe(path: Path, backend: str | None) -> None:
    before = path.read_bytes()
    with safe_open(path, "np", backend=backend) as f:
        array = f.get_tensor("b")
        every = f.get_tensors()
    array[:] = -1
    every["a"][:] = -2
    assert array.tolist() == [[-1.0] * 3] * 2
    assert every["a"].tolist() == [-2.0] * 4
    assert_equal(every["one"], TENSORS["one"])
    assert path.read_bytes() == before
    with safe_open(path, "np", backend=backend) as f:
        assert_equal(f.get_tensor("b"), TENSORS["b"])


@pytest.mark.parametrize("backend", [None, "pread"])
def test_read_arrays_are_their_own(path: Path, backend: str | None) -> None:
    with safe_open(path, "np", backend=backend) as f:
        first, second = f.get_tensor("a"), f.get_tensor("a")
        every = f.get_tensors()
        first[:] = -1
        assert_equal(second, TENSORS["a"])
        assert_equal(every["a"], TENSORS["a"])
        with path.open("r+b") as file:
            file.seek(-30, os.SEEK_END)
            file.write(bytes(30))
        assert_equal(second, TENSORS["a"])


def test_mapped_arrays_share_the_mapping(path: Path) -> None:
    with safe_open(path, "np", backend="mmap") as f:
        first, second = f.get_tensor("a"), f.get_tensor("a")
    first[0] = 77
    assert second[0] == 77


@pytest.mark.parametrize("backend", [None, "pread"])
def test_read_arrays_are_aligned(tmp_path: Path, backend: str | None) -> None:
    tensors = {str(n): numbers((n,)) for n in range(1, 40)}
    path = tmp_path / "x"
    path.write_bytes(encode({"odd": Tensor(DTYPE["U8"], (1,), b"x"), **tensors}))
    with safe_open(path, "np", backend=backend) as f:
        arrays = [f.get_tensor("7"), *f.get_tensors().values()]
    assert all(array.ctypes.data % 64 == 0 for array in arrays)


def test_mapped_arrays_say_that_they_are_not_aligned(tmp_path: Path) -> None:
    header = b'{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    path = tmp_path / "x"
    path.write_bytes(raw(header + b" " * (1 - len(header) % 8 + 8), struct.pack("<2f", 1, 2)))
    with safe_open(path, "np", backend="mmap") as f:
        array = f.get_tensor("x")
    assert array.ctypes.data % 4 != 0 and not array.flags.aligned
    assert array.tolist() == [1, 2]
    with safe_open(path, "np") as f:
        assert f.get_tensor("x").flags.aligned


def test_arrays_are_plain(path: Path) -> None:
    with safe_open(path, "np") as f:
        for array in (f.get_tensor("b"), f.get_tensors()["b"]):
            assert type(array) is np.ndarray
            assert array.flags.c_contiguous and array.flags.writeable and not array.flags.owndata
            assert array.base is not None
            assert array.dtype.isnative and array.strides == (12, 4)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_numpy_whose_interface_is_not_known(
    path: Path, monkeypatch: pytest.MonkeyPatch, backend: str | None
) -> None:
    """A table of functions of another version is left alone; numpy.ndarray() does the work."""
    api = ctypes.pythonapi
    api.PyCapsule_New.restype = ctypes.py_object
    api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
    asked = []
    version = ctypes.CFUNCTYPE(ctypes.c_uint)(lambda: asked.append(1) or 0x03000000)
    table = (ctypes.c_void_p * 300)(ctypes.cast(version, ctypes.c_void_p).value)
    inner = "_core" if hasattr(np, "_core") else "core"
    module = importlib.import_module(f"numpy.{inner}._multiarray_umath")
    capsule = api.PyCapsule_New(ctypes.addressof(table), None, None)
    monkeypatch.setattr(module, "_ARRAY_API", capsule)
    with safe_open(path, "np", backend=backend) as f:
        every = f.get_tensors()
        for name, tensor in TENSORS.items():
            assert_equal(every[name], tensor)
            assert_equal(f.get_tensor(name), tensor)
        every["b"][:] = 1
    assert asked


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("shape", [[0] + [1] * 63, [0, 2**62, 2**62]])
def test_a_shape_that_numpy_judges(tmp_path: Path, shape: list[int], backend: str | None) -> None:
    path = tmp_path / "x"
    path.write_bytes(raw({"x": {"dtype": "F32", "shape": shape, "data_offsets": [0, 0]}}))
    try:
        expected: object = np.empty(shape, np.float32).shape
    except ValueError:
        expected = ValueError
    with safe_open(path, "np", backend=backend) as f:
        for get in (lambda: f.get_tensor("x"), lambda: f.get_tensors()["x"]):
            if expected is ValueError:
                with pytest.raises(ValueError, match=r"array|dimensions"):
                    get()
            else:
                assert get().shape == expected


@pytest.mark.parametrize("backend", BACKENDS)
def test_sizes_about_the_blocks(tmp_path: Path, backend: str | None) -> None:
    """Small tensors share memory, large ones have their own: each gets its bytes."""
    sizes = [1, 63, 64, 65, 65535, 65536, 65537, (256 << 10) - 1, 256 << 10, (256 << 10) + 1]
    sizes += [2 << 20, 5 << 20] + [200_000] * 25 + [0]
    rng = Random(3)
    tensors = {str(n): Tensor(DTYPE["U8"], (s,), rng.randbytes(s)) for n, s in enumerate(sizes)}
    path = tmp_path / "x"
    path.write_bytes(encode(tensors))
    with safe_open(path, "np", backend=backend) as f:
        every = f.get_tensors()
        for name, tensor in tensors.items():
            assert_equal(every[name], tensor)
            assert_equal(f.get_tensor(name), tensor)
    for array in every.values():
        array[...] = 7
    assert all((array == 7).all() for array in every.values())


@pytest.mark.parametrize("backend", [None, "pread"])
def test_a_file_that_shrank(path: Path, backend: str | None) -> None:
    with safe_open(path, "np", backend=backend) as f:
        os.truncate(path, path.stat().st_size - 30)
        for work in (f.get_tensors, lambda: f.get_tensor("a")):
            with pytest.raises(SafetensorError) as caught:
                work()
            assert caught.value.code == "FILE_SHRANK"
            assert caught.value.tensor in ("a", "b", "one")


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_hostile_shape(tmp_path: Path, backend: str | None) -> None:
    header = {"x": {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]}}
    path = tmp_path / "x"
    path.write_bytes(raw(header))
    with safe_open(path, "np", backend=backend) as f:
        with pytest.raises((ValueError, OverflowError)):
            f.get_tensor("x")
        with pytest.raises((ValueError, OverflowError)):
            f.get_tensors()


def test_metadata_needs_no_tensor_of_a_known_type(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(encode({"w": random_tensor(Random(1), DTYPE["F6_E3M2"], (4,))}, {"a": "b"}))
    with safe_open(path, "np") as f:
        assert (f.keys(), f.metadata()) == (["w"], {"a": "b"})
        assert f.get_slice("w").get_dtype() == "F6_E3M2"
