"""After a refusal, a failure, a kill or a full disk nothing is left, and the old file is whole."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from random import Random

import pytest
from running import command, convert, left_in, run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "files"))

from pickles.recipes import torch

MIB = 1 << 20


def model(path: Path, size: int, parts: int = 8) -> None:
    """A checkpoint of a number of tensors, each a storage of its own."""
    count = size // parts // 4
    data = bytes(range(1, 5)) * count
    body = {
        f"w{n}": torch.tensor(torch.storage(count, str(n)), (count,), (1,)) for n in range(parts)
    }
    path.write_bytes(torch.torch_zip(body, {str(n): data for n in range(parts)}))


def test_killed(tmp_path: Path) -> None:
    """SIGKILL at random moments: the target is the old file, or the new one, whole.

    A process that is killed cannot clean up. What it may leave is one file that says by its name
    that it is temporary, and the next run takes it away.
    """
    source, folder = tmp_path / "in.pt", tmp_path / "out"
    folder.mkdir()
    target = folder / "model.safetensors"
    model(source, 24 * MIB)
    assert convert(source, target).code == 0
    new = target.read_bytes()
    rng = Random(5)
    started = time.monotonic()
    assert convert(source, target, "-f").code == 0
    whole = time.monotonic() - started
    killed = left = 0
    for number in range(60):
        target.write_bytes(b"old")
        process = subprocess.Popen(
            [command(), "convert", "-f", source, "-o", target],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(rng.random() * whole)
        process.kill()
        dead = process.wait() == -signal.SIGKILL
        killed += dead
        # Where it was done before, the machine has become faster.
        whole = whole if dead else whole * 0.8
        assert target.read_bytes() in (b"old", new), f"kill {number}"
        if others := [name for name in left_in(folder) if name != target.name]:
            assert len(others) == 1 and others[0].endswith(".tmp"), others
            left += 1
            assert convert(source, target, "-f").code == 0
            assert left_in(folder) == [target.name]
    print(f"{killed} of 60 killed before the end; {left} temporary files left")
    assert killed >= 5
    # A file without a name is gone with its process, but for the moment in which it gets its name.
    if has_unnamed_files(folder):
        assert left <= 2


def test_killed_sharded(tmp_path: Path) -> None:
    """SIGKILL while several files are made: what is there is whole, and the next run completes it.

    Files get their names one after the other, the index last: a kill in that moment leaves some of
    them, but never an index that names a file which is not there.
    """
    source, folder = tmp_path / "in.pt", tmp_path / "out"
    model(source, 24 * MIB)
    more = ("--max-shard-size", "4MB")
    assert convert(source, folder, *more).code == 0
    whole = {path.name: path.read_bytes() for path in folder.iterdir()}
    index = "model.safetensors.index.json"
    assert index in whole and len(whole) == 9
    rng = Random(7)
    killed, whole_run = 0, 0.1
    for _ in range(25):
        shutil.rmtree(folder, ignore_errors=True)
        process = subprocess.Popen(
            [command(), "convert", source, "-o", folder, *more],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(rng.random() * whole_run)
        process.kill()
        dead = process.wait() == -signal.SIGKILL
        killed += dead
        whole_run = whole_run if dead else whole_run * 0.8
        found = {path.name: path.read_bytes() for path in folder.glob("*")}
        assert all(whole.get(name) == data for name, data in found.items()), sorted(found)
        assert index not in found or len(found) == len(whole)
        assert left_in(tmp_path)[0] == "in.pt" and len(list(tmp_path.iterdir())) <= 2
        assert convert(source, folder, "-f", *more).code == 0
        assert {path.name: path.read_bytes() for path in folder.iterdir()} == whole
    print(f"{killed} of 25 killed before the end")
    assert killed >= 3


def has_unnamed_files(folder: Path) -> bool:
    """Whether the file system knows O_TMPFILE."""
    try:
        os.close(os.open(folder, os.O_TMPFILE | os.O_WRONLY))
    except OSError:
        return False
    return True


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(sent: int, tmp_path: Path) -> None:
    """A signal that can be caught leaves nothing at all."""
    source, folder = tmp_path / "in.pt", tmp_path / "out"
    folder.mkdir()
    target = folder / "model.safetensors"
    model(source, 24 * MIB)
    assert convert(source, target).code == 0
    new = target.read_bytes()
    rng = Random(6)
    stopped = 0
    for _ in range(25):
        target.write_bytes(b"old")
        process = subprocess.Popen(
            [command(), "convert", "-f", source, "-o", target],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(rng.random() * 0.06)
        process.send_signal(sent)
        code = process.wait()
        assert left_in(folder) == [target.name]
        stopped += code != 0
        # It may come in the moment after the new file has taken its place.
        assert target.read_bytes() in ((b"old", new) if code else (new,))
    print(f"{stopped} of 25 stopped")
    assert stopped > 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 8 MiB, in memory; skips where it cannot be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        pytest.skip("no tmpfs can be mounted here: that takes root")
    yield folder
    subprocess.run(["umount", folder], check=True)


def test_full_disk(small_disk: Path, tmp_path: Path) -> None:
    """No room for the result: one line, and the disk is as it was."""
    source, target = tmp_path / "in.pt", small_disk / "model.safetensors"
    model(source, 24 * MIB)
    ran = convert(source, target)
    assert ran.code == 3 and len(ran.lines()) == 1, ran.err
    assert left_in(small_disk) == []
    target.write_bytes(b"old")
    assert convert(source, target, "-f").code == 3
    assert target.read_bytes() == b"old"
    assert left_in(small_disk) == [target.name]
    assert shutil.disk_usage(small_disk).used <= 64 * 1024


def test_full_disk_sharded(small_disk: Path, tmp_path: Path) -> None:
    """The first shards fit and the last does not: no folder is left."""
    source, target = tmp_path / "in.pt", small_disk / "model"
    model(source, 12 * MIB)
    ran = convert(source, target, "--max-shard-size", "3MB")
    assert ran.code == 3, ran.err
    assert left_in(small_disk) == []
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    assert convert(source, target, "--max-shard-size", "3MB").code == 3
    assert left_in(small_disk) == ["model", "model/notes.txt"]


def test_failures(tmp_path: Path) -> None:
    """Targets that cannot be: nothing beside them."""
    source, folder = tmp_path / "in.pt", tmp_path / "out"
    folder.mkdir()
    model(source, MIB)
    for target in (folder / "none" / "model.safetensors", Path("/dev/full/x")):
        ran = convert(source, target)
        assert ran.code == 3 and len(ran.lines()) == 1, (target, ran.err)
        assert left_in(folder) == []
    cut = tmp_path / "cut.pt"
    cut.write_bytes(source.read_bytes()[:-100])
    ran = convert(cut, folder / "model.safetensors")
    assert ran.code in (2, 3) and left_in(folder) == [], ran.err
    ran = convert(tmp_path / "absent.pt", folder / "model.safetensors")
    assert ran.code == 3 and left_in(folder) == [], ran.err


def test_dry_run(tmp_path: Path) -> None:
    """--dry-run writes nothing at all, with a sharded result neither."""
    source, folder = tmp_path / "in.pt", tmp_path / "out"
    folder.mkdir()
    model(source, MIB)
    for more in ((), ("--max-shard-size", "300KB")):
        ran = run("convert", "--dry-run", *more, source, "-o", folder / "model.safetensors")
        assert ran.code == 0, ran.err
        assert left_in(folder) == []


def test_report(tmp_path: Path) -> None:
    """--to-json-report is written with the result, and not without it."""
    source, report = tmp_path / "in.pt", tmp_path / "report.json"
    model(source, MIB)
    target = tmp_path / "model.safetensors"
    ran = convert(source, target, "--to-json-report", str(report))
    assert ran.code == 0, ran.err
    assert report.read_text().startswith("{")
    assert left_in(tmp_path) == ["in.pt", "model.safetensors", "report.json"]
