"""The extension's StreamWriter in many threads: deliveries at once, and ends in the middle."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError, serialize
from safetensors._sft import StreamWriter
from saving import counting, open_files, spec_of

THREADS = 8
SIZE = 256 << 20


def run(work: Callable[[int], None], threads: int = THREADS) -> list[BaseException]:
    """Runs `work` with the numbers from 0, each in a thread; returns what they raised."""
    failures: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            failures.append(error)

    running = [threading.Thread(target=guarded, args=(number,)) for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join(timeout=120)
        assert not thread.is_alive(), "a thread hangs"
    return failures


def test_many_threads_deliver(tmp_path: Path) -> None:
    """Each some pieces of every tensor."""
    arrays = {str(n): np.arange(n * 1000, n * 1000 + 4096, dtype=np.int64) for n in range(40)}
    path = tmp_path / "x"
    writer = StreamWriter(path, [(name, "I64", a.shape) for name, a in arrays.items()])
    part = 4096 // THREADS

    def deliver(number: int) -> None:
        for name, array in arrays.items():
            piece = array[number * part : (number + 1) * part]
            data: Any = spec_of(piece) if number % 2 else piece
            writer.put(name, data, number * part * 8)

    assert run(deliver) == []
    writer.commit()
    assert path.read_bytes() == serialize({name: spec_of(a) for name, a in arrays.items()})


def test_other_threads_run_meanwhile(tmp_path: Path) -> None:
    array: Any = np.zeros(SIZE, np.uint8)
    writer = StreamWriter(tmp_path / "x", [("a", "U8", array.shape)])
    with counting() as count:
        begin, before = time.monotonic(), count()
        writer.put("a", array)
        took, counted = time.monotonic() - begin, count() - before
    assert counted > took * 1000 / 20, f"{counted} in {took:.3f} s"


def test_an_end_in_the_middle(tmp_path: Path) -> None:
    """abort() while others put: they end soon and with an error, and nothing is left."""
    array: Any = np.zeros(SIZE, np.uint8)
    before = open_files()
    writer = StreamWriter(tmp_path / "x", [(str(n), "U8", array.shape) for n in range(THREADS)])
    under_way = threading.Semaphore(0)

    def deliver(number: int) -> None:
        if number == 0:
            for _ in range(THREADS - 1):
                under_way.acquire()
            time.sleep(0.02)
            with pytest.raises(SafetensorError, match="under way in another thread"):
                writer.commit()
            writer.abort()
            return
        under_way.release()
        for turn in range(100):
            writer.put(str(number), array)
            assert turn < 99, "the end came too late"

    failures = run(deliver)
    assert len(failures) == THREADS - 1
    assert {str(f) for f in failures} == {"The writer is closed: it was aborted"}
    assert writer.closed
    assert open_files() == before
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("turn", range(5))
def test_all_calls_at_once(tmp_path: Path, turn: int) -> None:
    """Whoever ends it first: no crash, no hang, and a whole file or none."""
    array: Any = np.full(1 << 20, 7, np.uint8)
    path = tmp_path / "x"
    writer = StreamWriter(path, [("a", "U8", array.shape)])
    start = threading.Barrier(THREADS)

    def work(number: int) -> None:
        start.wait()
        for attempt in range(30):
            try:
                if number == 0 and attempt == 5 * turn:
                    writer.abort()
                elif number == 1:
                    writer.commit()
                else:
                    writer.put("a", array)
            except SafetensorError:
                pass

    assert run(work) == []
    assert writer.closed
    expected = serialize({"a": spec_of(array)})
    assert [path.read_bytes() for _ in os.listdir(tmp_path)] in ([], [expected])


def test_commits_at_once(tmp_path: Path) -> None:
    """One of them does it."""
    for turn in range(20):
        path = tmp_path / str(turn)
        writer = StreamWriter(path, [("a", "I8", [2])], durable=turn % 2 == 0)
        writer.put("a", b"12")

        def commit(number: int, writer: StreamWriter = writer) -> None:
            writer.commit()

        failures = run(commit)
        assert len(failures) == THREADS - 1
        assert all(isinstance(failure, SafetensorError) for failure in failures)
        assert path.read_bytes().endswith(b"12")


def test_many_writers_of_one_target(tmp_path: Path) -> None:
    """The last one wins, and its file is whole."""
    path = tmp_path / "x"

    def write(number: int) -> None:
        for _ in range(10):
            writer = StreamWriter(path, [("a", "I32", [1000])])
            writer.put("a", np.full(1000, number, np.int32).tobytes())
            writer.commit()

    assert run(write) == []
    assert os.listdir(tmp_path) == ["x"]
    values = np.frombuffer(path.read_bytes()[-4000:], np.int32)
    assert len(set(values.tolist())) == 1
