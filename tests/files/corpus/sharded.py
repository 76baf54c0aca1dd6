"""Models in several files: an index and its shards, in agreement and not."""

from __future__ import annotations

import json
from collections.abc import Iterator

from .build import Case, frame, header_of, pattern, tensor

INDEX = "model.safetensors.index.json"
FIRST = "model-00001-of-00002.safetensors"
SECOND = "model-00002-of-00002.safetensors"


def shard(*names: str) -> bytes:
    """A file with a tensor of four bytes for every name."""
    members = [tensor(name, "F32", [1], 4 * i, 4 * i + 4) for i, name in enumerate(names)]
    return frame(header_of(*members).encode(), pattern(4 * len(names)))


def index(places: dict[str, str], total: object = None) -> bytes:
    """The index that names a file for every tensor."""
    document: dict[str, object] = {"metadata": {"total_size": total}} if total is not None else {}
    document["weight_map"] = places
    return (json.dumps(document, indent=2) + "\n").encode()


PAIR = {FIRST: shard("a", "b"), SECOND: shard("c")}
PLACES = {"a": FIRST, "b": FIRST, "c": SECOND}


def _model(
    verdict: str,
    name: str,
    status: str,
    sentence: str,
    files: dict[str, bytes],
    at: str,
    tensors: int | None,
) -> Case:
    folder = f"sharded/{verdict}/{name}"
    path = f"{folder}/{at}" if at else folder
    placed = {f"{folder}/{file}": content for file, content in files.items()}
    return Case(path, status, sentence, placed, None, tensors)


def _good(
    name: str, sentence: str, files: dict[str, bytes], at: str = "", tensors: int = 3
) -> Case:
    return _model("good", name, "OK", sentence, files, at, tensors)


def _bad(name: str, status: str, sentence: str, files: dict[str, bytes], at: str = "") -> Case:
    return _model("bad", name, status, sentence, files, at, None)


def _accepted() -> Iterator[Case]:
    whole = {INDEX: index(PLACES, 12), **PAIR}
    yield _good("index", "An index and its two shards, opened as a folder.", whole)
    yield _good("index-by-path", "The same, opened by the path of the index.", whole, INDEX)
    yield _good("no-index", "Two shards without an index.", PAIR)
    yield _good("no-metadata", "An index without metadata.", {INDEX: index(PLACES), **PAIR})
    yield _good(
        "other-index",
        "An index of another name, the only one.",
        {"diffusion.safetensors.index.json": index(PLACES, 12), **PAIR},
    )
    yield _good(
        "two-indexes",
        "Two indexes, of which one has the usual name and counts.",
        {
            INDEX: index(PLACES, 12),
            "old.safetensors.index.json": index({"a": "gone.safetensors"}),
            **PAIR,
        },
    )
    yield _good(
        "one-file", "A folder of one file.", {"model.safetensors": shard("a", "b")}, tensors=2
    )
    yield _good(
        "file-beside",
        "A file that the index does not name stands beside the shards.",
        {**whole, "consolidated.safetensors": shard("a", "b", "c")},
    )
    unknown = json.dumps(
        {
            "x": [1, {"y": None}],
            "metadata": {"total_size": 12, "format": "pt"},
            "weight_map": PLACES,
        }
    )
    yield _good(
        "unknown-fields",
        "An index with fields that no one knows.",
        {INDEX: unknown.encode(), **PAIR},
    )
    escaped = index(PLACES, 12).replace(b'"a"', b'"\\u0061"')
    yield _good(
        "escaped",
        "A tensor's name with an escape in the index, without one in the shard.",
        {INDEX: escaped, **PAIR},
    )
    yield _good(
        "dots-in-name",
        "A shard whose name holds two dots, which lead nowhere.",
        {INDEX: index({"a": "a..b.safetensors"}), "a..b.safetensors": shard("a")},
        tensors=1,
    )
    yield _good(
        "empty-shard",
        "A shard without tensors, which the index can't name.",
        {"one.safetensors": shard("a"), "two.safetensors": shard()},
        tensors=1,
    )


def _refused() -> Iterator[Case]:
    def with_index(text: str | bytes) -> dict[str, bytes]:
        return {INDEX: text.encode() if isinstance(text, str) else text, **PAIR}

    def naming(file: str) -> dict[str, bytes]:
        return with_index(index({**PLACES, "c": file}))

    yield _bad(
        "missing-shard",
        "MISSING_SHARD",
        "The index names a file that is not there.",
        {INDEX: index(PLACES, 12), FIRST: PAIR[FIRST]},
    )
    yield _bad(
        "not-in-shard",
        "TENSOR_NOT_IN_SHARD",
        "The index names a tensor that its shard does not hold.",
        with_index(index({**PLACES, "d": SECOND})),
    )
    yield _bad(
        "wrong-shard",
        "TENSOR_NOT_IN_SHARD",
        "The index looks for a tensor in the other shard.",
        {
            INDEX: index({"a": FIRST, "b": SECOND, "c": SECOND}),
            FIRST: shard("a"),
            SECOND: shard("c"),
        },
    )
    yield _bad(
        "not-in-index",
        "TENSOR_NOT_IN_INDEX",
        "A shard holds a tensor that the index does not name.",
        with_index(index({"a": FIRST, "c": SECOND})),
    )
    yield _bad(
        "in-two-shards",
        "TENSOR_IN_TWO_SHARDS",
        "Two shards without an index hold a tensor of one name.",
        {FIRST: shard("a", "b"), SECOND: shard("b")},
    )
    yield _bad(
        "in-two-shards-index",
        "TENSOR_IN_TWO_SHARDS",
        "The index places a tensor in one shard, and the other holds it too.",
        {INDEX: index(PLACES), FIRST: PAIR[FIRST], SECOND: shard("c", "a")},
    )
    yield _bad(
        "total-too-small",
        "WRONG_TOTAL_SIZE",
        "A total size of 11 where there are 12 bytes.",
        with_index(index(PLACES, 11)),
    )
    yield _bad(
        "total-too-large",
        "WRONG_TOTAL_SIZE",
        "A total size of 2^32 + 12 where there are 12 bytes.",
        with_index(index(PLACES, 2**32 + 12)),
    )
    for name, file in [
        ("parent", f"../{SECOND}"),
        ("parent-inside", f"x/../{SECOND}"),
        ("absolute", f"/{SECOND}"),
        ("subfolder", f"x/{SECOND}"),
        ("this-folder", f"./{SECOND}"),
        ("dots", ".."),
        ("dot", "."),
        ("empty", ""),
        ("backslash", f"..\\{SECOND}"),
        ("nul", f"{SECOND}\0.txt"),
    ]:
        yield _bad(
            f"unsafe-{name}",
            "UNSAFE_SHARD_NAME",
            f"The index names a shard {json.dumps(file)}.",
            naming(file),
        )
    yield _bad(
        "no-shards",
        "NO_SHARDS",
        "A folder without a safetensors file.",
        {"README.txt": b"Nothing here.\n"},
    )
    yield _bad(
        "ambiguous",
        "AMBIGUOUS_FOLDER",
        "Two indexes, and none has the usual name.",
        {
            "a.safetensors.index.json": index(PLACES),
            "b.safetensors.index.json": index(PLACES),
            **PAIR,
        },
    )
    yield _bad(
        "broken-shard",
        "TRUNCATED_DATA",
        "The second shard is cut by a byte.",
        {INDEX: index(PLACES, 12), FIRST: PAIR[FIRST], SECOND: PAIR[SECOND][:-1]},
    )
    yield _bad(
        "broken-shard-no-index",
        "HEADER_TOO_SMALL",
        "One of two files without an index is empty.",
        {FIRST: PAIR[FIRST], SECOND: b""},
    )
    good = json.dumps(PLACES)
    for name, status, text, sentence in [
        ("index-empty", "INVALID_JSON", "", "An index of no bytes."),
        ("index-cut", "INVALID_JSON", '{"weight_map":' + good, "An index without its last brace."),
        (
            "index-comma",
            "INVALID_JSON",
            '{"weight_map":' + good + ",}",
            "An index with a comma too many.",
        ),
        (
            "index-trailing",
            "TRAILING_TEXT",
            '{"weight_map":' + good + "}x",
            "A letter behind the index.",
        ),
        (
            "index-duplicate",
            "DUPLICATE_KEY",
            '{"weight_map":{"a":"' + FIRST + '","a":"' + SECOND + '"}}',
            "The index names a tensor twice.",
        ),
        (
            "index-duplicate-escape",
            "DUPLICATE_KEY",
            '{"weight_map":{"a":"' + FIRST + '","\\u0061":"' + SECOND + '"}}',
            "The index names a tensor twice, once with an escape.",
        ),
        (
            "index-two-maps",
            "DUPLICATE_KEY",
            '{"weight_map":' + good + ',"weight_map":' + good + "}",
            "An index with two maps.",
        ),
        (
            "index-no-map",
            "INVALID_INDEX",
            '{"metadata":{"total_size":12}}',
            "An index without a map.",
        ),
        ("index-map-array", "INVALID_INDEX", '{"weight_map":[]}', "The map is an array."),
        ("index-map-null", "INVALID_INDEX", '{"weight_map":null}', "The map is null."),
        (
            "index-value-number",
            "INVALID_INDEX",
            '{"weight_map":{"a":1}}',
            "The map names a number for a file.",
        ),
        (
            "index-value-null",
            "INVALID_INDEX",
            '{"weight_map":{"a":null}}',
            "The map names null for a file.",
        ),
        (
            "index-deep",
            "NESTED_TOO_DEEP",
            '{"x":' + "[" * 200 + "]" * 200 + ',"weight_map":' + good + "}",
            "200 levels of arrays in a field that no one knows.",
        ),
        (
            "index-bom",
            "BYTE_ORDER_MARK",
            '\ufeff{"weight_map":' + good + "}",
            "An index with a byte order mark.",
        ),
    ]:
        yield _bad(name, status, sentence, with_index(text))
    yield _bad(
        "index-utf8",
        "INVALID_UTF8",
        "An index with an overlong form.",
        with_index(b'{"weight_map":{"\xc0\xaf":"x.safetensors"}}'),
    )


def cases() -> Iterator[Case]:
    """Every case of this subject."""
    yield from _accepted()
    yield from _refused()
