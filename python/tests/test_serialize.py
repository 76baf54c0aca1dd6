"""serialize and deserialize: what they take, their bytes, their refusals, and what they hold."""

from __future__ import annotations

import array
import gc
import json
import sys
from random import Random
from typing import Any

import numpy as np
import pytest
from conftest import Both
from safetensors import SafetensorError, deserialize, serialize
from samples import DTYPES, Dtype, Tensor, random_tensors
from saving import spec_of

OLD = "{'a': {'dtype': 'float32', 'shape': [2, 3], 'data': bytes(24)}}"


def old(tensor: Tensor, data: Any = None) -> dict[str, Any]:
    """A tensor in the form that serialize() took up to 0.7."""
    return {
        "dtype": tensor.dtype.serialized,
        "shape": tensor.shape,
        "data": tensor.data if data is None else data,
    }


# ---- both generations ----


def test_both_generations_give_the_same_bytes() -> None:
    rng = Random(1)
    dtypes = tuple(d for d in DTYPES if d.serialized and d.name != "F4")
    for _ in range(20):
        tensors = random_tensors(rng, dtypes, rng.randint(0, 9))
        memory = {name: np.frombuffer(t.data, np.uint8).copy() for name, t in tensors.items()}
        new = {
            name: spec_of(memory[name], dtype=t.dtype.serialized, shape=t.shape)
            for name, t in tensors.items()
        }
        mixed = {name: old(t) if rng.random() < 0.5 else new[name] for name, t in tensors.items()}
        expected = serialize(new, {"k": "v"})
        assert type(expected) is bytes
        assert serialize({name: old(t) for name, t in tensors.items()}, {"k": "v"}) == expected
        assert serialize(mixed, metadata={"k": "v"}) == expected


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda d: d.name)
def test_names_of_dtypes_in_dicts(dtype: Dtype) -> None:
    """The frameworks' names, as up to 0.7, and the headers', by which packed types count singly."""
    data = bytes(24)
    single = 24 * 8 // dtype.bits
    file = serialize({"a": {"dtype": dtype.name, "shape": [single], "data": data}})
    assert f'"dtype":"{dtype.name}","shape":[{single}]'.encode() in file
    if dtype.serialized:
        pairs = single // 2 if dtype.name == "F4" else single
        item = {"dtype": dtype.serialized, "shape": [pairs], "data": data}
        assert serialize({"a": item}) == file


@pytest.mark.parametrize(
    "data",
    [
        b"\0\1\2\3\4\5\6\7",
        bytearray(b"\0\1\2\3\4\5\6\7"),
        memoryview(b"..\0\1\2\3\4\5\6\7")[2:],
        array.array("B", range(8)),
        np.arange(8, dtype=np.uint8).reshape(2, 2, 2),
        memoryview(bytes(range(8))).cast("b"),
    ],
    ids=lambda data: type(data).__name__,
)
def test_any_buffer(data: Any) -> None:
    file = serialize({"a": {"dtype": "uint8", "shape": [8], "data": data}})
    assert file.endswith(bytes(range(8)))


@pytest.mark.parametrize(
    ("item", "error", "message"),
    [
        ({"dtype": "float32", "shape": [2]}, TypeError, "'dict' object is not an instance of"),
        ({}, TypeError, "'dict' object is not an instance of 'TensorSpec'"),
        ({"shape": [2], "data": b""}, SafetensorError, "Missing `dtype` in the dict of tensor `a`"),
        ({"dtype": "int8", "data": b""}, SafetensorError, "Missing `shape` in the dict"),
        ({"dtype": "x", "shape": [], "data": b""}, SafetensorError, 'Unknown dtype "x"'),
        ({"dtype": 1, "shape": [], "data": b""}, TypeError, "'int' object is not an instance of"),
        ({"dtype": "int8", "shape": [2.0], "data": b""}, TypeError, "interpreted as an integer"),
        ({"dtype": "int8", "shape": [-2], "data": b""}, OverflowError, "negative"),
        ({"dtype": "int8", "shape": [2], "data": [1]}, TypeError, "data of tensor `a` is a list"),
        ({"dtype": "int8", "shape": [2], "data": None}, TypeError, "data of tensor `a` is a None"),
        ({"dtype": "int8", "shape": [2], "data": b"1"}, SafetensorError, "TensorInvalidInfo"),
        (
            {"dtype": "int8", "shape": [2], "data": memoryview(b"1234")[::2]},
            BufferError,
            "not C-contiguous",
        ),
        ({"dtype": "int8", "shape": [2], "data": np.zeros(4)[::2]}, ValueError, "C-contiguous"),
    ],
)
def test_dicts_that_are_refused(item: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        serialize({"a": item})


def test_the_peer_takes_specs_only(both: Both) -> None:
    both(f"serialize({OLD})", better="both-generations")
    both("serialize({'a': {'dtype': 'float32', 'shape': [2, 3]}})")


# ---- bytes and refusals, beside the peer ----


@pytest.mark.parametrize(
    "metadata", ["None", "{}", "{'k': 'v'}", "{'\"\\n\\0\\x7f': 'é漢🙂\\u2028'}"]
)
def test_metadata_bytes(both: Both, metadata: str) -> None:
    both(f"b = Buffer(bytes(4))\nserialize({{'a': b.spec('float32', [])}}, {metadata})")


def test_empty_metadata_of_nothing() -> None:
    """The peer writes a header that no JSON parser takes: ours is one."""
    file = serialize({}, {})
    assert json.loads(file[8:]) == {"__metadata__": {}}
    assert deserialize(file) == []


@pytest.mark.parametrize(
    "metadata",
    ["{1: 'a'}", "{'a': 1}", "[1]", "'x'", "1", "{'a': None}", "[('a', 'b')]", "{b'a': 'x'}",
     "{'a': b'x'}", "{'\\ud800': 'x'}", "{'x': '\\ud800'}", "object()"],
)  # fmt: skip
def test_what_is_no_metadata(both: Both, metadata: str) -> None:
    both(f"serialize({{}}, {metadata})")
    both(f"serialize({{}}, metadata={metadata})")
    both(f"serialize_file({{}}, folder + '/x', {metadata})")


SPEC = "Buffer(bytes(24)).spec('float32', [2, 3])"


@pytest.mark.parametrize(
    "tensors",
    ["[]", "None", "1", "[('a', 1)]", "{'a': 1}", "{'a': None}", f"{{1: {SPEC}}}",
     "{'a': object()}", f"{{'\\ud800': {SPEC}}}", f"{{b'a': {SPEC}}}", "{'a': np.zeros(3)}",
     "{'a': b'123'}"],
)  # fmt: skip
def test_what_is_no_dict_of_tensors(both: Both, tensors: str) -> None:
    both(f"serialize({tensors})")
    both(f"serialize_file({tensors}, folder + '/x')")


@pytest.mark.parametrize("name", ["''", "'a\\0b'", "'\"\\\\/'", "'漢🙂\\u2028'", "'x' * 5000"])
def test_any_name(both: Both, name: str) -> None:
    both(f"b = Buffer(bytes(24))\nserialize({{{name}: b.spec('float32', [2, 3])}})")


@pytest.mark.parametrize(
    ("shape", "size"), [([2, 3], 20), ([2, 3], 25), ([2], 24), ([2**63, 6], 24), ([2**62], 0)]
)
def test_lengths_that_do_not_fit(both: Both, shape: list[int], size: int) -> None:
    both(
        "b = Buffer(bytes(24))\nserialize({'a': b.spec('float32', shape, data_len=size)})",
        shape=shape,
        size=size,
    )


def test_an_error_tells_where() -> None:
    data = np.zeros(3, np.float32)
    with pytest.raises(SafetensorError) as caught:
        serialize({"good": spec_of(data), "bad": spec_of(data, shape=[4])})
    error = caught.value
    assert str(error) == (
        "Error while serializing: invalid shape, data type, or offset for tensor"
        " (TensorInvalidInfo)"
    )
    assert (error.code, error.tensor, error.byte, error.file) == (
        "SIZE_MISMATCH",
        "bad",
        None,
        None,
    )
    if sys.version_info >= (3, 11):
        assert "need 16 bytes, but 12 are given" in error.__notes__[0]
    with pytest.raises(SafetensorError, match="in tensor `null`: the tensor's data is missing"):
        serialize({"null": spec_of(data, data_ptr=0)})


def test_what_no_reader_takes_is_not_written() -> None:
    data = np.zeros(1, np.float32)
    with pytest.raises(SafetensorError, match="no more than 64"):
        serialize({"a": spec_of(data, shape=[1] * 65)})
    with pytest.raises(SafetensorError, match="no tensor can be called __metadata__"):
        serialize({"__metadata__": spec_of(data)})


def test_two_keys_of_one_name() -> None:
    """A str can differ from its equal in the eyes of a dict, but not in a file."""

    class Stranger(str):
        def __hash__(self) -> int:
            return 1

        def __eq__(self, other: object) -> bool:
            return self is other

    item = old(Tensor(DTYPES[4], (1,), b"1"))
    with pytest.raises(SafetensorError, match="two tensors have the same name") as caught:
        serialize({Stranger("a"): item, "a": item})
    assert caught.value.code == "DUPLICATE_NAME"


@pytest.mark.parametrize(
    "call",
    ["serialize()", "serialize({}, {}, {})", "serialize({}, other=1)", "serialize_file()",
     "serialize_file({})", "serialize_file({}, 'a', None, None)", "deserialize()"],
)  # fmt: skip
def test_counts_of_arguments(both: Both, call: str) -> None:
    both(call, better="argument-wording")


# ---- objects that change, and what is held ----


def test_a_dict_that_changes_meanwhile() -> None:
    """A dimension's own code empties every dict and list in reach; what was passed is written."""

    class Meddler:
        def __index__(self) -> int:
            tensors.clear()
            inner.clear()
            metadata.clear()
            gc.collect()
            return 2

    inner: dict[str, Any] = {"dtype": "uint8", "shape": [Meddler()], "data": bytearray(b"12")}
    tensors: dict[str, Any] = {
        "a": inner,
        "b": {"dtype": "uint8", "shape": [1], "data": bytearray(b"3")},
    }
    metadata = {"k": "v"}
    found = dict(deserialize(serialize(tensors, metadata)))
    assert tensors == {}
    assert (bytes(found["a"]["data"]), bytes(found["b"]["data"])) == (b"12", b"3")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="classes have __buffer__ from 3.12 on")
def test_a_buffer_that_changes_the_dict() -> None:
    class Meddler:
        def __buffer__(self, flags: int) -> memoryview:
            tensors.clear()
            return memoryview(b"12")

        def __release_buffer__(self, view: memoryview) -> None:
            released.append(bytes(view))

    released: list[bytes] = []
    tensors: dict[str, Any] = {
        "a": {"dtype": "uint8", "shape": [2], "data": Meddler()},
        "b": {"dtype": "uint8", "shape": [1], "data": b"3"},
    }
    assert serialize(tensors).endswith(b"123")
    assert released == [b"12"]
    tensors["a"] = {"dtype": "uint8", "shape": [3], "data": Meddler()}
    with pytest.raises(SafetensorError):
        serialize(tensors)
    assert released == [b"12", b"12"]


def test_a_failing_dimension_after_held_buffers() -> None:
    class Failing:
        def __index__(self) -> int:
            raise ZeroDivisionError

    held = bytearray(b"12")
    good = {"dtype": "uint8", "shape": [2], "data": held}
    with pytest.raises(ZeroDivisionError):
        serialize({"a": good, "b": {"dtype": "uint8", "shape": [Failing()], "data": b""}})
    held.append(1)


FAILURES: dict[str, Any] = {
    "nothing fails": lambda item: ({"a": item}, None),
    "a wrong size": lambda item: ({"a": item, "b": {**item, "shape": [5]}}, None),
    "a wrong dtype": lambda item: ({"a": item, "b": {**item, "dtype": "x"}}, None),
    "a wrong shape": lambda item: ({"a": item, "b": {**item, "shape": [-1]}}, None),
    "a wrong data": lambda item: ({"a": item, "b": {**item, "data": 1}}, None),
    "a wrong value": lambda item: ({"a": item, "b": 1}, None),
    "a wrong key": lambda item: ({"a": item, 1: item}, None),
    "a wrong name": lambda item: ({"a": item, "__metadata__": item}, None),
    "wrong metadata": lambda item: ({"a": item}, {"k": 1}),
    "no metadata": lambda item: ({"a": item}, 1),
}


@pytest.mark.parametrize("make", FAILURES.values(), ids=FAILURES)
def test_nothing_is_held_afterwards(make: Any) -> None:
    """No reference and no buffer, whether the call succeeds or fails, wherever it fails."""
    data, shape = bytearray(b"12"), [2]
    item = {"dtype": "uint8", "shape": shape, "data": data}
    tensors, metadata = make(item)
    # Others use None and small numbers too.
    watched = [
        thing
        for thing in (data, shape, item, tensors, metadata, *tensors.values())
        if isinstance(thing, dict | list | bytearray)
    ]

    def attempt() -> None:
        try:
            serialize(tensors, metadata)
        except (SafetensorError, TypeError, OverflowError):
            assert make is not FAILURES["nothing fails"]

    attempt()
    before = [sys.getrefcount(thing) for thing in watched]
    for _ in range(50):
        attempt()
    assert [sys.getrefcount(thing) for thing in watched] == before
    data.append(1)  # which a buffer that is still exported forbids


# ---- and back ----


def test_deserialize_is_the_inverse(both: Both) -> None:
    piece = """
    b = Buffer(bytes(range(24)))
    names = {'a': b.spec('float32', [2, 3]), 'b': b.spec('int64', [3]), 'c': b.spec('bool', (24,))}
    found = deserialize(serialize(names))
    sorted((name, sorted(entry.items())) for name, entry in found)
    """
    both(piece)


def test_deserialize_takes_any_buffer() -> None:
    import mmap

    file = serialize({"a": {"dtype": "int8", "shape": [3], "data": b"123"}})
    mapped = mmap.mmap(-1, len(file))
    mapped.write(file)
    given: Any
    for given in (file, bytearray(file), memoryview(file), np.frombuffer(file, np.uint8), mapped):
        assert deserialize(given) == [("a", {"shape": [3], "dtype": "I8", "data": b"123"})]
    assert deserialize(bytes=file) == deserialize(file)
    mapped.close()  # which a buffer that is still exported forbids
    with pytest.raises(ValueError, match="closed"):
        deserialize(mapped)
    with pytest.raises(BufferError):
        deserialize(memoryview(file)[::2])


def test_deserialize_makes_bytes_of_its_own() -> None:
    file = bytearray(serialize({"a": {"dtype": "int8", "shape": [3], "data": b"123"}}))
    (_, entry), *_ = deserialize(file)
    assert type(entry["data"]) is bytearray
    entry["data"].extend(b"456")
    file.clear()
    assert entry["data"] == b"123456"


@pytest.mark.parametrize("given", ["'abc'", "None", "1", "[1]", "object()"])
def test_what_deserialize_refuses(both: Both, given: str) -> None:
    both(f"deserialize({given})")


@pytest.mark.parametrize(
    "data",
    [b"", b"abc", b"\xff" * 8, b"\x10\0\0\0\0\0\0\0{}", b"\2\0\0\0\0\0\0\0{}x"],
)
def test_defects_in_memory(both: Both, data: bytes) -> None:
    both("deserialize(data)", data=data)


def test_a_defect_tells_where() -> None:
    with pytest.raises(SafetensorError) as caught:
        deserialize(b'\7\0\0\0\0\0\0\0{"a":1}')
    assert caught.value.code == "TENSOR_NOT_OBJECT"
    assert caught.value.tensor == "a"
    assert caught.value.byte == 13


def test_deserialize_holds_nothing() -> None:
    good = bytearray(serialize({"a": {"dtype": "int8", "shape": [3], "data": b"123"}}))
    bad = bytearray(b'\7\0\0\0\0\0\0\0{"a":1}')
    before = sys.getrefcount(good), sys.getrefcount(bad)
    for _ in range(50):
        deserialize(good)
        with pytest.raises(SafetensorError):
            deserialize(bad)
    assert (sys.getrefcount(good), sys.getrefcount(bad)) == before
    good.append(1)
    bad.append(1)


def test_the_order_is_the_files() -> None:
    """The peer's is by chance."""
    wide, narrow = np.zeros(1, np.int64), np.zeros(8, np.int8)
    found = deserialize(serialize({"z": spec_of(narrow), "a": spec_of(wide), "m": spec_of(narrow)}))
    assert [name for name, _ in found] == ["a", "m", "z"]
