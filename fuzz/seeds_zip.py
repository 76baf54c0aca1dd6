#!/usr/bin/env python3
"""Writes the inputs that the corpus of fuzz_zip began with: small archives, sound and odd ones.

seeds_zip.py DIR
"""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import sys
import tarfile
import zipfile
import zlib
from pathlib import Path

PICKLE = pickle.dumps({"weight": [1.0, 2.0]}, 2)
TEXT = b"some text, some text, some text, some text\n" * 4


class Stream(io.RawIOBase):
    """A file that cannot seek, so that zipfile writes data descriptors."""

    def __init__(self) -> None:
        self.bytes = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data) -> int:  # type: ignore[no-untyped-def]
        self.bytes += data
        return len(data)


def by_zipfile(
    method: int, *, stream: bool = False, zip64: bool = False, comment: bytes = b""
) -> bytes:
    out = Stream() if stream else io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        with archive.open("a/data.pkl", "w", force_zip64=zip64) as file:
            file.write(PICKLE)
        archive.writestr("a/version", b"3\n")
        archive.writestr("a/data/0", TEXT)
        archive.writestr("a/folder/", b"")
        archive.writestr("a/ü", b"")
        archive.comment = comment
    return bytes(out.bytes) if isinstance(out, Stream) else out.getvalue()


def record(
    name: bytes,
    data: bytes,
    *,
    offset: int,
    local_name: bytes | None = None,
    flags: int = 0x0808,
    local_flags: int | None = None,
    method: int = 0,
    size: int | None = None,
    extra: bytes = b"",
    central_extra: bytes = b"",
    comment: bytes = b"",
) -> tuple[bytes, bytes]:
    """A file with its descriptor, and its record in the directory."""
    crc = zlib.crc32(data)
    packed = data
    if method == 8:
        packer = zlib.compressobj(9, zlib.DEFLATED, -15)
        packed = packer.compress(data) + packer.flush()
    size = len(data) if size is None else size
    local_name = name if local_name is None else local_name
    local_flags = flags if local_flags is None else local_flags
    numbers = (crc, len(packed), size)
    inline = (0, 0, 0) if local_flags & 8 else numbers
    local = struct.pack("<4s5H", b"PK\3\4", 20, local_flags, method, 0, 0)
    local += struct.pack("<3I2H", *inline, len(local_name), len(extra)) + local_name + extra
    central = struct.pack("<4s6H", b"PK\1\2", 20, 20, flags, method, 0, 0)
    central += struct.pack("<3I", *numbers)
    central += struct.pack("<5H2I", len(name), len(central_extra), len(comment), 0, 0, 0, offset)
    descriptor = struct.pack("<4s3I", b"PK\7\10", *numbers) if flags & 8 else b""
    return local + packed + descriptor, central + name + central_extra + comment


def archive(
    *records: tuple[bytes, bytes], zip64: bool = False, base: int = 0, count: int | None = None
) -> bytes:
    front = b"".join(local for local, _ in records)
    directory = b"".join(central for _, central in records)
    count = len(records) if count is None else count
    place = base + len(front)
    end = b""
    if zip64:
        end = struct.pack("<4sQ2H2I", b"PK\6\6", 44, 45, 45, 0, 0)
        end += struct.pack("<4Q", count, count, len(directory), place)
        end += struct.pack("<4sIQI", b"PK\6\7", 0, place + len(directory), 1)
    end += struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, count, count, len(directory), place, 0)
    return front + directory + end


def torch_like(data: bytes = PICKLE, **first: object) -> bytes:
    padding = b"FB" + struct.pack("<H", 6) + b"ZZZZZZ"
    one = record(b"a/data.pkl", data, offset=0, extra=padding, **first)  # type: ignore[arg-type]
    two = record(b"a/data/0", bytes(64), offset=len(one[0]), extra=padding)
    return archive(one, two, zip64=True)


def tar(form: int, name: str = "pickle") -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as file:
        for member in (name, "tensors", "storages"):
            info = tarfile.TarInfo(member)
            info.size = len(PICKLE)
            file.addfile(info, io.BytesIO(PICKLE))
    return out.getvalue()[:6144]


def odd() -> dict[str, bytes]:
    base = torch_like()
    one = record(b"a/data.pkl", PICKLE, offset=0)
    twice = record(b"a/DATA.PKL", PICKLE, offset=len(one[0]))
    overlap = record(b"b", TEXT, offset=0)
    hidden = record(b"h", PICKLE, offset=len(one[0]))[0]
    behind = record(b"b", TEXT, offset=len(one[0]) + len(hidden))
    unicode_path = struct.pack("<2HBI", 0x7075, 6, 1, 0) + b"b"
    return {
        "names-differ": torch_like(local_name=b"a/data.txt"),
        "encrypted": torch_like(flags=0x0809),
        "encrypted-here-only": torch_like(local_flags=0x0848),
        "flags": torch_like(flags=0x0828),
        "lying-size": torch_like(method=8, size=5),
        "lying-size-larger": torch_like(method=8, size=5000),
        "method": torch_like(method=12),
        "unsafe": archive(record(b"../a\\b\0c", PICKLE, offset=0)),
        "comment": by_zipfile(0, comment=b"a comment"),
        "file-comment": archive(record(b"a", PICKLE, offset=0, comment=b"words")),
        "other-name": archive(record(b"a", PICKLE, offset=0, central_extra=unicode_path)),
        "prefix": PICKLE + base,
        "prefix-counted": PICKLE
        + archive(record(b"a", PICKLE, offset=len(PICKLE)), base=len(PICKLE)),
        "trailing": base + PICKLE,
        "two": base + base,
        "duplicate": archive(one, twice),
        "overlap": archive(one, (b"", overlap[1])),
        "gap": archive(one, (hidden + behind[0], behind[1])),
        "count": archive(one, twice, count=1),
        "cut": base[:-30],
    }


def seeds() -> dict[str, bytes]:
    raw = zlib.compressobj(9, zlib.DEFLATED, -15)
    latin1 = bytes(range(256)).decode("latin1").encode()
    return {
        "torch": torch_like(),
        "torch-packed": torch_like(method=8),
        "stored": by_zipfile(0),
        "packed": by_zipfile(8),
        "stream": by_zipfile(8, stream=True),
        "zip64": by_zipfile(8, zip64=True),
        "empty": archive(),
        "nested": archive(record(b"a.zip", by_zipfile(8), offset=0, method=8)),
        "tar-ustar": tar(tarfile.USTAR_FORMAT),
        "tar-gnu": tar(tarfile.GNU_FORMAT, "n" * 120),
        "tar-pax": tar(tarfile.PAX_FORMAT, "ü" * 60),
        "gzip": gzip.compress(TEXT, mtime=0),
        "gzip-twice": gzip.compress(TEXT, mtime=0) + gzip.compress(PICKLE, mtime=0) + bytes(9),
        "zlib": zlib.compress(TEXT),
        "zlib-damaged": zlib.compress(TEXT)[:-1] + b"x",
        "deflate": raw.compress(TEXT) + raw.flush(),
        "zeros": zlib.compress(bytes(200000), 9),
        "latin1": latin1,
        "latin1-beyond": latin1 + "Ā".encode(),
        "text-pickle": b"(dp0\nS'a'\nI1\ns.",
        "safetensors": struct.pack("<Q", 2) + b"{}",
        **odd(),
    }


def main() -> None:
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in seeds().items():
        (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
