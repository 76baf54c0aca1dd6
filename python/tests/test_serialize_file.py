"""serialize_file: what is in the folder afterwards, on success, failure, signals and death."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Both
from operations import Returned
from safetensors import SafetensorError, deserialize, serialize, serialize_file
from saving import (
    ROOT,
    as_nobody,
    counting,
    large,
    open_files,
    small_disk,
    small_files,
    spec_of,
)

DATA = np.arange(6, dtype=np.float32).reshape(2, 3)
TENSORS = {"a": spec_of(DATA)}
OLD = b"what was there before"


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A file that is there already, alone in its folder."""
    folder = tmp_path / "folder"
    folder.mkdir()
    path = folder / "x"
    path.write_bytes(OLD)
    return path


def alone(path: Path, content: bytes) -> bool:
    """Whether the folder holds this file, with this content, and nothing else."""
    return os.listdir(path.parent) == [path.name] and path.read_bytes() == content


# ---- success ----


@pytest.mark.parametrize("kind", ["str", "Path", "bytes", "fspath"])
def test_every_kind_of_name(target: Path, kind: str) -> None:
    class Named:
        def __fspath__(self) -> str:
            return str(target)

    name: Any = {
        "str": str(target),
        "Path": target,
        "bytes": os.fsencode(target),
        "fspath": Named(),
    }[kind]
    serialize_file(TENSORS, name, {"k": "v"})
    assert alone(target, serialize(TENSORS, {"k": "v"}))


def test_a_name_that_is_no_unicode(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe")
    try:
        open(name, "wb").close()
    except OSError as error:
        pytest.skip(f"the file system takes no such name: {error}")
    serialize_file(TENSORS, name)
    assert Path(name).read_bytes() == serialize(TENSORS)


def test_the_bytes_are_the_peers(both: Both) -> None:
    piece = """
    b = Buffer(bytes(range(24)))
    specs = {'b': b.spec('float32', [2, 3]), 'a': b.spec('int8', [24]), 'c': b.spec('int64', [3])}
    serialize_file(specs, folder + '/x', metadata)
    serialize_file(specs, pathlib.Path(folder) / 'y', metadata=metadata)
    (open(folder + '/x', 'rb').read(), open(folder + '/y', 'rb').read(), os.listdir(folder) != [])
    """
    for metadata in (None, {}, {"format": "np"}):
        both(piece, metadata=metadata)


def test_durable_and_aligned(target: Path) -> None:
    serialize_file(TENSORS, target, durable=True)
    assert alone(target, serialize(TENSORS))
    serialize_file(TENSORS, target, alignment=4096)
    content = target.read_bytes()
    assert (8 + int.from_bytes(content[:8], "little")) % 4096 == 0
    assert deserialize(content) == deserialize(serialize(TENSORS))
    with pytest.raises(SafetensorError, match="no power of two from 8 to 1048576"):
        serialize_file(TENSORS, target, alignment=24)
    with pytest.raises(OverflowError):
        serialize_file(TENSORS, target, alignment=-8)
    with pytest.raises(TypeError):
        serialize_file(TENSORS, target, None, True)  # type: ignore[call-arg]
    assert alone(target, content)


def test_modes(target: Path) -> None:
    """A file that is replaced keeps its mode, a new one has what the umask leaves."""
    target.chmod(0o640)
    serialize_file(TENSORS, target)
    assert target.stat().st_mode & 0o777 == 0o640
    new = target.with_name("new")
    before = os.umask(0o027)
    try:
        serialize_file(TENSORS, new)
    finally:
        os.umask(before)
    assert new.stat().st_mode & 0o777 == 0o640


def test_through_a_symbolic_link(target: Path) -> None:
    link = target.parent.parent / "link"
    link.symlink_to("folder/x")
    serialize_file(TENSORS, link)
    assert link.is_symlink()
    assert alone(target, serialize(TENSORS))


def test_who_has_the_old_file_open_keeps_it(target: Path) -> None:
    with target.open("rb") as file:
        serialize_file(TENSORS, target)
        assert file.read() == OLD


def test_other_threads_run_meanwhile(tmp_path: Path) -> None:
    """Counts would stand still if the interpreter were held."""
    array, tensors = large(512)
    with counting() as count:
        for work in (
            lambda: serialize_file(tensors, tmp_path / "x"),
            lambda: deserialize(serialize(tensors)),
        ):
            begin, before = time.monotonic(), count()
            work()
            took, counted = time.monotonic() - begin, count() - before
            assert counted > took * 1000 / 20, f"{counted} in {took:.3f} s"
    (tmp_path / "x").unlink()  # for pytest keeps the folders of several runs
    assert array.nbytes > 0


def test_many_threads_at_one_target(target: Path) -> None:
    """The last one wins, and its file is whole."""
    arrays = [np.full(100_000, number, np.int32) for number in range(8)]

    def save(array: np.ndarray[Any, Any]) -> None:
        for _ in range(10):
            serialize_file({"a": spec_of(array)}, target)

    threads = [threading.Thread(target=save, args=(array,)) for array in arrays]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert any(alone(target, serialize({"a": spec_of(array)})) for array in arrays)


# ---- failure ----


def refuse(path: Any, *, code: str, errno: int | None, message: str) -> SafetensorError:
    """The error of saving there, which must be as told, and leave no file open."""
    before = open_files()
    with pytest.raises(SafetensorError, match=message) as caught:
        serialize_file(TENSORS, path)
    assert open_files() == before
    assert str(caught.value).startswith("Error while serializing: ")
    assert (caught.value.code, caught.value.errno) == (code, errno)
    assert caught.value.file == (str(path) or None)
    copy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - our own
    assert (str(copy), copy.code) == (str(caught.value), code)
    return caught.value


def test_no_such_folder(tmp_path: Path) -> None:
    error = refuse(
        tmp_path / "none" / "x",
        code="OPEN_FAILED",
        errno=2,
        message=r"I/O error: .*No such file or directory \(os error 2\) at path \"",
    )
    assert not isinstance(error, OSError)
    assert os.listdir(tmp_path) == []


def test_a_file_where_a_folder_should_be(target: Path) -> None:
    refuse(target / "x", code="OPEN_FAILED", errno=20, message=r"Not a directory \(os error 20\)")
    assert alone(target, OLD)


def test_a_folder_as_the_target(target: Path) -> None:
    with pytest.raises(SafetensorError, match="the target is a folder") as caught:
        serialize_file(TENSORS, target.parent)
    assert caught.value.code == "NOT_A_FILE"
    assert alone(target, OLD)


def test_a_device_as_the_target() -> None:
    """The peer replaces it by a file."""
    if not os.path.exists("/dev/full"):
        pytest.skip("there is no such device here")
    with pytest.raises(SafetensorError, match="regular file"):
        serialize_file(TENSORS, "/dev/full")
    assert not os.path.isfile("/dev/full")


def test_no_name(tmp_path: Path) -> None:
    refuse("", code="OPEN_FAILED", errno=2, message="os error 2")
    refuse(tmp_path / ("x" * 300), code="OPEN_FAILED", errno=36, message="File name too long")
    with pytest.raises(ValueError, match="null byte"):
        serialize_file(TENSORS, "a\0b")
    for name in (None, 1, 1.5, ["x"]):
        with pytest.raises(TypeError, match="argument 'filename': expected str, bytes or os"):
            serialize_file(TENSORS, name)  # type: ignore[arg-type]


def test_a_loop_of_links(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to("link")
    refuse(link, code="OPEN_FAILED", errno=40, message="symbolic links")
    assert os.listdir(tmp_path) == ["link"]


def test_no_permission(target: Path) -> None:
    """Of the folder: the file's own does not matter, for it is not written to."""
    if ROOT:
        # The folders above are the test's user's alone.
        for folder in target.parents[1:4]:
            folder.chmod(folder.stat().st_mode | 0o055)
    target.parent.chmod(0o555)
    try:
        with as_nobody():
            refuse(
                target,
                code="OPEN_FAILED",
                errno=13,
                message=r"I/O error: .*Permission denied \(os error 13\)",
            )
    finally:
        target.parent.chmod(0o755)
    assert alone(target, OLD)


def test_a_full_disk(tmp_path: Path) -> None:
    array, tensors = large(16)
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "x"
        path.write_bytes(OLD)
        before = open_files()
        with pytest.raises(SafetensorError, match=r"No space left on device \(os error 28\)") as e:
            serialize_file(tensors, path)
        assert (e.value.code, e.value.errno) == ("WRITE_FAILED", 28)
        assert alone(path, OLD)
        assert open_files() == before
        serialize_file(TENSORS, path)
        assert alone(path, serialize(TENSORS))
    assert array.nbytes > 0


def test_a_file_that_may_not_grow(target: Path) -> None:
    array, tensors = large(16)
    with small_files(1 << 20):
        with pytest.raises(SafetensorError, match=r"File too large \(os error 27\)"):
            serialize_file(tensors, target)
    assert alone(target, OLD)
    assert array.nbytes > 0


def test_refused_before_anything_is_written(target: Path) -> None:
    with pytest.raises(SafetensorError, match="TensorInvalidInfo"):
        serialize_file({"a": spec_of(DATA, shape=[7])}, target)
    with pytest.raises(TypeError):
        serialize_file(TENSORS, target, {"k": 1})  # type: ignore[dict-item]
    assert alone(target, OLD)


def test_the_peer_raises_the_same_types(both: Both) -> None:
    """Each in its own words, with the system's reason in both."""
    for name in ("/none/x", ""):
        outcome = both(f"serialize_file({{}}, folder + '{name}')", better="argument-wording")
        assert not isinstance(outcome, Returned)


def test_nothing_is_held_afterwards(target: Path) -> None:
    data = bytearray(b"12")
    item = {"dtype": "uint8", "shape": [2], "data": data}
    folder = str(target.parent / "none" / "x")
    before = [sys.getrefcount(thing) for thing in (data, item, folder)]
    files = open_files()
    for _ in range(50):
        serialize_file({"a": item}, target)
        with pytest.raises(SafetensorError):
            serialize_file({"a": item}, folder)
        with pytest.raises(TypeError):
            serialize_file({"a": item}, None)  # type: ignore[arg-type]
    assert [sys.getrefcount(thing) for thing in (data, item, folder)] == before
    assert open_files() == files
    data.append(1)


# ---- signals and death ----


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there are no timers here")
def test_a_signal_ends_a_save(target: Path) -> None:
    """Ctrl-C does not wait for the end of a large file."""

    class StopError(Exception):
        pass

    def stop(number: int, frame: Any) -> None:
        raise StopError

    array, tensors = large(4096)
    before = signal.signal(signal.SIGALRM, stop)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(StopError):
            serialize_file(tensors, target)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert alone(target, OLD)
    assert array.nbytes > 0


KILLED = """
import sys
sys.path[:0] = [sys.argv[2]]
from saving import large
from safetensors import serialize_file
array, tensors = large(2048)
print("begun", flush=True)
serialize_file(tensors, sys.argv[1])
print("ended", flush=True)
"""


@pytest.mark.parametrize("after", [0.0, 0.02, 0.1])
def test_a_killed_save_leaves_the_old_file(target: Path, after: float) -> None:
    command = [sys.executable, "-c", KILLED, str(target), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(after)
        process.kill()
        assert process.stdout.read() == "", "it was done before it was killed"
    assert process.returncode == -signal.SIGKILL
    assert alone(target, OLD)
