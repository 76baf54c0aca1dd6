"""Files too large to be committed: honest giants, and headers made to cost time or memory."""

from __future__ import annotations

from collections.abc import Iterator

from .build import Case, bad, good, header_of, one, tensor

MANY = 100_000


def _tile(names: Iterator[str] | list[str], backwards: bool = False) -> tuple[str, int]:
    members = [tensor(name, "U8", [1], i, i + 1) for i, name in enumerate(names)]
    if backwards:
        members.reverse()
    return header_of(*members), len(members)


def _lookalikes() -> list[str]:
    """Names of one length that a hash which multiplies by 31 can't tell apart: Aa and BB."""
    return ["".join("Aa" if i >> bit & 1 else "BB" for bit in range(16)) for i in range(2**16)]


def _accepted() -> Iterator[Case]:
    layers = [f"model.layers.{i // 10}.block.{i % 10}.weight" for i in range(MANY)]
    for name, names, backwards, sentence in [
        ("tensors", layers, False, "100,000 tensors."),
        ("tensors-backwards", layers, True, "100,000 tensors, the last one first."),
        ("names-alike", _lookalikes(), False, "65,536 names that simple hashes can't tell apart."),
        (
            "names-last-byte",
            ["n" * 60 + f"{i:06}" for i in range(MANY)],
            False,
            "100,000 names that differ at their end only.",
        ),
        (
            "names-nul",
            ["\\u0000" * (i % 100) + str(i // 100) for i in range(MANY)],
            False,
            "100,000 names that begin with NULs.",
        ),
    ]:
        header, count = _tile(names, backwards)
        yield good(f"large-{name}", sentence, header, count, count)
    empty = header_of(*(tensor(f"e{i}", "F32", [0], 0, 0) for i in range(MANY)))
    yield good("large-empty", "100,000 empty tensors at one place.", empty, 0, MANY)
    keys = "".join(f',"x{i}":{i}' for i in range(MANY))
    yield good("large-unknown-keys", "100,000 unknown fields in one tensor.", one(extra=keys), 1)
    alike = "".join(f',"{key}":0' for key in _lookalikes())
    yield good(
        "large-unknown-alike",
        "65,536 unknown fields that simple hashes can't tell apart.",
        one(extra=alike),
        1,
    )
    entries = ",".join(f'"k{i}":"v"' for i in range(MANY))
    yield good(
        "large-metadata", "100,000 keys of metadata.", '{"__metadata__":{' + entries + "}}", 0, 0
    )
    yield good(
        "large-spaces", "Eight million spaces behind the object.", one() + " " * 8_000_000, 1
    )
    yield good(
        "large-spaces-inside",
        "Eight million line feeds after a colon.",
        one(extra=',"x":' + "\n" * 8_000_000 + "1"),
        1,
    )
    yield good(
        "large-name", "A name of four million bytes.", one(name='"' + "n" * 4_000_000 + '"'), 1
    )
    yield good(
        "large-escapes",
        "A name of a million escapes.",
        one(name='"' + "\\u00e9" * 1_000_000 + '"'),
        1,
    )
    yield good(
        "large-array",
        "An unknown field with two million numbers.",
        one(extra=',"x":[' + "0," * 2_000_000 + "0]"),
        1,
    )
    yield good(
        "large-fraction",
        "A number with a million digits behind its point.",
        one(extra=',"x":0.' + "1" * 1_000_000),
        1,
    )
    yield good(
        "large-objects",
        "An unknown field with 200,000 objects of one key.",
        one(extra=',"x":[' + '{"y":0},' * 200_000 + "0]"),
        1,
    )


def _refused() -> Iterator[Case]:
    yield bad(
        "large-nested-arrays",
        "NESTED_TOO_DEEP",
        "100,000 arrays in one another.",
        one(extra=',"x":' + "[" * 125 + "§" + "[" * (MANY - 125) + "]" * MANY),
    )
    yield bad(
        "large-nested-objects",
        "NESTED_TOO_DEEP",
        "100,000 objects in one another.",
        one(extra=',"x":' + '{"y":' * 125 + "§" + '{"y":' * (MANY - 125) + "0" + "}" * MANY),
    )
    yield bad(
        "large-nested-unclosed",
        "NESTED_TOO_DEEP",
        "Four million opening brackets.",
        one(extra=',"x":' + "[" * 125 + "§" + "[" * 4_000_000),
    )
    names = [f"n{i}" for i in range(MANY)]
    members = [tensor(name, "U8", [1], i, i + 1) for i, name in enumerate(names)]
    twice = header_of(*members, "§" + tensor("\\u006e0", "U8", [1], MANY, MANY + 1))
    yield bad(
        "large-duplicate",
        "DUPLICATE_KEY",
        "The last of 100,001 tensors has the first one's name.",
        twice,
        MANY + 1,
    )
    keys = "".join(f',"x{i}":{i}' for i in range(MANY)) + ',§"x0":0'
    yield bad(
        "large-duplicate-unknown",
        "DUPLICATE_KEY",
        "The last of 100,001 unknown fields has the first one's name.",
        one(extra=keys),
        1,
    )
    yield bad(
        "large-rank",
        "RANK_TOO_LARGE",
        "A shape of a million dimensions.",
        one(shape="[" + "1," * 64 + "§" + "1," * 999_936 + "1]"),
        1,
    )
    yield bad(
        "large-integer",
        "INVALID_JSON",
        "An integer of a million digits, beyond a double.",
        one(extra=',"x":§' + "1" * 1_000_000),
        1,
    )
    yield bad(
        "large-unclosed-string",
        "INVALID_JSON",
        "A string of four million bytes that never ends.",
        '{"' + "n" * 4_000_000 + "§",
    )
    yield bad(
        "large-unclosed-escapes",
        "INVALID_JSON",
        "A string of a million backslashes that never ends.",
        '{"' + "\\\\" * 1_000_000 + "§",
    )
    yield bad(
        "large-aliases",
        "OVERLAP",
        "100,000 tensors over the same byte.",
        header_of(*(tensor(name, "U8", [1], 0, 1) for name in names)),
        1,
        data_byte=0,
    )
    yield bad(
        "large-staircase",
        "OVERLAP",
        "100,000 tensors of two bytes, each a byte behind the last.",
        header_of(*(tensor(name, "U8", [2], i, i + 2) for i, name in enumerate(names))),
        MANY + 1,
        data_byte=1,
    )
    yield bad(
        "large-offsets",
        "INVALID_OFFSETS",
        "A million offsets.",
        one(offsets="§[" + "0," * 1_000_000 + "0]"),
        1,
    )
    yield bad(
        "large-spaces-only",
        "INVALID_JSON",
        "Eight million spaces and no value.",
        " " * 8_000_000 + "§",
    )


def cases() -> Iterator[Case]:
    """Every case of this subject."""
    yield from _accepted()
    yield from _refused()
