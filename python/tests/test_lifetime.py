"""What lives how long: nothing grows with use, tensors outlive files, files outlive tensors.

With numpy; test_lifetime_torch.py has the same with torch.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import os
import sys
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from conftest import needs_proc
from operations import Returned
from process import Process
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load, load_file, save, save_file

ROUNDS = 10_000
BACKENDS = (None, "mmap", "pread")
# A sanitizer keeps what is freed for a while and maps memory of its own: that only descriptors can
# be counted. It also makes every call slow.
SANITIZED = "SFT_SANITIZE" in os.environ


class HeapCounts(ctypes.Structure):
    """What the C library counts of its heap: struct mallinfo2."""

    _fields_ = (
        ("arena_and_pieces", ctypes.c_size_t * 4),
        ("mapped", ctypes.c_size_t),
        ("unused", ctypes.c_size_t * 2),
        ("in_use", ctypes.c_size_t),
        ("free_and_top", ctypes.c_size_t * 2),
    )


def heap() -> int:
    """The bytes that the C library has given out; 0 where it does not tell."""
    count = getattr(ctypes.CDLL(None), "mallinfo2", None)
    if count is None:
        return 0
    count.restype = HeapCounts
    counts = count()
    return int(counts.in_use + counts.mapped)


def held() -> dict[str, int]:
    """What this process holds: descriptors, mappings, memory by the system, by C, by Python."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "descriptors": len(os.listdir("/proc/self/fd")),
        "mappings": Path("/proc/self/maps").read_text().count("\n"),
        "bytes": pages * os.sysconf("SC_PAGESIZE"),
        "heap": heap(),
        "blocks": sys.getallocatedblocks(),
    }


def assert_nothing_grows(work: Callable[[], object], rounds: int = ROUNDS) -> None:
    """Does `work` so often, after it has been done often enough to have filled every cache."""
    assert not tracemalloc.is_tracing()
    rounds = min(rounds, 500) if SANITIZED else rounds
    for _ in range(max(rounds // 10, 500)):
        work()
    before = held()
    for _ in range(rounds):
        work()
    after = held()
    grown = {key: after[key] - before[key] for key in before}
    assert grown["descriptors"] == 0, grown
    if SANITIZED:
        return
    assert grown["mappings"] <= 4, grown
    # A single block lost in each round would be `rounds` of them, and of 32 bytes at least; the
    # interpreter's own free lists take a hundred or two before they are full.
    assert grown["blocks"] < rounds // 3, grown
    assert grown["heap"] < rounds * 12 + (16 << 10), grown
    assert grown["bytes"] < 8 << 20, grown


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small file."""
    file = tmp_path / "x.safetensors"
    tensors = {str(n): np.full((4, 3), n, np.float32) for n in range(5)}
    save_file(tensors | {"empty": np.zeros((0, 2))}, file, {"k": "v"})
    return file


@needs_proc
@pytest.mark.parametrize("backend", BACKENDS)
def test_opening_reading_closing(path: Path, backend: str | None) -> None:
    def work() -> None:
        with safe_open(path, "np", backend=backend) as f:
            f.keys(), f.offset_keys(), f.metadata()
            f.get_tensors()
            f.get_tensor("1")
            part = f.get_slice("2")
            part[1:, 2], part.get_shape(), part.get_dtype(), part[...]

    assert_nothing_grows(work)


@needs_proc
def test_handles_that_nobody_closes(path: Path) -> None:
    assert_nothing_grows(lambda: safe_open(path, "np").get_slice("1"))


@needs_proc
def test_loading_and_saving(path: Path) -> None:
    data = path.read_bytes()
    tensors = load(data)

    def work() -> None:
        load(data)
        load(data, copy=False)
        safetensors.deserialize(bytearray(data))
        save(tensors, {"k": "v"})

    assert_nothing_grows(work)


@needs_proc
def test_files(path: Path) -> None:
    tensors = load_file(path)

    def work() -> None:
        save_file(tensors, path, {"k": "v"})
        load_file(path)

    assert_nothing_grows(work, ROUNDS // 5)


@needs_proc
def test_handles_on_files(path: Path) -> None:
    data = path.read_bytes()

    def work() -> None:
        with path.open("rb") as file:
            safetensors._safe_open_handle(file, "np").get_tensors()
        memory = io.BytesIO(data)
        handle = safetensors._safe_open_handle(memory, "np")
        handle.get_tensors(), handle.get_slice("1")[1:]

    assert_nothing_grows(work, ROUNDS // 2)


@needs_proc
def test_streaming(tmp_path: Path) -> None:
    target = tmp_path / "x"
    array = np.arange(6, dtype=np.float32)

    def work() -> None:
        with safetensors.stream_file(target, {"a": ("F32", (6,))}, {"k": "v"}) as writer:
            writer.write("a", array)
        abandoned = safetensors.stream_file(target, {"a": ("F32", (6,))})
        abandoned.abort()
        safetensors.stream_file(target, {"a": ("F32", (6,))})

    assert_nothing_grows(work, ROUNDS // 10)
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


@needs_proc
def test_what_is_refused(path: Path, tmp_path: Path) -> None:
    """An error's path through the code frees what the way without one would have."""
    bad = tmp_path / "bad"
    bad.write_bytes(b"\x40" + bytes(7) + b'{"a": {"dtype": "F32", "shape": [')
    whole = path.read_bytes()

    class Unreadable:
        def read(self, size: int) -> bytes:
            raise KeyError("unreadable")

        def seek(self, offset: int, whence: int = 0) -> int:
            return 100

    calls: list[Callable[[], object]] = [
        lambda: safe_open(bad, "np"),
        lambda: safe_open(tmp_path / "absent", "np"),
        lambda: safe_open(tmp_path, "np"),
        lambda: safe_open(path, "absent"),
        lambda: safe_open(path, "np", device="cuda"),
        lambda: safe_open(path, "np", backend="absent"),
        lambda: safe_open(path, "np").get_tensor("absent"),
        lambda: safe_open(path, "np").get_slice("absent"),
        lambda: safe_open(path, "np").get_slice("1")[100],
        lambda: safe_open(path, "np").get_slice("1")[[1]],
        lambda: safe_open(path, "np").get_slice("1")[1, 2, 3],
        lambda: safetensors._safe_open_handle(Unreadable(), "np"),
        lambda: safetensors.deserialize(whole[:-1]),
        lambda: load(whole + b"x"),
        lambda: save({"a": np.zeros(1), "b": 1}),
        lambda: save({"a": np.zeros(1)}, {"k": 1}),
        lambda: save({"__metadata__": np.zeros(1)}),
        lambda: save_file({"a": np.zeros(1)}, tmp_path / "absent" / "x"),
        lambda: safetensors.TensorSpec(dtype="absent", shape=[1], data_ptr=1, data_len=1),
        lambda: safetensors.TensorSpec(dtype="uint8", shape=[1, "2"], data_ptr=1, data_len=1),
        lambda: safetensors.serialize({"a": {"dtype": "uint8", "shape": [3], "data": b"12"}}),
    ]

    def work() -> None:
        for call in calls:
            with contextlib.suppress(OSError, SafetensorError, TypeError, ValueError, KeyError):
                call()

    assert_nothing_grows(work, ROUNDS // 10)


def test_reference_counts(path: Path) -> None:
    """Of what is passed in, and of the types that the extension looks up."""
    name = "".join(["1"])
    framework = "".join(["n", "p"])
    text = str(path)
    tensors = load_file(path)
    watched = [name, framework, text, tensors, tensors["1"], np.ndarray, np.dtype("f4"), safe_open]
    watched += [safetensors.TensorSpec, SafetensorError]

    def work() -> None:
        with safe_open(text, framework) as f:
            f.get_tensor(name)
            f.get_slice(name)[1]
            f.get_tensors()
            with contextlib.suppress(SafetensorError):
                f.get_tensor("absent")
        save(tensors)

    for _ in range(10):
        work()
    gc.collect()
    before = [sys.getrefcount(thing) for thing in watched]
    for _ in range(1000):
        work()
    gc.collect()
    after = [sys.getrefcount(thing) for thing in watched]
    assert [b - a for a, b in zip(before, after, strict=True) if abs(b - a) > 5] == []


@pytest.mark.parametrize("backend", BACKENDS)
def test_tensors_outlive_everything(path: Path, backend: str | None) -> None:
    """The handle, the file's name, and what stood at its place."""
    f = safe_open(path, "np", backend=backend)
    array, part = f.get_tensor("3"), f.get_slice("2")
    row = part[1]
    f.__exit__(None, None, None)
    del f, part
    path.unlink()
    path.write_bytes(b"something else")
    gc.collect()
    assert (array == 3).all()
    assert (row == 2).all()
    view = array[1:].T
    del array
    gc.collect()
    assert (view == 3).all()


@needs_proc
def test_mapped_files_take_no_descriptor(path: Path) -> None:
    """A program may keep more of them, and of their arrays, than it may have files open."""
    before = held()["descriptors"]
    files = [safe_open(path, "np", backend="mmap") for _ in range(20)]
    arrays = [load_file(path, backend="mmap")["4"] for _ in range(20)]
    shards = safe_open(path.parent, "np", backend="mmap")
    assert held()["descriptors"] == before
    parts = [file.get_slice("4")[1:] for file in [*files, shards]]
    assert all((part == 4).all() for part in [*arrays, *parts])


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_tensor_keeps_the_bytes(path: Path, backend: str | None) -> None:
    kept = load_file(path, backend=backend)["4"]
    gc.collect()
    for _ in range(50):
        load_file(path, backend=backend)
    assert (kept == 4).all()
    kept += 1
    assert (kept == 5).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_writing_to_tensors_changes_no_file(path: Path, backend: str | None) -> None:
    before = path.read_bytes()
    tensors = load_file(path, backend=backend)
    for tensor in tensors.values():
        tensor[...] = 99
    assert path.read_bytes() == before
    assert (load_file(path, backend=backend)["1"] == 1).all()
    assert all((tensor == 99).all() for tensor in tensors.values())


@pytest.mark.parametrize("backend", BACKENDS)
def test_saving_over_a_file_that_is_loaded(path: Path, backend: str | None) -> None:
    """Also with the very tensors that came from it."""
    tensors = load_file(path, backend=backend)
    f = safe_open(path, "np", backend=backend)
    save_file({name: array + 10 for name, array in tensors.items()}, path)
    assert (tensors["1"] == 1).all()
    assert (f.get_tensor("1") == 1).all(), "an open file stays what it was"
    assert (load_file(path, backend=backend)["1"] == 11).all()
    save_file(tensors, path)
    assert (tensors["1"] == 1).all()
    assert (load_file(path)["1"] == 1).all()


def test_arrays_of_their_own_survive_a_truncation(path: Path) -> None:
    """The default for numpy: nothing that happens to the file reaches the arrays."""
    tensors = load_file(path)
    os.truncate(path, 0)
    assert (tensors["1"] == 1).all()


def test_a_cycle_through_a_handle(path: Path) -> None:
    """A file-like object that holds the handle that reads from it."""

    class Memory(io.BytesIO):
        handle: Any

    memory = Memory(path.read_bytes())
    memory.handle = safetensors._safe_open_handle(memory, "np")
    memory.handle.get_tensors()
    gone = weakref.ref(memory)
    del memory
    gc.collect()
    assert gone() is None


def test_a_cycle_through_a_slice(path: Path) -> None:
    class Memory(io.BytesIO):
        part: Any

    memory = Memory(path.read_bytes())
    memory.part = safetensors._safe_open_handle(memory, "np").get_slice("1")
    gone = weakref.ref(memory)
    del memory
    gc.collect()
    assert gone() is None


def test_a_cycle_through_bytes(path: Path) -> None:
    """Bytes that hold the handle that reads from them."""

    class Bytes(bytearray):
        handle: Any

    data = Bytes(path.read_bytes())
    data.handle = safetensors._sft.open_bytes(data, "np")
    data.handle.get_tensors()
    gone = weakref.ref(data)
    del data
    gc.collect()
    assert gone() is None


def test_a_buffer_is_held_only_by_views(path: Path) -> None:
    """A copy lets the bytes go; a view keeps them from being resized."""
    data = bytearray(path.read_bytes())
    copied = load(data)
    data += b"x"
    del data[-1:]
    views = load(data, copy=False)
    with pytest.raises(BufferError):
        data += b"x"
    assert np.array_equal(views["1"], copied["1"])
    del views
    gc.collect()
    data += b"x"


FORK = """
f = safe_open(path, 'np', backend=backend)
array, part = f.get_tensor('large'), f.get_slice('large')
before = f.get_tensors()
child = os.fork()
if child == 0:
    good = 1
    try:
        same = [f.get_tensor('large'), part[...], array, before['large'], f.get_tensors()['large']]
        fresh = sn.load_file(path, backend=backend)['large']
        sn.save_file({'large': fresh}, folder + '/child')
        good = 0 if all((one == fresh).all() for one in same) else 2
        f.__exit__(None, None, None)
        del f, array, part, same, before
        gc.collect()
    finally:
        os._exit(good)
status = os.waitpid(child, 0)[1]
(status, bool((f.get_tensor('large') == array).all()), bool((part[1] == array[1]).all()))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("backend", BACKENDS)
def test_fork(child: Process, tmp_path: Path, backend: str | None) -> None:
    """The child reads, saves and ends; the parent goes on. Threads that read do not hang it."""
    path = tmp_path / "x"
    save_file({"large": np.arange(6 << 20, dtype=np.int32).reshape(2, -1)}, path)
    outcome = child.run(FORK, path=str(path), backend=backend)
    assert outcome == Returned(("tuple", [("int", 0), ("bool", True), ("bool", True)]))


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_interpreter_ends_with_everything_open(
    child: Process, path: Path, backend: str | None
) -> None:
    """Handles, slices and tensors that are still there when Python ends."""
    outcome = child.run(
        "import atexit, builtins\nf = safe_open(path, 'np', backend=backend)\n"
        "builtins.kept = [f, f.get_slice('1'), f.get_tensors(), sn.load_file(path)]\n"
        "atexit.register(lambda: f.get_tensor('1'))\n"
        "threading.current_thread().kept = builtins.kept\n1",
        path=str(path),
        backend=backend,
    )
    assert outcome == Returned(("int", 1))
    process = child.process
    child.close()
    assert process is not None
    assert process.returncode == 0, child.said()
    assert "Error" not in child.said()
