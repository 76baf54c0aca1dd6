"""Files that do no harm, beside each trick of the others: they must be clean, and convert."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

from pickles.recipes import torch
from pickles.recipes.archive import Member, zipped
from pickles.recipes.case import Case, harmless
from pickles.recipes.ops import (
    BINPERSID,
    build,
    call,
    framed,
    name,
    new,
    pickle,
    tuple_of,
)


def _zip() -> Iterator[Case]:
    state = {"weight": torch.vector()}
    four = {"0": torch.FOUR}
    yield harmless(
        "plain.pt", "A dict with one tensor.", torch.torch_zip(state), torch.WEIGHT, "torch_zip"
    )
    yield harmless(
        "module-state.pt",
        "An OrderedDict with the attribute that modules leave there.",
        torch.torch_zip(torch.module_state(state)),
        torch.WEIGHT,
    )
    yield harmless(
        "framed.pt",
        "The pickle is of protocol 4, in a frame.",
        zipped(
            replace(torch.members(state, four)[0], data=framed(state)),
            *torch.members(state, four)[1:],
        ),
        torch.WEIGHT,
    )
    yield harmless(
        "parameter.pt",
        "A Parameter.",
        torch.torch_zip({"weight": torch.parameter(torch.vector())}),
        torch.WEIGHT,
    )
    yield harmless(
        "no-byteorder.pt",
        "Without the member `byteorder`: little-endian.",
        zipped(*torch.members(state, four, byteorder=None)),
        torch.WEIGHT,
    )
    swapped = struct.pack(">4f", 1.0, 2.0, 3.0, 4.0)
    yield harmless(
        "big-endian.pt",
        "A big-endian storage.",
        zipped(*torch.members(state, {"0": swapped}, byteorder="big")),
        torch.WEIGHT,
    )
    complexes = struct.pack(">4f", 1.0, 2.0, 3.0, 4.0)
    yield harmless(
        "big-endian-complex.pt",
        "Big-endian complex numbers, whose two parts are swapped each for itself.",
        zipped(
            *torch.members(
                {"weight": torch.tensor(torch.storage(2, kind="ComplexFloatStorage"), (2,), (1,))},
                {"0": complexes},
                byteorder="big",
            )
        ),
        {"weight": ("C64", (2,), torch.FOUR)},
    )
    for label, flags, sentence in (
        ("conjugate", {"conj": True}, "with the flag that turns the imaginary parts' sign"),
        ("conjugate-false", {"conj": False}, "with that flag said to be False: PyTorch sets it"),
    ):
        held = torch.storage(2, kind="ComplexFloatStorage")
        yield harmless(
            f"{label}.pt",
            f"Complex numbers {sentence}.",
            torch.torch_zip({"weight": torch.tensor(held, (2,), (1,), 0, flags)}),
            {"weight": ("C64", (2,), struct.pack("<4f", 1, -2, 3, -4))},
        )
    yield harmless(
        "other-root.pt",
        "The root is called otherwise.",
        zipped(*torch.members(state, four, root="my_model")),
        torch.WEIGHT,
    )
    described = [
        replace(each, descriptor=True, flags=0x0800) for each in torch.members(state, four)
    ]
    yield harmless(
        "descriptors.pt",
        "Flags 0x0808 and data descriptors, as torch writes them.",
        zipped(*described),
        torch.WEIGHT,
    )
    unchecked = [replace(each, crc=0) for each in torch.members(state, four)]
    yield harmless(
        "no-checksums.pt", "Checksums of zero: a warning.", zipped(*unchecked), torch.WEIGHT
    )
    deflated = [replace(each, method=8, aligned=False) for each in torch.members(state, four)]
    yield harmless("deflated.pt", "Every member is deflated.", zipped(*deflated), torch.WEIGHT)
    fast = [
        replace(each, method=8, aligned=False, flags=0x0006) for each in torch.members(state, four)
    ]
    yield harmless(
        "deflate-flags.pt", "Flags that tell how well it was deflated.", zipped(*fast), torch.WEIGHT
    )
    yield harmless(
        "upper-case.pt",
        "The names are in capitals, which torch finds too.",
        zipped(
            Member("archive/DATA.PKL", pickle(state)),
            Member("archive/DATA/0", torch.FOUR),
            Member("archive/version", b"3\n"),
        ),
        torch.WEIGHT,
    )
    yield harmless(
        "storage-looks-like-opcodes.pt",
        "A storage whose bytes begin as a pickle and break: data.",
        torch.torch_zip(
            {"weight": torch.tensor(torch.storage(4, kind="ByteStorage"), (4,), (1,))},
            {"0": b"cos\n"},
        ),
        {"weight": ("U8", (4,), b"cos\n")},
    )
    yield harmless(
        "storage-zip-signature.pt",
        "A storage that holds the signature of an end record.",
        torch.torch_zip(
            {"weight": torch.tensor(torch.storage(24, kind="ByteStorage"), (24,), (1,))},
            {"0": b"PK\x05\x06" + bytes(20)},
        ),
        {"weight": ("U8", (24,), b"PK\x05\x06" + bytes(20))},
    )


def _views() -> Iterator[Case]:
    six = {"0": torch.SIX}
    whole = ("F32", (2, 3), torch.SIX)
    turned = ("F32", (3, 2), struct.pack("<6f", 0, 3, 1, 4, 2, 5))
    yield harmless(
        "transposed.pt",
        "A transposed matrix.",
        torch.torch_zip({"weight": torch.tensor(torch.storage(6), (3, 2), (1, 3))}, six),
        {"weight": turned},
    )
    yield harmless(
        "slice.pt",
        "Every second element from the second on.",
        torch.torch_zip({"weight": torch.tensor(torch.storage(6), (3,), (2,), 1)}, six),
        {"weight": ("F32", (3,), struct.pack("<3f", 1, 3, 5))},
    )
    yield harmless(
        "expanded.pt",
        "A row that is repeated by stride 0.",
        torch.torch_zip({"weight": torch.tensor(torch.storage(6), (2, 6), (0, 1))}, six),
        {"weight": ("F32", (2, 6), torch.SIX * 2)},
    )
    yield harmless(
        "size-one-stride.pt",
        "A dimension of size 1 with a stride that leads nowhere.",
        torch.torch_zip({"weight": torch.tensor(torch.storage(6), (1, 6), (1 << 50, 1))}, six),
        {"weight": ("F32", (1, 6), torch.SIX)},
    )
    yield harmless(
        "empty-and-scalar.pt",
        "A tensor without elements, and one without dimensions.",
        torch.torch_zip(
            {
                "empty": torch.tensor(torch.storage(0, "1"), (0, 5), (5, 1)),
                "scalar": torch.tensor(torch.storage(6), (), (), 5),
            },
            {**six, "1": b""},
        ),
        {"empty": ("F32", (0, 5), b""), "scalar": ("F32", (), struct.pack("<f", 5))},
    )
    yield harmless(
        "tied.pt",
        "Two names for one tensor: the first in order stays.",
        torch.torch_zip(
            {
                "lm_head": torch.tensor(torch.storage(6), (2, 3), (3, 1)),
                "embedding": torch.tensor(torch.storage(6), (2, 3), (3, 1)),
            },
            six,
        ),
        {"embedding": whole},
    )
    yield harmless(
        "overlapping.pt",
        "Two tensors that overlap: each gets its bytes.",
        torch.torch_zip(
            {
                "a": torch.tensor(torch.storage(6), (4,), (1,)),
                "b": torch.tensor(torch.storage(6), (4,), (1,), 2),
            },
            six,
        ),
        {
            "a": ("F32", (4,), torch.SIX[:16]),
            "b": ("F32", (4,), torch.SIX[8:]),
        },
    )
    yield harmless(
        "v3-untyped.pt",
        "A tensor of bfloat16 over an untyped storage, whose count is of bytes.",
        torch.torch_zip(
            {
                "weight": call(
                    name("torch._utils", "_rebuild_tensor_v3"),
                    torch.storage(8, kind="UntypedStorage", module="torch.storage"),
                    0,
                    (4,),
                    (1,),
                    False,
                    torch.HOOKS,
                    name("torch", "bfloat16"),
                )
            },
            {"0": b"\0\x3f\0\x40\0\x41\0\x42"},
        ),
        {"weight": ("BF16", (4,), b"\0\x3f\0\x40\0\x41\0\x42")},
    )
    for module, location in (("torch.cuda", "cuda:0"), ("torch", "mps")):
        held = tuple_of("storage", name(module, "FloatStorage"), "0", location, 6)
        yield harmless(
            f"device-{module}.pt",
            f"A tensor that lay on the device {location}.",
            torch.torch_zip({"weight": torch.tensor(held + BINPERSID, (2, 3), (3, 1))}, six),
            {"weight": whole},
        )
    yield harmless(
        "rebuild-v1.pt",
        "The oldest way to rebuild a tensor.",
        torch.torch_zip(
            {"weight": torch.tensor(torch.storage(6), (2, 3), (3, 1), function="_rebuild_tensor")},
            six,
        ),
        {"weight": whole},
    )
    for kind, dtype, width in (
        ("DoubleStorage", "F64", 8),
        ("HalfStorage", "F16", 2),
        ("BFloat16Storage", "BF16", 2),
        ("LongStorage", "I64", 8),
        ("IntStorage", "I32", 4),
        ("ShortStorage", "I16", 2),
        ("CharStorage", "I8", 1),
        ("ByteStorage", "U8", 1),
        ("BoolStorage", "BOOL", 1),
        ("ComplexFloatStorage", "C64", 8),
    ):
        data = bytes(number % 2 for number in range(3 * width))
        yield harmless(
            f"dtype-{dtype}.pt",
            f"A tensor of {dtype}.",
            torch.torch_zip(
                {"weight": torch.tensor(torch.storage(3, kind=kind), (3,), (1,))}, {"0": data}
            ),
            {"weight": (dtype, (3,), data)},
        )


def _structure() -> Iterator[Case]:
    four = torch.vector()
    yield harmless(
        "wrapper.ckpt",
        "A wrapper that holds all tensors is taken away; what is no tensor is dropped.",
        torch.torch_zip({"state_dict": {"weight": four}, "epoch": 3, "global_step": 100}),
        torch.WEIGHT,
    )
    yield harmless(
        "wrapper-not-alone.ckpt",
        "Tensors beside the wrapper: it stays.",
        torch.torch_zip(
            {"state_dict": {"weight": four}, "mean": torch.tensor(torch.storage(4), (2,), (1,))}
        ),
        {"state_dict.weight": torch.VECTOR, "mean": ("F32", (2,), torch.FOUR[:8])},
    )
    yield harmless(
        "nested.pt",
        "Dicts, lists and integers as keys are joined with dots.",
        torch.torch_zip(
            {
                "a": {"b": [torch.tensor(torch.storage(4), (1,), (1,), i) for i in range(2)]},
                7: torch.tensor(torch.storage(4), (3,), (1,)),
            }
        ),
        {
            "a.b.0": ("F32", (1,), torch.FOUR[:4]),
            "a.b.1": ("F32", (1,), torch.FOUR[4:8]),
            "7": ("F32", (3,), torch.FOUR[:12]),
        },
    )
    yield harmless(
        "lightning.ckpt",
        "A training checkpoint: hyper-parameters in a Namespace, callbacks, loops.",
        torch.torch_zip(
            {
                "epoch": 1,
                "pytorch-lightning_version": "2.0.0",
                "state_dict": {"weight": four},
                "callbacks": {},
                "optimizer_states": [],
                "hyper_parameters": build(new(name("argparse", "Namespace")), {"lr": 0.1}),
            }
        ),
        torch.WEIGHT,
    )
    yield harmless(
        "records.pt",
        "Records without effect: a path, a date, a set, a complex number, a slice.",
        torch.torch_zip(
            {
                "weight": four,
                "path": call(name("pathlib", "PosixPath"), "/", "data"),
                "path-3.13": call(name("pathlib._local", "PosixPath"), "/", "data"),
                "date": call(name("datetime", "datetime"), b"\x07\xe8\1\1\0\0\0\0\0\0"),
                "set": call(name("builtins", "set"), [1, 2]),
                "complex": call(name("builtins", "complex"), 1.0, 2.0),
                "slice": call(name("builtins", "slice"), 1, 2, None),
                "size": call(name("torch", "Size"), (1, 2)),
                "device": call(name("torch", "device"), "cpu"),
                "dtype": name("torch", "float16"),
                "counter": call(name("collections", "Counter"), {"a": 1}),
                "default": call(name("collections", "defaultdict"), name("builtins", "list")),
            }
        ),
        torch.WEIGHT,
    )
    yield harmless(
        "words.pt",
        "Texts that read like an attack are texts.",
        torch.torch_zip(
            {
                "weight": four,
                "note": ["os", "system", "builtins.eval", "cos\nsystem\n(S'true'\ntR."],
            }
        ),
        torch.WEIGHT,
    )
    yield harmless(
        "no-tensors.pt",
        "A checkpoint without tensors becomes an empty file.",
        torch.torch_zip({"epoch": 3}, {}),
        {},
    )


def cases() -> Iterator[Case]:
    """Every harmless file."""
    yield from _zip()
    yield from _views()
    yield from _structure()
