"""What holds for any tensors and any files, with numpy: round trips, slices, headers, damage."""

from __future__ import annotations

import json
import struct
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError, deserialize, safe_open
from safetensors.numpy import load, load_file, save, save_file
from samples import DTYPES, PLAIN, encode, numbers

RANKS = [dtype.name for dtype in DTYPES]
BACKENDS = (None, "mmap", "pread")
NAMES = st.text(max_size=20).filter(lambda name: name != "__metadata__")
METADATA = st.none() | st.dictionaries(st.text(max_size=12), st.text(max_size=12), max_size=4)
SHAPES = st.lists(st.integers(0, 4), max_size=5).map(tuple)
relaxed = settings(
    deadline=None, max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@st.composite
def arrays(draw: st.DrawFn) -> np.ndarray[Any, Any]:
    """An array of any type and shape, in any memory order and byte order."""
    dtype = np.dtype(draw(st.sampled_from([d.numpy for d in PLAIN])))
    shape = draw(SHAPES)
    count = int(np.prod(shape, dtype=int))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    data = rng.integers(0, 2 if dtype.kind == "b" else 256, count * dtype.itemsize, dtype=np.uint8)
    array = data.view(dtype).reshape(shape) if count else np.zeros(shape, dtype)
    order = draw(
        st.sampled_from(["C", "F", "strided", "reversed", "big", "transposed", "readonly"])
    )
    if order == "F":
        return np.asfortranarray(array)
    if order == "strided" and array.ndim:
        return np.repeat(array, 2, axis=0)[::2]
    if order == "reversed" and array.ndim:
        return array[::-1]
    if order == "big":
        return array.astype(dtype.newbyteorder(">"))
    if order == "transposed":
        return array.T
    if order == "readonly":
        array.flags.writeable = False
    return array


def same(one: np.ndarray[Any, Any], other: np.ndarray[Any, Any]) -> bool:
    """Equal shape, type and bytes: also where a NaN is not equal to itself."""
    native = np.ascontiguousarray(other.astype(other.dtype.newbyteorder("<"))).reshape(other.shape)
    return (
        one.shape == native.shape
        and one.dtype == native.dtype
        and (one.tobytes() == native.tobytes())
    )


def same_dicts(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Equal names, and equal arrays under them."""
    return sorted(one) == sorted(other) and all(same(one[name], other[name]) for name in one)


@relaxed
@given(st.dictionaries(NAMES, arrays(), max_size=6), METADATA)
def test_round_trips(tensors: dict[str, Any], metadata: dict[str, str] | None) -> None:
    """What is saved comes back by every way of loading, and the dict stays as it was."""
    before = dict(tensors)
    data = save(tensors, metadata)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x"
        save_file(tensors, path, metadata)
        assert path.read_bytes() == data
        assert [file.name for file in Path(folder).iterdir()] == ["x"]
        for backend in BACKENDS:
            loaded = load_file(path, backend=backend)
            assert same_dicts(loaded, tensors)
            with safe_open(path, "np", backend=backend) as f:
                assert f.keys() == sorted(tensors)
                assert sorted(f.offset_keys()) == sorted(tensors)
                assert f.metadata() == metadata
                for name in tensors:
                    assert same(f.get_tensor(name), tensors[name])
                    # As the peer, a handle for numpy refuses every part of a tensor without rows.
                    if tensors[name].size:
                        assert same(f.get_slice(name)[...], tensors[name])
                    assert f.get_slice(name).get_shape() == list(tensors[name].shape)
            assert all(array.flags.writeable for array in loaded.values())
    assert same_dicts(load(data), tensors)
    assert same_dicts(load(data, copy=False), tensors)
    assert same_dicts(load(bytearray(data), copy=False), tensors)
    assert tensors.keys() == before.keys()
    assert all(tensors[name] is before[name] for name in before)


@relaxed
@given(st.dictionaries(NAMES, arrays(), max_size=6), METADATA)
def test_headers(tensors: dict[str, Any], metadata: dict[str, str] | None) -> None:
    """Plain JSON, padded to eight bytes; data by rank of the type, then by name, without a hole."""
    data = save(tensors, metadata)
    (size,) = struct.unpack("<Q", data[:8])
    assert size % 8 == 0
    header = json.loads(data[8 : 8 + size])
    assert header.pop("__metadata__", None) == metadata
    order = [(-RANKS.index(entry["dtype"]), name.encode()) for name, entry in header.items()]
    assert order == sorted(order)
    place = 0
    for name, entry in header.items():
        assert entry["data_offsets"][0] == place
        place = entry["data_offsets"][1]
        assert tuple(entry["shape"]) == tensors[name].shape
    assert place == len(data) - 8 - size
    assert save(dict(reversed(tensors.items())), metadata) == data


@relaxed
@given(METADATA)
def test_metadata_in_any_order(metadata: dict[str, str] | None) -> None:
    """The same text makes the same file."""
    if metadata is not None:
        assert save({}, metadata) == save({}, dict(reversed(metadata.items())))


def test_the_reserved_name(tmp_path: Path) -> None:
    """It would make a file that nobody opens; nothing is written, and what was there stays."""
    path = tmp_path / "x"
    path.write_bytes(b"old")
    with pytest.raises(SafetensorError, match="__metadata__"):
        save_file({"__metadata__": np.zeros(2)}, path)
    with pytest.raises(SafetensorError, match="__metadata__"):
        save({"__metadata__": np.zeros(2)})
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("rank", [0, 1, 8, 32])
def test_many_dimensions(rank: int) -> None:
    array = np.full((1,) * rank, 7, np.int32)
    assert same(load(save({"x": array}))["x"], array)


SIDE = st.integers(1, 6)


@st.composite
def taken_slices(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """A shape, and an index within it of the kinds that every framework takes."""
    shape = tuple(draw(st.lists(SIDE, max_size=4)))
    parts: list[Any] = []
    for size in shape[: draw(st.integers(0, len(shape)))]:
        whole = slice(None)
        start = draw(st.integers(0, size - 1))
        stop = draw(st.integers(start, size))
        part = st.sampled_from(
            [
                whole,
                start,
                start - size,
                slice(start, stop),
                slice(start, None),
                slice(None, stop),
                slice(start, stop, draw(st.integers(1, 8))),
                slice(None, None, draw(st.integers(1, 8))),
                np.int64(start),
            ]
        )
        parts.append(draw(part))
    if len(parts) == len(shape) and draw(st.booleans()):
        parts.insert(draw(st.integers(0, len(parts))), Ellipsis)
    elif draw(st.booleans()):
        parts.append(Ellipsis)
    return shape, tuple(parts)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for the files of slices, one for each shape."""
    return tmp_path_factory.mktemp("slices")


@settings(relaxed, max_examples=300)
@given(taken_slices(), st.sampled_from(BACKENDS))
def test_slices(
    folder: Path, chosen: tuple[tuple[int, ...], tuple[Any, ...]], backend: str | None
) -> None:
    """A slice is what numpy makes of the whole tensor."""
    shape, index = chosen
    path = folder / ("x".join(map(str, shape)) or "scalar")
    if not path.exists():
        path.write_bytes(encode({"x": numbers(shape)}))
    whole = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    with safe_open(path, "np", backend=backend) as f:
        part = f.get_slice("x")[index if len(index) != 1 else index[0]]
    expected = np.asarray(whole[index])
    assert part.shape == expected.shape
    assert part.dtype == expected.dtype
    assert part.tolist() == expected.tolist()


BOUND = st.none() | st.integers(-9, 9)
ANY_PART = st.one_of(
    st.integers(-9, 9), st.builds(slice, BOUND, BOUND, BOUND), st.just(Ellipsis), st.none()
)


@settings(relaxed, max_examples=300)
@given(st.lists(ANY_PART, max_size=4).map(tuple), st.sampled_from(BACKENDS))
def test_any_slices(folder: Path, index: tuple[Any, ...], backend: str | None) -> None:
    """Refused with a reason, or as numpy has it: never something else."""
    path = folder / "any"
    if not path.exists():
        path.write_bytes(encode({"x": numbers((5, 3, 4))}))
    whole = np.arange(60, dtype=np.float32).reshape(5, 3, 4)
    with safe_open(path, "np", backend=backend) as f:
        try:
            part = f.get_slice("x")[index]
        except (SafetensorError, OverflowError) as error:
            refusal = str(error)
        else:
            refusal = ""
    if not refusal:
        assert part.tolist() == whole[index].tolist()


def views_of(content: bytes) -> list[tuple[str, Any]] | None:
    """The tensors of a file, or None where it is refused."""
    try:
        return list(deserialize(content))
    except SafetensorError:
        return None


@settings(relaxed, max_examples=400)
@given(
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    st.integers(0, 400),
    st.booleans(),
)
def test_damage(changes: list[tuple[int, int]], end: int, cut: bool) -> None:
    """Changed and shortened files are refused, or mean something that can be said."""
    data = bytearray(encode({"a": numbers((3, 2)), "b": numbers((4,))}, {"k": "v"}))
    for place, value in changes:
        data[place % len(data)] = value
    content = bytes(data[: end % len(data)] if cut else data)
    views = views_of(content)
    if views is None:
        with pytest.raises(SafetensorError, match=r"^Error while deserializing: .*\([A-Za-z]+\)"):
            load(content)
        return
    for _, view in views:
        assert isinstance(view["data"], bytearray)
        assert all(size >= 0 for size in view["shape"])


@settings(relaxed, max_examples=200)
@given(st.binary(max_size=200))
def test_noise(content: bytes) -> None:
    for data in (content, struct.pack("<Q", len(content)) + content):
        if views_of(data) is None:
            with pytest.raises(SafetensorError):
                load(data)
