"""Files and tensors for the tests, made without either package."""

from __future__ import annotations

import json
import math
import struct
from dataclasses import dataclass
from random import Random
from typing import Any


@dataclass(frozen=True)
class Dtype:
    """One element type: its name in headers, its bits, and its names elsewhere ("" for none).

    `serialized` is what TensorSpec calls it; `numpy` may be a name of ml_dtypes.
    """

    name: str
    bits: int
    serialized: str = ""
    numpy: str = ""
    torch: str = ""
    extension: bool = False


DTYPES = (
    Dtype("BOOL", 8, "bool", "bool", "bool"),
    Dtype("F4", 4, "float4_e2m1fn_x2", "", "float4_e2m1fn_x2"),
    Dtype("F6_E2M3", 6),
    Dtype("F6_E3M2", 6),
    Dtype("U8", 8, "uint8", "uint8", "uint8"),
    Dtype("I8", 8, "int8", "int8", "int8"),
    Dtype("F8_E5M2", 8, "float8_e5m2", "float8_e5m2", "float8_e5m2", True),
    Dtype("F8_E4M3", 8, "float8_e4m3fn", "float8_e4m3fn", "float8_e4m3fn", True),
    Dtype("F8_E8M0", 8, "float8_e8m0fnu", "float8_e8m0fnu", "float8_e8m0fnu", True),
    Dtype("F8_E4M3FNUZ", 8, "float8_e4m3fnuz", "float8_e4m3fnuz", "float8_e4m3fnuz", True),
    Dtype("F8_E5M2FNUZ", 8, "float8_e5m2fnuz", "float8_e5m2fnuz", "float8_e5m2fnuz", True),
    Dtype("I16", 16, "int16", "int16", "int16"),
    Dtype("U16", 16, "uint16", "uint16", "uint16"),
    Dtype("F16", 16, "float16", "float16", "float16"),
    Dtype("BF16", 16, "bfloat16", "bfloat16", "bfloat16", True),
    Dtype("I32", 32, "int32", "int32", "int32"),
    Dtype("U32", 32, "uint32", "uint32", "uint32"),
    Dtype("F32", 32, "float32", "float32", "float32"),
    Dtype("C64", 64, "complex64", "complex64", "complex64"),
    Dtype("F64", 64, "float64", "float64", "float64"),
    Dtype("I64", 64, "int64", "int64", "int64"),
    Dtype("U64", 64, "uint64", "uint64", "uint64"),
)
DTYPE = {dtype.name: dtype for dtype in DTYPES}
# What every numpy has, without ml_dtypes.
PLAIN = tuple(dtype for dtype in DTYPES if dtype.numpy and not dtype.extension)


@dataclass(frozen=True)
class Tensor:
    """A tensor as a file has it."""

    dtype: Dtype
    shape: tuple[int, ...]
    data: bytes


def size_of(dtype: Dtype, shape: tuple[int, ...]) -> int:
    """The bytes of a tensor; the bits must fill them."""
    bits = dtype.bits * math.prod(shape)
    assert bits % 8 == 0
    return bits // 8


def random_tensor(rng: Random, dtype: Dtype, shape: tuple[int, ...]) -> Tensor:
    """A tensor of random bytes; of zeros and ones where it is boolean."""
    data = rng.randbytes(size_of(dtype, shape))
    if dtype.name == "BOOL":
        data = bytes(byte & 1 for byte in data)
    return Tensor(dtype, shape, data)


def random_shape(rng: Random, rank: int = 4, side: int = 5) -> tuple[int, ...]:
    """A small shape: often plain, sometimes without dimensions, sometimes with a zero."""
    return tuple(
        0 if rng.random() < 0.06 else rng.randint(1, side) for _ in range(rng.randint(0, rank))
    )


def random_name(rng: Random) -> str:
    """A tensor's name as models have it, or one that few expect."""
    if rng.random() < 0.5:
        return f"model.layers.{rng.randint(0, 99)}.weight"
    letters = "abcXYZ01._/ -\\\"'\n\t\0\x7fäß漢🙂\u2028{}[]:,"
    return "".join(rng.choice(letters) for _ in range(rng.randint(0, 12)))


def random_tensors(rng: Random, dtypes: tuple[Dtype, ...], count: int) -> dict[str, Tensor]:
    """Named tensors of these types."""
    return {
        random_name(rng): random_tensor(rng, rng.choice(dtypes), random_shape(rng))
        for _ in range(count)
    }


def encode(tensors: dict[str, Tensor], metadata: dict[str, str] | None = None) -> bytes:
    """The file of these tensors, in their order, written by no package."""
    header: dict[str, Any] = {} if metadata is None else {"__metadata__": metadata}
    begin = 0
    for name, tensor in tensors.items():
        end = begin + len(tensor.data)
        header[name] = {
            "dtype": tensor.dtype.name,
            "shape": list(tensor.shape),
            "data_offsets": [begin, end],
        }
        begin = end
    text = json.dumps(header, separators=(",", ":")).encode()
    return struct.pack("<Q", len(text)) + text + b"".join(t.data for t in tensors.values())


def raw(header: Any, data: bytes = b"") -> bytes:
    """A file of that header, given as an object for JSON or as its text, whatever it says."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def numbers(shape: tuple[int, ...]) -> Tensor:
    """A tensor of F32 whose elements count from zero."""
    count = math.prod(shape)
    return Tensor(DTYPE["F32"], shape, struct.pack(f"<{count}f", *range(count)))
