"""Handles on file objects: by their descriptor where there is one, else by read and seek."""

from __future__ import annotations

import gc
import gzip
import io
import os
import tarfile
import threading
import weakref
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError, _safe_open_handle
from samples import encode, numbers, raw

TENSORS = {"b": numbers((2, 3)), "a": numbers((40,)), "none": numbers((0, 3))}
DATA = encode(TENSORS, {"k": "v"})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A small file."""
    file = tmp_path / "x.safetensors"
    file.write_bytes(DATA)
    return file


def assert_readable(handle: Any) -> None:
    """A handle reads the file, in every way that there is."""
    assert handle.keys() == sorted(TENSORS)
    assert handle.metadata() == {"k": "v"}
    for name, array in handle.get_tensors().items():
        assert array.tobytes() == TENSORS[name].data
        assert handle.get_tensor(name).tobytes() == TENSORS[name].data
    assert handle.get_slice("b")[:, 1].tolist() == [1.0, 4.0]


class Remote:
    """A file object without a descriptor, as a library for far files has it; counts its reads."""

    def __init__(self, data: bytes = DATA) -> None:
        self.inner = io.BytesIO(data)
        self.reads: list[tuple[int, int]] = []

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.inner.seek(offset, whence)

    def read(self, size: int = -1) -> Any:
        self.reads.append((self.inner.tell(), size))
        return self.inner.read(size)


# ---- descriptors ----


@pytest.mark.parametrize("mode", ["rb", "r", "r+b"])
@pytest.mark.parametrize("backend", [None, "mmap", "pread"])
def test_a_file_in_any_mode(path: Path, mode: str, backend: str | None) -> None:
    with path.open(mode) as file:
        handle = _safe_open_handle(file, "np", "cpu", backend=backend)
    assert_readable(handle)


def test_the_position_does_not_move(path: Path) -> None:
    with path.open("rb") as file:
        file.seek(5)
        assert_readable(_safe_open_handle(file, "np"))
        assert file.tell() == 5


def test_the_descriptor_is_used_and_never_read(path: Path) -> None:
    class Guarded:
        def __init__(self) -> None:
            self.file = path.open("rb")

        def fileno(self) -> int:
            return self.file.fileno()

        def read(self, size: int = -1) -> bytes:
            raise AssertionError("read was called")

        seek = tell = read

    assert_readable(_safe_open_handle(Guarded(), "np"))


def test_a_descriptor_that_is_no_file() -> None:
    end, other = os.pipe()
    with os.fdopen(end, "rb") as file, os.fdopen(other, "wb"):
        with pytest.raises(OSError, match="no regular file"):
            _safe_open_handle(file, "np")


def test_a_closed_file_object(path: Path) -> None:
    file = path.open("rb")
    file.close()
    with pytest.raises(ValueError, match="closed"):
        _safe_open_handle(file, "np")


def test_what_fileno_raises_or_returns_passes() -> None:
    class Wrong(Remote):
        def __init__(self, answer: Any) -> None:
            super().__init__()
            self.answer = answer

        def fileno(self) -> Any:
            if isinstance(self.answer, BaseException):
                raise self.answer
            return self.answer

    with pytest.raises(ZeroDivisionError, match="mine"):
        _safe_open_handle(Wrong(ZeroDivisionError("mine")), "np")
    with pytest.raises(PermissionError, match="mine"):
        _safe_open_handle(Wrong(PermissionError("mine")), "np")
    with pytest.raises((TypeError, ValueError)):
        _safe_open_handle(Wrong("3"), "np")
    with pytest.raises(ValueError, match="negative"):
        _safe_open_handle(Wrong(-1), "np")
    for none in (io.UnsupportedOperation(), NotImplementedError(), AttributeError()):
        assert_readable(_safe_open_handle(Wrong(none), "np"))


@pytest.mark.parametrize("wrong", [3, "x", None, object()])
def test_what_is_no_file_object(wrong: object) -> None:
    with pytest.raises(AttributeError, match="fileno"):
        _safe_open_handle(wrong, "np")


# ---- read and seek ----


@pytest.mark.parametrize("kind", [io.BytesIO, Remote])
@pytest.mark.parametrize("backend", [None, "pread"])
def test_a_file_without_descriptor(kind: Callable[[bytes], Any], backend: str | None) -> None:
    assert_readable(_safe_open_handle(kind(DATA), "np", backend=backend))


def test_it_cannot_be_mapped() -> None:
    with pytest.raises(SafetensorError):
        _safe_open_handle(Remote(), "np", backend="mmap")


def test_members_of_archives(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("m", DATA)
    with zipfile.ZipFile(tmp_path / "x.zip") as archive, archive.open("m") as file:
        assert_readable(_safe_open_handle(file, "np"))
    with tarfile.open(tmp_path / "x.tar", "w") as tar:
        member = tarfile.TarInfo("m")
        member.size = len(DATA)
        tar.addfile(member, io.BytesIO(DATA))
    with tarfile.open(tmp_path / "x.tar") as tar:
        assert_readable(_safe_open_handle(tar.extractfile("m"), "np"))


def test_files_of_fsspec(path: Path) -> None:
    """One in memory, one on the disk, and one that is fetched block by block."""
    fsspec = pytest.importorskip("fsspec")
    from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

    class Fetched(AbstractBufferedFile):  # type: ignore[misc]
        def _fetch_range(self, start: int, end: int) -> bytes:
            return DATA[start:end]

    far = Fetched(AbstractFileSystem(), "far", "rb", block_size=16, size=len(DATA))
    memory = fsspec.filesystem("memory")
    memory.pipe("/x.safetensors", DATA)
    for file in (memory.open("/x.safetensors"), fsspec.open(path).open(), far):
        with file, _safe_open_handle(file, "np") as handle:
            assert_readable(handle)


def test_a_compressed_file_is_refused_by_its_descriptor(tmp_path: Path) -> None:
    (tmp_path / "x.gz").write_bytes(gzip.compress(DATA))
    with gzip.open(tmp_path / "x.gz") as file, pytest.raises(SafetensorError):
        _safe_open_handle(file, "np")


def test_only_what_is_asked_for_is_read() -> None:
    file = Remote(encode({"large": numbers((1 << 20,)), "small": numbers((10,))}))
    handle = _safe_open_handle(file, "np")
    file.reads.clear()
    assert handle.get_tensor("small").tolist() == list(range(10))
    assert sum(size for _, size in file.reads) == 40
    file.reads.clear()
    assert handle.get_slice("large")[1000:1010].tolist() == list(range(1000, 1010))
    assert sum(size for _, size in file.reads) < 1 << 16


def test_short_reads_are_continued() -> None:
    class Slow(Remote):
        def read(self, size: int = -1) -> bytes:
            return super().read(min(size, 7))

    assert_readable(_safe_open_handle(Slow(), "np"))


def test_read_may_return_any_buffer_and_seek_nothing() -> None:
    class Odd(Remote):
        def seek(self, offset: int, whence: int = 0) -> Any:
            super().seek(offset, whence)

        def tell(self) -> int:
            return self.inner.tell()

        def read(self, size: int = -1) -> Any:
            return memoryview(bytearray(super().read(size)))

    assert_readable(_safe_open_handle(Odd(), "np"))


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (lambda size: "x" * size, TypeError),
        (lambda size: None, TypeError),
        (lambda size: 5, TypeError),
        (lambda size: bytes(size + 1), OSError),
        (lambda size: b"", SafetensorError),
    ],
)
def test_reads_that_lie(answer: Callable[[int], Any], kind: type[Exception]) -> None:
    class Liar(Remote):
        lying = False

        def read(self, size: int = -1) -> Any:
            return answer(size) if self.lying else super().read(size)

    file = Liar()
    handle = _safe_open_handle(file, "np")
    file.lying = True
    for work in (
        handle.get_tensors,
        lambda: handle.get_tensor("a"),
        lambda: handle.get_slice("a")[3:5],
        lambda: _safe_open_handle(file, "np"),
    ):
        with pytest.raises(kind):
            work()
    file.lying = False
    assert_readable(handle)


def test_a_seek_that_goes_elsewhere() -> None:
    class Lost(Remote):
        def seek(self, offset: int, whence: int = 0) -> int:
            return super().seek(offset, whence) + (whence == 0)

    with pytest.raises(OSError, match="seek"):
        _safe_open_handle(Lost(), "np")


@pytest.mark.parametrize("size", ["x", 1.5, -1, 2**70])
def test_a_size_that_is_none(size: object) -> None:
    class Sizeless(Remote):
        def seek(self, offset: int, whence: int = 0) -> Any:
            return super().seek(offset, whence) if whence == 0 else size

    with pytest.raises((TypeError, OverflowError, SafetensorError)):
        _safe_open_handle(Sizeless(), "np")


class Mine(BaseException):
    """An exception that nothing else raises."""


@pytest.mark.parametrize("method", ["read", "seek"])
def test_what_the_object_raises_passes(method: str) -> None:
    class Broken(Remote):
        broken = False

        def read(self, size: int = -1) -> Any:
            if self.broken and method == "read":
                raise Mine("here")
            return super().read(size)

        def seek(self, offset: int, whence: int = 0) -> int:
            if self.broken and method == "seek":
                raise Mine("here")
            return super().seek(offset, whence)

    file = Broken()
    handle = _safe_open_handle(file, "np")
    part = handle.get_slice("a")
    file.broken = True
    for work in (
        handle.get_tensors,
        lambda: handle.get_tensor("a"),
        lambda: part[3:5],
        lambda: _safe_open_handle(file, "np"),
    ):
        with pytest.raises(Mine, match="here"):
            work()


def test_a_broken_file_is_named() -> None:
    file = io.BytesIO(raw(b"{"))
    with pytest.raises(SafetensorError, match="InvalidHeaderDeserialization") as caught:
        _safe_open_handle(file, "np")
    assert "BytesIO" in caught.value.file


def test_read_that_uses_its_own_handle() -> None:
    class Circular(Remote):
        handle: Any = None

        def read(self, size: int = -1) -> Any:
            if self.handle is not None:
                self.handle.get_tensor("a")
            return super().read(size)

    file = Circular()
    handle = file.handle = _safe_open_handle(file, "np")
    with pytest.raises(RuntimeError, match="uses the handle"):
        handle.get_tensor("b")
    file.handle = None


def test_threads_take_turns() -> None:
    """A seek of one thread never moves the read of another."""
    busy = threading.Lock()

    class Checked(Remote):
        def seek(self, offset: int, whence: int = 0) -> int:
            assert whence == 2 or busy.acquire(blocking=False)
            return super().seek(offset, whence)

        def read(self, size: int = -1) -> Any:
            data = super().read(size)
            threading.Event().wait(0.0001)
            busy.release()
            return data

    handle = _safe_open_handle(
        Checked(encode({str(n): numbers((n + 1,)) for n in range(20)})), "np"
    )
    failures: list[BaseException] = []

    def read() -> None:
        try:
            for n in range(20):
                assert handle.get_tensor(str(n)).tolist() == list(range(n + 1))
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_the_object_lives_as_long_as_it_is_needed() -> None:
    file = Remote()
    seen = weakref.ref(file)
    with _safe_open_handle(file, "np") as handle:
        part = handle.get_slice("a")
        array = handle.get_tensor("a")
    del file, handle
    gc.collect()
    assert seen() is not None
    assert part[1:3].tolist() == [1.0, 2.0]
    del part
    gc.collect()
    assert seen() is None
    assert np.array_equal(array, np.arange(40))
