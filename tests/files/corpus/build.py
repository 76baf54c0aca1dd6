"""What the cases are made of: a file, what a reader must say of it, and why."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

# Stands in a header where the reader must point at; taken out before the header is written.
MARK = "\N{SECTION SIGN}"

DTYPES: dict[str, int] = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}


@dataclass(frozen=True)
class Case:
    """One row of the table: OK for a good file, `byte` None where no one byte is to blame."""

    path: str
    status: str
    sentence: str
    files: dict[str, bytes] = field(repr=False)
    byte: int | None = None
    tensors: int | None = None


def pattern(size: int) -> bytes:
    """Data in which every byte differs from its neighbours."""
    return bytes((7 * i + 1) & 0xFF for i in range(size))


def frame(header: bytes, data: bytes, length: int | None = None) -> bytes:
    """A whole file: the header's length (or the lie that `length` is), the header, the data."""
    return struct.pack("<Q", len(header) if length is None else length) + header + data


def _encode(header: str | bytes) -> tuple[bytes, int | None]:
    raw = header.encode() if isinstance(header, str) else header
    mark = MARK.encode()
    at = raw.find(mark)
    if at < 0:
        return raw, None
    return raw[:at] + raw[at + len(mark) :], 8 + at


def _data(data: int | bytes) -> bytes:
    return pattern(data) if isinstance(data, int) else data


def good(
    name: str, sentence: str, header: str | bytes, data: int | bytes = 0, tensors: int = 1
) -> Case:
    """A file that must open."""
    raw, _ = _encode(header)
    path = f"good/{name}.safetensors"
    return Case(path, "OK", sentence, {path: frame(raw, _data(data))}, None, tensors)


def bad(
    name: str,
    status: str,
    sentence: str,
    header: str | bytes,
    data: int | bytes = 0,
    length: int | None = None,
    byte: int | None = None,
    data_byte: int | None = None,
) -> Case:
    """A file that must be refused: at the mark in the header, at `byte`, or at one of the data."""
    raw, at = _encode(header)
    if data_byte is not None:
        at = 8 + len(raw) + data_byte
    path = f"bad/{name}.safetensors"
    files = {path: frame(raw, _data(data), length)}
    return Case(path, status, sentence, files, at if byte is None else byte)


def bad_bytes(name: str, status: str, sentence: str, content: bytes, byte: int | None) -> Case:
    """A file that must be refused, given byte by byte."""
    path = f"bad/{name}.safetensors"
    return Case(path, status, sentence, {path: content}, byte)


def tensor(name: str, dtype: str, shape: object, begin: int, end: int, extra: str = "") -> str:
    """A member of the header. `name` is JSON text without its quotes."""
    shape_text = str(shape).replace(" ", "")
    return (
        f'"{name}":{{"dtype":"{dtype}","shape":{shape_text},"data_offsets":[{begin},{end}]{extra}}}'
    )


def header_of(*members: str) -> str:
    """A header of these members."""
    return "{" + ",".join(members) + "}"


def one(
    name: str = '"a"',
    dtype: str = '"U8"',
    shape: str = "[1]",
    offsets: str = "[0,1]",
    extra: str = "",
) -> str:
    """A header of one tensor, of one byte unless told otherwise; every part is JSON text."""
    return f'{{{name}:{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets}{extra}}}}}'
