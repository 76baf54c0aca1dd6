"""What holds for any tensors with torch: round trips of every type, and slices as torch indexes."""

from __future__ import annotations

import math
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from samples import DTYPES, encode, numbers

torch = pytest.importorskip("torch")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load, load_file, save, save_file  # noqa: E402

BACKENDS = (None, "mmap", "pread")
NAMES = st.text(max_size=20).filter(lambda name: name != "__metadata__")
KINDS = [getattr(torch, d.torch) for d in DTYPES if d.torch and hasattr(torch, d.torch)]
relaxed = settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


# What a tensor is made from: torch cannot print every tensor that a failure would have to show.
PLANS = st.tuples(
    st.sampled_from(KINDS),
    st.lists(st.integers(0, 4), max_size=4).map(tuple),
    st.integers(0, 2**32),
).filter(lambda plan: plan[1] or "float4" not in str(plan[0]))


def make(dtype: Any, shape: tuple[int, ...], seed: int) -> Any:
    """A tensor of random bytes."""
    size = math.prod(shape) * torch.empty((), dtype=dtype).element_size()
    generator = torch.Generator().manual_seed(seed)
    top = 2 if dtype == torch.bool else 256
    data = torch.randint(0, top, (size,), dtype=torch.uint8, generator=generator)
    if not size:
        return torch.empty(shape, dtype=dtype)
    return data.view(dtype).reshape(shape)


def same(one: Any, other: Any) -> bool:
    """Equal shape, type and bytes."""
    if one.shape != other.shape or one.dtype != other.dtype:
        return False
    if not one.numel():
        return True
    flat, expected = (t.reshape(-1).view(torch.uint8) for t in (one, other))
    return bool(torch.equal(flat, expected))


@relaxed
@given(st.dictionaries(NAMES, PLANS, max_size=6))
def test_round_trips(plans: dict[str, Any]) -> None:
    model = {name: make(*plan) for name, plan in plans.items()}
    data = save(model)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        save_file(model, path)
        assert path.read_bytes() == data
        for backend in BACKENDS:
            loaded = load_file(path, backend=backend)
            assert sorted(loaded) == sorted(model)
            assert all(same(loaded[name], model[name]) for name in model)
            storages = [t.untyped_storage() for t in loaded.values()]
            sizes = [t.numel() * t.element_size() for t in loaded.values()]
            assert [storage.nbytes() for storage in storages] == sizes
            with safe_open(path, "pt", backend=backend) as f:
                assert all(same(f.get_tensor(name), model[name]) for name in model)
            for tensor in loaded.values():
                tensor.reshape(-1).view(torch.uint8).zero_()
        assert path.read_bytes() == data
    loaded = load(data)
    assert all(same(loaded[name], model[name]) for name in model)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with one tensor of three dimensions."""
    file = tmp_path_factory.mktemp("slices") / "x"
    file.write_bytes(encode({"x": numbers((5, 3, 4))}))
    return file


BOUND = st.none() | st.integers(-7, 7)
STEP = st.none() | st.integers(1, 4)
PART = st.one_of(
    st.integers(-6, 6),
    st.builds(slice, BOUND, BOUND, STEP),
    st.just(Ellipsis),
    st.none(),
    st.lists(st.integers(-4, 4), max_size=3),
    st.booleans(),
)


@settings(relaxed, max_examples=400)
@given(st.lists(PART, max_size=4).map(tuple), st.sampled_from(BACKENDS))
@pytest.mark.filterwarnings("ignore")
def test_slices(path: Path, index: tuple[Any, ...], backend: str | None) -> None:
    """What torch makes of the whole tensor: the value, or the exception and its words."""
    whole = torch.arange(60, dtype=torch.float32).reshape(5, 3, 4)
    with safe_open(path, "pt", backend=backend) as f:
        part = f.get_slice("x")
    found, expected = outcome(part, index), outcome(whole, index)
    if isinstance(expected, Exception):
        assert type(found) is type(expected)
        # Several ellipses: torch's words depend on what is behind them in memory.
        assert str(found) == str(expected) or index.count(Ellipsis) > 1
        return
    assert found.shape == expected.shape
    assert torch.equal(found, expected)


def outcome(of: Any, index: tuple[Any, ...]) -> Any:
    """What an index gives: a tensor or an exception."""
    try:
        return of[index]
    except Exception as error:
        return error
