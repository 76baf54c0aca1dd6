"""Harmless files of the other containers, and files of other kinds."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pickles.recipes import arrays, packing, torch
from pickles.recipes.archive import Member, zipped
from pickles.recipes.case import MALFORMED, Case, Tensor, harmless
from pickles.recipes.ops import (
    Code,
    build,
    call,
    frame,
    framed,
    name,
    new,
    pickle,
    proto,
    stack_name,
    text,
    tuple_of,
    value,
)


def _legacy() -> Iterator[Case]:
    one = {"1": torch.SIX}
    yield harmless(
        "legacy.pth",
        "The container before 1.6.",
        torch.legacy({"weight": torch.tensor(torch.legacy_storage(6), (2, 3), (3, 1))}, one),
        {"weight": ("F32", (2, 3), torch.SIX)},
        "torch_legacy",
    )
    yield harmless(
        "legacy-big-sys_info.pth",
        "Saved on a big-endian machine: storages in this container are little-endian even so.",
        torch.legacy(
            {"weight": torch.tensor(torch.legacy_storage(4, "1"), (4,), (1,))},
            {"1": torch.FOUR},
            info={**torch.SYS_INFO, "little_endian": False},
        ),
        torch.WEIGHT,
    )
    view = tuple_of("view", 2, 4)
    yield harmless(
        "legacy-view.pth",
        "A storage that is a view of another.",
        torch.legacy(
            {
                "weight": torch.tensor(torch.legacy_storage(6), (6,), (1,)),
                "part": torch.tensor(torch.legacy_storage(6, "1", view), (4,), (1,)),
            },
            one,
        ),
        {"weight": ("F32", (6,), torch.SIX), "part": ("F32", (4,), torch.SIX[8:])},
    )
    yield harmless(
        "legacy-two.pth",
        "Two storages.",
        torch.legacy(
            {
                "a": torch.tensor(torch.legacy_storage(6, "10"), (6,), (1,)),
                "b": torch.tensor(torch.legacy_storage(4, "11"), (4,), (1,)),
            },
            {"10": torch.SIX, "11": torch.FOUR},
        ),
        {"a": ("F32", (6,), torch.SIX), "b": torch.VECTOR},
    )
    yield harmless(
        "load_from_bytes.pkl",
        "A tensor that was pickled outside of torch.save: a checkpoint in a text.",
        pickle(
            {
                "weight": torch.tensor(
                    call(
                        name("torch.storage", "_load_from_bytes"),
                        torch.legacy(torch.legacy_storage(4), {"1": torch.FOUR}),
                    ),
                    (4,),
                    (1,),
                )
            },
            3,
        ),
        torch.WEIGHT,
        "pickle",
    )
    yield harmless(
        "oldest.tar",
        "The container of 0.1.",
        torch.tar({"weight": Code(text("7") + b"Q")}, {3: torch.FOUR}, [(7, 3, 4)]),
        torch.WEIGHT,
        "torch_tar",
    )


def _numpy() -> Iterator[Case]:
    header = arrays.describe("<f4", (2, 3))
    six: Tensor = ("F32", (2, 3), torch.SIX)
    turned = struct.pack("<6f", 0, 3, 1, 4, 2, 5)
    yield harmless("array.npy", "One array.", arrays.npy(header, torch.SIX), {"array": six}, "npy")
    yield harmless(
        "array-fortran.npy",
        "An array in Fortran's order.",
        arrays.npy(arrays.describe("<f4", (2, 3), True), turned),
        {"array-fortran": six},
    )
    yield harmless(
        "array-big.npy",
        "A big-endian array.",
        arrays.npy(arrays.describe(">f4", (2, 3)), struct.pack(">6f", *range(6))),
        {"array-big": six},
    )
    yield harmless(
        "array-v2.npy",
        "Version 2 of the header.",
        arrays.npy(header, torch.SIX, 2),
        {"array-v2": six},
    )
    yield harmless(
        "arrays.npz",
        "An archive of arrays, one stored, one deflated.",
        zipped(
            Member("a.npy", arrays.npy(header, torch.SIX)),
            Member("b.npy", arrays.npy(arrays.describe("<f4", (4,)), torch.FOUR), method=8),
        ),
        {"a": six, "b": torch.VECTOR},
        "npz",
    )
    for protocol in (2, 3, 4):
        held: object = torch.SIX
        if protocol == 2:
            held = call(name("_codecs", "encode"), torch.SIX.decode("latin1"), "latin1")
        yield harmless(
            f"numpy-protocol-{protocol}.pkl",
            f"A NumPy array in a pickle of protocol {protocol}.",
            pickle({"weight": arrays.array("f4", (2, 3), held)}, protocol),
            {"weight": six},
            "pickle",
        )
    yield harmless(
        "numpy-protocol-5.pkl",
        "A NumPy array in a pickle of protocol 5, which writes it as a buffer.",
        pickle({"weight": arrays.from_buffer("f4", (2, 3), torch.SIX)}, 5),
        {"weight": six},
    )
    yield harmless(
        "numpy-core.pkl",
        "The module's name before NumPy 2.",
        pickle(
            {"weight": arrays.array("f4", (2, 3), torch.SIX, module="numpy.core.multiarray")}, 3
        ),
        {"weight": six},
    )
    yield harmless(
        "weights.pdparams",
        "A dict of arrays, as PaddlePaddle saves it.",
        pickle(
            {
                "linear.w_0": arrays.array("f4", (2, 3), torch.SIX),
                "StructuredToParameterName@@": {"linear.weight": "linear.w_0"},
            },
            4,
        ),
        {"linear.w_0": six},
    )
    yield harmless(
        "array.joblib",
        "One array, its bytes behind the opcodes.",
        arrays.joblib("f4", (4,), torch.FOUR),
        None,
        "joblib",
        converts=(0, 3),
    )
    yield harmless(
        "array-gzip.joblib",
        "The same in gzip.",
        packing.gzip(arrays.joblib("f4", (4,), torch.FOUR)),
        converts=(0, 3),
    )


def _plain() -> Iterator[Case]:
    data = {"a": [1, 2.5, None, True], "b": ("x", b"y")}
    yield harmless("dict-2.pkl", "A dict of plain values.", pickle(data), {}, "pickle")
    yield harmless("dict-4.pkl", "The same in a frame.", framed(data), {})
    yield harmless(
        "two-frames.pkl",
        "Two frames, and a long text between them, as pickle writes it.",
        proto(4) + frame(b"}") + text("a" * 70_000) + frame(b"K\x01s."),
        {},
    )
    yield harmless(
        "dict-0.pkl",
        "A dict of protocol 0.",
        b"(dp0\nVa\np1\nI1\nsVb\np2\n(lp3\nF2.5\naI01\naNas.",
        {},
        "pickle",
    )
    yield harmless(
        "two-pickles.pkl",
        "Two pickles, one behind the other.",
        pickle(data) + pickle(data),
        converts=(0, 3),
    )
    yield harmless(
        "stack_global-memo.pkl",
        "STACK_GLOBAL with operands out of the memo, and an allowed name.",
        proto(4) + b"\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x9400h\0h\x01\x93)R.",
        {},
    )
    yield harmless(
        "namespace.pkl",
        "An argparse.Namespace.",
        pickle(build(new(stack_name("argparse", "Namespace")), {"lr": 0.1}), 4),
        {},
    )
    yield harmless("gzip.pkl.gz", "A pickle in gzip.", packing.gzip(pickle(data)), converts=(0, 3))
    long_text = value("os.system" * 3000)
    yield harmless("long-text.pkl", "A text of 27,000 letters.", pickle(long_text), {})


def _others() -> Iterator[Case]:
    for path, content in (
        ("text.txt", b"Hello, this is no model.\n"),
        ("config.json", b'{"model_type": "bert"}\n'),
        ("empty.bin", b""),
        ("image.png", b"\x89PNG\r\n\x1a\n" + bytes(32)),
        ("zeros.bin", bytes(512)),
    ):
        yield Case(
            f"other/{path}",
            "A file of no known kind: nothing can be said of it.",
            content,
            (MALFORMED,),
            format="unrecognized",
            codes=("UNSUPPORTED",) if content else ("TRUNCATED",),
        )


def cases() -> Iterator[Case]:
    """Every other harmless file."""
    yield from _legacy()
    yield from _numpy()
    yield from _plain()
    yield from _others()
