"""Saving and loading for numpy: every type, every memory order, own memory, shards, errors."""

from __future__ import annotations

import contextlib
import json
import mmap
import tracemalloc
import types
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
import safetensors.numpy as sn
from samples import DTYPES, Dtype

ml_dtypes: Any = None
with contextlib.suppress(ImportError):  # not in every environment that the tests run in
    import ml_dtypes

TYPES = [dtype for dtype in DTYPES if dtype.numpy and (ml_dtypes or not dtype.extension)]
BACKENDS = [None, "mmap", "pread"]
needs_ml_dtypes = pytest.mark.skipif(ml_dtypes is None, reason="ml_dtypes is not installed")


def kind_of(dtype: Dtype) -> np.dtype[Any]:
    """numpy's type, or ml_dtypes'."""
    return np.dtype(getattr(ml_dtypes, dtype.numpy) if dtype.extension else dtype.numpy)


def wrong(value: object) -> Any:
    """What the type of an argument forbids."""
    return value


def sample(dtype: Dtype) -> dict[str, np.ndarray]:
    """Arrays of a type: a matrix, a scalar, and without elements in two ways."""
    kind = kind_of(dtype)
    data = np.arange(96, dtype=np.uint8) % (2 if dtype.name == "BOOL" else 100)
    full = data[: 12 * kind.itemsize].view(kind)
    return {
        "matrix": full.reshape(3, 4),
        "scalar": full[5].reshape(()),
        "empty": full[:0],
        "no rows": np.zeros((0, 4), kind),
    }


def assert_same(loaded: dict[str, np.ndarray], arrays: dict[str, np.ndarray]) -> None:
    """The same names, types, shapes and bytes."""
    assert loaded.keys() == arrays.keys()
    for name, array in arrays.items():
        assert loaded[name].dtype == array.dtype
        assert loaded[name].shape == array.shape
        assert loaded[name].tobytes() == array.tobytes()


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.name)
@pytest.mark.parametrize("backend", BACKENDS)
def test_every_type_both_ways(dtype: Dtype, backend: str | None, tmp_path: Path) -> None:
    arrays = sample(dtype)
    path = tmp_path / "model.safetensors"
    sn.save_file(arrays, path)
    data = path.read_bytes()
    assert data == sn.save(arrays)
    assert_same(sn.load_file(path, backend=backend), arrays)
    assert_same(sn.load(data), arrays)
    assert_same(sn.load(data, copy=False), arrays)
    with safetensors.safe_open(path, "np", backend=backend) as file:
        assert file.get_slice("matrix").get_dtype() == dtype.name
        assert file.get_slice("matrix")[1:, 1].tobytes() == arrays["matrix"][1:, 1].tobytes()


@pytest.mark.parametrize("dtype", TYPES, ids=lambda dtype: dtype.name)
def test_getdtype_and_view2np_know_every_type(dtype: Dtype) -> None:
    assert np.dtype(sn._getdtype(dtype.name)) == kind_of(dtype)
    arrays = sample(dtype)
    assert_same(sn._view2np(safetensors.deserialize(sn.save(arrays))), arrays)


def test_getdtype_of_a_type_that_there_is_not() -> None:
    with pytest.raises(KeyError, match="F6_E2M3"):
        sn._getdtype("F6_E2M3")


ORDERS = {
    "Fortran": lambda a: np.asfortranarray(a),
    "transposed": lambda a: a.T,
    "every other": lambda a: a[::2, 1::2],
    "backwards": lambda a: a[::-1, ::-1],
    "broadcast": lambda a: np.broadcast_to(a[0], (5, 6)),
    "big-endian": lambda a: a.astype(">f4"),
    "big-endian Fortran": lambda a: np.asfortranarray(a.astype(">f4")),
    "unaligned": lambda a: (
        np.frombuffer(b"\0" + a.tobytes(), np.uint8)[1:].view("<f4").reshape(a.shape)
    ),
    "read-only": lambda a: np.frombuffer(a.tobytes(), np.float32).reshape(a.shape),
    "a subclass": lambda a: a.view(type("Marked", (np.ndarray,), {})),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("limit", [0, 1 << 30], ids=["one by one", "at once"])
def test_any_memory_order_is_saved_as_it_reads(
    order: Any, limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peer writes the memory as it lies: garbage under the right shape."""
    monkeypatch.setattr(sn, "_COPY_LIMIT", limit)
    array = order(np.arange(30, dtype=np.float32).reshape(5, 6))
    before = array.copy()
    plain = np.array(before, dtype="<f4", order="C")
    data = sn.save({"a": array, "b": np.array([1], np.int8)}, {"k": "v"})
    assert data == sn.save({"a": plain, "b": np.array([1], np.int8)}, {"k": "v"})
    sn.save_file({"a": array, "b": np.array([1], np.int8)}, tmp_path / "x", {"k": "v"})
    assert (tmp_path / "x").read_bytes() == data
    assert np.array_equal(array, before)
    assert np.array_equal(sn.load(data)["a"], before)


@pytest.mark.parametrize("name", [">i2", ">u8", ">f8", ">c8", ">f2"])
def test_big_endian_arrays_of_every_width(name: str) -> None:
    array = np.arange(6).astype(name).reshape(2, 3)
    loaded = sn.load(sn.save({"a": array, "t": array.T}))
    assert np.array_equal(loaded["a"], array)
    assert np.array_equal(loaded["t"], array.T)
    assert loaded["a"].dtype == array.dtype.newbyteorder("<")


@needs_ml_dtypes
@pytest.mark.parametrize("limit", [0, 1 << 30], ids=["one by one", "at once"])
def test_types_of_ml_dtypes_in_any_memory_order(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sn, "_COPY_LIMIT", limit)
    array = np.arange(6, dtype=np.float32).reshape(2, 3).astype(ml_dtypes.bfloat16)
    arrays = {"t": array.T, "every other": array[:, ::2], "one": array[0, 0]}
    sn.save_file(arrays, tmp_path / "x")
    assert (tmp_path / "x").read_bytes() == sn.save(arrays)
    assert_same(sn.load_file(tmp_path / "x"), {name: np.array(a) for name, a in arrays.items()})


def test_large_copies_are_made_one_at_a_time(tmp_path: Path) -> None:
    arrays = {f"a{i}": np.zeros((1024, 4096), np.float32).T for i in range(6)}
    tracemalloc.start()
    sn.save_file(arrays, tmp_path / "x")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 40 << 20
    assert sn.load_file(tmp_path / "x")["a5"].shape == (4096, 1024)


@pytest.mark.parametrize("limit", [0, 1 << 30], ids=["one by one", "at once"])
def test_durable_and_aligned_files(
    limit: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sn, "_COPY_LIMIT", limit)
    arrays = {"a": np.arange(6).reshape(2, 3).T}
    sn.save_file(arrays, tmp_path / "x", durable=True, alignment=4096)
    data = (tmp_path / "x").read_bytes()
    assert (8 + int.from_bytes(data[:8], "little")) % 4096 == 0
    assert_same(sn.load(data), arrays)
    with pytest.raises(safetensors.SafetensorError, match="alignment"):
        sn.save_file(arrays, tmp_path / "y", alignment=3)


def test_neither_dict_nor_arrays_are_changed(tmp_path: Path) -> None:
    arrays = {"b": np.arange(3).astype(">i4"), "a": np.zeros((2, 3), order="F")}
    metadata = {"k": "v"}
    held = [(name, id(array), array.dtype.str, array.strides) for name, array in arrays.items()]
    sn.save(arrays, metadata)
    sn.save_file(arrays, tmp_path / "x", metadata)
    assert held == [
        (name, id(array), array.dtype.str, array.strides) for name, array in arrays.items()
    ]
    assert metadata == {"k": "v"}


def test_what_is_like_a_dict_or_an_array_will_do() -> None:
    plain = sn.save({"a": np.float32(1.5).reshape(()), "b": np.arange(2)})
    like = types.MappingProxyType({"a": np.float32(1.5), "b": np.arange(2)})
    assert sn.save(like) == plain


def test_what_is_not_a_dict_of_arrays() -> None:
    with pytest.raises(ValueError, match=r"Expected a dict of \[str, np\.ndarray\]"):
        sn.save(wrong([np.zeros(1)]))
    with pytest.raises(ValueError, match=r"Key `a` is invalid, expected np\.ndarray"):
        sn.save(wrong({"a": [1.0]}))
    with pytest.raises(TypeError, match="tensor_dict"):
        sn.save(wrong({1: np.zeros(1)}))


@pytest.mark.parametrize(
    "array",
    [
        np.zeros(2, np.complex128),
        np.array([None]),
        np.array(["text"]),
        np.zeros(2, "M8[s]"),
        np.zeros(2, [("x", "i4")]),
        np.zeros(2, "V3"),
    ],
    ids=lambda array: array.dtype.name,
)
def test_types_that_the_format_lacks(array: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(safetensors.DtypeError, match=r"tensor `bad`.*astype") as caught:
        sn.save_file({"ok": np.zeros(1), "bad": array}, tmp_path / "x")
    assert caught.value.tensor == "bad"
    assert not list(tmp_path.iterdir())


@needs_ml_dtypes
@pytest.mark.parametrize("name", ["int4", "float8_e3m4", "float4_e2m1fn", "float6_e2m3fn"])
def test_types_of_ml_dtypes_that_the_format_lacks(name: str) -> None:
    array = np.zeros(4, getattr(ml_dtypes, name))
    with pytest.raises(safetensors.DtypeError, match=f"`bad` has the type {name}"):
        sn.save({"bad": array})


def test_arrays_of_a_file_have_memory_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    sn.save_file({"a": np.zeros(5000), "b": np.ones(3)}, path)
    loaded = sn.load_file(path)
    with path.open("r+b") as file:
        file.write(b"\xff" * path.stat().st_size)
    assert not loaded["a"].any()
    loaded["a"][:] = 7
    assert loaded["b"].tolist() == [1, 1, 1]


def test_mapped_arrays_may_be_written_to_but_never_change_the_file(tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    sn.save_file({"a": np.zeros(5000)}, path)
    before = path.read_bytes()
    mapped = sn.load_file(path, backend="mmap")["a"]
    mapped += 1
    assert mapped.sum() == 5000
    assert path.read_bytes() == before


def test_load_takes_any_buffer(tmp_path: Path) -> None:
    data = sn.save({"a": np.arange(10)})
    (tmp_path / "x").write_bytes(data)
    with (tmp_path / "x").open("rb") as file:
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        array = np.frombuffer(data, np.uint8)
        buffers: list[Any] = [data, bytearray(data), memoryview(data), mapped, array]
        for buffer in buffers:
            loaded = sn.load(buffer)["a"]
            assert loaded.tolist() == list(range(10))
            assert loaded.flags.writeable
    with pytest.raises(TypeError):
        sn.load(wrong("text"))


def test_load_without_a_copy_is_a_view() -> None:
    data = sn.save({"a": np.zeros(4, np.uint8)})
    view = sn.load(data, copy=False)["a"]
    assert not view.flags.writeable
    changing = bytearray(data)
    view = sn.load(changing, copy=False)["a"]
    changing[-4:] = b"\1\2\3\4"
    assert view.tolist() == [1, 2, 3, 4]
    view[0] = 9
    assert changing[-4] == 9


def test_load_file_takes_an_index_or_a_folder(tmp_path: Path) -> None:
    sn.save_file({"a": np.arange(3)}, tmp_path / "one.safetensors")
    sn.save_file({"b": np.arange(4)}, tmp_path / "two.safetensors")
    index = {"metadata": {}, "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}
    (tmp_path / "model.safetensors.index.json").write_text(json.dumps(index))
    for path in (tmp_path, tmp_path / "model.safetensors.index.json"):
        assert_same(sn.load_file(path), {"a": np.arange(3), "b": np.arange(4)})


def test_a_missing_file_and_a_broken_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"No such file or directory: .*absent"):
        sn.load_file(tmp_path / "absent")
    with pytest.raises(safetensors.SafetensorError, match="Error while deserializing: header too"):
        sn.load(b"1234567")


def test_packed_floats_are_refused_by_name() -> None:
    header = {"odd": {"dtype": "F4", "shape": [4], "data_offsets": [0, 2]}}
    text = json.dumps(header).encode()
    with pytest.raises(safetensors.SafetensorError, match="odd") as caught:
        sn.load(len(text).to_bytes(8, "little") + text + bytes(2))
    assert "F4" in str(caught.value)


def test_private_helpers_that_programs_use() -> None:
    assert sn._is_little_endian(np.zeros(1, "<f4"))
    assert sn._is_little_endian(np.zeros(1, np.int8))
    assert not sn._is_little_endian(np.zeros(1, ">f4"))
    assert sn._tobytes(np.array([1, 2], ">i2")) == b"\1\0\2\0"
    keep: list[Any] = []
    arrays = {"a": np.array([1, 2], ">i2")}
    specs = sn._flatten(arrays, keep)
    assert safetensors.serialize(specs) == sn.save(arrays)
