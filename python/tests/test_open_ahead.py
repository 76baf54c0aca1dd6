"""Small tensors that are asked for one by one, which are read many at a time."""

from __future__ import annotations

import itertools
import os
import threading
from pathlib import Path
from random import Random

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from samples import DTYPE, Tensor, encode, numbers, random_tensor

BACKENDS = (None, "mmap", "pread")


def assert_equal(array: np.ndarray, tensor: Tensor) -> None:
    """An array is this tensor of plain type."""
    assert array.dtype == np.dtype(tensor.dtype.numpy)
    assert array.shape == tensor.shape
    assert array.tobytes() == tensor.data


@pytest.fixture
def many(tmp_path: Path) -> tuple[Path, dict[str, Tensor]]:
    """Many small tensors, with some that are large, empty or of another type among them."""
    rng = Random(5)
    tensors = {f"{n:04}": numbers((rng.randint(1, 600),)) for n in range(1500)}
    for n in range(0, 1500, 97):
        tensors[f"{n:04}"] = random_tensor(rng, DTYPE["U8"], (rng.choice((0, 1, 70_000)),))
    path = tmp_path / "many"
    path.write_bytes(encode(tensors))
    return path, tensors


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("order", ["forward", "backward", "skipping", "twice", "random"])
def test_one_by_one(many: tuple[Path, dict[str, Tensor]], order: str, backend: str | None) -> None:
    """Whatever is read ahead, every tensor is itself, and memory of its own."""
    path, tensors = many
    names = {
        "forward": list(tensors),
        "backward": list(reversed(tensors)),
        "skipping": list(tensors)[::3] + list(tensors)[1::3],
        "twice": [name for name in tensors for _ in range(2)] + list(tensors),
        "random": Random(6).choices(list(tensors), k=3000),
    }[order]
    with safe_open(path, "np", backend=backend) as f:
        arrays = [f.get_tensor(name) for name in names]
    for name, array in zip(names, arrays, strict=True):
        assert_equal(array, tensors[name])
    if backend != "mmap":
        for number, array in enumerate(arrays):
            array[...] = number % 251
        assert all((array == n % 251).all() for n, array in enumerate(arrays))


def test_one_by_one_in_threads(many: tuple[Path, dict[str, Tensor]]) -> None:
    path, tensors = many
    failures: list[BaseException] = []

    def read(names: list[str]) -> None:
        try:
            for name in names:
                assert_equal(f.get_tensor(name), tensors[name])
        except BaseException as error:
            failures.append(error)

    with safe_open(path, "np") as f:
        orders = [list(tensors), list(tensors), list(tensors)[::2], list(reversed(tensors))]
        threads = [threading.Thread(target=read, args=(names,)) for names in orders]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert failures == []


def test_what_is_read_ahead_from_a_file_that_shrank(
    many: tuple[Path, dict[str, Tensor]],
) -> None:
    """What is no longer there is an error for the tensors that miss it, and for no other."""
    path, tensors = many
    with safe_open(path, "np") as f:
        names = f.offset_keys()
        start = path.stat().st_size - sum(len(tensor.data) for tensor in tensors.values())
        ends = itertools.accumulate(len(tensors[name].data) for name in names)
        half = path.stat().st_size // 2
        there = [start + end <= half for end in ends]
        os.truncate(path, half)
        for name, whole in zip(names, there, strict=True):
            if whole or not tensors[name].data:
                assert_equal(f.get_tensor(name), tensors[name])
            else:
                with pytest.raises(SafetensorError) as caught:
                    f.get_tensor(name)
                assert (caught.value.code, caught.value.tensor) == ("FILE_SHRANK", name)
