"""The memory that load_file gives its arrays: one stretch, from which each goes by itself."""

from __future__ import annotations

import gc
import os
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from conftest import needs_proc
from safetensors.numpy import load_file, save_file

MIB = 1 << 20
# Around every bound there is: heap, small page, shared block, large page.
SIZES = [0, 1, 1000, 4096, 65535, 65536, 65537, 262143, 262144, MIB, 2 * MIB - 1, 2 * MIB, 5 * MIB]


def fill(sizes: list[int]) -> dict[str, np.ndarray]:
    """A tensor of each size, each with a value of its own."""
    return {f"{i:03}": np.full(size, i % 251, np.uint8) for i, size in enumerate(sizes)}


def assert_holds(tensors: dict[str, np.ndarray], made: dict[str, np.ndarray]) -> None:
    for name, tensor in tensors.items():
        np.testing.assert_array_equal(tensor, made[name])


def resident() -> int:
    """The bytes of this process that are in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


@pytest.mark.parametrize("sizes", [SIZES, SIZES[::-1], SIZES * 3, SIZES[:8]])
def test_no_two_arrays_share_a_byte(tmp_path: Path, sizes: list[int]) -> None:
    path = tmp_path / "x.safetensors"
    made = fill(sizes)
    save_file(made, path)
    tensors = load_file(path)
    assert_holds(tensors, made)
    places = sorted((t.ctypes.data, t.nbytes) for t in tensors.values() if t.nbytes > 0)
    assert all(address % 64 == 0 for address, _ in places)
    assert all(a + size <= b for (a, size), (b, _) in pairwise(places))
    for i, tensor in enumerate(tensors.values()):
        tensor[...] = 255 - i
    for i, tensor in enumerate(tensors.values()):
        assert (tensor == 255 - i).all()


@pytest.mark.parametrize(
    "kept", [slice(None, None, 2), slice(1, None, 2), slice(-1, None), slice(1)]
)
def test_each_array_goes_by_itself(tmp_path: Path, kept: slice) -> None:
    path = tmp_path / "x.safetensors"
    made = fill(SIZES * 3)
    save_file(made, path)
    tensors = load_file(path)
    names = list(tensors)[kept]
    survivors = {name: tensors[name] for name in names}
    del tensors
    gc.collect()
    for _ in range(3):
        load_file(path)
    assert_holds(survivors, made)


@needs_proc
@pytest.mark.skipif("SFT_SANITIZE" in os.environ, reason="a sanitizer has memory of its own")
def test_one_survivor_does_not_hold_the_rest(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    made = fill([MIB] * 100)
    save_file(made, path)
    before = resident()
    tensors = load_file(path)
    assert resident() - before > 90 * MIB
    survivor = {"050": tensors["050"]}
    del tensors
    gc.collect()
    assert resident() - before < 10 * MIB
    assert_holds(survivor, made)
