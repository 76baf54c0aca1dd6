"""Zip and tar archives, with every field at will."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from pickles.recipes import packing

# MS-DOS has no date before this one.
DATE = 0x21


@dataclass(frozen=True)
class Member:
    """A file in a zip archive. What is None follows from the rest."""

    name: str | bytes
    data: bytes
    flags: int = 0
    local_flags: int | None = None
    method: int = 0
    local_method: int | None = None
    local_name: str | bytes | None = None
    crc: int | None = None
    packed: bytes | None = None
    size: int | None = None
    local_size: int | None = None
    packed_size: int | None = None
    record: int | None = None  # where the directory says that the local record is
    aligned: bool = False
    descriptor: bool = False  # sizes and checksum follow the bytes
    listed: bool = True  # the directory has it

    def bytes_in_archive(self) -> bytes:
        """What stands behind the local record."""
        if self.packed is not None:
            return self.packed
        return packing.stored(self.data) if self.method == 8 else self.data


def _raw(name: str | bytes) -> bytes:
    return name.encode() if isinstance(name, str) else name


def _local(member: Member, at: int) -> bytes:
    name = _raw(member.name if member.local_name is None else member.local_name)
    packed = member.bytes_in_archive()
    crc = zlib.crc32(member.data) if member.crc is None else member.crc
    size = len(member.data) if member.size is None else member.size
    size = size if member.local_size is None else member.local_size
    flags = member.flags if member.local_flags is None else member.local_flags
    method = member.method if member.local_method is None else member.local_method
    if member.descriptor:
        flags |= 0x0008
    extra = b""
    if member.aligned:
        # As torch pads: a field named FB, so that the bytes begin at a multiple of 64.
        room = -(at + 30 + len(name) + 4) % 64
        extra = b"FB" + struct.pack("<H", room) + b"Z" * room
    if size >= 0xFFFFFFFF:
        extra += struct.pack("<HHQQ", 1, 16, size, len(packed))
        size = 0xFFFFFFFF
    fields = (0, 0, 0) if member.descriptor else (crc, len(packed), size)
    head = struct.pack(
        "<IHHHHHIIIHH", 0x04034B50, 20, flags, method, 0, DATE, *fields, len(name), len(extra)
    )
    tail = b""
    if member.descriptor:
        tail = struct.pack("<IIII", 0x08074B50, crc, len(packed), size)
    return head + name + extra + packed + tail


def _central(member: Member, record: int) -> bytes:
    name = _raw(member.name)
    packed = len(member.bytes_in_archive()) if member.packed_size is None else member.packed_size
    crc = zlib.crc32(member.data) if member.crc is None else member.crc
    size = len(member.data) if member.size is None else member.size
    flags = member.flags | (0x0008 if member.descriptor else 0)
    extra = b""
    shown = min(size, 0xFFFFFFFF)
    if shown == 0xFFFFFFFF:
        extra = struct.pack("<HHQ", 1, 8, size)
    return (
        struct.pack(
            "<IHHHHHHIIIHHHHHII",
            0x02014B50, 20, 20, flags, member.method, 0, DATE, crc, packed, shown,
            len(name), len(extra), 0, 0, 0, 0, record,
        )
        + name
        + extra
    )  # fmt: skip


def zipped(
    *members: Member,
    prefix: bytes = b"",
    gap: bytes = b"",
    trailing: bytes = b"",
    comment: bytes = b"",
    count: int | None = None,
    directory_at: int | None = None,
) -> bytes:
    """An archive; `gap` stands between the last member and the directory."""
    body = bytearray(prefix)
    directory = bytearray()
    listed = 0
    for member in members:
        at = len(body) if member.record is None else member.record
        body += _local(member, len(body))
        if member.listed:
            directory += _central(member, at)
            listed += 1
    body += gap
    end = struct.pack(
        "<IHHHHIIH",
        0x06054B50, 0, 0, listed if count is None else count, listed if count is None else count,
        len(directory), len(body) if directory_at is None else directory_at, len(comment),
    )  # fmt: skip
    return bytes(body + directory) + end + comment + trailing


def tarred(*members: tuple[str, bytes]) -> bytes:
    """A tar archive (POSIX ustar)."""
    found = bytearray()
    for name, data in members:
        head = bytearray(512)
        head[0 : len(name)] = name.encode()
        head[100:108] = b"0000644\0"
        head[108:116] = head[116:124] = b"0000000\0"
        head[124:136] = b"%011o\0" % len(data)
        head[136:148] = b"00000000000\0"
        head[148:156] = b" " * 8
        head[156:157] = b"0"
        head[257:265] = b"ustar\x0000"
        head[148:156] = b"%06o\0 " % sum(head)
        found += bytes(head) + data + bytes(-len(data) % 512)
    return bytes(found) + bytes(1024)
