"""NumPy's files, its arrays in pickles, and joblib's raw bytes between opcodes."""

from __future__ import annotations

import struct

from pickles.recipes.ops import BUILD, Code, build, call, name, proto, tuple_of, value


def describe(dtype: str, shape: tuple[int, ...], fortran: bool = False) -> str:
    """The header's text, as NumPy writes it."""
    return f"{{'descr': '{dtype}', 'fortran_order': {fortran}, 'shape': {shape}, }}"


def npy(header: str, data: bytes, version: int = 1) -> bytes:
    """A .npy file."""
    form, room = ("<H", 10) if version == 1 else ("<I", 12)
    raw = header.encode()
    raw += b" " * (-(room + len(raw) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes((version, 0)) + struct.pack(form, len(raw)) + raw + data


def dtype(code: str, order: str = "<") -> Code:
    """A numpy.dtype, as it is pickled."""
    made = call(name("numpy", "dtype"), code, False, True)
    plain = (3, order, None, None, None, -1, -1, 0)
    return build(
        made, tuple_of(*plain) if code[0] != "O" else tuple_of(3, "|", None, None, None, -1, -1, 63)
    )


def array(
    code: str,
    shape: tuple[int, ...],
    data: object,
    fortran: bool = False,
    order: str = "<",
    module: str = "numpy._core.multiarray",
) -> Code:
    """A numpy.ndarray, as protocols up to 4 pickle it."""
    empty = call(name(module, "_reconstruct"), name("numpy", "ndarray"), (0,), b"b")
    return build(empty, tuple_of(1, shape, dtype(code, order), fortran, data))


def from_buffer(code: str, shape: tuple[int, ...], data: bytes, fortran: bool = False) -> Code:
    """The same as protocol 5 pickles it, its bytes in the stream."""
    held = Code(b"\x96" + struct.pack("<Q", len(data)) + data)
    order = "F" if fortran else "C"
    return call(name("numpy._core.numeric", "_frombuffer"), held, dtype(code), shape, order)


def joblib(
    code: str,
    shape: tuple[int, ...],
    raw: bytes,
    after: bytes = b"",
    subclass: bytes | None = None,
) -> bytes:
    """A pickle of one array whose bytes stand behind the opcode BUILD, padded to 16."""
    state = (
        b"}("
        + value("subclass")
        + (name("numpy", "ndarray") if subclass is None else subclass)
        + value("shape")
        + value(shape)
        + value("order")
        + value("C")
        + value("dtype")
        + dtype(code)
        + value("allow_mmap")
        + value(code[0] != "O")
        + value("numpy_array_alignment_bytes")
        + value(16)
        + b"u"
    )
    wrapper = name("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81"
    stream = proto(3) + wrapper + state + BUILD
    if code[0] != "O":
        room = 16 - (len(stream) + 1) % 16
        stream += bytes((room,)) + b"\xff" * room
    return stream + raw + after + b"."
