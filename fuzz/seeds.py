#!/usr/bin/env python3
"""Writes the inputs that the fuzz corpora began with: the files of tests/files, and some slices.

seeds.py DIR    one folder a target; scripts/fuzz.sh then finds more from these
"""

from __future__ import annotations

import pickle
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

# What picklers do not write: text opcodes, marks, the memo, frames, instances, buffers.
STREAMS = [
    b"I010\nI0x1f\n\x86I01\n\x86L-12L\n\x86F-1.5e3\n\x86.",
    b"(S'a\\n\\x41\\101'\nV\\u00e9\\U0001f600\np10\ng10\nt.",
    b"(lp0\n(dp1\nS'k'\nI1_0\nsa.",
    b"(K\x01(K\x02100N.",
    b"(ios\nsystem\nq\x00(h\x00K\x01o0h\x00}b.",
    b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x01a\x94\x8c\x01b\x93)\x81}(K\x01K\x02ub.",
    b"\x80\x04\x95\x03\x00\x00\x00\x00\x00\x00\x00\x8c\x04text.",
    b"\x80\x05\x97\x98\x96\x03\x00\x00\x00\x00\x00\x00\x00abc\x98\x86.",
    b"\x82\x01\x83\x01\x01\x84\x01\x01\x01\x01\x87Q.",
    b"Pid\n(K\x01K\x02e(K\x03\x90(K\x01K\x02u.",
    b"ca\nb\n)}\x92}b\x8f(K\x01\x90(K\x02\x91\x86.",
    b"r\xff\xff\xff\x7fNr\xff\xff\xff\x7fj\xff\xff\xff\x7fp99999999999\ng99999999999\n\x94\x94.",
    b"Nr\xff\xff\xff\x7fj\xff\xff\xff\x7fp99999999999\ng99999999999\n\x94\x94\x86.",
    b"\x8a\x09\0\0\0\0\0\0\0\x80\0\x8b\x11\0\0\0" + bytes(17) + b"G?\xf0\0\0\0\0\0\0\x87.",
    b"T\x03\0\0\0abcU\x01aX\x02\0\0\0\xc3\xa9\x87B\x01\0\0\0xC\x01y\x8e\x01\0\0\0\0\0\0\0z\x87.",
    b"\x8d\x03\0\0\0\0\0\0\0\xed\xa0\x80(\x88\x89J\xff\xff\xff\xffM\xff\xff2t.",
]  # fmt: skip


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


def pickles() -> Iterator[bytes]:
    """Small pickles of every protocol, opcodes that no pickler writes, and those of tests/files."""
    value = [1, -300, 2.5, 10**25, "\xe9", b"bytes", (1, 2, 3), {"a": {1}}, None, True, 1 + 2j]
    streams = [pickle.dumps(value, protocol) for protocol in range(6)] + STREAMS
    for folder in ("streams", "recipes", "limits", "benign"):
        for path in sorted((ROOT / "tests/files/pickles" / folder).glob("*.pkl")):
            content = path.read_bytes()
            if len(content) <= SMALL:
                streams.append(content)
    for content in streams:
        yield b"\0\0" + content
    for content in streams[:8]:
        yield b"\x23\x03" + b"..." + content


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
        "pickle": pickles,
    }
    for name, inputs in targets.items():
        folder = Path(sys.argv[1]) / name
        folder.mkdir(parents=True, exist_ok=True)
        for content in inputs():
            (folder / sha256(content).hexdigest()[:16]).write_bytes(content)
    return 0


if __name__ == "__main__":
    sys.exit(main())
