"""The extension's StreamWriter, alone: declaring, delivering, committing, and every refusal."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError, serialize
from safetensors._sft import StreamWriter
from samples import DTYPES, random_tensors
from saving import large, open_files, small_disk, small_files, spec_of

DATA: Any = np.arange(6, dtype=np.float32).reshape(2, 3)
WHOLE = serialize({"a": spec_of(DATA)})
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


def begun(path: Path) -> StreamWriter:
    """A writer that waits for DATA."""
    return StreamWriter(path, [("a", "float32", [2, 3])])


# ---- what is written ----


def test_the_same_bytes_as_serialize(tmp_path: Path) -> None:
    """Random tensors, declared in any order, delivered in random pieces."""
    rng = Random(3)
    dtypes = tuple(d for d in DTYPES if d.serialized and d.name != "F4")
    for turn in range(20):
        tensors = random_tensors(rng, dtypes, rng.randint(0, 9))
        metadata = rng.choice([None, {}, {"k": "v", "b": "c"}])
        specs = [
            (
                name,
                rng.choice([t.dtype.name, t.dtype.serialized]),
                rng.choice([list, tuple])(t.shape),
            )
            for name, t in tensors.items()
        ]
        rng.shuffle(specs)
        pieces = []
        for name, t in tensors.items():
            cuts = sorted(rng.randint(0, len(t.data)) for _ in range(rng.randint(0, 3)))
            for begin, end in zip([0, *cuts], [*cuts, len(t.data)], strict=True):
                pieces.append((name, t.data[begin:end], begin))
        rng.shuffle(pieces)
        path = tmp_path / str(turn)
        writer = StreamWriter(path, specs, metadata)
        for name, data, offset in pieces:
            writer.put(name, data, offset)
        writer.commit()
        whole = {
            name: {"dtype": t.dtype.name, "shape": t.shape, "data": t.data}
            for name, t in tensors.items()
        }
        assert path.read_bytes() == serialize(whole, metadata)
    assert len(os.listdir(tmp_path)) == 20


@pytest.mark.parametrize(
    "data",
    [DATA, DATA.tobytes(), bytearray(DATA.tobytes()), memoryview(DATA), spec_of(DATA)],
    ids=lambda data: type(data).__name__,
)
def test_every_kind_of_data(target: Path, data: Any) -> None:
    writer = begun(target)
    writer.put("a", data)
    writer.commit()
    assert alone(target, WHOLE)


def test_four_bits_of_both_names(target: Path) -> None:
    for dtype, shape in (("F4", [2, 6]), ("float4_e2m1fn_x2", [2, 3])):
        writer = StreamWriter(target, [("a", dtype, shape)])
        writer.put("a", b"123456")
        writer.commit()
        assert b'"dtype":"F4","shape":[2,6],"data_offsets":[0,6]' in target.read_bytes()


def test_six_bits(target: Path) -> None:
    """Which no framework has: declared by the header's name."""
    writer = StreamWriter(target, [("a", "F6_E2M3", [4])])
    writer.put("a", b"123")
    writer.commit()
    assert target.read_bytes().endswith(b"123")


def test_bytes_that_come_twice(target: Path) -> None:
    writer = begun(target)
    writer.put("a", bytes(24))
    writer.put("a", DATA)
    writer.commit()
    assert alone(target, WHOLE)


def test_options(target: Path) -> None:
    writer = StreamWriter(target, [("a", "F32", (2, 3))], None, True, alignment=64)
    writer.put(name="a", data=DATA, offset=0)
    writer.commit()
    content = target.read_bytes()
    assert (8 + int.from_bytes(content[:8], "little")) % 64 == 0
    assert content.endswith(DATA.tobytes())


def test_nothing_at_all(target: Path) -> None:
    StreamWriter(target, []).commit()
    assert alone(target, serialize({}))
    StreamWriter(target, iter(()), {"k": "v"}).commit()
    assert alone(target, serialize({}, {"k": "v"}))


def test_the_old_file_stays_until_commit(target: Path) -> None:
    writer = begun(target)
    writer.put("a", DATA)
    assert target.read_bytes() == OLD
    assert not writer.closed
    writer.commit()
    assert writer.closed
    assert alone(target, WHOLE)


# ---- the end ----


def test_what_is_missing_can_still_come(target: Path) -> None:
    writer = StreamWriter(target, [("a", "F32", [2, 3]), ("b", "I8", [2])])
    writer.put("a", DATA[1:], 12)
    with pytest.raises(SafetensorError, match="in tensor `a`: byte 0 of the tensor's 24") as caught:
        writer.commit()
    assert (caught.value.code, caught.value.tensor) == ("INCOMPLETE", "a")
    writer.put("a", DATA[:1])
    writer.put("b", b"1")
    with pytest.raises(SafetensorError, match="in tensor `b`: byte 1 of the tensor's 2"):
        writer.commit()
    assert alone(target, OLD)
    writer.put("b", b"2", 1)
    writer.commit()
    assert target.read_bytes().endswith(b"12")


@pytest.mark.parametrize("end", ["commit", "abort"])
def test_after_the_end(target: Path, end: str) -> None:
    writer = begun(target)
    writer.put("a", DATA)
    getattr(writer, end)()
    assert writer.closed
    why = {"commit": "the file is committed", "abort": "it was aborted"}[end]
    with pytest.raises(SafetensorError, match=why):
        writer.put("a", DATA)
    with pytest.raises(SafetensorError, match=why):
        writer.commit()
    writer.abort()  # which does nothing any more
    assert alone(target, WHOLE if end == "commit" else OLD)


@pytest.mark.parametrize("part", [0, 1, 2])
def test_garbage_leaves_nothing(target: Path, part: int) -> None:
    gc.collect()
    before = open_files()
    writer = begun(target)
    for row in range(part):
        writer.put("a", DATA[row : row + 1], 12 * row)
    del writer
    gc.collect()
    assert open_files() == before
    assert alone(target, OLD)


def test_garbage_in_a_cycle(target: Path) -> None:
    before = open_files()
    cycle: list[Any] = [begun(target)]
    cycle.append(cycle)
    del cycle
    gc.collect()
    assert open_files() == before
    assert alone(target, OLD)


FORKED = """
import gc, os, sys
from safetensors import SafetensorError
from safetensors._sft import StreamWriter
writer = StreamWriter(sys.argv[1], [("a", "U8", [24])])
writer.put("a", bytes(24))
child = os.fork()
if child == 0:
    for call in (writer.commit, writer.abort, lambda: writer.put("a", bytes(24))):
        try:
            call()
        except SafetensorError as error:
            assert "belongs to the process that made it" in str(error)
        else:
            os._exit(1)
    del writer, call
    gc.collect()
    os._exit(0)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
writer.commit()
"""


def test_a_fork_leaves_the_file_alone(target: Path) -> None:
    """Neither the copy's end nor its death touches the file; its methods refuse."""
    subprocess.run([sys.executable, "-c", FORKED, str(target)], check=True)
    item = {"dtype": "U8", "shape": [24], "data": bytes(24)}
    assert alone(target, serialize({"a": item}))


KILLED = """
import sys
sys.path[:0] = [sys.argv[2]]
from saving import large
from safetensors._sft import StreamWriter
array, tensors = large(2048)
writer = StreamWriter(sys.argv[1], [(name, "uint8", spec.shape) for name, spec in tensors.items()])
print("begun", flush=True)
for name, spec in tensors.items():
    writer.put(name, spec)
print("ended", flush=True)
"""


def test_a_killed_writer_leaves_the_old_file(target: Path) -> None:
    command = [sys.executable, "-c", KILLED, str(target), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        time.sleep(0.05)
        process.kill()
        assert process.stdout.read() == "", "it was done before it was killed"
    assert process.returncode == -signal.SIGKILL
    assert alone(target, OLD)


# ---- refusals ----


@pytest.mark.parametrize(
    ("specs", "error", "message"),
    [
        (None, TypeError, "not iterable"),
        ([1], TypeError, "'int' object is not an instance of 'tuple'"),
        (["abc"], TypeError, "'str' object is not an instance of 'tuple'"),
        ([("a", "F32")], ValueError, r"\(name, dtype, shape\) is needed, not a tuple of 2"),
        ([(1, "F32", [1])], TypeError, "'int' object is not an instance of 'str'"),
        ([("a", 1, [1])], TypeError, "'int' object is not an instance of 'str'"),
        ([("a", "f32", [1])], SafetensorError, 'Unknown dtype "f32"'),
        ([("a", "F32", 1)], TypeError, "'int' object is not an instance of 'Sequence'"),
        ([("a", "F32", "1")], TypeError, "'str' object is not an instance of 'Sequence'"),
        ([("a", "F32", [1.0])], TypeError, "interpreted as an integer"),
        ([("a", "F32", [-1])], OverflowError, "negative"),
        ([("a", "F32", [2**64])], OverflowError, "too big"),
        ([("a", "F32", [2**62, 2**62])], SafetensorError, "ValidationOverflow"),
        ([("a", "F4", [3])], SafetensorError, "MisalignedSlice"),
        ([("a", "float4_e2m1fn_x2", [2**63])], SafetensorError, "does not fit in 64 bits"),
        ([("a", "F32", [1] * 65)], SafetensorError, "no more than 64"),
        ([("a", "F32", [1]), ("a", "I8", [1])], SafetensorError, "the same name"),
        ([("__metadata__", "F32", [1])], SafetensorError, "__metadata__"),
        ([("\ud800", "F32", [1])], UnicodeEncodeError, "surrogates"),
    ],
)
def test_specs_that_are_refused(
    target: Path, specs: Any, error: type[Exception], message: str
) -> None:
    before = open_files()
    with pytest.raises(error, match=message):
        StreamWriter(target, specs)
    gc.collect()
    assert open_files() == before
    assert alone(target, OLD)


def test_other_arguments_that_are_refused(target: Path) -> None:
    with pytest.raises(TypeError, match="argument 'path'"):
        StreamWriter(None, [])  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="null byte"):
        StreamWriter("a\0b", [])
    with pytest.raises(TypeError, match="argument 'metadata'"):
        StreamWriter(target, [], [("k", "v")])  # type: ignore[arg-type]
    with pytest.raises(SafetensorError, match="power of two"):
        StreamWriter(target, [], alignment=7)
    with pytest.raises(SafetensorError, match=r"\(os error 2\)") as caught:
        StreamWriter(target.parent / "none" / "x", [])
    assert (caught.value.code, caught.value.errno) == ("OPEN_FAILED", 2)
    with pytest.raises(SafetensorError, match="the target is a folder"):
        StreamWriter(target.parent, [])
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Derived", (StreamWriter,), {})
    assert alone(target, OLD)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("b", DATA), SafetensorError, "tensor `b` was not declared"),
        ((1, DATA), TypeError, "'int' object is not an instance of 'str'"),
        (("a", [1]), TypeError, "'list' object is not an instance of 'TensorSpec'"),
        (("a", None), TypeError, "'None' is not an instance of 'TensorSpec'"),
        (("a", DATA.T), ValueError, "not C-contiguous"),
        (("a", memoryview(DATA.tobytes())[::2]), BufferError, "not C-contiguous"),
        (("a", DATA, -1), OverflowError, "negative"),
        (("a", DATA, 2**64), OverflowError, "too big"),
        (("a", DATA, 1.0), TypeError, "interpreted as an integer"),
        (("a", DATA, 4), SafetensorError, "24 bytes at 4 does not lie within the tensor's 24"),
        (("a", b"", 25), SafetensorError, "0 bytes at 25 does not lie within"),
        (("a", b"1", 2**64 - 1), SafetensorError, "does not lie within"),
        (("a", spec_of(DATA, dtype="int32")), SafetensorError, "declared as F32, not I32"),
        (("a", spec_of(DATA, shape=[3, 2])), SafetensorError, r"shape \[2, 3\], not \[3, 2\]"),
        (("a", spec_of(DATA, shape=[6])), SafetensorError, r"shape \[2, 3\], not \[6\]"),
        (("a", spec_of(DATA, data_len=20)), SafetensorError, "needs other than the 20 bytes"),
        (("a", spec_of(DATA, shape=[2**63, 2**63])), SafetensorError, "needs other than"),
        (("a", spec_of(DATA, data_ptr=0)), SafetensorError, "data is missing"),
    ],
)
def test_pieces_that_are_refused(
    target: Path, arguments: Any, error: type[Exception], message: str
) -> None:
    """None of them ends the writer."""
    writer = begun(target)
    with pytest.raises(error, match=message):
        writer.put(*arguments)
    assert not writer.closed
    writer.put("a", spec_of(DATA[:1]))
    writer.put("a", spec_of(DATA[1:]), 12)
    writer.commit()
    assert alone(target, WHOLE)


def test_a_full_disk_ends_the_writer(tmp_path: Path) -> None:
    array, tensors = large(16)
    with small_disk(tmp_path / "disk") as disk:
        path = disk / "x"
        path.write_bytes(OLD)
        before = open_files()
        writer = StreamWriter(path, [("0", "U8", array.shape)])
        with pytest.raises(SafetensorError, match=r"\(os error 28\)") as caught:
            writer.put("0", tensors["0"])
        assert (caught.value.code, caught.value.errno) == ("WRITE_FAILED", 28)
        assert writer.closed
        assert open_files() == before
        assert alone(path, OLD)
        for call in (writer.commit, lambda: writer.put("0", b"")):
            with pytest.raises(SafetensorError, match="writing failed"):
                call()
        writer.abort()


def test_a_file_that_may_not_grow(target: Path) -> None:
    array: Any = large(16)[0]
    with small_files(1 << 20):
        writer = StreamWriter(target, [("0", "U8", array.shape)])
        with pytest.raises(SafetensorError, match=r"File too large \(os error 27\)"):
            writer.put("0", array)
    assert writer.closed
    assert alone(target, OLD)


# ---- what is held ----


def test_nothing_is_held_afterwards(target: Path) -> None:
    data, spec, name = bytearray(DATA.tobytes()), spec_of(DATA), "".join(["a", "b", "c"])
    specs = [(name, "F32", [2, 3])]
    metadata = {"k": "v"}
    watched = (data, spec, specs, specs[0], metadata, name, StreamWriter)

    def attempt() -> None:
        writer = StreamWriter(target, specs, metadata)
        writer.put(name, data)
        writer.put(name, spec)
        for arguments in ((name, data, 4), (name, spec, -1), (name, data, 1.5), ("?", data)):
            with pytest.raises((SafetensorError, OverflowError, TypeError)):
                writer.put(*arguments)
        data.append(1)
        data.pop()
        writer.commit()
        with pytest.raises(SafetensorError):
            writer.put(name, data)

    attempt()
    gc.collect()
    before, files = [sys.getrefcount(thing) for thing in watched], open_files()
    for _ in range(50):
        attempt()
    gc.collect()
    assert [sys.getrefcount(thing) for thing in watched] == before
    assert open_files() == files


def test_a_dimension_that_meddles(target: Path) -> None:
    """A writer that is found before it is ready refuses every use."""
    found: list[str] = []

    class Meddler:
        def __index__(self) -> int:
            specs.clear()
            for thing in gc.get_objects():
                if type(thing) is StreamWriter:
                    for call in (thing.commit, thing.abort, lambda w=thing: w.put("a", b"")):
                        with pytest.raises(SafetensorError) as caught:
                            call()
                        found.append(str(caught.value))
            return 2

    specs: list[Any] = [("a", "F32", [Meddler(), 3])]
    writer = StreamWriter(target, specs)
    assert found == [
        "The writer is not ready",
        "The writer is not ready",
        "tensor `a` was not declared when the file was begun",
    ]
    writer.put("a", DATA)
    writer.commit()
    assert alone(target, WHOLE)
