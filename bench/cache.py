"""The state of the page cache: which part of a file is in memory, and how to change that."""

from __future__ import annotations

import ctypes
import mmap
import os
import time
from pathlib import Path

PAGE = mmap.PAGESIZE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mincore.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p]


def pages(size: int) -> int:
    """How many pages hold `size` bytes from the beginning of a page."""
    return -(-size // PAGE)


def resident(path: Path) -> float:
    """The part of the file's pages that is in memory, by mincore(): 0 to 1."""
    size = path.stat().st_size
    if size == 0:
        return 1.0
    vector = (ctypes.c_ubyte * pages(size))()
    with path.open("r+b") as file, mmap.mmap(file.fileno(), size) as view:
        start = ctypes.c_char.from_buffer(view)
        failed = _libc.mincore(ctypes.addressof(start), size, vector)
        del start
    if failed:
        raise OSError(ctypes.get_errno(), "mincore")
    return (len(vector) - bytes(vector).count(0)) / len(vector)


def warm(path: Path) -> float:
    """Reads what is not in memory; returns what mincore() says then."""
    part = resident(path)
    # Where memory is short, the first reading may only make room for the next.
    for _ in range(5):
        if part > 0.999:
            return part
        buffer = bytearray(8 << 20)
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass
        part = resident(path)
    raise SystemExit(f"bench: {path} does not stay in memory: {part:.1%} of it is there")


def drop(path: Path) -> float:
    """Drops the file from memory; returns what mincore() says then, which is next to nothing."""
    part = 1.0
    # A page that is being written or looked at stays: a moment later it goes.
    for _ in range(5):
        with path.open("rb") as file:
            os.fdatasync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        part = resident(path)
        if part < 0.001:
            return part
        time.sleep(0.2)
    raise SystemExit(f"bench: {path} cannot be dropped: {part:.1%} of it is still in memory")
