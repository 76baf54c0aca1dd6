"""Many threads at once: on one handle, on its slices, on a handle that closes, on one file."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open, serialize_file
from safetensors.numpy import load, load_file, save, save_file

THREADS = 8
BACKENDS = (None, "mmap", "pread")


def together(work: Callable[[int], None], threads: int = THREADS) -> None:
    """Runs `work` with the numbers from 0, each in a thread, begun at once; fails if one does."""
    start = threading.Barrier(threads)
    failures: list[BaseException] = []

    def run(number: int) -> None:
        start.wait()
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=120)
        assert not thread.is_alive(), "a thread hangs"
    if failures:
        raise failures[0]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A file of small tensors and one that is read in several pieces."""
    tensors = {str(n): np.full((50, 7), n, np.int32) for n in range(40)}
    tensors["large"] = np.arange(3 << 20, dtype=np.int32).reshape(3, -1)
    path = tmp_path_factory.mktemp("threads") / "x.safetensors"
    save_file(tensors, path)
    return path, tensors


@pytest.mark.parametrize("backend", BACKENDS)
def test_one_handle_many_readers(model: tuple[Path, dict[str, Any]], backend: str | None) -> None:
    path, tensors = model
    with safe_open(path, "np", backend=backend) as f:

        def read(number: int) -> None:
            for turn in range(60):
                name = str((number * 7 + turn) % 40)
                assert np.array_equal(f.get_tensor(name), tensors[name])
                assert np.array_equal(f.get_slice(name)[1:3, ::2], tensors[name][1:3, ::2])
                assert len(f.keys()) == 41
            if number < 2:
                loaded = f.get_tensors()
                assert all(np.array_equal(loaded[name], tensors[name]) for name in tensors)

        together(read)


@pytest.mark.parametrize("backend", BACKENDS)
def test_closing_while_others_read(model: tuple[Path, dict[str, Any]], backend: str | None) -> None:
    """A reader gets its tensor, or hears that the file is closed; what it has stays good."""
    path, tensors = model
    for _ in range(15):
        f = safe_open(path, "np", backend=backend)
        reading = threading.Barrier(THREADS + 1)

        def read(number: int, f: Any = f, reading: threading.Barrier = reading) -> None:
            if number == 0:
                reading.wait()
                f.__exit__(None, None, None)
                return
            kept = []
            reading.wait()
            try:
                for turn in range(1000):
                    name = str((number * 5 + turn) % 40)
                    kept.append((name, f.get_tensor(name), f.get_slice(name)))
                    f.metadata(), f.offset_keys()
            except SafetensorError as error:
                kept.append(("", str(error), None))
            assert kept[-1][0] or kept[-1][1] == "File is closed"
            for name, array, part in kept:
                if part is not None:
                    assert np.array_equal(array, tensors[name])
                    assert np.array_equal(part[2], tensors[name][2])

        together(read, THREADS + 1)


@pytest.mark.parametrize("backend", BACKENDS)
def test_slices_after_the_file_is_closed(
    model: tuple[Path, dict[str, Any]], backend: str | None
) -> None:
    path, tensors = model
    with safe_open(path, "np", backend=backend) as f:
        slices = {name: f.get_slice(name) for name in tensors}

    def read(number: int) -> None:
        for turn in range(100):
            name = str((number + turn) % 40)
            assert np.array_equal(slices[name][turn % 50], tensors[name][turn % 50])
        assert np.array_equal(slices["large"][:, 5:9], tensors["large"][:, 5:9])

    together(read)


@pytest.mark.parametrize("backend", BACKENDS)
def test_the_last_hold_is_dropped_anywhere(
    model: tuple[Path, dict[str, Any]], backend: str | None
) -> None:
    """Tensors of one file die in other threads than the one that made them."""
    path, tensors = model
    loaded = [load_file(path, backend=backend) for _ in range(THREADS)]

    def drop(number: int) -> None:
        for turn in range(40):
            for own in (number, (number + 1) % THREADS):
                array = loaded[own].pop(str(turn), None)
                assert array is None or array[0, 0] == turn
        large = loaded[number].pop("large")
        assert np.array_equal(large[1], tensors["large"][1])

    together(drop)


def test_saving_while_others_load(tmp_path: Path) -> None:
    """Every load sees one of the files whole, never a part of one."""
    path = tmp_path / "x"

    def content(number: int) -> dict[str, Any]:
        return {str(n): np.full(2000, number, np.int64) for n in range(5)}

    save_file(content(0), path, {"number": "0"})
    done = threading.Event()

    def work(number: int) -> None:
        if number < 2:
            for turn in range(60):
                save_file(content(turn), path, {"number": str(turn)})
            done.set()
            return
        backend = BACKENDS[number % 3]
        while not done.is_set():
            with safe_open(path, "np", backend=backend) as f:
                metadata = f.metadata()
                tensors = f.get_tensors()
            assert metadata is not None
            for tensor in tensors.values():
                assert (tensor == int(metadata["number"])).all()

    together(work)
    assert [file.name for file in tmp_path.iterdir()] == ["x"]


def test_each_its_own_file(tmp_path: Path) -> None:
    def work(number: int) -> None:
        path = tmp_path / str(number)
        for turn in range(30):
            tensors = {f"{number} {n}": np.full((3, 4), turn + n) for n in range(10)}
            save_file(tensors, path)
            loaded = load_file(path, backend=BACKENDS[turn % 3])
            assert all(np.array_equal(loaded[name], tensors[name]) for name in tensors)
            again = load(save(tensors))
            assert sorted(again) == sorted(tensors)

    together(work)


def test_errors_in_many_threads(tmp_path: Path) -> None:
    """The exception of one thread has nothing of another's."""

    def work(number: int) -> None:
        path = tmp_path / f"{number}.absent"
        for _ in range(200):
            with pytest.raises(FileNotFoundError, match=f"{number}.absent"):
                safe_open(path, "np")
            with pytest.raises(TypeError):
                serialize_file({"a": number}, path)

    together(work)


def test_one_slice_object_in_many_threads(model: tuple[Path, dict[str, Any]]) -> None:
    path, tensors = model
    part = safe_open(path, "np").get_slice("large")

    def read(number: int) -> None:
        for turn in range(50):
            start = (number * 1000 + turn) % 100_000
            found = part[:, start : start + 10]
            assert np.array_equal(found, tensors["large"][:, start : start + 10])

    together(read)
