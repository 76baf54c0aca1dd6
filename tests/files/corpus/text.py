"""UTF-8, strings and escapes: in names, in values, and between tokens."""

from __future__ import annotations

from collections.abc import Iterator

from .build import MARK, Case, bad, good, header_of, one, tensor

# What is no UTF-8, by the table of RFC 3629. The reader points at the first byte of the sequence.
MALFORMED = [
    ("overlong-slash", b"\xc0\xaf", "A slash in two bytes instead of one"),
    ("overlong-nul", b"\xc0\x80", "NUL in two bytes, as Java writes it"),
    ("overlong-7f", b"\xc1\xbf", "U+007F in two bytes instead of one"),
    ("overlong-three", b"\xe0\x80\xaf", "A slash in three bytes"),
    ("overlong-7ff", b"\xe0\x9f\xbf", "U+07FF in three bytes instead of two"),
    ("overlong-four", b"\xf0\x80\x80\xaf", "A slash in four bytes"),
    ("overlong-ffff", b"\xf0\x8f\xbf\xbf", "U+FFFF in four bytes instead of three"),
    ("surrogate-low-end", b"\xed\xa0\x80", "The surrogate U+D800"),
    ("surrogate-high-end", b"\xed\xbf\xbf", "The surrogate U+DFFF"),
    ("cesu8", b"\xed\xa0\xbd\xed\xb8\x80", "An emoji as two surrogates of three bytes each"),
    ("beyond-10ffff", b"\xf4\x90\x80\x80", "U+110000, one beyond the last code point"),
    ("lead-f5", b"\xf5\x80\x80\x80", "A lead byte F5"),
    ("five-bytes", b"\xf8\x88\x80\x80\x80", "A sequence of five bytes"),
    ("byte-fe", b"\xfe", "A byte FE"),
    ("byte-ff", b"\xff", "A byte FF"),
    ("lone-continuation", b"\x80", "A continuation byte without a lead"),
    ("last-continuation", b"\xbf", "The last continuation byte without a lead"),
    ("cut-two", b"\xc3", "A sequence of two bytes, cut after one"),
    ("cut-three", b"\xe2\x82", "A sequence of three bytes, cut after two"),
    ("cut-four", b"\xf0\x9f\x98", "A sequence of four bytes, cut after three"),
    ("latin1", b"caf\xe9", "Latin-1"),
]

EDGES = [
    ("7f", "\x7f", "U+007F, a control character that needs no escape"),
    ("80", "\x80", "U+0080, the first of two bytes"),
    ("7ff", "\u07ff", "U+07FF, the last of two bytes"),
    ("800", "\u0800", "U+0800, the first of three bytes"),
    ("d7ff", "\ud7ff", "U+D7FF, the last before the surrogates"),
    ("e000", "\ue000", "U+E000, the first after the surrogates"),
    ("fdd0", "\ufdd0", "U+FDD0, a noncharacter"),
    ("feff", "\ufeff", "U+FEFF, a byte order mark where it means nothing"),
    ("fffe", "\ufffe", "U+FFFE, a noncharacter"),
    ("ffff", "\uffff", "U+FFFF, the last of three bytes"),
    ("10000", "\U00010000", "U+10000, the first of four bytes"),
    ("10ffff", "\U0010ffff", "U+10FFFF, the last code point"),
]


def _utf8() -> Iterator[Case]:
    before, after = one().encode().split(b'"a"')
    mark = MARK.encode()
    for name, raw, words in MALFORMED:
        lead = len(raw) - 1 if name == "latin1" else 0
        text = before + b'"' + raw[:lead] + mark + raw[lead:] + b'"' + after
        yield bad(f"utf8-{name}", "INVALID_UTF8", f"{words}, in a name.", text, 1)
    broken = b"\xf0\x9f\x98"
    yield bad(
        "utf8-in-metadata",
        "INVALID_UTF8",
        "A cut sequence in a value of the metadata.",
        b'{"__metadata__":{"k":"' + mark + broken + b'"}}',
    )
    yield bad(
        "utf8-in-extra",
        "INVALID_UTF8",
        "An overlong form in an unknown field, which is skipped but not unread.",
        one(extra=f',"x":"{MARK}!"').encode().replace(b"!", b"\xc0\xaf"),
        1,
    )
    yield bad(
        "utf8-at-end",
        "INVALID_UTF8",
        "The header ends inside a sequence.",
        b"{}" + mark + b"\xe2\x82",
    )
    for name, char, words in EDGES:
        yield good(f"utf8-{name}", f"A name of {words}.", one(name=f'"{char}"'), 1)
    yield good(
        "utf8-forms",
        "One word composed and decomposed: two names, for names are not normalised.",
        header_of(tensor("caf\u00e9", "U8", [1], 0, 1), tensor("cafe\u0301", "U8", [1], 1, 2)),
        2,
        2,
    )


GOOD_NAMES = [
    ("empty", '""', 'The empty name, "".'),
    ("nul", '"\\u0000"', "A name that is one NUL."),
    ("nul-inside", '"a\\u0000b"', "A name with a NUL in its middle."),
    ("emoji", '"\U0001f600"', "An emoji as it is."),
    ("emoji-escaped", '"\\ud83d\\ude00"', "An emoji as a pair of surrogate escapes."),
    ("first-pair", '"\\ud800\\udc00"', "The lowest pair of surrogate escapes, U+10000."),
    ("last-pair", '"\\udbff\\udfff"', "The highest pair of surrogate escapes, U+10FFFF."),
    ("hex-cases", '"\\u00e9\\u00E9\\u00Ee"', "Hexadecimal digits of both cases."),
    ("all-escapes", '"\\"\\\\\\/\\b\\f\\n\\r\\t"', "Every escape of one letter."),
    (
        "control-escaped",
        '"\\u0001\\u001f\\u001b[31m"',
        "Control characters, escaped: they could colour a terminal.",
    ),
    ("fffd-escaped", '"\\ufffe\\uffff"', "Noncharacters by escapes."),
    ("long", '"' + "n" * 3000 + '"', "A name of 3,000 bytes."),
    (
        "parent",
        '"../../etc/passwd"',
        "A name that looks like a path out of the folder: names are data.",
    ),
    ("absolute", '"/dev/null"', "A name that looks like an absolute path."),
    ("drive", '"C:\\\\NUL"', "A name that looks like a device of Windows."),
    ("space", '" "', "A name that is one space."),
    ("newline", '"a\\nb"', "A name of two lines."),
    ("quotes", '"\\"\'`$(x)"', "Quotes and a shell's substitution."),
    ("option", '"--help"', "A name that looks like an option."),
    ("slice", '"w[0:2]"', "A name that looks like a slice of another."),
    ("glob", '"*"', "A name that looks like a glob."),
    ("right-to-left", '"\u202etxt.exe"', "A name that turns the direction of writing."),
    ("metadata-space", '"__metadata__ "', "Almost the reserved name: a space follows."),
    ("metadata-upper", '"__METADATA__"', "The reserved name in capitals, which is not reserved."),
    (
        "metadata-nul",
        '"__metadata__\\u0000"',
        "The reserved name and a NUL, which is not reserved.",
    ),
    ("number", '"0"', "A name that is a number."),
    ("field", '"shape"', "A tensor called as one of its fields."),
]

BAD_STRINGS = [
    ("lone-high", '"§\\ud800"', "A high surrogate escape alone"),
    ("lone-low", '"§\\udc00"', "A low surrogate escape alone"),
    ("high-then-text", '"§\\ud83dx"', "A high surrogate escape before a letter"),
    ("high-then-escape", '"§\\ud83d\\n"', "A high surrogate escape before another escape"),
    ("high-then-high", '"§\\ud83d\\ud83d"', "Two high surrogate escapes"),
    ("high-then-bmp", '"§\\ud83d\\u0041"', "A high surrogate escape before one that is none"),
    ("pair-reversed", '"§\\ude00\\ud83d"', "A pair of surrogate escapes in the wrong order"),
    ("escape-x", '"§\\x41"', "An escape \\x"),
    ("escape-quote", '"§\\\'"', "An escaped apostrophe"),
    ("escape-zero", '"§\\0"', "An escape \\0"),
    ("escape-a", '"§\\a"', "An escape \\a"),
    ("escape-upper", '"§\\U0041"', "An escape \\U"),
    ("escape-brace", '"§\\u{41}"', "An escape \\u{41}"),
    ("escape-short", '"§\\u12"', "An escape \\u of two digits"),
    ("escape-no-hex", '"§\\u12G4"', "An escape \\u with a G"),
    ("escape-sign", '"§\\u+123"', "An escape \\u with a sign"),
    ("raw-newline", '"x§\ny"', "A line feed as it is"),
    ("raw-tab", '"x§\ty"', "A tab as it is"),
    ("raw-nul", '"x§\0y"', "A NUL as it is"),
    ("raw-1f", '"x§\x1fy"', "A control character U+001F as it is"),
]


def _strings() -> Iterator[Case]:
    for name, text, sentence in GOOD_NAMES:
        yield good(f"name-{name}", sentence, one(name=text), 1)
    for name, text, words in BAD_STRINGS:
        yield bad(f"string-{name}", "INVALID_JSON", f"{words}, in a name.", one(name=text), 1)
    for name, text, words in BAD_STRINGS[:2]:
        yield bad(
            f"string-{name}-in-metadata",
            "INVALID_JSON",
            f"{words}, in a value of the metadata.",
            f'{{"__metadata__":{{"k":{text}}}}}',
        )
        yield bad(
            f"string-{name}-in-extra",
            "INVALID_JSON",
            f"{words}, in an unknown field.",
            one(extra=f',"x":{text}'),
            1,
        )
    yield bad("string-unclosed", "INVALID_JSON", "A string that never ends.", '{"a§')
    yield bad("string-ends-in-escape", "INVALID_JSON", "The header ends in an escape.", '{"a§\\')


def cases() -> Iterator[Case]:
    """Every case of this subject."""
    yield from _utf8()
    yield from _strings()
