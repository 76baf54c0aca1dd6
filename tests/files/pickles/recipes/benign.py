"""Files that do no harm, beside each trick of the others: they must be clean, and convert."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import replace

from pickles.recipes import arrays, packing, torch
from pickles.recipes.archive import Member, zipped
from pickles.recipes.case import CLEAN, MALFORMED, Case, Tensor
from pickles.recipes.ops import (
    BINPERSID,
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

FOUR: Tensor = ("F32", (4,), torch.FOUR)
WEIGHT = {"weight": FOUR}


def _case(
    path: str,
    sentence: str,
    content: bytes,
    tensors: dict[str, Tensor] | None = None,
    format: str | None = None,  # noqa: A002
    converts: tuple[int, ...] = (0,),
) -> Case:
    found = {} if tensors is None and converts == (0,) else tensors
    return Case(
        f"benign/{path}",
        sentence,
        content,
        (CLEAN,),
        converts=converts,
        format=format,
        tensors=found,
    )


def _zip() -> Iterator[Case]:
    state = {"weight": torch.vector()}
    four = {"0": torch.FOUR}
    yield _case("plain.pt", "A dict with one tensor.", torch.torch_zip(state), WEIGHT, "torch_zip")
    yield _case(
        "module-state.pt",
        "An OrderedDict with the attribute that modules leave there.",
        torch.torch_zip(torch.module_state(state)),
        WEIGHT,
    )
    yield _case(
        "framed.pt",
        "The pickle is of protocol 4, in a frame.",
        zipped(
            replace(torch.members(state, four)[0], data=framed(state)),
            *torch.members(state, four)[1:],
        ),
        WEIGHT,
    )
    yield _case(
        "parameter.pt",
        "A Parameter.",
        torch.torch_zip({"weight": torch.parameter(torch.vector())}),
        WEIGHT,
    )
    yield _case(
        "no-byteorder.pt",
        "Without the member `byteorder`: little-endian.",
        zipped(*torch.members(state, four, byteorder=None)),
        WEIGHT,
    )
    swapped = struct.pack(">4f", 1.0, 2.0, 3.0, 4.0)
    yield _case(
        "big-endian.pt",
        "A big-endian storage.",
        zipped(*torch.members(state, {"0": swapped}, byteorder="big")),
        WEIGHT,
    )
    complexes = struct.pack(">4f", 1.0, 2.0, 3.0, 4.0)
    yield _case(
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
        yield _case(
            f"{label}.pt",
            f"Complex numbers {sentence}.",
            torch.torch_zip({"weight": torch.tensor(held, (2,), (1,), 0, flags)}),
            {"weight": ("C64", (2,), struct.pack("<4f", 1, -2, 3, -4))},
        )
    yield _case(
        "other-root.pt",
        "The root is called otherwise.",
        zipped(*torch.members(state, four, root="my_model")),
        WEIGHT,
    )
    described = [
        replace(each, descriptor=True, flags=0x0800) for each in torch.members(state, four)
    ]
    yield _case(
        "descriptors.pt",
        "Flags 0x0808 and data descriptors, as torch writes them.",
        zipped(*described),
        WEIGHT,
    )
    unchecked = [replace(each, crc=0) for each in torch.members(state, four)]
    yield _case("no-checksums.pt", "Checksums of zero: a warning.", zipped(*unchecked), WEIGHT)
    deflated = [replace(each, method=8, aligned=False) for each in torch.members(state, four)]
    yield _case("deflated.pt", "Every member is deflated.", zipped(*deflated), WEIGHT)
    fast = [
        replace(each, method=8, aligned=False, flags=0x0006) for each in torch.members(state, four)
    ]
    yield _case(
        "deflate-flags.pt", "Flags that tell how well it was deflated.", zipped(*fast), WEIGHT
    )
    yield _case(
        "upper-case.pt",
        "The names are in capitals, which torch finds too.",
        zipped(
            Member("archive/DATA.PKL", pickle(state)),
            Member("archive/DATA/0", torch.FOUR),
            Member("archive/version", b"3\n"),
        ),
        WEIGHT,
    )
    yield _case(
        "storage-looks-like-opcodes.pt",
        "A storage whose bytes begin as a pickle and break: data.",
        torch.torch_zip(
            {"weight": torch.tensor(torch.storage(4, kind="ByteStorage"), (4,), (1,))},
            {"0": b"cos\n"},
        ),
        {"weight": ("U8", (4,), b"cos\n")},
    )
    yield _case(
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
    yield _case(
        "transposed.pt",
        "A transposed matrix.",
        torch.torch_zip({"weight": torch.tensor(torch.storage(6), (3, 2), (1, 3))}, six),
        {"weight": turned},
    )
    yield _case(
        "slice.pt",
        "Every second element from the second on.",
        torch.torch_zip({"weight": torch.tensor(torch.storage(6), (3,), (2,), 1)}, six),
        {"weight": ("F32", (3,), struct.pack("<3f", 1, 3, 5))},
    )
    yield _case(
        "expanded.pt",
        "A row that is repeated by stride 0.",
        torch.torch_zip({"weight": torch.tensor(torch.storage(6), (2, 6), (0, 1))}, six),
        {"weight": ("F32", (2, 6), torch.SIX * 2)},
    )
    yield _case(
        "size-one-stride.pt",
        "A dimension of size 1 with a stride that leads nowhere.",
        torch.torch_zip({"weight": torch.tensor(torch.storage(6), (1, 6), (1 << 50, 1))}, six),
        {"weight": ("F32", (1, 6), torch.SIX)},
    )
    yield _case(
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
    yield _case(
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
    yield _case(
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
    yield _case(
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
        yield _case(
            f"device-{module}.pt",
            f"A tensor that lay on the device {location}.",
            torch.torch_zip({"weight": torch.tensor(held + BINPERSID, (2, 3), (3, 1))}, six),
            {"weight": whole},
        )
    yield _case(
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
        yield _case(
            f"dtype-{dtype}.pt",
            f"A tensor of {dtype}.",
            torch.torch_zip(
                {"weight": torch.tensor(torch.storage(3, kind=kind), (3,), (1,))}, {"0": data}
            ),
            {"weight": (dtype, (3,), data)},
        )


def _structure() -> Iterator[Case]:
    four = torch.vector()
    yield _case(
        "wrapper.ckpt",
        "A wrapper that holds all tensors is taken away; what is no tensor is dropped.",
        torch.torch_zip({"state_dict": {"weight": four}, "epoch": 3, "global_step": 100}),
        WEIGHT,
    )
    yield _case(
        "wrapper-not-alone.ckpt",
        "Tensors beside the wrapper: it stays.",
        torch.torch_zip(
            {"state_dict": {"weight": four}, "mean": torch.tensor(torch.storage(4), (2,), (1,))}
        ),
        {"state_dict.weight": FOUR, "mean": ("F32", (2,), torch.FOUR[:8])},
    )
    yield _case(
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
    yield _case(
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
        WEIGHT,
    )
    yield _case(
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
        WEIGHT,
    )
    yield _case(
        "words.pt",
        "Texts that read like an attack are texts.",
        torch.torch_zip(
            {
                "weight": four,
                "note": ["os", "system", "builtins.eval", "cos\nsystem\n(S'true'\ntR."],
            }
        ),
        WEIGHT,
    )
    yield _case(
        "no-tensors.pt",
        "A checkpoint without tensors becomes an empty file.",
        torch.torch_zip({"epoch": 3}, {}),
        {},
    )


def _legacy() -> Iterator[Case]:
    one = {"1": torch.SIX}
    yield _case(
        "legacy.pth",
        "The container before 1.6.",
        torch.legacy({"weight": torch.tensor(torch.legacy_storage(6), (2, 3), (3, 1))}, one),
        {"weight": ("F32", (2, 3), torch.SIX)},
        "torch_legacy",
    )
    yield _case(
        "legacy-big-sys_info.pth",
        "Saved on a big-endian machine: storages in this container are little-endian even so.",
        torch.legacy(
            {"weight": torch.tensor(torch.legacy_storage(4, "1"), (4,), (1,))},
            {"1": torch.FOUR},
            info={**torch.SYS_INFO, "little_endian": False},
        ),
        WEIGHT,
    )
    view = tuple_of("view", 2, 4)
    yield _case(
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
    yield _case(
        "legacy-two.pth",
        "Two storages.",
        torch.legacy(
            {
                "a": torch.tensor(torch.legacy_storage(6, "10"), (6,), (1,)),
                "b": torch.tensor(torch.legacy_storage(4, "11"), (4,), (1,)),
            },
            {"10": torch.SIX, "11": torch.FOUR},
        ),
        {"a": ("F32", (6,), torch.SIX), "b": FOUR},
    )
    yield _case(
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
        WEIGHT,
        "pickle",
    )
    yield _case(
        "oldest.tar",
        "The container of 0.1.",
        torch.tar({"weight": Code(text("7") + b"Q")}, {3: torch.FOUR}, [(7, 3, 4)]),
        WEIGHT,
        "torch_tar",
    )


def _numpy() -> Iterator[Case]:
    header = arrays.describe("<f4", (2, 3))
    six: Tensor = ("F32", (2, 3), torch.SIX)
    turned = struct.pack("<6f", 0, 3, 1, 4, 2, 5)
    yield _case("array.npy", "One array.", arrays.npy(header, torch.SIX), {"array": six}, "npy")
    yield _case(
        "array-fortran.npy",
        "An array in Fortran's order.",
        arrays.npy(arrays.describe("<f4", (2, 3), True), turned),
        {"array-fortran": six},
    )
    yield _case(
        "array-big.npy",
        "A big-endian array.",
        arrays.npy(arrays.describe(">f4", (2, 3)), struct.pack(">6f", *range(6))),
        {"array-big": six},
    )
    yield _case(
        "array-v2.npy",
        "Version 2 of the header.",
        arrays.npy(header, torch.SIX, 2),
        {"array-v2": six},
    )
    yield _case(
        "arrays.npz",
        "An archive of arrays, one stored, one deflated.",
        zipped(
            Member("a.npy", arrays.npy(header, torch.SIX)),
            Member("b.npy", arrays.npy(arrays.describe("<f4", (4,)), torch.FOUR), method=8),
        ),
        {"a": six, "b": FOUR},
        "npz",
    )
    for protocol in (2, 3, 4):
        held: object = torch.SIX
        if protocol == 2:
            held = call(name("_codecs", "encode"), torch.SIX.decode("latin1"), "latin1")
        yield _case(
            f"numpy-protocol-{protocol}.pkl",
            f"A NumPy array in a pickle of protocol {protocol}.",
            pickle({"weight": arrays.array("f4", (2, 3), held)}, protocol),
            {"weight": six},
            "pickle",
        )
    yield _case(
        "numpy-protocol-5.pkl",
        "A NumPy array in a pickle of protocol 5, which writes it as a buffer.",
        pickle({"weight": arrays.from_buffer("f4", (2, 3), torch.SIX)}, 5),
        {"weight": six},
    )
    yield _case(
        "numpy-core.pkl",
        "The module's name before NumPy 2.",
        pickle(
            {"weight": arrays.array("f4", (2, 3), torch.SIX, module="numpy.core.multiarray")}, 3
        ),
        {"weight": six},
    )
    yield _case(
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
    yield _case(
        "array.joblib",
        "One array, its bytes behind the opcodes.",
        arrays.joblib("f4", (4,), torch.FOUR),
        None,
        "joblib",
        converts=(0, 3),
    )
    yield _case(
        "array-gzip.joblib",
        "The same in gzip.",
        packing.gzip(arrays.joblib("f4", (4,), torch.FOUR)),
        converts=(0, 3),
    )


def _plain() -> Iterator[Case]:
    data = {"a": [1, 2.5, None, True], "b": ("x", b"y")}
    yield _case("dict-2.pkl", "A dict of plain values.", pickle(data), {}, "pickle")
    yield _case("dict-4.pkl", "The same in a frame.", framed(data), {})
    yield _case(
        "two-frames.pkl",
        "Two frames, and a long text between them, as pickle writes it.",
        proto(4) + frame(b"}") + text("a" * 70_000) + frame(b"K\x01s."),
        {},
    )
    yield _case(
        "dict-0.pkl",
        "A dict of protocol 0.",
        b"(dp0\nVa\np1\nI1\nsVb\np2\n(lp3\nF2.5\naI01\naNas.",
        {},
        "pickle",
    )
    yield _case(
        "two-pickles.pkl",
        "Two pickles, one behind the other.",
        pickle(data) + pickle(data),
        converts=(0, 3),
    )
    yield _case(
        "stack_global-memo.pkl",
        "STACK_GLOBAL with operands out of the memo, and an allowed name.",
        proto(4) + b"\x8c\x0bcollections\x94\x8c\x0bOrderedDict\x9400h\0h\x01\x93)R.",
        {},
    )
    yield _case(
        "namespace.pkl",
        "An argparse.Namespace.",
        pickle(build(new(stack_name("argparse", "Namespace")), {"lr": 0.1}), 4),
        {},
    )
    yield _case("gzip.pkl.gz", "A pickle in gzip.", packing.gzip(pickle(data)), converts=(0, 3))
    long_text = value("os.system" * 3000)
    yield _case("long-text.pkl", "A text of 27,000 letters.", pickle(long_text), {})


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
    """Every harmless file."""
    yield from _zip()
    yield from _views()
    yield from _structure()
    yield from _legacy()
    yield from _numpy()
    yield from _plain()
    yield from _others()
