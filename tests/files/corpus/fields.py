"""What a tensor's description and the metadata may hold, and what may not stand twice."""

from __future__ import annotations

from collections.abc import Iterator

from .build import DTYPES, Case, bad, good, header_of, one, tensor


def _dtypes() -> Iterator[Case]:
    begin = 0
    members = []
    for dtype, bits in DTYPES.items():
        size = bits  # eight elements fill as many bytes as one has bits
        yield good(
            f"dtype-{dtype.lower()}",
            f"Eight elements of {dtype}.",
            header_of(tensor("t", dtype, [2, 4], 0, size)),
            size,
        )
        members.append(tensor(dtype, dtype, [2, 4], begin, begin + size))
        begin += size
    yield good("dtype-all", "Every dtype in one file.", header_of(*members), begin, len(members))
    members = [tensor(dtype, dtype, [0], 0, 0) for dtype in DTYPES]
    yield good("dtype-all-empty", "Every dtype, no element.", header_of(*members), 0, len(members))
    begin = 0
    members = []
    for dtype, bits in DTYPES.items():
        if bits % 8 == 0:
            members.append(tensor(dtype, dtype, [], begin, begin + bits // 8))
            begin += bits // 8
    yield good(
        "dtype-all-scalars",
        "One element of every dtype that fills a byte.",
        header_of(*members),
        begin,
        len(members),
    )
    yield good("dtype-escaped", "A dtype written with escapes.", one(dtype='"\\u0055\\u0038"'), 1)
    for name, text in [
        ("lower", '"u8"'),
        ("mixed-case", '"Bool"'),
        ("empty", '""'),
        ("space", '"U8 "'),
        ("nul", '"U8\\u0000"'),
        ("prefix", '"U"'),
        ("f33", '"F33"'),
        ("u128", '"U128"'),
        ("torch-name", '"float32"'),
        ("torch-fp8", '"F8_E4M3FN"'),
        ("dash", '"BF-16"'),
        ("f8", '"F8"'),
        ("f6", '"F6"'),
        ("long", '"' + "U8" * 1000 + '"'),
        ("two", '"F32,F32"'),
    ]:
        yield bad(
            f"dtype-{name}",
            "UNKNOWN_DTYPE",
            f"No dtype is called {text[:20]}.",
            one(dtype="§" + text),
            1,
        )
    for name, text in [
        ("null", "null"),
        ("number", "4"),
        ("array", '["U8"]'),
        ("map", '{"U8":null}'),
        ("map-empty", "{}"),
        ("true", "true"),
    ]:
        yield bad(
            f"dtype-is-{name}",
            "INVALID_DTYPE",
            f"The dtype is {text}, not a string.",
            one(dtype="§" + text),
            1,
        )


def _shapes() -> Iterator[Case]:
    for name, text in [
        ("null", "null"),
        ("number", "1"),
        ("string", '"1"'),
        ("object", "{}"),
        ("false", "false"),
    ]:
        yield bad(
            f"shape-is-{name}",
            "INVALID_SHAPE",
            f"The shape is {text}, not an array.",
            one(shape="§" + text),
            1,
        )
    yield bad(
        "shape-nested",
        "INVALID_SHAPE",
        "The shape is an array of arrays.",
        one(shape="[§[[[1]]]]"),
        1,
    )
    for name, text in [
        ("null", "§null"),
        ("number", "§1"),
        ("string", '§"0,1"'),
        ("object", '§{"0":0,"1":1}'),
        ("nested", "[§[0,1]]"),
    ]:
        yield bad(
            f"offsets-is-{name}",
            "INVALID_OFFSETS",
            f"The offsets are {text.replace('§', '')}, not two integers.",
            one(offsets=text),
            1,
        )
    for name, text, words in [
        ("none", "§[]", "No offset"),
        ("one", "§[1]", "One offset"),
        ("three", "§[0,1,2]", "Three offsets"),
        ("comma", "§[0,1,]", "Two offsets and a comma"),
    ]:
        yield bad(
            f"offsets-{name}", "INVALID_OFFSETS", f"{words} instead of two.", one(offsets=text), 1
        )


def _tensors() -> Iterator[Case]:
    for name, text in [
        ("null", "null"),
        ("number", "1"),
        ("string", '"U8"'),
        ("false", "false"),
        ("array", '["U8",[1],[0,1]]'),
        ("empty-array", "[]"),
        ("deep-array", "[" * 125 + "]" * 125),
    ]:
        sentence = "A tensor is " + (
            "described by an array, which the Rust implementation takes too."
            if name == "array"
            else "not described by an object."
        )
        yield bad(f"tensor-is-{name}", "TENSOR_NOT_OBJECT", sentence, '{"a":§' + text + "}", 1)
    fields = {"dtype": '"U8"', "shape": "[1]", "data_offsets": "[0,1]"}
    for missing in fields:
        members = ",".join(f'"{key}":{value}' for key, value in fields.items() if key != missing)
        yield bad(
            f"missing-{missing.replace('_', '-')}",
            "MISSING_FIELD",
            f"A tensor without {missing}.",
            '{"a":§{' + members + "}}",
            1,
        )
    for name, text, sentence in [
        ("all", "{}", "A tensor without any field."),
        ("all-but-unknown", '{"x":1,"y":2}', "A tensor of unknown fields only."),
        (
            "by-case",
            '{"Dtype":"U8","shape":[1],"data_offsets":[0,1]}',
            "A field with a capital is another field.",
        ),
        (
            "by-nul",
            '{"dtype\\u0000":"U8","shape":[1],"data_offsets":[0,1]}',
            "A field with a NUL is another field.",
        ),
        (
            "by-prefix",
            '{"dtype":"U8","shape":[1],"data_offset":[0,1]}',
            "A field cut by a letter is another field.",
        ),
    ]:
        yield bad(f"missing-{name}", "MISSING_FIELD", sentence, '{"a":§' + text + "}", 1)
    yield good(
        "field-order",
        "The fields in another order.",
        '{"a":{"data_offsets":[0,1],"shape":[1],"dtype":"U8"}}',
        1,
    )
    yield good(
        "field-escaped",
        "Field names written with escapes.",
        '{"a":{"\\u0064type":"U8","sh\\u0061pe":[1],"data\\u005foffsets":[0,1]}}',
        1,
    )


def _metadata() -> Iterator[Case]:
    body = one()[1:]
    for name, text, sentence, data in [
        ("absent", "{" + body, "No metadata.", 1),
        ("null", '{"__metadata__":null,' + body, "Metadata that is null.", 1),
        ("empty", '{"__metadata__":{},' + body, "Metadata without a key.", 1),
        ("one", '{"__metadata__":{"format":"pt"},' + body, "One key, as most files have it.", 1),
        ("last", "{" + body[:-1] + ',"__metadata__":{"k":"v"}}', "Metadata behind the tensors.", 1),
        (
            "escaped-name",
            '{"\\u005f_metadata__":{"k":"v"},' + body,
            "The reserved name with an escape.",
            1,
        ),
        (
            "empty-strings",
            '{"__metadata__":{"":""},' + body,
            "An empty key with an empty value.",
            1,
        ),
        ("nul", '{"__metadata__":{"a\\u0000b":"\\u0000"},' + body, "NULs in key and value.", 1),
        (
            "emoji",
            '{"__metadata__":{"\U0001f600":"\\ud83d\\ude00"},' + body,
            "Emoji, raw and escaped.",
            1,
        ),
        (
            "reserved-key",
            '{"__metadata__":{"__metadata__":"x"},' + body,
            "The reserved name as a key inside.",
            1,
        ),
        (
            "json-value",
            '{"__metadata__":{"config":"{\\"a\\": [1, 2]}"},' + body,
            "A value that holds JSON.",
            1,
        ),
        (
            "html-value",
            '{"__metadata__":{"k":"<script>alert(1)</script>"},' + body,
            "A value that holds HTML.",
            1,
        ),
        (
            "long-value",
            '{"__metadata__":{"k":"' + "v" * 3000 + '"},' + body,
            "A value of 3,000 bytes.",
            1,
        ),
        (
            "many",
            '{"__metadata__":{' + ",".join(f'"k{i}":"{i}"' for i in range(60)) + "}," + body,
            "Sixty keys.",
            1,
        ),
        (
            "keys-near",
            '{"__metadata__":{"a":"1","A":"2","a ":"3","a\\u0000":"4"},' + body,
            "Keys that differ by little.",
            1,
        ),
    ]:
        yield good(f"metadata-{name}", sentence, text, data)
    yield good("metadata-only", "Metadata and no tensor.", '{"__metadata__":{"k":"v"}}', 0, 0)
    for name, text, words in [
        ("array", "§[]", "an array"),
        ("pairs", '§[["k","v"]]', "an array of pairs"),
        ("string", '§"x"', "a string"),
        ("number", "§1", "a number"),
        ("true", "§true", "true"),
        ("tensor", '{"dtype":"U8","shape":§[1],"data_offsets":[0,1]}', "a tensor's description"),
        ("value-null", '{"k":§null}', "an object with a value null"),
        ("value-number", '{"k":§1}', "an object with a number as value"),
        ("value-true", '{"k":§true}', "an object with a value true"),
        ("value-array", '{"k":§["v"]}', "an object with an array as value"),
        ("value-object", '{"k":§{"l":"v"}}', "an object with an object as value"),
        ("second-value", '{"k":"v","l":§0}', "an object whose second value is a number"),
    ]:
        yield bad(
            f"metadata-{name}",
            "INVALID_METADATA",
            f"The metadata is {words}.",
            '{"__metadata__":' + text + "}",
            1,
        )


def _duplicates() -> Iterator[Case]:
    def twice(first: str, second: str) -> str:
        left = tensor(first, "U8", [1], 0, 1)
        right = tensor(second, "U8", [1], 1, 2)
        return header_of(left, "§" + right)

    for name, first, second, sentence in [
        ("name", "a", "a", "Two tensors of one name."),
        ("name-empty", "", "", "Two tensors of the empty name."),
        ("name-escape", "a", "\\u0061", "One name, the second time with an escape."),
        ("name-escape-first", "\\u0061", "a", "One name, the first time with an escape."),
        ("name-escapes", "\\u00e9", "\\u00E9", "One name, escaped with digits of different case."),
        ("name-raw", "\u00e9", "\\u00e9", "One name, raw and escaped."),
        ("name-slash", "a/b", "a\\/b", "One name, with a slash raw and escaped."),
        ("name-short-escape", "\\n", "\\u000a", "One name, by a short and a long escape."),
        (
            "name-pair",
            "\U0001f600",
            "\\uD83D\\uDE00",
            "One emoji, raw and as a pair of surrogates.",
        ),
        ("name-nul", "\\u0000", "\\u0000", "Two tensors called NUL."),
        ("name-after-nul", "a\\u0000b", "a\\u0000b", "Two tensors of one name with a NUL inside."),
    ]:
        yield bad(f"duplicate-{name}", "DUPLICATE_KEY", sentence, twice(first, second), 2)
    same = tensor("a", "U8", [1], 0, 1)
    yield bad(
        "duplicate-same",
        "DUPLICATE_KEY",
        "One tensor described twice, word for word.",
        header_of(same, "§" + same),
        1,
    )
    empty = tensor("a", "U8", [0], 0, 0)
    yield bad(
        "duplicate-no-data",
        "DUPLICATE_KEY",
        "An empty tensor described twice.",
        header_of(empty, "§" + empty),
    )
    apart = [tensor(f"t{i}", "U8", [1], i, i + 1) for i in range(40)]
    yield bad(
        "duplicate-far",
        "DUPLICATE_KEY",
        "The first and the last of forty tensors have one name.",
        header_of(*apart, "§" + tensor("t0", "U8", [1], 40, 41)),
        41,
    )
    body = one()[1:-1]
    for name, text, sentence in [
        ("metadata", '{"__metadata__":{},§"__metadata__":{},' + body + "}", "Metadata twice."),
        (
            "metadata-null",
            '{"__metadata__":null,§"__metadata__":null,' + body + "}",
            "Metadata twice, null each time.",
        ),
        (
            "metadata-apart",
            '{"__metadata__":{"k":"v"},' + body + ',§"__metadata__":{"k":"w"}}',
            "Metadata before and behind the tensors.",
        ),
        (
            "metadata-escape",
            '{"__metadata__":{},§"__metadat\\u0061__":{},' + body + "}",
            "Metadata twice, once with an escape.",
        ),
        ("key", '{"__metadata__":{"k":"v",§"k":"w"},' + body + "}", "A key of the metadata twice."),
        (
            "key-same",
            '{"__metadata__":{"k":"v",§"k":"v"},' + body + "}",
            "A key of the metadata twice, with one value.",
        ),
        (
            "key-escape",
            '{"__metadata__":{"k":"v",§"\\u006B":"v"},' + body + "}",
            "A key of the metadata twice, once with an escape.",
        ),
        (
            "key-empty",
            '{"__metadata__":{"":"v",§"":"w"},' + body + "}",
            "The empty key of the metadata twice.",
        ),
        ("dtype", one(extra=',§"dtype":"U8"'), "A dtype twice."),
        ("shape", one(extra=',§"shape":[1]'), "A shape twice."),
        ("offsets", one(extra=',§"data_offsets":[0,1]'), "Offsets twice."),
        ("shape-escape", one(extra=',§"sh\\u0061pe":[1]'), "A shape twice, once with an escape."),
        ("extra", one(extra=',"x":1,§"x":2'), "An unknown field twice."),
        (
            "extra-escape",
            one(extra=',"x":1,§"\\u0078":1'),
            "An unknown field twice, once with an escape.",
        ),
        ("extra-empty", one(extra=',"":1,§"":1'), "An unknown field without a name twice."),
        (
            "extra-far",
            one(extra="".join(f',"x{i}":0' for i in range(50)) + ',§"x0":0'),
            "The first and the last of fifty unknown fields have one name.",
        ),
    ]:
        yield bad(f"duplicate-{name}", "DUPLICATE_KEY", sentence, text, 1)
    for name, text, sentence in [
        (
            "object",
            ',"x":{"y":1,"y":2}',
            "A key twice inside an unknown field, which no one looks into.",
        ),
        (
            "deeper",
            ',"x":[{"y":{"z":1,"z":3}}]',
            "A key twice three levels inside an unknown field.",
        ),
    ]:
        yield good(f"extra-twice-{name}", sentence, one(extra=text), 1)
    yield good(
        "names-near",
        "Names that differ by little: case, space, NUL, an escaped backslash.",
        header_of(
            *(
                tensor(name, "U8", [1], i, i + 1)
                for i, name in enumerate(["a", "A", "a ", "a\\u0000", "\\\\u0061", "aa", ""])
            )
        ),
        7,
        7,
    )
    yield good(
        "extra-same-key-elsewhere",
        "One key at several levels and in neighbours, which is no duplicate.",
        one(extra=',"x":{"x":{"x":1}},"y":[{"x":1},{"x":2}],"a":0'),
        1,
    )


def cases() -> Iterator[Case]:
    """Every case of this subject."""
    yield from _dtypes()
    yield from _shapes()
    yield from _tensors()
    yield from _metadata()
    yield from _duplicates()
