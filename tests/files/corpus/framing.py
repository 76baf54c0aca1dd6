"""The eight bytes before the header, and what may stand around it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from .build import Case, bad, bad_bytes, frame, good, one, pattern

LIMIT = 100_000_000

# Lengths that a reader with a narrower type, or with an unchecked addition, would take for another.
HUGE = [
    ("2p32-less-1", 2**32 - 1, "one below 2^32"),
    ("2p32", 2**32, "2^32, zero in 32 bits"),
    ("2p32-and-true", 2**32 + len(one()), "2^32 above the truth, right in 32 bits"),
    ("2p53", 2**53, "2^53, the last integer a double counts to"),
    ("2p53-and-1", 2**53 + 1, "2^53 + 1, which no double holds"),
    ("2p63-less-1", 2**63 - 1, "the largest signed 64-bit integer"),
    ("2p63", 2**63, "2^63, the smallest negative number where the type is signed"),
    ("2p63-and-true", 2**63 + len(one()), "2^63 above the truth"),
    ("2p64-less-9", 2**64 - 9, "8 more than it is just below 2^64"),
    ("2p64-less-8", 2**64 - 8, "8 more than it is 2^64, zero in 64 bits"),
    ("2p64-less-1", 2**64 - 1, "all bits set"),
]


def _bad() -> Iterator[Case]:
    small = "HEADER_TOO_SMALL"
    yield bad_bytes("length-no-bytes", small, "An empty file.", b"", 0)
    yield bad_bytes("length-one-byte", small, "One byte, where a length takes eight.", b"\2", 1)
    yield bad_bytes("length-seven-bytes", small, "A length cut by a byte.", b"\2" + bytes(6), 7)
    empty = "HEADER_EMPTY"
    yield bad("length-zero", empty, "A header of no bytes, and nothing behind it.", "", byte=0)
    yield bad("length-zero-and-data", empty, "A header of no bytes, then data.", "", 16, byte=0)

    beyond = "INVALID_HEADER_LENGTH"
    header = one()
    size = len(header)
    yield bad("length-without-header", beyond, "A length, and no header.", "", 0, 2, 0)
    yield bad(
        "length-one-beyond",
        beyond,
        "The header ends a byte after the file.",
        header,
        0,
        size + 1,
        0,
    )
    yield bad(
        "length-at-limit", beyond, "100,000,000: allowed, but not there.", header, 1, LIMIT, 0
    )
    large = "HEADER_TOO_LARGE"
    yield bad("length-over-limit", large, "100,000,001: beyond the limit.", header, 1, LIMIT + 1, 0)
    for name, length, words in HUGE:
        yield bad(f"length-{name}", large, f"The length is {words}.", header, 1, length, 0)
    yield bad_bytes(
        "length-big-endian",
        large,
        "The length stands with its high byte first.",
        struct.pack(">Q", size) + header.encode() + pattern(1),
        0,
    )
    yield bad(
        "length-cuts-header",
        "INVALID_JSON",
        "The length leaves out the last brace, which becomes data.",
        header,
        1,
        size - 1,
        8 + size - 1,
    )
    yield bad(
        "length-takes-data",
        "TRAILING_TEXT",
        "The length takes the first byte of the data into the header.",
        header,
        b"x",
        size + 1,
        8 + size,
    )
    yield bad(
        "length-takes-space",
        "TRUNCATED_DATA",
        "The one byte of data is a space, and the length takes it into the header.",
        header,
        b" ",
        size + 1,
        data_byte=1,
    )


def _space() -> Iterator[Case]:
    yield good("header-empty-object", "No tensors at all.", "{}", 0, 0)
    yield good("header-one-space-inside", "No tensors, a space in the braces.", "{ }", 0, 0)
    yield good("header-one-tensor", "The smallest header with a tensor.", one(), 1)
    yield good(
        "space-before", "Space, tab, line feed and return before the object.", " \t\n\r" + one(), 1
    )
    yield good(
        "space-after", "Space, tab, line feed and return after the object.", one() + " \t\n\r", 1
    )
    yield good("space-padding", "Padded with spaces to 4096 bytes.", one().ljust(4088), 1)
    yield good("space-odd-length", "A header whose length is no multiple of 8.", one() + " " * 3, 1)
    spread = one(extra=',"x":[1,{"y":2}]')
    for mark in '{}[]:,"':
        if mark != '"':
            spread = spread.replace(mark, f" \r\n\t{mark}\t\n\r ")
    yield good("space-everywhere", "All four kinds of space around every token.", spread, 1)

    trailing = "TRAILING_TEXT"
    base = one()
    for name, text, sentence in [
        ("nul", "\0", "A NUL as padding behind the object."),
        ("nuls", "\0" * 7, "NULs as padding to 8 bytes."),
        ("space-nul", "  \0", "A NUL behind spaces."),
        ("brace", "}", "A closing brace too many."),
        ("comma", ",", "A comma behind the object."),
        ("object", "{}", "A second object behind the first."),
        ("word", " null", "A second value behind the object."),
        ("comment", "//", "A comment behind the object."),
        ("form-feed", "\f", "A form feed, which is no JSON space, behind the object."),
        ("bom", "\ufeff", "A byte order mark behind the object."),
    ]:
        at = 8 + len(base) + len(text) - len(text.lstrip(" "))
        yield bad(f"trailing-{name}", trailing, sentence, base + text, 1, byte=at)

    for name, text, sentence in [
        ("vertical-tab", "\v", "A vertical tab before the object."),
        ("form-feed", "\f", "A form feed before the object."),
        ("nul", "\0", "A NUL before the object."),
        ("no-break", "\u00a0", "A no-break space before the object."),
        ("line-separator", "\u2028", "A Unicode line separator before the object."),
    ]:
        yield bad(f"space-{name}", "INVALID_JSON", sentence, text + base, 1, byte=8)
    yield bad("space-inside-form-feed", "INVALID_JSON", "A form feed after a colon.", '{"a":§\f{}}')


def _order_mark() -> Iterator[Case]:
    base = one()
    bom = "BYTE_ORDER_MARK"
    yield bad("bom", bom, "A UTF-8 byte order mark before the object.", "\ufeff" + base, 1, byte=8)
    yield bad("bom-alone", bom, "A byte order mark and nothing else.", "\ufeff", 0, byte=8)
    yield bad(
        "bom-after-space", "INVALID_JSON", "A byte order mark behind a space.", " §\ufeff" + base, 1
    )
    yield bad(
        "utf16-le",
        "INVALID_UTF8",
        "UTF-16 with its byte order mark.",
        base.encode("utf-16"),
        1,
        byte=8,
    )
    yield bad(
        "utf16-no-bom",
        "INVALID_JSON",
        "UTF-16 without a mark.",
        base.encode("utf-16-le"),
        1,
        byte=9,
    )
    yield bad(
        "utf32", "INVALID_JSON", "UTF-32, high byte first.", base.encode("utf-32-be"), 1, byte=8
    )


def cases() -> Iterator[Case]:
    """Every case of this subject."""
    yield from _bad()
    yield from _space()
    yield from _order_mark()
    whole = frame(one().encode(), pattern(1))
    yield bad_bytes(
        "length-twice", "INVALID_HEADER_LENGTH", "The length stands twice.", whole[:8] * 2, 0
    )
