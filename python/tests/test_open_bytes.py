"""Files in memory: with a copy, and in the caller's own buffer."""

from __future__ import annotations

import array
import gc
import mmap
import re
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError
from safetensors._sft import open_bytes
from samples import encode, numbers, raw

TENSORS = {"b": numbers((2, 3)), "a": numbers((40,)), "none": numbers((0, 3))}
DATA = encode(TENSORS, {"k": "v"})
BUFFERS: dict[str, Callable[[bytes], Any]] = {
    "bytes": bytes,
    "bytearray": bytearray,
    "memoryview": memoryview,
    "array": lambda data: array.array("B", data),
    "numpy": lambda data: np.frombuffer(data, np.uint8),
}


@pytest.mark.parametrize("copy", [True, False])
@pytest.mark.parametrize("buffer", BUFFERS)
def test_every_buffer(buffer: str, copy: bool) -> None:
    with open_bytes(BUFFERS[buffer](DATA), "np", copy=copy) as f:
        assert f.keys() == sorted(TENSORS)
        assert f.metadata() == {"k": "v"}
        every = f.get_tensors()
        for name, tensor in TENSORS.items():
            assert every[name].tobytes() == tensor.data
            assert every[name].shape == tensor.shape
            assert f.get_tensor(name).tobytes() == tensor.data
        assert f.get_slice("b")[:, 1].tolist() == [1.0, 4.0]


def test_a_copy_is_writable_and_apart() -> None:
    data = bytearray(DATA)
    with open_bytes(data, "np") as f:
        one, every = f.get_tensor("a"), f.get_tensors()
    one[:] = -1
    every["b"][:] = -2
    assert bytes(data) == DATA
    data[:] = bytes(len(data))
    assert one.tolist() == [-1.0] * 40
    assert every["a"].tolist() == list(range(40))


def test_views_of_what_is_read_only_are_read_only() -> None:
    with open_bytes(DATA, "np", copy=False) as f:
        for one in (f.get_tensor("a"), f.get_tensors()["a"]):
            assert not one.flags.writeable
            with pytest.raises(ValueError, match="read-only"):
                one[0] = 1


def test_views_share_a_writable_buffer() -> None:
    data = bytearray(DATA)
    with open_bytes(data, "np", copy=False) as f:
        one = f.get_tensor("a")
    one[0] = 77
    assert bytes(data) != DATA
    with open_bytes(data, "np") as f:
        assert f.get_tensor("a")[0] == 77


def test_the_buffer_is_held_until_the_last_view_is_gone() -> None:
    data = bytearray(DATA)
    f = open_bytes(data, "np", copy=False)
    view, part = f.get_tensor("a"), f.get_slice("a")
    f.__exit__(None, None, None)
    with pytest.raises(BufferError):
        data.append(0)
    del view
    with pytest.raises(BufferError):
        data.append(0)
    del part
    gc.collect()
    data.append(0)


def test_a_copy_lets_the_buffer_go() -> None:
    class Bytes(bytearray):
        pass

    data = Bytes(DATA)
    seen = weakref.ref(data)
    with open_bytes(data, "np") as f:
        one = f.get_tensor("a")
    del data
    gc.collect()
    assert seen() is None
    assert one.tolist() == list(range(40))


def test_a_mapping(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(DATA)
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapping:
        with open_bytes(mapping, "np") as f:
            assert f.get_tensor("a").tolist() == list(range(40))


@pytest.mark.parametrize("wrong", ["text", 3, None, ["x"]])
def test_what_is_no_buffer(wrong: object) -> None:
    with pytest.raises(TypeError, match="bytes-like"):
        open_bytes(wrong, "np")


def test_a_buffer_with_gaps() -> None:
    with pytest.raises(BufferError):
        open_bytes(memoryview(DATA)[::2], "np")


@pytest.mark.parametrize("data", [b"", b"1234567", raw(b"{"), DATA[:-1], DATA + b"x"])
def test_a_defect_says_that_it_deserialized(data: bytes) -> None:
    with pytest.raises(SafetensorError) as caught:
        open_bytes(data, "np")
    assert re.fullmatch(r"Error while deserializing: .* \(\w+\)", str(caught.value))
    assert caught.value.code is not None


def test_wrong_arguments() -> None:
    with pytest.raises(SafetensorError, match="framework x is invalid"):
        open_bytes(DATA, "x")
    with pytest.raises(SafetensorError, match="device x is invalid"):
        open_bytes(DATA, "np", "x")
    with pytest.raises(TypeError):
        open_bytes(DATA)
