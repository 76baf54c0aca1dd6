"""Damaged checkpoints: what still converts is what PyTorch and NumPy still load from them.

A reader that takes a damaged file for a sound one, or another view for the one that is written,
shows here. Only files that scan as clean and convert are loaded, by the loader of weights alone.
"""

from __future__ import annotations

import io
import os
import time
import warnings
import zipfile
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import torch
import trees
from comparing import difference
from running import convert
from safetensors.numpy import load_file
from test_torch import checkpoint, keep, options

SEED = int(os.environ.get("SFT_SEED", str(time.time_ns() % 10**9)))
ROUNDS = int(os.environ.get("SFT_MUTANTS", "60"))
EACH = 10
PIECES = (b"K\x00", b"K\x01", b"K\x02", b"N", b")", b"M\x00\x01", b"J\xff\xff\xff\xff")


def damage(rng: Random, data: bytes, reach: int) -> bytes:
    """One or two small changes near the beginning."""
    found = bytearray(data)
    for _ in range(rng.randrange(1, 3)):
        at = rng.randrange(min(len(found), reach))
        kind = rng.randrange(4)
        if kind == 0:
            found[at] = rng.randrange(256)
        elif kind == 1:
            found[at] = (found[at] + rng.choice((1, -1))) & 255
        elif kind == 2:
            found[at] ^= 1 << rng.randrange(8)
        else:
            found[at : at + rng.randrange(3)] = rng.choice(PIECES)
    return bytes(found)


def damaged_checkpoint(rng: Random, data: bytes) -> bytes:
    """Damages the pickle of a zip checkpoint, whose other members stay; or any byte of another."""
    if data[:2] != b"PK":
        return damage(rng, data, len(data))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = [(info.filename, archive.read(info)) for info in archive.infolist()]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members:
            changed = damage(rng, content, len(content)) if name.endswith("/data.pkl") else content
            archive.writestr(zipfile.ZipInfo(name), changed)
    return buffer.getvalue()


def loaded(path: Path) -> dict[str, torch.Tensor] | None:
    """What torch.load makes of it; None where it refuses."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with torch.serialization.safe_globals([complex, set]):
                found: Any = torch.load(path, weights_only=True)
        except Exception:
            # It refuses more, an unknown device say, in many ways.
            return None
    return trees.tensors(found)


def test_torch(fast_folder: Path) -> None:
    """Checkpoints in both containers."""
    path, target = fast_folder / "in.pt", fast_folder / "out.safetensors"
    converted = equal = 0
    for number in range(ROUNDS):
        note = f"SFT_SEED={SEED} mutant {number}"
        rng = Random(note)
        new = rng.random() < 0.7
        buffer = io.BytesIO()
        torch.save(checkpoint(rng, options(new)), buffer, _use_new_zipfile_serialization=new)
        for _ in range(EACH):
            path.write_bytes(damaged_checkpoint(rng, buffer.getvalue()))
            ran = convert(path, target, "-f")
            assert ran.code in (0, 1, 2, 3), ran
            if ran.code != 0:
                continue
            converted += 1
            expected = loaded(path)
            if expected is None:
                continue
            found = difference(target, expected)
            if found:
                keep(path, note)
            assert found is None, f"{note}: {found}"
            equal += 1
    print(f"{ROUNDS * EACH} damaged, {converted} converted, {equal} of them equal: SFT_SEED={SEED}")
    assert equal > 0


def array(rng: Random) -> np.ndarray[Any, Any]:
    """A random array."""
    shape = [rng.choice((0, 1, 2, 3, 4)) for _ in range(rng.randrange(4))]
    code = rng.choice(
        ("f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u4", "?", "c8", ">f4", ">i8")
    )
    size = 1
    for each in shape:
        size *= each
    found = np.array([rng.randrange(100) for _ in range(size)]).astype(code).reshape(shape)
    return np.asfortranarray(found) if rng.random() < 0.3 else found


def test_numpy(fast_folder: Path) -> None:
    """.npy and .npz, most of all their headers."""
    target = fast_folder / "out.safetensors"
    converted = equal = 0
    for number in range(ROUNDS):
        note = f"SFT_SEED={SEED} array {number}"
        rng = Random(note)
        buffer = io.BytesIO()
        alone = rng.random() < 0.5
        if alone:
            np.save(buffer, array(rng))
        else:
            np.savez(buffer, a=array(rng), b=array(rng))
        path = fast_folder / ("a.npy" if alone else "a.npz")
        for _ in range(EACH):
            path.write_bytes(damage(rng, buffer.getvalue(), rng.choice((130, 1000))))
            ran = convert(path, target, "-f")
            assert ran.code in (0, 1, 2, 3), ran
            if ran.code != 0:
                continue
            converted += 1
            try:
                expected = {"a": np.load(path)} if alone else dict(np.load(path))
            except Exception:  # noqa: S112
                continue
            found = load_file(target)
            assert sorted(found) == sorted(expected), note
            for name, each in expected.items():
                right = each.astype(each.dtype.newbyteorder("="))
                assert found[name].dtype == right.dtype and found[name].shape == right.shape, note
                assert found[name].tobytes() == right.tobytes(), note
            equal += 1
    print(f"{ROUNDS * EACH} damaged, {converted} converted, {equal} of them equal: SFT_SEED={SEED}")
    assert equal > 0
