"""Checkpoints whose pickles are clean and whose tensors are not: `sft convert` must refuse them."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pickles.recipes import torch
from pickles.recipes.archive import Member, zipped
from pickles.recipes.case import CLEAN, MALFORMED, UNKNOWN, Case
from pickles.recipes.ops import Code, build, call, name, pickle, text, tuple_of

REFUSED = (3,)
BIG = 1 << 62


def _case(
    label: str,
    sentence: str,
    content: bytes,
    *verdicts: str,
    converts: tuple[int, ...] = REFUSED,
    malicious: bool = False,
) -> Case:
    return Case(
        f"tensors/{label}.pt",
        sentence,
        content,
        verdicts or (CLEAN,),
        malicious=malicious,
        converts=converts,
    )


def _one(source: bytes) -> bytes:
    return torch.torch_zip({"weight": source})


def _view(sizes: tuple[int, ...], strides: tuple[int, ...], offset: int = 0) -> bytes:
    return _one(torch.tensor(torch.storage(4), sizes, strides, offset))


def _bounds() -> Iterator[Case]:
    for label, sizes, strides, offset, what in (
        ("beyond", (5,), (1,), 0, "five elements of a storage of four"),
        ("offset", (4,), (1,), 1, "an offset that leads beyond the end"),
        ("offset-huge", (1,), (1,), BIG, "an offset of 2^62"),
        ("offset-negative", (1,), (1,), -1, "a negative offset"),
        ("stride", (2, 2), (3, 1), 0, "strides that lead beyond the end"),
        ("stride-huge", (3,), (BIG,), 0, "strides whose products overflow 64 bits"),
        ("stride-wraps", (5,), (BIG,), 0, "strides whose products wrap to zero"),
        ("stride-negative", (4,), (-1,), 3, "a negative stride"),
        ("size-negative", (-4,), (1,), 0, "a negative size"),
        ("size-huge", (BIG, 4), (1, 1), 0, "sizes whose product overflows 64 bits"),
        ("rank-mismatch", (2, 2), (1,), 0, "fewer strides than sizes"),
        (
            "expand",
            (1 << 40,),
            (0,),
            0,
            "2^40 elements of stride 0: four tebibytes out of four bytes",
        ),
        (
            "expand-many",
            (1 << 20, 1 << 20),
            (0, 0),
            0,
            "2^40 elements in two dimensions of stride 0",
        ),
        ("rank-65", (1,) * 65, (1,) * 65, 0, "65 dimensions"),
    ):
        yield _case(
            f"bounds-{label}",
            f"A tensor with {what}.",
            _view(sizes, strides, offset),
            CLEAN,
            MALFORMED,
        )
    yield _case(
        "bounds-float-size",
        "A size that is a fraction.",
        _one(torch.tensor(torch.storage(4), (4.5,), (1,))),  # type: ignore[arg-type]
        CLEAN,
        MALFORMED,
        UNKNOWN,
        converts=(2, 3),
    )
    yield _case(
        "bounds-long-size",
        "A size of 20 bytes.",
        _one(torch.tensor(torch.storage(4), (1 << 150,), (1,))),
        CLEAN,
        MALFORMED,
    )


def _storages() -> Iterator[Case]:
    yield _case(
        "CVE-2026-24747-size",
        "A storage of 1,000 elements by its id, and a record of 16 bytes.",
        _one(torch.tensor(torch.storage(1000), (1000,), (1,))),
        MALFORMED,
        UNKNOWN,
        converts=(2, 3),
        malicious=True,
    )
    yield _case(
        "storage-longer",
        "A record longer than its storage.",
        torch.torch_zip({"weight": torch.vector(3)}),
        MALFORMED,
    )
    yield _case(
        "storage-odd",
        "A record whose length is no multiple of the element's.",
        torch.torch_zip({"weight": torch.vector(4)}, {"0": torch.FOUR + b"\0"}),
        MALFORMED,
    )
    yield _case(
        "storage-missing",
        "A storage that is not there.",
        torch.torch_zip({"weight": torch.vector()}, {}),
        MALFORMED,
    )
    yield _case(
        "storage-two-types",
        "One storage with two types of different width.",
        torch.torch_zip(
            {
                "a": torch.vector(4),
                "b": torch.tensor(torch.storage(4, kind="DoubleStorage"), (4,), (1,)),
            }
        ),
        MALFORMED,
    )
    yield _case(
        "storage-count-huge",
        "A storage of 2^62 elements, whose bytes overflow 64 bits.",
        _one(torch.tensor(torch.storage(BIG), (4,), (1,))),
        MALFORMED,
    )
    yield _case(
        "storage-key-path",
        "A storage's key that leads out of its folder: `../data.pkl`.",
        _one(torch.tensor(torch.storage(4, "../data.pkl"), (4,), (1,))),
        CLEAN,
        MALFORMED,
        UNKNOWN,
        converts=(2, 3),
    )
    yield _case(
        "storage-deflate-bomb",
        "A storage that unpacks to other than what its member says.",
        zipped(
            Member("archive/data.pkl", pickle({"weight": torch.vector()})),
            Member("archive/data/0", torch.FOUR * 1000, method=8, size=16),
        ),
        MALFORMED,
        UNKNOWN,
        converts=(2, 3),
        malicious=True,
    )


def _kinds() -> Iterator[Case]:
    for kind, width in (
        ("ComplexDoubleStorage", 16),
        ("QInt8Storage", 1),
        ("QUInt8Storage", 1),
        ("QInt32Storage", 4),
    ):
        yield _case(
            f"dtype-{kind}",
            f"A storage of a type that safetensors has not: {kind}.",
            torch.torch_zip(
                {"weight": torch.tensor(torch.storage(2, kind=kind), (2,), (1,))},
                {"0": bytes(2 * width)},
            ),
        )
    own = build(
        call(name("numpy", "dtype"), "f4", False, False), (3, ">", None, None, None, -1, -1, 0)
    )
    yield Case(
        "tensors/numpy-own-dtype.pkl",
        "A byte order that is set on NumPy's own dtype, not on a copy: NumPy pays no heed to it.",
        pickle(
            {
                "weight": call(
                    name("numpy._core.numeric", "_frombuffer"), torch.FOUR, own, (4,), "C"
                )
            },
            3,
        ),
        (CLEAN, UNKNOWN),
        converts=(2, 3),
    )
    indices = torch.tensor(torch.storage(2, "0", "LongStorage"), (1, 2), (2, 1))
    values = torch.tensor(torch.storage(2, "1"), (2,), (1,))
    yield _case(
        "sparse",
        "A sparse tensor: clean, and refused by its name.",
        torch.torch_zip(
            {
                "weight": call(
                    name("torch._utils", "_rebuild_sparse_tensor"),
                    call(name("torch.serialization", "_get_layout"), "torch.sparse_coo"),
                    tuple_of(indices, values, call(name("torch", "Size"), (4,)), True),
                )
            },
            {"0": struct.pack("<2q", 0, 1), "1": struct.pack("<2f", 1, 2)},
        ),
    )
    yield _case(
        "quantised",
        "A quantised tensor: clean, and refused by its name.",
        torch.torch_zip(
            {
                "weight": call(
                    name("torch._utils", "_rebuild_qtensor"),
                    torch.storage(4, kind="QInt8Storage"),
                    0,
                    (4,),
                    (1,),
                    tuple_of(name("torch", "per_tensor_affine"), 0.5, 0),
                    False,
                    torch.HOOKS,
                )
            },
            {"0": b"\1\2\3\4"},
        ),
    )
    yield _case(
        "meta",
        "A tensor without bytes, on the device `meta`.",
        torch.torch_zip(
            {
                "weight": call(
                    name("torch._utils", "_rebuild_meta_tensor_no_storage"),
                    name("torch", "float32"),
                    (4,),
                    (1,),
                    False,
                )
            },
            {},
        ),
    )


def _names() -> Iterator[Case]:
    four = torch.vector()
    yield _case(
        "names-joined",
        "Two tensors whose joined names are the same, `a.b`.",
        torch.torch_zip({"a.b": four, "a": {"b": torch.tensor(torch.storage(4), (2,), (1,))}}),
    )
    yield _case(
        "names-number",
        "An integer and a text that read the same, `1`.",
        torch.torch_zip({1: four, "1": torch.tensor(torch.storage(4), (2,), (1,))}),
    )
    yield _case(
        "names-metadata", "A tensor called `__metadata__`.", torch.torch_zip({"__metadata__": four})
    )
    yield _case(
        "names-surrogate",
        "A name that is no valid Unicode.",
        torch.torch_zip({text("a\ud800"): four}),
    )
    yield _case(
        "names-tuple-key",
        "A key that is a tuple.",
        torch.torch_zip({tuple_of("a", 1): four}),
        converts=(0, 3),
    )


def _structure() -> Iterator[Case]:
    held = Code(b"}q\0" + text("weight") + torch.vector() + b"s" + text("self") + b"h\0s")
    yield _case(
        "cycle",
        "A dict that contains itself beside a tensor.",
        torch.torch_zip(held),
        converts=(0, 3),
    )
    deep: Code = torch.vector()
    for _ in range(500):
        deep = Code(b"}" + text("a") + deep + b"s")
    yield _case(
        "nested-500", "A tensor five hundred dicts deep.", torch.torch_zip(deep), converts=(0, 3)
    )
    shared = torch.vector()
    body = b"}(" + text("x") + shared + b"uq\1"
    levels = b""
    for level in range(1, 31):
        levels += (
            b"}("
            + text("l")
            + b"h"
            + bytes((level,))
            + text("r")
            + b"h"
            + bytes((level,))
            + b"uq"
            + bytes((level + 1,))
            + b"0"
        )
    laughs = Code(body + b"0" + levels + b"h" + bytes((31,)))
    yield _case(
        "billion-laughs",
        "Dicts that share their parts, thirty deep: 2^30 names for one tensor.",
        torch.torch_zip(laughs),
        CLEAN,
        MALFORMED,
    )


def cases() -> Iterator[Case]:
    """Every tensor that is refused."""
    yield from _bounds()
    yield from _storages()
    yield from _kinds()
    yield from _names()
    yield from _structure()
