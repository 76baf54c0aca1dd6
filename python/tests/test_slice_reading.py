"""What a slice reads, what it keeps open, and that no index can harm the interpreter."""

from __future__ import annotations

import contextlib
import gc
import io
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors
from safetensors import SafetensorError, safe_open
from samples import encode, numbers, raw

ROWS, COLUMNS = 512, 16384  # 64 KiB a row, 32 MiB in all
BACKENDS = (None, "mmap", "pread")


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One matrix of 32 MiB whose elements count from zero."""
    path: Path = tmp_path_factory.mktemp("reading") / "big.safetensors"
    size = ROWS * COLUMNS * 4
    header = {"m": {"dtype": "I32", "shape": [ROWS, COLUMNS], "data_offsets": [0, size]}}
    path.write_bytes(raw(header, np.arange(ROWS * COLUMNS, dtype="<i4").tobytes()))
    return path


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A small matrix, "m", and a vector, "v"."""
    path = tmp_path / "small.safetensors"
    path.write_bytes(encode({"m": numbers((10, 5)), "v": numbers((7,))}))
    return path


def bytes_read(action: Callable[[], Any]) -> tuple[int, Any]:
    """The bytes that this process asked of files while it did that, and what came of it."""

    def count() -> int:
        return int(Path("/proc/self/io").read_text().split("rchar: ")[1].split()[0])

    if not Path("/proc/self/io").exists():
        pytest.skip("the system does not count the bytes a process reads")
    before = count()
    own = count() - before
    before = count()
    value = action()
    return count() - before - own, value


@pytest.mark.parametrize(
    ("rows", "columns", "runs", "run"),
    [
        (slice(None), slice(0, COLUMNS // 8), ROWS, COLUMNS // 8),
        (slice(None), slice(COLUMNS // 2, COLUMNS // 2 + COLUMNS // 8), ROWS, COLUMNS // 8),
        (slice(100, 108), slice(None), 1, 8 * COLUMNS),
        (-1, slice(10, 20), 1, 10),
        (slice(None, None, 4), slice(None), ROWS // 4, COLUMNS),
        (slice(None), -1, ROWS, 1),
        (slice(3, 3), slice(None), 0, 0),
    ],
)
@pytest.mark.parametrize("framework", ["np", "pt", "flax"])
def test_only_what_is_asked_for(
    big: Path, framework: Any, rows: Any, columns: Any, runs: int, run: int
) -> None:
    """At most a tenth more than the runs of bytes, each rounded to pages."""
    pytest.importorskip({"np": "numpy", "pt": "torch", "flax": "jax"}[framework])
    whole = np.arange(ROWS * COLUMNS, dtype="<i4").reshape(ROWS, COLUMNS)
    with safe_open(big, framework, backend="pread") as file:
        part: Any = file.get_slice("m")
        assert np.asarray(part[0, :1]).tolist() == [0]  # what is imported only now has been read
        read, got = bytes_read(lambda: part[rows, columns])
    assert np.array_equal(np.asarray(got), whole[rows, columns])
    pages = runs * (-(-run * 4 // 4096) + 1) * 4096
    assert np.asarray(got).nbytes <= read <= 1.1 * pages


def test_torch_reads_what_it_narrows(big: Path) -> None:
    """Beside None, bools, dots and lists, numbers and slices save their bytes all the same."""
    torch = pytest.importorskip("torch")
    with safe_open(big, "pt", backend="pread") as file:
        part: Any = file.get_slice("m")
        whole = file.get_tensor("m")
        for index, most in [
            ((None, slice(2, 4)), 2 * COLUMNS),
            ((3, None, slice(5)), 5),
            ((..., True, 7), ROWS * 1024),
            (([5, 9], slice(16)), ROWS * 1024),
            ((slice(8), torch.tensor([1, 2])), 8 * COLUMNS),
            ((torch.tensor([1, 2]), ..., 3), ROWS * 1024),
            ((4, [1, 2, 3]), COLUMNS),
        ]:
            read, got = bytes_read(partial(part.__getitem__, index))
            assert torch.equal(got, whole[index]), index
            assert read <= most * 4 + 4096, index


def refuse(part: Any, index: Any) -> None:
    """Asserts that the index is not taken."""
    with pytest.raises((IndexError, ValueError, TypeError, SafetensorError)):
        part[index]


def test_a_refusal_reads_nothing(big: Path) -> None:
    pytest.importorskip("torch")
    indices: list[Any] = [ROWS, (0, 0, 0), "m", ([0, ROWS],), (0, -COLUMNS - 1), slice(0, 9, -1)]
    for framework in ("pt", "np"):
        with safe_open(big, framework, backend="pread") as file:
            part: Any = file.get_slice("m")
            for index in indices:
                # The first refusal may import what it needs for the message.
                refuse(part, index)
                read, _ = bytes_read(partial(refuse, part, index))
                assert read < 65536, index


def test_numpy_views_of_a_mapping(big: Path) -> None:
    """With backend="mmap" parts lie where the whole lies, strided; they are copied when written."""
    with safe_open(big, "np", backend="mmap") as file:
        whole = file.get_tensor("m")
        part: Any = file.get_slice("m")
        for index in [(slice(2, 9, 3), slice(1, None, 5)), (4,), (..., 7), ...]:
            read, got = bytes_read(partial(part.__getitem__, index))
            assert np.array_equal(got, whole[index])
            assert got.strides == whole[index].strides
            assert got.__array_interface__["data"][0] == whole[index].__array_interface__["data"][0]
            assert read < 4096
        assert isinstance(part[3, 4], np.ndarray)
    before = big.read_bytes()
    view = part[1]
    view[:] = -1
    assert part[1, 0] == -1
    assert big.read_bytes() == before


def test_numpy_parts_of_their_own(small: Path) -> None:
    """By default a part is an array of its own, which may be written to."""
    for backend in (None, "pread"):
        with safe_open(small, "np", backend=backend) as file:
            part: Any = file.get_slice("m")
        first, again = part[2:4], part[2:4]
        first[:] = -1
        assert again.tolist() == [[10, 11, 12, 13, 14], [15, 16, 17, 18, 19]]
        assert again.flags.c_contiguous
        assert again.flags.writeable


def test_torch_views_of_a_mapping(small: Path) -> None:
    """A mapped part shares its bytes with what else is taken of the tensor, never with the file."""
    pytest.importorskip("torch")
    before = small.read_bytes()
    with safe_open(small, "pt", backend="mmap") as file:
        part: Any = file.get_slice("m")
    column = part[:, 1]
    assert column.stride() == (5,)
    column[:] = -1
    assert part[3].tolist() == [15, -1, 17, 18, 19]
    assert small.read_bytes() == before


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("framework", ["np", "pt"])
def test_a_slice_outlives_its_file(small: Path, framework: Any, backend: str | None) -> None:
    if framework == "pt":
        pytest.importorskip("torch")
    with safe_open(small, framework, backend=backend) as file:
        part: Any = file.get_slice("m")
    del file
    gc.collect()
    small.unlink()
    got = part[1:3, ::2]
    del part
    gc.collect()
    assert got.tolist() == [[5, 7, 9], [10, 12, 14]]


class Stream:
    """A file object that is no file of the system: it has no descriptor."""

    def __init__(self, data: bytes) -> None:
        self.data = io.BytesIO(data)
        self.broken = False

    def seek(self, offset: int, whence: int = 0) -> int:
        return self.data.seek(offset, whence)

    def tell(self) -> int:
        return self.data.tell()

    def read(self, size: int = -1) -> bytes:
        if self.broken:
            raise ConnectionResetError("the line is dead")
        return self.data.read(size)


@pytest.mark.parametrize("framework", ["np", "pt"])
def test_file_objects(small: Path, framework: Any) -> None:
    """Of an object that only reads and seeks, as over a network, no more is read than needed."""
    if framework == "pt":
        pytest.importorskip("torch")
    stream = Stream(small.read_bytes())
    part: Any = safetensors._safe_open_handle(stream, framework).get_slice("m")
    assert part[2:4, 1].tolist() == [11, 16]
    assert part[..., -1].tolist() == [4, 9, 14, 19, 24, 29, 34, 39, 44, 49]


def test_a_file_object_that_fails(small: Path) -> None:
    """Its own exception is the one that the user sees."""

    stream = Stream(small.read_bytes())
    part: Any = safetensors._safe_open_handle(stream, "np").get_slice("m")
    stream.broken = True
    with pytest.raises(ConnectionResetError, match="the line is dead"):
        part[0]


@pytest.mark.parametrize("framework", ["np", "pt"])
def test_a_file_that_shrank(small: Path, framework: Any) -> None:
    if framework == "pt":
        pytest.importorskip("torch")
    part: Any = safe_open(small, framework, backend="pread").get_slice("v")
    with small.open("r+b") as file:
        file.truncate(small.stat().st_size - 8)
    assert part[:5].tolist() == [0, 1, 2, 3, 4]
    with pytest.raises((SafetensorError, OSError)) as caught:
        part[5:]
    assert getattr(caught.value, "code", None) == "FILE_SHRANK"


def test_others_run_while_a_part_is_read(big: Path) -> None:
    """A thread makes its way while another reads: the interpreter's lock is not held meanwhile."""
    part: Any = safe_open(big, "np", backend="pread").get_slice("m")
    ticks = 0
    done = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not done.is_set():
            ticks += 1
            time.sleep(0.001)

    other = threading.Thread(target=tick)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(60)  # No switch but where the lock is let go.
    try:
        other.start()
        before = ticks
        for _ in range(20):
            part[:, : COLUMNS // 2]
        progress = ticks - before
    finally:
        done.set()
        sys.setswitchinterval(interval)
        other.join()
    assert progress > 0


# ---- hostile indices ----


class Liar:
    """Another number each time it is asked."""

    def __init__(self, *values: Any) -> None:
        self.values = list(values)

    def __index__(self) -> Any:
        value = self.values.pop(0) if len(self.values) > 1 else self.values[0]
        if isinstance(value, BaseException):
            raise value
        return value


@pytest.mark.parametrize("framework", ["np", "pt"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_numbers_that_change(small: Path, framework: Any, backend: str | None) -> None:
    """Whatever they say, there is a part within the tensor or an exception of the usual kind."""
    if framework == "pt":
        pytest.importorskip("torch")
    part: Any = safe_open(small, framework, backend=backend).get_slice("m")
    # The last is torch's own answer on a tensor, where a number fails that it has asked before.
    usual = (
        SafetensorError,
        ValueError,
        IndexError,
        TypeError,
        ArithmeticError,
        RuntimeError,
        SystemError,
    )
    for values in [(0, 99), (99, 0), (2, -1), (0, 2**70), (1, "a"), (0, RuntimeError("now"))]:
        # Each of them anew, for asking changes them.
        one, two, three, four, five, six, seven, eight, nine = (Liar(*values) for _ in range(9))
        indices: list[Any] = [
            one,
            (slice(two), three),
            (slice(four, 9), None, five),
            (..., slice(six, seven, eight)),
            ([0], nine),
        ]
        for index in indices:
            try:
                got = part[index]
            except usual:
                continue
            assert set(got.reshape(-1).tolist()) <= set(range(50))


def test_a_list_that_changes(small: Path) -> None:
    """An index may empty the list that it stands in."""
    pytest.importorskip("torch")
    part: Any = safe_open(small, "pt", backend="pread").get_slice("m")
    items: list[Any] = [0, 1]

    class Emptying:
        def __index__(self) -> int:
            items.clear()
            return 1

    items.append(Emptying())
    with contextlib.suppress(IndexError, TypeError, ValueError, RuntimeError):
        assert part[items].shape[-1] == 5
    assert part[(0, Emptying())].tolist() == 1
    assert items == []


@pytest.mark.parametrize("framework", ["np", "pt"])
def test_interrupts_pass(small: Path, framework: Any) -> None:
    """Ctrl-C in the middle of an index is not mistaken for a bad index."""
    if framework == "pt":
        pytest.importorskip("torch")
    part: Any = safe_open(small, framework, backend="pread").get_slice("m")
    for index in (
        Liar(KeyboardInterrupt()),
        slice(Liar(KeyboardInterrupt())),
        (0, Liar(SystemExit())),
    ):
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            part[index]


@pytest.mark.parametrize("framework", ["np", "pt"])
def test_very_many_items(small: Path, framework: Any) -> None:
    if framework == "pt":
        pytest.importorskip("torch")
    part: Any = safe_open(small, framework, backend="pread").get_slice("m")
    for item in (0, slice(None), None, ..., True):
        for count in (65, 100_000):
            with pytest.raises((SafetensorError, IndexError, RuntimeError)):
                part[(item,) * count + (0, 0, 0)]


def test_nothing_is_left_behind(small: Path) -> None:
    """Neither a part nor a refusal leaves references or memory."""
    pytest.importorskip("torch")
    for framework in ("np", "pt"):
        part: Any = safe_open(small, framework, backend="pread").get_slice("m")
        indices = [(0, slice(1, 3)), (None, 0), ([0],), 99, (..., 1), "x", slice(0, 2, 0)]
        for index in indices:
            before = sys.getrefcount(index), sys.getrefcount(None), sys.getrefcount(...)
            for _ in range(1000):
                try:
                    part[index]
                except (SafetensorError, IndexError, TypeError, ValueError):
                    continue
            after = sys.getrefcount(index), sys.getrefcount(None), sys.getrefcount(...)
            assert all(abs(a - b) < 100 for a, b in zip(before, after, strict=True)), index


def test_the_object(small: Path) -> None:
    part: Any = safe_open(small, "np").get_slice("m")
    kind = type(part)
    assert kind.__name__ == "PySafeSlice"
    assert part.get_shape() == [10, 5]
    assert part.get_dtype() == "F32"
    assert len({part, part}) == 1
    with pytest.raises(TypeError):
        kind()
    with pytest.raises(TypeError):
        type("Sub", (kind,), {})
    with pytest.raises(TypeError):
        part[0] = 1
    for documented in (kind, kind.get_shape, kind.get_dtype):
        assert documented.__doc__


def test_rows_one_by_one(small: Path) -> None:
    """iter() asks for 0, 1… until it is refused: torch's refusal ends it, the other is raised."""
    torch = pytest.importorskip("torch")
    file = safe_open(small, "pt")
    assert torch.equal(torch.stack(list(iter(file.get_slice("m")))), file.get_tensor("m"))
    rows = iter(safe_open(small, "np").get_slice("v"))
    assert [float(next(rows)) for _ in range(7)] == [0, 1, 2, 3, 4, 5, 6]
    with pytest.raises(SafetensorError, match="index 7 out of bounds"):
        next(rows)
