"""TensorSpec: what it takes, what it shows, and that nothing a caller passes can harm it."""

from __future__ import annotations

import copy
import inspect
import pickle
import sys
from typing import Any

import numpy as np
import pytest
from conftest import Both
from operations import Returned
from safetensors import SafetensorError, TensorSpec, serialize
from samples import DTYPES, Dtype


def spec(**changes: Any) -> TensorSpec:
    """A spec of six floats at no address, or with some arguments replaced."""
    arguments: dict[str, Any] = {
        "dtype": "float32",
        "shape": [2, 3],
        "data_ptr": 4096,
        "data_len": 24,
    }
    return TensorSpec(**(arguments | changes))


def test_attributes_and_repr() -> None:
    made = spec()
    assert (made.dtype, made.shape, made.data_ptr, made.data_len) == ("F32", [2, 3], 4096, 24)
    assert repr(made) == "TensorSpec(dtype='F32', shape=[2, 3], data_ptr=4096, data_len=24)"
    assert str(made) == repr(made)
    assert made.shape is not made.shape


@pytest.mark.parametrize("name", ["dtype", "shape", "data_ptr", "data_len", "other"])
def test_it_never_changes(name: str) -> None:
    made = spec()
    with pytest.raises(AttributeError):
        setattr(made, name, 1)
    with pytest.raises(AttributeError):
        delattr(made, name)
    made.shape.append(7)
    assert made.shape == [2, 3]


def test_equality_is_identity_as_the_peers() -> None:
    first, second = spec(), spec()
    assert first == first
    assert first != second
    assert len({first, second, first}) == 2


def test_what_the_type_allows() -> None:
    with pytest.raises(TypeError, match="not an acceptable base type"):
        type("Derived", (TensorSpec,), {})
    with pytest.raises(TypeError, match="pickle"):
        pickle.dumps(spec())
    with pytest.raises(TypeError, match="pickle"):
        copy.copy(spec())
    parameters = inspect.signature(TensorSpec).parameters
    assert list(parameters) == ["dtype", "shape", "data_ptr", "data_len"]
    assert all(p.kind is p.KEYWORD_ONLY for p in parameters.values())


@pytest.mark.parametrize("dtype", [d for d in DTYPES if d.serialized], ids=lambda d: d.name)
def test_every_dtype(both: Both, dtype: Dtype) -> None:
    """The last dimension of packed four-bit floats doubles, for theirs counts bytes."""
    made = spec(dtype=dtype.serialized)
    assert made.dtype == dtype.name
    assert made.shape == ([2, 6] if dtype.name == "F4" else [2, 3])
    both("s = Buffer(bytes(48)).spec(d, (2, 3))\n(s.dtype, s.shape)", d=dtype.serialized)


SHAPES = [
    "[2, 3]", "(2, 3)", "[]", "()", "range(2, 4)", "np.array([2, 3])", "[np.int64(2), np.uint8(3)]",
    "[True, False]", "b'\\2\\3'", "bytearray(b'\\2\\3')", "memoryview(b'\\2\\3')", "[2**64 - 1]",
    "[2**64]", "[-1]", "[2.0]", "['2']", "[None]", "[[2]]", "None", "6", "{2: 1}", "{2}",
    "iter([2])", "object()", "[0] * 100", "(2**63, 2**63)", "torch.Size([2, 3])",
    "torch.tensor([2, 3])",
]  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
def test_every_kind_of_shape(both: Both, shape: str) -> None:
    """The same shapes, the same exceptions and the same words as the peer's."""
    both(f"Buffer(b'').spec('float32', {shape}).shape")


def test_a_text_is_no_shape(both: Both) -> None:
    both("Buffer(b'').spec('float32', '23')", better="argument-wording")


@pytest.mark.parametrize("value", ["0", "-1", "2**64", "2**64 - 1", "1.5", "'a'", "None", "True"])
@pytest.mark.parametrize("name", ["data_ptr", "data_len"])
def test_every_kind_of_number(both: Both, name: str, value: str) -> None:
    both(f"s = Buffer(b'').spec('float32', [], {name}={value})\ns.{name}")


@pytest.mark.parametrize(
    "dtype",
    ["'F32'", "''", "'Float32'", "'torch.float32'", "'float6_e2m3fn'", "'complex128'", "None", "1",
     "b'float32'", "np.float32", "'float32\\0'", "'\\ud800'"],
)  # fmt: skip
def test_what_is_no_dtype(both: Both, dtype: str) -> None:
    """The message lists the names that there are."""
    better = "argument-wording" if "\\" in dtype else None
    both(f"Buffer(b'').spec({dtype}, [])", better=better)


@pytest.mark.parametrize(
    "call",
    [
        "TensorSpec()",
        "TensorSpec('float32', [2], 0, 0)",
        "TensorSpec(dtype='float32', shape=[2])",
        "TensorSpec(dtype='float32', shape=[2], data_ptr=0, data_len=0, more=1)",
        "TensorSpec(1, dtype='float32', shape=[2], data_ptr=0, data_len=0)",
    ],
)
def test_arguments_are_keywords(both: Both, call: str) -> None:
    both(call, better="argument-wording")


def test_packed_four_bits() -> None:
    data = np.arange(6, dtype=np.uint8)
    packed: dict[str, Any] = {"dtype": "float4_e2m1fn_x2", "data_ptr": data.ctypes.data}
    whole = serialize({"a": TensorSpec(shape=(2, 3), data_len=6, **packed)})
    assert b'{"a":{"dtype":"F4","shape":[2,6],"data_offsets":[0,6]}}' in whole
    with pytest.raises(SafetensorError, match="does not fit in 64 bits"):
        TensorSpec(shape=(2**63,), data_len=6, **packed)
    # A shape without dimensions is one element: half a byte.
    with pytest.raises(SafetensorError, match="MisalignedSlice"):
        serialize({"a": TensorSpec(shape=(), data_len=1, **packed)})


def test_a_dimension_that_meddles() -> None:
    """Whatever the dimensions' own code does, the shape is the one that was passed."""

    class Meddler:
        def __index__(self) -> int:
            shape.clear()
            return 7

    shape: list[Any] = [Meddler(), 3]
    assert spec(shape=shape).shape == [7, 3]

    class Failing:
        def __index__(self) -> int:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        spec(shape=[1, Failing()])


def test_an_address_of_nothing(both: Both) -> None:
    """It is fine where there are no bytes; otherwise the peer dies of it."""
    both("serialize({'a': TensorSpec(dtype='float32', shape=[0], data_ptr=0, data_len=0)})")
    both(
        "serialize({'a': TensorSpec(dtype='float32', shape=[1], data_ptr=0, data_len=4)})",
        better="closed-crash",
    )


def test_the_type_is_kept_alive_by_its_objects_only() -> None:
    before = sys.getrefcount(TensorSpec)
    many = [spec() for _ in range(100)]
    assert sys.getrefcount(TensorSpec) == before + len(many)
    del many
    for _ in range(100):
        with pytest.raises(OverflowError):
            spec(shape=[-1])
    assert sys.getrefcount(TensorSpec) == before


def test_the_peer_shows_the_same(both: Both) -> None:
    outcome = both("repr(TensorSpec(dtype='int8', shape=(4,), data_ptr=9, data_len=4))")
    expected = "TensorSpec(dtype='I8', shape=[4], data_ptr=9, data_len=4)"
    assert outcome == Returned(("str", expected))
