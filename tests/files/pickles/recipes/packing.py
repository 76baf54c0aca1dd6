"""Deflate streams and the formats around them, the same on every machine.

Compressors differ between versions of zlib, so these streams are put together by hand (RFC 1951).
"""

from __future__ import annotations

import struct
import zlib


def stored(data: bytes) -> bytes:
    """A deflate stream that copies its bytes."""
    blocks = [data[at : at + 0xFFFF] for at in range(0, len(data), 0xFFFF)] or [b""]
    return b"".join(
        bytes((number == len(blocks) - 1,))
        + struct.pack("<HH", len(block), len(block) ^ 0xFFFF)
        + block
        for number, block in enumerate(blocks)
    )


def zeros(count: int) -> bytes:
    """A deflate stream of 1 + 258 * count zero bytes: 13 bits for each match (fixed codes)."""
    # The block's header, then the literal 0, whose code is 00110000.
    bits = "1" + "10" + "00110000"
    # Length 258 is symbol 285, whose code is 11000101; distance 1 is 00000.
    bits += "1100010100000" * count + "0000000"
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


def zeros_size(count: int) -> int:
    """How many bytes zeros(count) unpacks to."""
    return 1 + 258 * count


def gzip(data: bytes, packed: bytes | None = None, size: int | None = None) -> bytes:
    """A gzip file (RFC 1952)."""
    tail = struct.pack("<II", zlib.crc32(data), (len(data) if size is None else size) & 0xFFFFFFFF)
    return b"\x1f\x8b\x08\0\0\0\0\0\0\xff" + (stored(data) if packed is None else packed) + tail


def zlib_stream(data: bytes) -> bytes:
    """A zlib stream (RFC 1950)."""
    return b"\x78\x01" + stored(data) + struct.pack(">I", zlib.adler32(data))
