"""Sizes, and how tensors must tile the data."""

from __future__ import annotations

from collections.abc import Iterator

from .build import MARK, Case, bad, good, header_of, one, tensor


def _products() -> Iterator[Case]:
    for name, shape, sentence in [
        ("scalar", "[]", "Rank 0: one element."),
        ("ones", "[1,1,1]", "Dimensions of one."),
        ("rank-64", "[" + "1," * 63 + "1]", "64 dimensions, the limit."),
    ]:
        yield good(f"shape-{name}", sentence, one(shape=shape), 1)
    for name, shape, sentence in [
        ("zero", "[0]", "No elements."),
        ("zero-inside", "[3,0,5]", "No elements, because of the middle dimension."),
        (
            "zero-first-2p32",
            "[0,4294967296,4294967296]",
            "Zero comes first, so the product never overflows.",
        ),
        (
            "zero-first-2p63",
            "[0,9223372036854775808,4]",
            "Zero comes first, and then 2^63 times 4.",
        ),
        ("zero-last-2p64", "[18446744073709551615,0]", "The largest dimension times zero."),
        ("zero-2p53", "[9007199254740993,0]", "2^53 + 1 times zero."),
        ("zero-rank-64", "[" + "0," * 63 + "0]", "64 dimensions of zero."),
    ]:
        yield good(f"shape-{name}", sentence, one(shape=shape, offsets="[0,0]"), 0)
    for name, shape, words in [
        ("zeros-65", "0," * 64 + "§0", "65 dimensions of zero"),
        ("ones-65", "1," * 64 + "§1", "65 dimensions of one"),
        ("thousand", "1," * 64 + "§" + "1," * 935 + "1", "A thousand dimensions"),
    ]:
        end = 0 if name == "zeros-65" else 1
        yield bad(
            f"rank-{name}",
            "RANK_TOO_LARGE",
            f"{words}, where 64 are allowed.",
            one(shape=f"[{shape}]", offsets=f"[0,{end}]"),
            end,
        )

    for name, dtype, dimensions, end, sentence in [
        ("2p32-squared", "U8", [2**32, 2**32], 0, "2^32 times 2^32 is zero in 64 bits."),
        (
            "2p32-squared-zero",
            "U8",
            [2**32, 2**32, 0],
            0,
            "The product overflows before the zero comes.",
        ),
        ("2p63-4-zero", "U8", [2**63, 4, 0], 0, "2^63 times 4, and only then zero."),
        ("2p63-2", "U8", [2**63, 2], 0, "2^63 times 2 is zero in 64 bits."),
        ("wraps-to-2", "U8", [3, 6148914691236517206], 2, "The product is 2 in 64 bits."),
        (
            "max-squared",
            "U8",
            [2**64 - 1, 2**64 - 1],
            1,
            "The largest dimension squared is 1 in 64 bits.",
        ),
        ("sixty-four-twos", "U8", [2] * 64, 0, "64 dimensions of two: 2^64 elements."),
        ("bits-u8", "U8", [2**61], 2**61, "2^61 bytes: their bits do not fit in 64 bits."),
        ("bits-u64", "U64", [2**58], 0, "2^58 elements of 64 bits: zero in 64 bits."),
        ("bits-f64", "F64", [2**61], 0, "2^61 elements of 8 bytes: zero in 64 bits."),
        ("bits-f4", "F4", [2**62], 2**61, "2^62 elements of 4 bits."),
        ("bits-2p63", "U8", [2**63], 2**63, "2^63 bytes, told to be there."),
        ("bits-max", "U8", [2**64 - 1], 2**64 - 1, "2^64 - 1 bytes, told to be there."),
        ("bits-wrap-8", "U64", [2**58 + 1], 8, "8 bytes, where the bits wrap around 2^64."),
        ("f6-wraps", "F6_E2M3", [3 * 2**61], 2**61, "18 * 2^61 bits wrap around 2^64."),
    ]:
        yield bad(
            f"overflow-{name}",
            "SIZE_OVERFLOW",
            sentence,
            header_of(MARK + tensor("a", dtype, dimensions, 0, end)),
            min(end, 8),
        )


def _sizes() -> Iterator[Case]:
    mismatch = "SIZE_MISMATCH"
    for name, dtype, shape, end, sentence in [
        ("one-short", "U8", [5], 4, "Five bytes told to be four."),
        ("one-long", "U8", [3], 4, "Three bytes told to be four."),
        ("wide-dtype", "F64", [1], 4, "Eight bytes told to be four."),
        ("narrow-dtype", "F16", [2, 2], 16, "Eight bytes told to be sixteen."),
        ("scalar-no-bytes", "F32", [], 0, "A scalar without bytes."),
        ("zero-with-bytes", "F32", [0], 4, "No elements, but four bytes."),
        ("f4-bytes", "F4", [4], 4, "Four elements of 4 bits told to be four bytes."),
        ("f6-bytes", "F6_E3M2", [4], 4, "Four elements of 6 bits told to be four bytes."),
        ("2p32-and-4", "U8", [2**32 + 4], 4, "2^32 + 4 bytes told to be four: equal in 32 bits."),
        (
            "end-2p32-and-4",
            "U8",
            [4],
            2**32 + 4,
            "Four bytes told to be 2^32 + 4: equal in 32 bits.",
        ),
        ("2p53-and-1", "U8", [2**53 + 1], 2**53, "2^53 + 1 told to be 2^53: equal as doubles."),
        ("end-2p53-and-1", "U8", [2**53], 2**53 + 1, "2^53 told to be 2^53 + 1: equal as doubles."),
        ("end-2p63", "U8", [4], 2**63 + 4, "Four bytes told to be 2^63 + 4."),
        ("end-max", "U8", [1], 2**64 - 1, "One byte told to be 2^64 - 1."),
    ]:
        yield bad(
            f"size-{name}",
            mismatch,
            sentence,
            header_of(MARK + tensor("a", dtype, shape, 0, end)),
            min(end, 4),
        )
    for name, dtype, shape, end, words in [
        ("f4-one", "F4", [1], 1, "One element of 4 bits"),
        ("f4-three", "F4", [3], 2, "Three elements of 4 bits"),
        ("f4-nine", "F4", [3, 3], 5, "Nine elements of 4 bits"),
        ("f4-scalar", "F4", [], 1, "A scalar of 4 bits"),
        ("f4-floor", "F4", [3], 1, "Three elements of 4 bits, told to be one byte"),
        ("f6-e2m3-one", "F6_E2M3", [1], 1, "One element of 6 bits"),
        ("f6-e2m3-two", "F6_E2M3", [2], 2, "Two elements of 6 bits"),
        ("f6-e3m2-three", "F6_E3M2", [3], 3, "Three elements of 6 bits"),
        ("f6-e3m2-six", "F6_E3M2", [2, 3], 5, "Six elements of 6 bits"),
        ("f6-e3m2-scalar", "F6_E3M2", [], 1, "A scalar of 6 bits"),
    ]:
        yield bad(
            f"partial-{name}",
            "PARTIAL_BYTE",
            f"{words}.",
            header_of(MARK + tensor("a", dtype, shape, 0, end)),
            end,
        )
    for name, dtype, shape, end, words in [
        ("f4-two", "F4", [2], 1, "Two elements of 4 bits in one byte"),
        ("f4-odd-rows", "F4", [2, 3], 3, "Rows of 12 bits that fill three bytes together"),
        ("f4-zero", "F4", [0, 3], 0, "No elements of 4 bits"),
        ("f6-e2m3-four", "F6_E2M3", [4], 3, "Four elements of 6 bits in three bytes"),
        ("f6-e3m2-rows", "F6_E3M2", [4, 3], 9, "Rows of 18 bits that fill nine bytes together"),
    ]:
        yield good(f"packed-{name}", f"{words}.", header_of(tensor("a", dtype, shape, 0, end)), end)


def _two(first: tuple[int, int], second: tuple[int, int]) -> str:
    return header_of(
        tensor("a", "U8", [max(first[1] - first[0], 0)], *first),
        tensor("b", "U8", [max(second[1] - second[0], 0)], *second),
    )


def _tiling() -> Iterator[Case]:
    for name, first, second, data, sentence in [
        ("start", (1, 4), (4, 8), 8, "The first byte belongs to no tensor."),
        ("one-byte", (0, 4), (5, 8), 8, "A byte between two tensors belongs to neither."),
        ("wide", (0, 4), (4096, 4100), 4100, "Some 4,000 bytes between two tensors."),
        ("2p32", (0, 4), (2**32 + 4, 2**32 + 8), 8, "A hole of 2^32 bytes, none in 32 bits."),
        ("2p63", (0, 4), (2**63, 2**63 + 4), 8, "The second tensor begins at 2^63."),
        ("max", (0, 4), (2**64 - 1, 2**64 - 1), 4, "An empty tensor at 2^64 - 1."),
        ("empty-beyond", (0, 4), (8, 8), 4, "An empty tensor beyond the end."),
        ("empty-first", (2, 2), (2, 6), 6, "An empty tensor stands behind two bytes of no one."),
    ]:
        hole = first[1] if first[0] == 0 else 0
        yield bad(f"hole-{name}", "HOLE", sentence, _two(first, second), data, data_byte=hole)
    for name, first, second, data, sentence in [
        ("one-byte", (0, 4), (3, 8), 8, "One byte belongs to two tensors."),
        ("half", (0, 8), (4, 12), 12, "Half of each tensor belongs to both."),
        ("inside", (0, 12), (4, 8), 12, "One tensor lies inside the other."),
        ("alias", (0, 8), (0, 8), 8, "Two tensors share all their bytes."),
        ("prefix", (0, 4), (0, 8), 8, "One tensor is the beginning of the other."),
        ("empty-inside", (0, 4), (2, 2), 4, "An empty tensor inside another one."),
        (
            "reversed-order",
            (4, 8),
            (0, 5),
            8,
            "An overlap, and the header names the later tensor first.",
        ),
    ]:
        later = max(first, second)[0]
        header = _two(first, second)
        yield bad(f"overlap-{name}", "OVERLAP", sentence, header, data, data_byte=later)
    for name, first, second, sentence in [
        ("first", (4, 0), (4, 4), "A tensor ends before it begins."),
        ("by-one", (4, 3), (0, 4), "A tensor ends a byte before it begins."),
        ("empty", (1, 0), (0, 1), "An empty tensor ends before it begins."),
        ("wrap", (2**64 - 1, 0), (0, 4), "End less begin is 1 in 64 bits."),
    ]:
        header = MARK.join(("{", _two(first, second)[1:]))
        yield bad(f"reversed-{name}", "OFFSETS_REVERSED", sentence, header, 4)
    two = _two((0, 4), (4, 8))
    for name, header, data, sentence in [
        ("one-byte", two, 9, "A byte behind the last tensor."),
        ("padding", two, 16, "Eight bytes behind the last tensor."),
        ("no-tensors", "{}", 1, "A byte of data, and no tensor."),
        ("metadata-only", '{"__metadata__":{}}', 8, "Eight bytes of data, and no tensor."),
        (
            "empty-tensor",
            one(shape="[0]", offsets="[0,0]"),
            4,
            "Four bytes, and a tensor that has none.",
        ),
    ]:
        last = 8 if header is two else 0
        name = f"trailing-data-{name}"
        yield bad(name, "TRAILING_DATA", sentence, header, data, data_byte=last)
    for name, header, data, sentence in [
        ("one-byte", two, 7, "The last byte is missing."),
        ("second", two, 4, "The second tensor is missing."),
        ("all", two, 0, "All data are missing."),
        (
            "2p32",
            one(shape=f"[{2**32}]", offsets=f"[0,{2**32}]"),
            0,
            "2^32 bytes are missing: none in 32 bits.",
        ),
        (
            "2p53",
            one(shape=f"[{2**53 + 1}]", offsets=f"[0,{2**53 + 1}]"),
            0,
            "2^53 + 1 bytes are missing.",
        ),
        (
            "2p61",
            one(shape=f"[{2**61 - 1}]", offsets=f"[0,{2**61 - 1}]"),
            8,
            "The largest tensor whose bits still fit in 64 bits.",
        ),
    ]:
        name = f"truncated-{name}"
        yield bad(name, "TRUNCATED_DATA", sentence, header, data, data_byte=data)
    step = 2**61 - 1
    eight = [tensor(f"t{i}", "U8", [step], i * step, (i + 1) * step) for i in range(8)]
    rest = tensor("t8", "U8", [7], 8 * step, 2**64 - 1)
    final = tensor("t8", "U8", [0], 2**64 - 1, 2**64 - 1)
    within = tensor("t8", "U8", [1], 8 * step - 1, 8 * step)
    yield bad(
        "hole-2p64",
        "HOLE",
        "A hole at 2^64 - 8 of the data, which is no place in a file.",
        header_of(*eight, final),
        8,
    )
    yield bad(
        "overlap-2p64",
        "OVERLAP",
        "An overlap at 2^64 - 9 of the data, which is no place in a file.",
        header_of(*eight, within),
        8,
    )
    yield bad(
        "truncated-2p64",
        "TRUNCATED_DATA",
        "The tensors tile 2^64 - 1 bytes, and the header before them wraps.",
        header_of(*eight, rest),
        8,
        data_byte=8,
    )


def _good_tiling() -> Iterator[Case]:
    yield good("tiling-two", "Two tensors side by side.", _two((0, 4), (4, 8)), 8, 2)
    yield good(
        "tiling-unsorted", "The header names the later tensor first.", _two((4, 8), (0, 4)), 8, 2
    )
    yield good(
        "tiling-unaligned",
        "Odd sizes, so that the second tensor is not aligned.",
        header_of(tensor("a", "U8", [3], 0, 3), tensor("b", "F64", [2], 3, 19)),
        19,
        2,
    )
    for name, at, sentence in [
        ("start", 0, "An empty tensor at the start."),
        ("middle", 4, "An empty tensor between two others."),
        ("end", 8, "An empty tensor at the end."),
    ]:
        members = [
            tensor("a", "U8", [4], 0, 4),
            tensor("b", "U8", [4], 4, 8),
            tensor("e", "F32", [0, 3], at, at),
        ]
        yield good(f"tiling-empty-{name}", sentence, header_of(*members), 8, 3)
        yield good(
            f"tiling-empty-{name}-first",
            sentence + " The header names it first.",
            header_of(*members[::-1]),
            8,
            3,
        )
    crowd = [tensor(f"e{i}", "I64", [0], i // 3 * 4, i // 3 * 4) for i in range(9)]
    pair = [tensor("a", "F32", [1], 0, 4), tensor("b", "F32", [1], 4, 8)]
    yield good(
        "tiling-empty-crowd",
        "Three empty tensors at every boundary.",
        header_of(*crowd, *pair),
        8,
        11,
    )
    yield good("tiling-only-empty", "Empty tensors only.", header_of(*crowd[:3]), 0, 3)
    backwards = [tensor(f"t{i}", "U8", [1], i, i + 1) for i in reversed(range(100))]
    yield good(
        "tiling-backwards",
        "A hundred tensors, the last one first.",
        header_of(*backwards),
        100,
        100,
    )
    mixed = [
        tensor(f"t{i * 37 % 101}", "U16", [1], i * 37 % 101 * 2, i * 37 % 101 * 2 + 2)
        for i in range(101)
    ]
    yield good("tiling-shuffled", "101 tensors in no order.", header_of(*mixed), 202, 101)
    writer = (
        '{"__metadata__":{"format":"pt"},'
        + tensor("w", "F32", [2, 3], 0, 24)
        + ","
        + tensor("b", "F16", [3], 24, 30)
        + "}"
    )
    padded = writer + " " * (-len(writer) % 8)
    yield good(
        "writer-padded", "As the writers write: metadata first, padded to 8 bytes.", padded, 30, 2
    )
    yield good(
        "writer-aligned-64", "Padded so that the data starts at byte 256.", writer.ljust(248), 30, 2
    )


def cases() -> Iterator[Case]:
    """Every case of this subject."""
    yield from _products()
    yield from _sizes()
    yield from _tiling()
    yield from _good_tiling()
