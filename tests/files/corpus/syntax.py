"""JSON syntax, numbers, nesting, and fields that no one knows."""

from __future__ import annotations

from collections.abc import Iterator

from .build import Case, bad, good, one

ROOM = ' "dtype":"U8","shape":[1],"data_offsets":[0,1]'

SYNTAX = [
    ("only-spaces", "   §", "Spaces, and no value."),
    (
        "unclosed",
        '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}§',
        "The last brace is missing.",
    ),
    ("open-brace", "{§", "An opening brace alone."),
    ("no-colon", '{"a"§{}}', "No colon after a key."),
    ("two-colons", '{"a":§:{}}', "Two colons after a key."),
    ("no-value", '{"a":§}', "No value after a colon."),
    ("no-comma", '{"a":{' + ROOM + '}§"b":{}}', "No comma between two members."),
    ("leading-comma", '{§,"a":{' + ROOM + "}}", "A comma before the first member."),
    ("double-comma", '{"a":{' + ROOM + '},§,"b":{}}', "Two commas between members."),
    ("trailing-comma", '{"a":{' + ROOM + "},§}", "A comma after the last member."),
    ("trailing-comma-field", '{"a":{' + ROOM + ",§}}", "A comma after the last field."),
    (
        "trailing-comma-shape",
        '{"a":{"dtype":"U8","shape":[1,§],"data_offsets":[0,1]}}',
        "A comma in a shape.",
    ),
    (
        "shape-no-comma",
        '{"a":{"dtype":"U8","shape":[1 §1],"data_offsets":[0,1]}}',
        "No comma in a shape.",
    ),
    ("apostrophes", "{§'a':{}}", "A key in apostrophes."),
    ("bare-key", '{§a:{"x":1}}', "A key without quotes."),
    ("number-key", "{§1:{}}", "A number as a key."),
    ("null-key", "{§null:{}}", "null as a key."),
    ("comment-block", "{§/* x */}", "A comment between braces."),
    ("comment-line", "{§// x\n}", "A comment to the end of a line."),
    ("bracket-for-brace", '{"a":{' + ROOM + "}§]", "A bracket closes what a brace opened."),
]

NOT_JSON = [
    ("nan", "§NaN", "NaN"),
    ("infinity", "§Infinity", "Infinity"),
    ("minus-infinity", "-§Infinity", "-Infinity"),
    ("true-upper", "§True", "True"),
    ("undefined", "§undefined", "undefined"),
    ("mismatch", "[1§}", "An array that a brace closes"),
    ("mismatch-object", '{"y":1§]', "An object that a bracket closes"),
    ("colon-in-array", "[1§:2]", "A colon in an array"),
    ("empty-slot", "[1,§,2]", "Two commas in an array"),
    ("comma-in-object", '{"y"§,1}', "A comma for a colon"),
    ("leading-zero", "0§1", "A number with a leading zero"),
    ("minus-leading-zero", "-0§1", "A negative number with a leading zero"),
    ("plus", "§+1", "A number with a plus"),
    ("bare-fraction", "§.5", "A fraction without digits before it"),
    ("empty-fraction", "1.§", "A point without digits behind it"),
    ("empty-exponent", "1e§", "An exponent without digits"),
    ("signed-exponent", "1e+§", "An exponent that is only a sign"),
    ("minus-alone", "-§", "A minus alone"),
    ("minus-twice", "-§-1", "Two minuses"),
    ("hexadecimal", "0§x10", "A hexadecimal number"),
    ("underscore", "1§_000", "A number with an underscore"),
    ("arabic-digit", "§\u0661", "A digit that is not ASCII"),
]

# Beyond the largest double: the peer refuses these even where it skips the value.
TOO_LARGE_NUMBERS = [
    ("1e999", "§1e999", "1e999"),
    ("minus-1e999", "§-1e999", "-1e999"),
    ("1e309", "§1e309", "1e309, just beyond a double"),
    ("400-digits", "§1" + "0" * 399, "An integer of 400 digits"),
    ("huge-exponent", "§1e99999999999999999999", "An exponent of 20 digits"),
]

EXTRAS = [
    ("null", "null", "null"),
    ("true", "true", "true"),
    ("false", "false", "false"),
    ("string", '"\\ud83d\\ude00\\u0000\\/"', "A string full of escapes"),
    ("empty-array", "[]", "An empty array"),
    ("empty-object", "{}", "An empty object"),
    ("zero", "0", "0"),
    ("minus-zero", "-0", "-0"),
    ("2p64", "18446744073709551616", "2^64"),
    ("30-digits", "123456789012345678901234567890", "An integer of 30 digits"),
    ("fraction", "-12.5e+3", "A number with every part"),
    ("1e308", "1E308", "1E308, within a double"),
    ("tiny", "1e-999", "1e-999, which is zero in a double"),
    ("zero-huge-exponent", "0e99999", "Zero with a huge exponent"),
    ("mixed", '[1,"x",{"y":[null,{"z":{}}]},[[]],true]', "Everything in everything"),
    (
        "known-names",
        '{"dtype":1,"shape":{},"data_offsets":null}',
        "The known names, one level deeper",
    ),
    ("metadata-name", '{"__metadata__":7}', "The reserved name where it means nothing"),
    ("64-deep", "[" * 64 + "]" * 64, "64 levels of arrays"),
    ("125-deep", "[" * 125 + "]" * 125, "125 levels of arrays, 127 in all"),
    ("125-deep-objects", '{"y":' * 124 + "{}" + "}" * 124, "125 levels of objects, 127 in all"),
    ("125-deep-mixed", '[{"y":' * 62 + "[1]" + "}]" * 62, "125 levels of both, 127 in all"),
]


def _numbers() -> Iterator[Case]:
    for name, value, words in [
        ("fraction", "1.0", "1.0"),
        ("exponent", "1e0", "1e0"),
        ("exponent-upper", "1E2", "1E2"),
        ("minus-zero", "-0", "-0"),
        ("minus-one", "-1", "-1"),
        ("2p64", "18446744073709551616", "2^64"),
        ("2p64-and-1", "18446744073709551617", "2^64 + 1, which is 1 in 64 bits"),
        ("30-digits", "100000000000000000000000000001", "a number of 30 digits"),
        ("string", '"1"', "a string"),
        ("null", "null", "null"),
        ("true", "true", "true"),
        ("array", "[1]", "an array"),
        ("object", "{}", "an object"),
    ]:
        yield bad(
            f"shape-{name}",
            "INVALID_SHAPE",
            f"A dimension is {words}.",
            one(shape=f"[§{value}]"),
            1,
        )
        yield bad(
            f"offsets-{name}",
            "INVALID_OFFSETS",
            f"An offset is {words}.",
            one(offsets=f"[0,§{value}]"),
            1,
        )
    for name, value, words in [
        ("leading-zero", "0§1", "01"),
        ("plus", "§+1", "+1"),
        ("hexadecimal", "0§x1", "0x1"),
        ("nan", "§NaN", "NaN"),
    ]:
        yield bad(
            f"shape-{name}", "INVALID_JSON", f"A dimension is {words}.", one(shape=f"[{value}]"), 1
        )
        yield bad(
            f"offsets-{name}",
            "INVALID_JSON",
            f"An offset is {words}.",
            one(offsets=f"[0,{value}]"),
            1,
        )


def _extras() -> Iterator[Case]:
    for name, value, words in EXTRAS:
        yield good(f"extra-{name}", f"{words}, in an unknown field.", one(extra=f',"x":{value}'), 1)
    yield good("extra-empty-key", "An unknown field whose name is empty.", one(extra=',"":1'), 1)
    many = "".join(f',"x{i}":{i}' for i in range(100))
    yield good("extra-hundred", "A hundred unknown fields.", one(extra=many), 1)
    yield good(
        "extra-first",
        "Unknown fields before the known ones.",
        '{"a":{"x":[1],"dtype":"U8","y":{},"shape":[1],"z":"","data_offsets":[0,1]}}',
        1,
    )
    for name, value, words in NOT_JSON:
        yield bad(
            f"extra-{name}",
            "INVALID_JSON",
            f"{words}, in an unknown field.",
            one(extra=f',"x":{value}'),
            1,
        )
    for name, value, words in TOO_LARGE_NUMBERS:
        yield bad(
            f"extra-{name}",
            "INVALID_JSON",
            f"{words}, in an unknown field.",
            one(extra=f',"x":{value}'),
            1,
        )
    deep = "NESTED_TOO_DEEP"
    for name, opening, closing, words in [
        ("arrays", "[", "]", "arrays"),
        ("objects", '{"y":', "}", "objects"),
    ]:
        inner = "[]" if name == "arrays" else "{}"
        value = opening * 125 + "§" + inner + closing * 125
        yield bad(
            f"deep-128-{name}",
            deep,
            f"128 levels of {words} in all.",
            one(extra=f',"x":{value}'),
            1,
        )
    yield bad(
        "deep-1000-unclosed",
        deep,
        "A thousand arrays that are opened and never closed.",
        one(extra=',"x":' + "[" * 125 + "§" + "[" * 875),
    )


def _values() -> Iterator[Case]:
    for name, text in [
        ("array", "[]"),
        ("array-of-object", "[{}]"),
        ("string", '"x"'),
        ("number", "1"),
        ("null", "null"),
        ("true", "true"),
        ("deep-array", "[" * 127 + "]" * 127),
    ]:
        yield bad(
            f"top-{name}", "HEADER_NOT_OBJECT", "The header is JSON, but not an object.", "§" + text
        )


def cases() -> Iterator[Case]:
    """Every case of this subject."""
    for name, header, sentence in SYNTAX:
        yield bad(f"json-{name}", "INVALID_JSON", sentence, header, 1)
    yield from _values()
    yield from _numbers()
    yield from _extras()
