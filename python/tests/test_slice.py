"""Slices equal what indexing the whole tensor gives, with every backend and every rank."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from safetensors import SafetensorError, safe_open
from samples import DTYPE, DTYPES, encode, numbers, random_tensor, raw

BACKENDS = (None, "mmap", "pread")
SHAPES: dict[str, tuple[int, ...]] = {
    "scalar": (),
    "vector": (7,),
    "matrix": (5, 4),
    "cube": (2, 3, 4),
    "four": (2, 3, 2, 3),
    "wide": (1, 9, 1),
}
# One dimension's item, for a dimension of four or more: numbers, slices, all.
ITEMS = (0, -1, slice(None), slice(1, 3), slice(None, None, 2), slice(1, None, 3), slice(2, 2))


def items_for(size: int) -> list[Any]:
    """The items that fit a dimension of this size, by the common rule."""

    def fits(item: Any) -> bool:
        spans = isinstance(item, slice)
        return not spans or ((item.start or 0) < size and (item.stop or 0) <= size)

    return [item for item in ITEMS if fits(item)]


def indices_for(shape: tuple[int, ...]) -> list[Any]:
    """Every index of these items, for as many dimensions as there are or fewer; then with dots."""
    indices: list[Any] = [(), ...]
    for rank in range(1, len(shape) + 1):
        front = [items_for(size) for size in shape[:rank]]
        back = [items_for(size) for size in shape[len(shape) - rank :]]
        indices += itertools.product(*front)
        indices += [(..., *items) for items in itertools.product(*back)]
    if len(shape) > 1:
        ends = itertools.product(items_for(shape[0]), items_for(shape[-1]))
        indices += [(first, ..., last) for first, last in ends]
        indices += [(item, ...) for item in items_for(shape[0])]
    if shape:
        indices += items_for(shape[0])
    return indices


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A file of tensors that count from zero."""
    path = tmp_path_factory.mktemp("slice") / "model.safetensors"
    path.write_bytes(encode({name: numbers(shape) for name, shape in SHAPES.items()}))
    return str(path)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SHAPES)
def test_numpy_grid(model: str, name: str, backend: str | None) -> None:
    with safe_open(model, "np", backend=backend) as file:
        full = file.get_tensor(name)
        part = file.get_slice(name)
        for index in indices_for(SHAPES[name]):
            # The dots keep numpy from making a scalar of a single element.
            dots = isinstance(index, tuple) and ... not in index
            expected = full[(*index, ...) if dots else index]
            got = part[index]
            assert isinstance(got, np.ndarray), index
            assert got.shape == np.shape(expected), index
            assert np.array_equal(got, expected), index


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", SHAPES)
def test_torch_grid(model: str, name: str, backend: str | None) -> None:
    torch = pytest.importorskip("torch")
    with safe_open(model, "pt", backend=backend) as file:
        full = file.get_tensor(name)
        part = file.get_slice(name)
        for index in indices_for(SHAPES[name]):
            expected = full[index]
            got = part[index]
            assert got.shape == expected.shape, index
            assert torch.equal(got, expected), index
            if backend == "pread":
                assert got.is_contiguous(), index
            else:
                assert got.stride() == expected.stride(), index


@pytest.mark.parametrize("backend", BACKENDS)
def test_jax_grid(model: str, backend: str | None) -> None:
    pytest.importorskip("jax")
    with safe_open(model, "flax", backend=backend) as file:
        full = np.asarray(file.get_tensor("matrix"))
        part = file.get_slice("matrix")
        for index in indices_for(SHAPES["matrix"]):
            assert np.array_equal(np.asarray(part[index]), full[index]), index


# For torch: what decides how much is read, in every order of three.
TORCH_ITEMS = """
0 | -1 | : | 1: | ::2 | -2: | :-1 | 5:1 | None | ... | True | False | [0, 1] | [] | [[0], [1]]
[True, False] | torch.tensor([1, 0]) | torch.tensor(1) | torch.tensor([True, True]) | np.int64(1)
np.array([0, 1]) | 9 | -9 | 'a' | 1.5 | ::-1 | ::0 | 2**70 | :2**70 | (0, 1) | ::2**62
""".replace("\n", "|").split("|")


def outcome(action: Callable[[], Any]) -> Any:
    """What torch gives or how it refuses, in a form that can be compared."""
    try:
        value = action()
    except (IndexError, TypeError, ValueError, RuntimeError, OverflowError) as error:
        return type(error).__name__, str(error)
    return tuple(value.shape), value.tolist()


def test_torch_takes_what_torch_takes(model: str) -> None:
    torch = pytest.importorskip("torch")
    items = [item.strip() for item in TORCH_ITEMS if item.strip()]
    chosen: list[tuple[str, ...]] = [(item,) for item in items]
    chosen += itertools.product(items, items)
    chosen += Random(7).sample(list(itertools.product(items, repeat=3)), 2500)
    with safe_open(model, "pt", backend="pread") as file:
        full = file.get_tensor("cube")
        part = file.get_slice("cube")
        for parts in chosen:
            text = ", ".join(parts)
            for form in (text, f"{text},") if len(parts) == 1 else (text,):
                source = f"lambda of: of[{form}]"
                index = eval(source, {"torch": torch, "np": np})  # noqa: S307 - from the list above
                assert outcome(lambda: index(part)) == outcome(lambda: index(full)), form  # noqa: B023


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.torch], ids=lambda d: d.name)
def test_torch_dtypes(tmp_path: Path, dtype: Any, backend: str | None) -> None:
    """Each of torch's types; the packed one counts bytes, as its tensors do."""
    torch = pytest.importorskip("torch")
    if not hasattr(torch, dtype.torch):
        pytest.skip(f"this torch has no {dtype.torch}")
    path = tmp_path / "x.safetensors"
    path.write_bytes(encode({"x": random_tensor(Random(1), dtype, (4, 6))}))
    with safe_open(path, "pt", backend=backend) as file:
        full = file.get_tensor("x")
        part = file.get_slice("x")
        raw = full.view(torch.uint8)
        width = raw.shape[1] // full.shape[1]
        assert part.get_shape() == [4, 6]
        assert part.get_dtype() == dtype.name
        for index in (
            (1,),
            (3, 1),
            (..., 2),
            (slice(1, 3),),
            (slice(None), slice(1, None)),
            (slice(None), slice(None, None, 2)),
            (slice(1, None, 2), slice(0, 2)),
        ):
            got = part[index]
            assert got.dtype == full.dtype
            assert got.shape == full[index].shape
            behind = () if ... in index else (...,)
            bytes_too = (*index, *behind, slice(None))
            expected = raw.reshape(*full.shape, width)[bytes_too]
            got = got.contiguous().reshape(-1).view(torch.uint8)
            assert torch.equal(got, expected.reshape(-1)), index


@pytest.mark.parametrize("backend", BACKENDS)
def test_torch_has_no_half_bytes(tmp_path: Path, backend: str | None) -> None:
    """Of a tensor that torch cannot hold, for its rows end within a byte, it gets no part."""
    pytest.importorskip("torch")
    path = tmp_path / "x.safetensors"
    path.write_bytes(encode({"x": random_tensor(Random(3), DTYPE["F4"], (4, 3))}))
    with safe_open(path, "pt", backend=backend) as file:
        part = file.get_slice("x")
        for index in (..., 0, (slice(None), slice(0, 1)), (slice(0, 2), 0)):
            with pytest.raises(SafetensorError, match="last dim be divisible by 2"):
                part[index]


@pytest.mark.parametrize("framework", ["np", "flax"])
@pytest.mark.parametrize(
    ("index", "named"),
    [
        ((slice(None), 0), ":, 0"),
        ((slice(None), slice(1, 3)), ":, 1:3"),
        ((0, slice(0, 1)), "0, 0:1"),
        ((slice(None), slice(None, None, 2)), ":, ::2"),
    ],
)
def test_a_cut_through_a_byte(tmp_path: Path, framework: Any, index: Any, named: str) -> None:
    if framework == "flax":
        pytest.importorskip("jax")
    path = tmp_path / "x.safetensors"
    path.write_bytes(encode({"x": random_tensor(Random(2), DTYPE["F4"], (4, 6))}))
    with safe_open(path, framework) as file, pytest.raises(SafetensorError) as caught:
        file.get_slice("x")[index]
    assert str(caught.value) == (
        f"Error during slicing [{named}] with shape [4, 6]: The slice is slicing for subbytes "
        "dtypes, and the slice does not end up at a byte boundary, this is invalid."
    )


# What the peer says, word for word; `both` compares many more where the peer is at hand.
MESSAGES = {
    "0, -6": "Invalid index -6 for dimension 1 of size 5",
    "[0]": "Non empty lists are not implemented",
    "2:, 20": "Error during slicing [2:, 20] with shape [10, 5]: index 20 out of bounds for tensor "
    "dimension #1 of size 5",
    ":20": "Error during slicing [:20] with shape [10, 5]: index 19 out of bounds for tensor "
    "dimension #0 of size 10",
    "20:30, ..., 0": "Error during slicing [20:30, 0] with shape [10, 5]: index 20 out of bounds "
    "for tensor dimension #0 of size 10",
    "2:20:3, 9": "Error during slicing [2:20:3, 9] with shape [10, 5]: index 9 out of bounds for "
    "tensor dimension #1 of size 5",
    "0, 1:, 2": "Error during slicing [0, 1:, 2] with shape [10, 5]: more slicing indexes than "
    "dimensions in tensor",
    "..., ...": "Only one ellipsis (...) is allowed in slice index",
    "..., None": "Unsupported slice index at position 1: expected slice, int, or ellipsis",
    "1.0": "Unsupported slice index at position 0: expected slice, int, or ellipsis",
    "2**31": "Unsupported slice index at position 0: expected slice, int, or ellipsis",
    "2**80": "Unsupported slice index at position 0: expected slice, int, or ellipsis",
    "::-1": "Slice step must be a positive integer, got -1",
    "::0": "Slice step must be a positive integer, got 0",
}


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("index", MESSAGES)
def test_words_of_a_refusal(tmp_path: Path, index: str, backend: str | None) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(encode({"x": numbers((10, 5))}))
    with safe_open(path, "np", backend=backend) as file:
        part = file.get_slice("x")
        with pytest.raises(SafetensorError) as caught:
            eval(f"part[{index}]", {"part": part})  # noqa: S307 - from the table above
    assert str(caught.value) == MESSAGES[index]


@pytest.mark.parametrize(
    ("index", "error"),
    [
        (slice(-1, None), OverflowError),
        (slice(None, -1), OverflowError),
        (slice(2**64, None), OverflowError),
        (slice(None, None, 2**64), OverflowError),
        (slice("a", None), TypeError),
        (slice(None, None, 1.5), TypeError),
    ],
)
def test_bounds_that_are_none(model: str, index: slice, error: type[Exception]) -> None:
    with safe_open(model, "np") as file, pytest.raises(error):
        file.get_slice("matrix")[index]


def test_a_large_index_of_a_large_dimension(tmp_path: Path) -> None:
    """Beyond 32 bits an integer is taken where there is an element; the file is sparse."""
    size = 2**31 + 100
    path = tmp_path / "x.safetensors"
    with path.open("wb") as file:
        file.write(raw({"x": {"dtype": "U8", "shape": [size], "data_offsets": [0, size]}}))
        file.seek(size - 3, 1)
        file.write(b"\x07\0\0")
    for backend in BACKENDS:
        with safe_open(path, "np", backend=backend) as file:
            part = file.get_slice("x")
            assert part[size - 3] == 7
            assert part[-3] == 7
            assert part[size - 4 : size].tolist() == [0, 7, 0, 0]
            with pytest.raises(SafetensorError, match="Unsupported slice index at position 0"):
                part[size]


def test_threads_share_a_slice(model: str) -> None:
    failures: list[Exception] = []
    with safe_open(model, "np", backend="pread") as file:
        full = file.get_tensor("four")
        part = file.get_slice("four")

        def read(seed: int) -> None:
            rng = Random(seed)
            indices = indices_for(SHAPES["four"])
            try:
                for index in rng.choices(indices, k=300):
                    assert np.array_equal(part[index], full[index]), index
            except Exception as error:
                failures.append(error)

        threads = [threading.Thread(target=read, args=(seed,)) for seed in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not failures
