#!/usr/bin/env python3
"""Writes the inputs that the fuzz corpora began with: the files of tests/files, and some slices.

seeds.py DIR    one folder a target; scripts/fuzz.sh then finds more from these
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SMALL = 2048

SLICES = [
    b"[0]", b"[-1]", b"[:]", b"[::2]", b"[1:3]", b"[0:2,-1]", b"[...]", b"[...,0]", b"[1,...,::3]",
    b"[-3:-1,::2]", b"0:2,-1", b"[ 0 : 2 , ]", b"[5:1]", b"[::0]", b"[::-1]", b"[,]", b"[]", b"",
    b"[0,0,0,0]", b"[0,0,0,0,0]", b"[9223372036854775807]", b"[-9223372036854775808:]",
    b"[9223372036854775808]", b"[1:2:9223372036854775807]", b"[::2,::2,::2,::2]", b"[...,...]",
    b"[1:,2:,:1]", b"[:,1:2,...,:]", b"[0:2:1,0:3:2,-2:,1]", b"[+1]", b"[01]", b"[1_0]", b"[a]",
]  # fmt: skip

# dtype, rank and dimensions, as fuzz_slice.c reads them
TENSORS = [
    bytes([17, 0]),
    bytes([17, 1, 7]),
    bytes([14, 2, 3, 5]),
    bytes([4, 3, 2, 3, 4]),
    bytes([19, 4, 2, 3, 2, 3]),
    bytes([1, 2, 3, 4]),
    bytes([1, 3, 2, 3, 6]),
    bytes([2, 2, 4, 4]),
    bytes([3, 3, 2, 2, 4]),
    bytes([17, 3, 3, 0, 2]),
]


def files() -> Iterator[bytes]:
    """The small files of the corpus."""
    for folder in ("good", "bad"):
        for path in sorted((ROOT / "tests/files" / folder).iterdir()):
            content = path.read_bytes()
            if len(content) <= SMALL:
                yield content


def headers() -> Iterator[bytes]:
    """The same without data: how many bytes of it there were, then the header."""
    for content in files():
        if len(content) >= 8:
            length = struct.unpack("<Q", content[:8])[0]
            if length <= len(content) - 8:
                yield struct.pack("<Q", len(content) - 8 - length) + content[8 : 8 + length]


def indexes() -> Iterator[bytes]:
    """The indexes of the models that lie in several files."""
    for path in sorted((ROOT / "tests/files/sharded").rglob("*.index.json")):
        yield path.read_bytes()


def slices() -> Iterator[bytes]:
    """Every slice of every tensor."""
    for tensor in TENSORS:
        for text in SLICES:
            yield tensor + text


def main() -> int:
    """Writes every input into a file that its digest names."""
    if len(sys.argv) != 2:
        print("usage: seeds.py DIR", file=sys.stderr)
        return 64
    targets = {
        "header": headers,
        "jansson": headers,
        "roundtrip": files,
        "index": indexes,
        "slice": slices,
    }
    for name, inputs in targets.items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for content in inputs():
            (folder / sha256(content).hexdigest()[:16]).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
