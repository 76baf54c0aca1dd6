"""Random checkpoints as torch.save writes them: converted, they hold what torch.load loads."""

from __future__ import annotations

import os
import sys
import time
import warnings
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch
import trees
from comparing import difference
from running import convert, run, scan
from torch.utils.serialization import config

SEED = int(os.environ.get("SFT_SEED", str(time.time_ns() % 10**9)))
ROUNDS = int(os.environ.get("SFT_ROUNDS", "500"))


def checkpoint(rng: Random, options: trees.Options) -> Any:
    """A random checkpoint in which no two leaves have one name."""
    while True:
        options.kept.clear()
        found = trees.tree(rng, options)
        if trees.tensors(found) is not None:
            return found


def options(new: bool, protocol: int = 2) -> trees.Options:
    """What torch.save can write: in the legacy container only types that have storages."""
    typed = tuple(dtype for dtype in trees.DTYPES if dtype not in trees.UNTYPED)
    return trees.Options(trees.DTYPES if new else typed, defaults=protocol != 2)


def save(rng: Random, found: Any, path: Path, protocol: int, new: bool) -> None:
    """Saves it, with or without checksums, and at a random alignment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.serialization.set_crc32_options(rng.random() < 0.7)
        alignment = rng.choice((64, 64, 4096))
        with config.patch({"save.storage_alignment": alignment}):
            torch.save(found, path, pickle_protocol=protocol, _use_new_zipfile_serialization=new)
        torch.serialization.set_crc32_options(True)


def load(path: Path, protocol: int) -> Any:
    """Loads it; what has just been saved here may be loaded in full."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        # The loader of weights alone knows no opcode of protocols 3 to 5.
        # Harmless types that this loader asks for.
        with torch.serialization.safe_globals([complex, set]):
            return torch.load(path, weights_only=protocol <= 2)


def check(path: Path, folder: Path, expected: dict[str, torch.Tensor], note: str) -> None:
    """Converts a file, and compares."""
    target = folder / "out.safetensors"
    ran = convert(path, target)
    if ran.code != 0:
        keep(path, note)
    assert ran.code == 0, f"{note}: {ran.err}{scan(path)[1]['findings'][:3]}"
    found = difference(target, expected)
    if found:
        keep(path, note)
    assert found is None, f"{note}: {found}"
    target.unlink()


def keep(path: Path, note: str) -> None:
    """Leaves a file that failed where the environment says, for a look at it."""
    folder = os.environ.get("SFT_KEEP")
    if folder:
        Path(folder, note.replace(" ", "-") + ".pt").write_bytes(path.read_bytes())


@pytest.mark.parametrize("new", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_random(protocol: int, new: bool, fast_folder: Path) -> None:
    """Nested containers, views, ties, expanded and empty tensors, every dtype."""
    rounds = ROUNDS if protocol == 2 else ROUNDS // 3
    name = f"{'zip' if new else 'legacy'} protocol {protocol}"
    print(f"{name}: {rounds} checkpoints, SFT_SEED={SEED}")
    count = 0
    for number in range(rounds):
        note = f"SFT_SEED={SEED} {name} number {number}"
        rng = Random(note)
        found = checkpoint(rng, options(new, protocol))
        path = fast_folder / "in.pt"
        save(rng, found, path, protocol, new)
        expected = trees.tensors(load(path, protocol))
        assert expected is not None
        count += len(expected)
        check(path, fast_folder, expected, note)
    assert count > rounds
    print(f"{count} tensors")


def test_protocol_1(fast_folder: Path) -> None:
    """The oldest protocol with which torch.save can write ids."""
    for number in range(ROUNDS // 5):
        note = f"SFT_SEED={SEED} protocol 1 number {number}"
        rng = Random(note)
        found = checkpoint(rng, options(number % 2 == 0, 1))
        path = fast_folder / "in.pt"
        save(rng, found, path, 1, number % 2 == 0)
        expected = trees.tensors(load(path, 3))
        assert expected is not None
        check(path, fast_folder, expected, note)


def swapped(path: Path, found: Any) -> None:
    """Rewrites a zip checkpoint as a big-endian machine would have saved it."""
    # Storages are numbered in the order in which the pickle comes to them.
    widths: dict[int, int] = {}
    for _, each in trees.leaves(found):
        if isinstance(each, torch.Tensor):
            # Complex numbers are two numbers, each swapped for itself.
            width = each.dtype.itemsize // (2 if each.is_complex() else 1)
            widths.setdefault(each.untyped_storage()._cdata, width)
    width_of = dict(enumerate(widths.values()))
    members = []
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            data = archive.read(info)
            if "/data/" in info.filename and data:
                width = width_of[int(info.filename.rpartition("/")[2])]
                data = b"".join(data[at : at + width][::-1] for at in range(0, len(data), width))
            elif info.filename.endswith("/byteorder"):
                data = b"big"
            members.append((info.filename, data))
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data)


def test_big_endian(fast_folder: Path) -> None:
    """Storages of big-endian machines are swapped, numbers of two parts part by part."""
    assert sys.byteorder == "little"
    wide = tuple(dtype for dtype in trees.DTYPES if dtype not in trees.UNTYPED[3:])
    for number in range(ROUNDS // 5):
        note = f"SFT_SEED={SEED} big-endian number {number}"
        rng = Random(note)
        found = checkpoint(rng, trees.Options(wide, defaults=False, one_type=True))
        path = fast_folder / "in.pt"
        torch.save(found, path)
        expected = trees.tensors(load(path, 2))
        assert expected is not None
        swapped(path, found)
        check(path, fast_folder, expected, note)


@pytest.mark.parametrize(
    ("dtype", "new"),
    [(dtype, new) for new in (True, False) for dtype in options(new).dtypes],
    ids=str,
)
def test_every_dtype(dtype: torch.dtype, new: bool, fast_folder: Path) -> None:
    """Every dtype, alone: dense, transposed, empty, without dimensions."""
    rng = Random(7)
    base = trees.plain(rng, dtype, [3, 5])
    found = {
        "dense": base,
        "transposed": base.T,
        "part": base[1:, ::2],
        "empty": trees.plain(rng, dtype, [0, 4]),
        "scalar": trees.plain(rng, dtype, []),
    }
    path = fast_folder / "in.pt"
    torch.save(found, path, _use_new_zipfile_serialization=new)
    check(path, fast_folder, trees.tensors(load(path, 2)) or {}, str(dtype))


REFUSED: dict[str, Any] = {
    "complex128": lambda: torch.zeros(2, dtype=torch.complex128),
    "complex32": lambda: torch.zeros(2, dtype=torch.complex32),
    "sparse": lambda: torch.eye(3).to_sparse(),
    "sparse_csr": lambda: torch.eye(3).to_sparse_csr(),
    "quantised": lambda: torch.quantize_per_tensor(torch.ones(3), 0.5, 0, torch.qint8),
    "quantised_channels": lambda: torch.quantize_per_channel(
        torch.ones(2, 3), torch.tensor([0.5, 0.25]), torch.tensor([0, 1]), 0, torch.quint8
    ),
    "meta": lambda: torch.empty(3, device="meta"),
}


@pytest.mark.parametrize(
    ("kind", "new"),
    # torch cannot write this one in the legacy container.
    [(kind, new) for kind in REFUSED for new in (True, False) if new or kind != "complex32"],
)
def test_refused(kind: str, new: bool, tmp_path: Path) -> None:
    """What safetensors cannot hold scans as clean, and is refused by its name."""
    path, target = tmp_path / "in.pt", tmp_path / "out.safetensors"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = REFUSED[kind]()
        torch.save({"the.tensor": found}, path, _use_new_zipfile_serialization=new)
    verdict = scan(path)[1]
    assert verdict["verdict"] == "clean", verdict["findings"]
    ran = convert(path, target)
    assert ran.code == 3 and not target.exists(), ran.err
    assert "the.tensor" in ran.err and len(ran.lines()) == 1


def test_one_tensor(tmp_path: Path) -> None:
    """A checkpoint that is one tensor has no name for it: it converts, or says why not."""
    path, target = tmp_path / "in.pt", tmp_path / "out.safetensors"
    torch.save(torch.arange(6.0), path)
    assert scan(path)[1]["verdict"] == "clean"
    ran = convert(path, target)
    assert ran.code in (0, 3), ran.err
    assert target.exists() == (ran.code == 0)


def test_whole_module(tmp_path: Path) -> None:
    """A whole module, not its state: a class nobody can vouch for; its tensors can be had."""
    path, target = tmp_path / "in.pt", tmp_path / "out.safetensors"
    torch.save(torch.nn.Linear(2, 3), path)
    assert scan(path)[1]["verdict"] == "unknown"
    assert convert(path, target).code == 2
    assert convert(path, target, "--allow-unknown").code == 0


def test_torchscript(tmp_path: Path) -> None:
    """TorchScript has code in it: unknown, and converted only where it is asked for."""
    path, target = tmp_path / "in.pt", tmp_path / "out.safetensors"
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(model), path)
    found = scan(path)[1]
    assert (found["verdict"], found["format"]) == ("unknown", "torchscript")
    assert "CONTAINS_CODE" in {each["code"] for each in found["findings"]}
    assert convert(path, target).code == 2 and not target.exists()
    ran = convert(path, target, "--allow-unknown")
    assert ran.code == 0, ran.err
    assert difference(target, dict(model.state_dict())) is None


def test_storage_of_a_pickle(tmp_path: Path) -> None:
    """Tensors pickled outside of torch.save come as a checkpoint in a text."""
    import pickle

    path, target = tmp_path / "in.pkl", tmp_path / "out.safetensors"
    state = {"a": torch.arange(5.0), "b": torch.arange(6).reshape(2, 3).T}
    for protocol in range(2, 6):
        path.write_bytes(pickle.dumps(state, protocol=protocol))
        assert scan(path)[1]["verdict"] == "clean"
        ran = run("convert", "-f", path, "-o", target)
        assert ran.code == 0, ran.err
        assert difference(target, state) is None
