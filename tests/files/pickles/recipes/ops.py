"""Pickles, put together opcode by opcode. Nothing here can load one."""

from __future__ import annotations

import struct

STOP = b"."
MARK = b"("
POP = b"0"
DUP = b"2"
REDUCE = b"R"
BUILD = b"b"
NEWOBJ = b"\x81"
STACK_GLOBAL = b"\x93"
SETITEM = b"s"
APPEND = b"a"
BINPERSID = b"Q"


class Code(bytes):
    """Opcodes that leave one value on the stack, to be put where a value may stand."""


def proto(number: int) -> bytes:
    """PROTO."""
    return bytes((0x80, number))


def text(value: str) -> Code:
    """BINUNICODE: the protocols from 1 on have it."""
    raw = value.encode("utf-8", "surrogatepass")
    return Code(b"X" + struct.pack("<I", len(raw)) + raw)


def short_text(value: str) -> Code:
    """SHORT_BINUNICODE, of protocol 4."""
    raw = value.encode()
    return Code(b"\x8c" + bytes((len(raw),)) + raw)


def raw_bytes(value: bytes) -> Code:
    """BINBYTES, of protocol 3."""
    return Code(b"B" + struct.pack("<I", len(value)) + value)


def long1(value: int) -> Code:
    """LONG1: an integer of any size below 256 bytes."""
    size = (value.bit_length() // 8) + 1 if value else 0
    return Code(b"\x8a" + bytes((size,)) + value.to_bytes(size, "little", signed=True))


def integer(value: int) -> Code:
    """The shortest opcode that holds it."""
    if 0 <= value < 1 << 8:
        return Code(b"K" + bytes((value,)))
    if 0 <= value < 1 << 16:
        return Code(b"M" + struct.pack("<H", value))
    if -(1 << 31) <= value < 1 << 31:
        return Code(b"J" + struct.pack("<i", value))
    return long1(value)


def value(given: object) -> Code:
    """A value of plain types, made of opcodes of protocol 2 and of BINBYTES."""
    if isinstance(given, Code):
        return given
    if given is None:
        return Code(b"N")
    if isinstance(given, bool):
        return Code(b"\x88" if given else b"\x89")
    if isinstance(given, int):
        return integer(given)
    if isinstance(given, float):
        return Code(b"G" + struct.pack(">d", given))
    if isinstance(given, str):
        return text(given)
    if isinstance(given, bytes):
        return raw_bytes(given)
    if isinstance(given, list):
        return Code(b"](" + b"".join(map(value, given)) + b"e" if given else b"]")
    if isinstance(given, tuple):
        return tuple_of(*given)
    if isinstance(given, dict):
        pairs = b"".join(value(key) + value(each) for key, each in given.items())
        return Code(b"}(" + pairs + b"u" if given else b"}")
    raise TypeError(type(given))


def tuple_of(*items: object) -> Code:
    """A tuple, by the opcode for its length."""
    packed = b"".join(map(value, items))
    if len(items) > 3:
        return Code(MARK + packed + b"t")
    return Code(packed + (b")", b"\x85", b"\x86", b"\x87")[len(items)])


def name(module: str, attribute: str) -> Code:
    """GLOBAL."""
    return Code(f"c{module}\n{attribute}\n".encode())


def stack_name(module: str, attribute: str) -> Code:
    """STACK_GLOBAL, of two texts."""
    return Code(short_text(module) + short_text(attribute) + STACK_GLOBAL)


def call(callee: bytes, *arguments: object) -> Code:
    """REDUCE."""
    return Code(callee + tuple_of(*arguments) + REDUCE)


def new(callee: bytes, *arguments: object) -> Code:
    """NEWOBJ."""
    return Code(callee + tuple_of(*arguments) + NEWOBJ)


def build(instance: object, state: object) -> Code:
    """BUILD."""
    return Code(value(instance) + value(state) + BUILD)


def frame(body: bytes, size: int | None = None) -> bytes:
    """FRAME before opcodes; `size` may lie."""
    return b"\x95" + struct.pack("<Q", len(body) if size is None else size) + body


def pickle(body: object, protocol: int = 2, end: bytes = STOP) -> bytes:
    """A whole pickle."""
    start = proto(protocol) if protocol >= 2 else b""
    return start + value(body) + end


def framed(body: object, protocol: int = 4) -> bytes:
    """A whole pickle in one frame, as protocols from 4 on write it."""
    return proto(protocol) + frame(value(body) + STOP)


# Harmless, were it ever run; and what every scanner must know.
PAYLOAD = call(name("os", "system"), "echo harmless")
EVAL = call(name("builtins", "eval"), "1+1")
