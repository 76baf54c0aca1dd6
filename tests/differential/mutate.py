"""Damaged files, a seeded sequence: changes to tokens, to members, to bytes, to the frame."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from random import Random

TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"|[-+.0-9eE]+|[a-z]+|\s+|.', re.DOTALL)
NUMBER = re.compile(rb"[0-9]+")

POOL = [
    b"{", b"}", b"[", b"]", b":", b",", b'"', b"null", b"true", b"false", b" ", b"\n", b"\t",
    b"0", b"1", b"2", b"4", b"8", b"-0", b"-1", b"1.0", b"1e0", b"1e999", b"1e-9", b"01", b"+1",
    b"4294967296", b"4294967295", b"9007199254740993", b"9223372036854775807",
    b"9223372036854775808", b"18446744073709551615", b"18446744073709551616",
    b"100000000000000000000", b"1.7976931348623157e308", b"1.7976931348623159e308", b"-1e400",
    b'"dtype"', b'"shape"', b'"data_offsets"', b'"__metadata__"', b'"x"', b'"a"', b'""',
    b'"\\u0061"', b'"\\u0000"', b'"\\ud83d\\ude00"', b'"\\ud83d"', b'"\\/"', b'"sh\\u0061pe"',
    b'"U8"', b'"I8"', b'"BOOL"', b'"F4"', b'"F6_E2M3"', b'"F16"', b'"F32"', b'"C64"', b'"U64"',
    b'"F33"', b'{"U8":null}', b'["U8",[1],[0,1]]', b'["U8",[0],[0,0]]', b"{}", b"[]", b"[[]]",
    b'{"dtype":"U8","shape":[0],"data_offsets":[0,0]}', b'{"k":"v"}', b'{"k":1}',
    b'"x":1,', b'"x":[{"y":1}],', b'"dtype":"U8",', b'"__metadata__":null,', b'"a":{},',
    b"1," * 64, b"[" * 126, b"\xef\xbb\xbf", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf0\x9f\x98\x80",
    b"\x00", b"\x0c", b"\x7f", b"\xff", b"\\", b"/",
]  # fmt: skip


def tokens_of(header: bytes) -> list[bytes]:
    """The header cut into tokens; whatever it holds, they join to the same bytes."""
    return TOKEN.findall(header)


def spans_of(tokens: list[bytes]) -> list[tuple[int, int]]:
    """Where balanced values and whole members begin and end, as far as the brackets allow."""
    spans = []
    open_at = []
    for index, token in enumerate(tokens):
        if token in (b"{", b"["):
            open_at.append(index)
        elif token in (b"}", b"]") and open_at:
            start = open_at.pop()
            spans.append((start, index + 1))
            if start >= 2 and tokens[start - 1] == b":":
                spans.append((start - 2, index + 1))
        elif index >= 2 and tokens[index - 1] == b":":
            spans.append((index - 2, index + 1))
    return spans


class Seed:
    """A file to damage, cut up once."""

    def __init__(self, header: bytes, data: bytes) -> None:
        self.header = header
        self.data = data
        self.tokens = tokens_of(header)
        self.spans = spans_of(self.tokens)
        self.numbers = [i for i, token in enumerate(self.tokens) if NUMBER.fullmatch(token)]


def _number(rng: Random, token: bytes) -> bytes:
    value = int(token) if len(token) < 40 else 1
    choice = rng.randrange(8)
    changed = (
        value + 1,
        max(value - 1, 0),
        value * 2,
        value + 2**32,
        value + 2**53,
        value + 2**63,
        value + 2**64,
        rng.randrange(20),
    )[choice]
    return b"%d" % changed


def _tokens(rng: Random, seed: Seed, other: Seed) -> bytes:
    """Changes one token, or one balanced stretch of them."""
    tokens = seed.tokens.copy()
    choice = rng.randrange(9)
    if choice == 0 and seed.numbers:
        at = seed.numbers[rng.randrange(len(seed.numbers))]
        tokens[at] = _number(rng, tokens[at])
    elif choice <= 5 and seed.spans:
        start, end = seed.spans[rng.randrange(len(seed.spans))]
        if choice == 1:
            del tokens[start:end]
        elif choice == 2:
            tokens[start:start] = [*tokens[start:end], b","]
        elif choice == 3:
            tokens[start:end] = [POOL[rng.randrange(len(POOL))]]
        elif choice == 4 and other.spans:
            low, high = other.spans[rng.randrange(len(other.spans))]
            tokens[start:end] = other.tokens[low:high]
        else:
            low, high = seed.spans[rng.randrange(len(seed.spans))]
            tokens[start:end] = seed.tokens[low:high]
    elif tokens:
        at = rng.randrange(len(tokens))
        if choice == 6:
            del tokens[at]
        elif choice == 7:
            tokens[at] = POOL[rng.randrange(len(POOL))]
        else:
            tokens.insert(at, POOL[rng.randrange(len(POOL))])
    return b"".join(tokens)


def _bytes(rng: Random, header: bytes) -> bytes:
    """Changes one byte, or puts something in front of it."""
    if not header:
        return POOL[rng.randrange(len(POOL))]
    at = rng.randrange(len(header))
    choice = rng.randrange(5)
    if choice == 0:
        return header[:at] + bytes((header[at] ^ 1 << rng.randrange(8),)) + header[at + 1 :]
    if choice == 1:
        return header[:at] + header[at + 1 :]
    if choice == 2:
        return header[:at] + bytes((rng.randrange(256),)) + header[at:]
    if choice == 3:
        return header[:at] + POOL[rng.randrange(len(POOL))] + header[at:]
    end = at + rng.randrange(1, 9)
    return header[:at] + header[at:end] * 2 + header[end:]


def _frame(rng: Random, header: bytes, data: bytes) -> bytes:
    """Puts a length in front that may lie, and data behind that may not fit."""
    length = len(header)
    choice = rng.randrange(8)
    if choice == 0:
        length = (length + rng.choice((1, -1, 2**32, 2**53, 2**63, 8, 10**8))) % 2**64
    elif choice == 1:
        length = rng.randrange(2**64) >> rng.randrange(64)
    elif choice == 2:
        data += b"\0" * rng.randrange(1, 9)
    elif choice == 3:
        data = data[: rng.randrange(len(data) + 1)]
    content = struct.pack("<Q", length) + header + data
    return content[: rng.randrange(len(content) + 1)] if choice == 4 else content


def mutants(seeds: list[Seed], count: int, rng: Random) -> Iterator[bytes]:
    """`count` damaged files, most of them with one defect."""
    pack = struct.Struct("<Q").pack
    for _ in range(count):
        seed = seeds[rng.randrange(len(seeds))]
        choice = rng.randrange(100)
        if choice < 60:
            header = _tokens(rng, seed, seeds[rng.randrange(len(seeds))])
        elif choice < 85:
            header = _bytes(rng, seed.header)
        elif choice < 95:
            header = _bytes(rng, _tokens(rng, seed, seed))
        else:
            yield _frame(rng, seed.header, seed.data)
            continue
        yield pack(len(header)) + header + seed.data
