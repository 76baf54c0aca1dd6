"""Payloads in every other container."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pickles.recipes import arrays, packing, torch
from pickles.recipes.archive import Member, tarred, zipped
from pickles.recipes.case import CLEAN, DANGEROUS, MALFORMED, UNKNOWN, Case, hostile
from pickles.recipes.ops import PAYLOAD, Code, call, name, pickle

SYSTEM = ("os.system",)
EVIL = pickle(PAYLOAD)
# "echo harmless", as it would stand in a 7z archive: only the signature matters here.
SEVEN_ZIP = b"7z\xbc\xaf\x27\x1c\0\4" + bytes(24)


def _case(
    name: str, sentence: str, content: bytes, *verdicts: str, **more: tuple[str, ...]
) -> Case:
    return hostile(f"containers/{name}", sentence, content, *verdicts, **more)  # type: ignore[arg-type]


def _legacy() -> Iterator[Case]:
    one = {"1": torch.FOUR}
    state = {"weight": torch.tensor(torch.legacy_storage(4), (4,), (1,))}
    good = torch.legacy(state, one)
    yield _case(
        "legacy-object.pt", "The payload is the object.", torch.legacy(PAYLOAD, {}), mentions=SYSTEM
    )
    yield _case(
        "legacy-beside.pt",
        "The payload stands beside the tensors.",
        torch.legacy({**state, "x": PAYLOAD}, one),
        mentions=SYSTEM,
    )
    yield _case(
        "legacy-sys_info.pt",
        "The payload is in the pickle that tells of the system.",
        torch.legacy(state, one, info={"little_endian": PAYLOAD}),
        mentions=SYSTEM,
    )
    yield _case(
        "legacy-keys.pt",
        "The payload is in the pickle with the storages' keys.",
        torch.legacy(state, one, keys=[PAYLOAD, "1"]),
        mentions=SYSTEM,
    )
    yield _case(
        "legacy-magic.pt",
        "The payload stands before the magic number.",
        torch.legacy(state, one, magic=Code(PAYLOAD + b"0" + pickle(torch.MAGIC)[2:-1])),
        mentions=SYSTEM,
    )
    yield _case(
        "legacy-trailing.pt",
        "A pickle with the payload behind the last storage.",
        good + EVIL,
        DANGEROUS,
        UNKNOWN,
        MALFORMED,
    )
    yield Case(
        "containers/legacy-storage-pickle.pt",
        "The storage's bytes are a pickle with the payload, which no loader reaches there.",
        torch.legacy(
            {"weight": torch.tensor(torch.legacy_storage(12), (12,), (1,))},
            {"1": (EVIL + bytes(48))[:48]},
        ),
        (CLEAN, UNKNOWN, DANGEROUS),
    )
    yield _case(
        "legacy-count-negative.pt",
        "A storage of minus one elements.",
        torch.legacy(state, one, counts={"1": -1}),
        MALFORMED,
        UNKNOWN,
    )
    yield _case(
        "legacy-count-huge.pt",
        "A storage of 2^61 elements.",
        torch.legacy(state, one, counts={"1": 1 << 61}),
        MALFORMED,
        UNKNOWN,
    )
    yield _case(
        "legacy-module.pt",
        "A module whose source is in the checkpoint: a persistent id that names a class.",
        torch.legacy(
            Code(
                b"("
                + _text("module")
                + name("__main__", "Net")
                + _text("net.py")
                + _text("import os")
                + b"tQ"
            ),
            {},
        ),
        UNKNOWN,
        DANGEROUS,
    )


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _pax(line: str) -> bytes:
    """Headers of the member behind them, as a member of their own."""
    made = bytearray(tarred(("pax", line.encode()))[:1024])
    made[156:157] = b"x"
    made[148:156] = b" " * 8
    made[148:156] = b"%06o\0 " % sum(made[:512])
    return bytes(made)


def _tar() -> Iterator[Case]:
    tensor = Code(_text("1") + b"Q")
    yield _case(
        "CVE-2025-32434.tar",
        "The oldest container, which a loader for weights alone handed to the plain unpickler.",
        torch.tar(PAYLOAD, {0: torch.FOUR}, [(1, 0, 4)]),
        mentions=SYSTEM,
    )
    plain = tarred(("pickle", pickle(tensor)), ("tensors", pickle(0)), ("storages", EVIL))
    yield _case(
        "tar-storages.tar", "The payload is in the member `storages`.", plain, mentions=SYSTEM
    )
    plain = tarred(("pickle", pickle(tensor)), ("tensors", EVIL), ("storages", pickle(0)))
    yield _case(
        "tar-tensors.tar", "The payload is in the member `tensors`.", plain, mentions=SYSTEM
    )
    yield _case(
        "tar-storage-type.tar",
        "The payload stands in the place of a storage's type.",
        tarred(
            ("pickle", pickle(tensor)),
            ("tensors", pickle(0)),
            ("storages", pickle(1) + pickle((0, "cpu", PAYLOAD))),
        ),
        mentions=SYSTEM,
    )
    yield _case(
        "tar-other.tar",
        "Any tar archive with a pickle in it.",
        tarred(("a/b.txt", EVIL)),
        mentions=SYSTEM,
    )
    hidden = tarred(("pickle", EVIL))[:1024]
    sizes = _pax("9 size=2\n"), _pax(f"13 size={512 + len(hidden)}\n")
    yield _case(
        "tar-two-sizes.tar",
        "A member whose size is said twice: Python's tarfile goes by the first, others by the last,"
        " and pass over a member with the payload.",
        sizes[0] + sizes[1] + tarred(("a", b"N."))[:1024] + hidden + bytes(1024),
        MALFORMED,
        UNKNOWN,
        DANGEROUS,
    )
    yield _case(
        "tar-behind.tar",
        "An archive behind the end of another one, as `cat` makes it: some readers go on there.",
        tarred(("a", b"N.")) + tarred(("pickle", EVIL)),
        UNKNOWN,
        DANGEROUS,
        codes=("TRAILING_BYTES",),
    )
    yield _case(
        "tar-checksum.tar",
        "A record with a wrong checksum.",
        b"x" + tarred(("pickle", EVIL))[1:],
        MALFORMED,
        UNKNOWN,
        DANGEROUS,
    )


def _script() -> Iterator[Case]:
    code = Member("archive/code/__torch__.py", b"class Net(Module):\n  pass\n")
    constants = Member("archive/constants.pkl", pickle(()))
    good = torch.members({"weight": torch.vector()}, {"0": torch.FOUR})
    yield _case(
        "CVE-2025-32434-torchscript.pt",
        "TorchScript, which a loader for weights alone handed to torch.jit.load.",
        zipped(*good, constants, code),
        UNKNOWN,
        codes=("CONTAINS_CODE",),
    )
    yield _case(
        "package.pt",
        "A torch.package: its pickle is harmless, were `collections` not a module of its own.",
        zipped(
            Member("package/data/state.pkl", pickle(torch.ordered({"a": 1}))),
            Member("package/collections.py", b"print('harmless')\n"),
            Member("package/.data/extern_modules", b""),
        ),
        UNKNOWN,
        codes=("CONTAINS_CODE",),
    )
    yield _case(
        "exported.pt2",
        "A program of torch.export, with a text for SymPy, which evaluates it as an expression.",
        zipped(
            Member("program/archive_format", b"pt2"),
            Member("program/models/model.json", b'{"expr_str": "print(\'harmless\')"}'),
        ),
        UNKNOWN,
        codes=("CONTAINS_CODE",),
    )
    yield _case(
        "torchscript-payload.pt",
        "TorchScript with a payload among its constants.",
        zipped(*good, Member("archive/constants.pkl", EVIL), code),
        mentions=SYSTEM,
    )


def _numpy() -> Iterator[Case]:
    objects = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    yield _case(
        "CVE-2019-6446.npy",
        "An array of objects: a pickle, which numpy.load once loaded without being asked.",
        arrays.npy(objects, EVIL),
        mentions=SYSTEM,
    )
    yield _case(
        "CVE-2019-6446.npz",
        "The same in an archive.",
        zipped(
            Member("weight.npy", arrays.npy(arrays.describe("<f4", (4,)), torch.FOUR)),
            Member("bias.npy", arrays.npy(objects, EVIL)),
        ),
        mentions=SYSTEM,
    )
    yield _case(
        "npz-deflated.npz",
        "The same, deflated.",
        zipped(Member("bias.npy", arrays.npy(objects, EVIL), method=8)),
        mentions=SYSTEM,
    )
    yield _case(
        "npz-not-npy.npz",
        "A member called .npy that is a pickle: numpy.load loads it as one.",
        zipped(Member("bias.npy", EVIL)),
        mentions=SYSTEM,
    )
    yield _case(
        "npy-is-pickle.npy",
        "A pickle that is called .npy: numpy.load loads it.",
        EVIL,
        mentions=SYSTEM,
    )
    yield _case(
        "npy-nested-objects.npy",
        "A structured type with a field of objects.",
        arrays.npy(
            "{'descr': [('a', '<f4'), ('b', '|O')], 'fortran_order': False, 'shape': (1,), }", EVIL
        ),
        DANGEROUS,
        mentions=SYSTEM,
    )
    for label, text, what in (
        ("call", "__import__('os').system('true')", "a call instead of a literal"),
        (
            "call-in-shape",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (len('1234'),), }",
            "a call in it",
        ),
        (
            "sum-in-shape",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (2+2,), }",
            "a sum in it",
        ),
        (
            "negative",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (-4,), }",
            "a negative size",
        ),
        ("no-shape", "{'descr': '<f4', 'fortran_order': False, }", "no shape"),
        (
            "twice",
            "{'descr': '<f4', 'descr': '|O', 'fortran_order': False, 'shape': (4,), }",
            "a key twice",
        ),
        (
            "huge",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999,), }",
            "a size beyond the file's",
        ),
        (
            "overflow",
            "{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4), }",
            "a size beyond 2^64",
        ),
        ("deep", "(" * 100, "a hundred brackets"),
    ):
        yield _case(
            f"npy-{label}.npy",
            f"A header with {what}.",
            arrays.npy(text, torch.FOUR),
            MALFORMED,
            UNKNOWN,
        )
    scalar = call(
        name("numpy.core.multiarray", "scalar"),
        call(name("numpy", "dtype"), "O8", False, True),
        EVIL,
    )
    yield Case(
        "containers/numpy-scalar-object.pkl",
        "A NumPy scalar of objects whose bytes are a pickle, which NumPy does not load.",
        pickle(scalar, 3),
        (CLEAN, UNKNOWN, DANGEROUS),
        converts=(0, 1, 2, 3),
    )


def _joblib() -> Iterator[Case]:
    yield _case(
        "joblib-objects.joblib",
        "An array of objects: the pickle behind the wrapper has the payload.",
        arrays.joblib("O8", (1,), EVIL),
        mentions=SYSTEM,
    )
    yield _case(
        "joblib-after.joblib",
        "The payload stands behind the raw bytes of an array.",
        arrays.joblib("f4", (4,), torch.FOUR, after=b"0" + PAYLOAD),
        mentions=SYSTEM,
    )
    yield _case(
        "joblib-raw-misread.joblib",
        "The array is said to be larger, so that the payload would be among its bytes.",
        arrays.joblib("f4", (400,), torch.FOUR, after=b"0" + PAYLOAD),
        MALFORMED,
        UNKNOWN,
        DANGEROUS,
    )
    yield _case(
        "joblib-subclass.joblib",
        "The wrapper names a class nobody can vouch for.",
        arrays.joblib("f4", (4,), torch.FOUR, subclass=name("some.package", "array")),
        UNKNOWN,
        DANGEROUS,
    )
    yield _case(
        "joblib-gzip.joblib",
        "A joblib file in gzip, with the payload.",
        packing.gzip(arrays.joblib("O8", (1,), EVIL)),
        mentions=SYSTEM,
    )
    yield _case(
        "joblib-zlib.joblib",
        "A joblib file in zlib, with the payload.",
        packing.zlib_stream(arrays.joblib("O8", (1,), EVIL)),
        mentions=SYSTEM,
    )


def _compressed() -> Iterator[Case]:
    yield _case("gzip.pkl.gz", "A pickle in gzip.", packing.gzip(EVIL), mentions=SYSTEM)
    yield _case(
        "gzip-two-members.gz",
        "Two gzip members: the payload is in the second.",
        packing.gzip(pickle({})) + packing.gzip(EVIL),
        mentions=SYSTEM,
    )
    yield _case(
        "gzip-trailing.gz",
        "The payload stands behind the gzip stream as it is.",
        packing.gzip(pickle({})) + EVIL,
        DANGEROUS,
        UNKNOWN,
        MALFORMED,
    )
    yield _case(
        "gzip-cut.gz",
        "A gzip stream that ends too soon.",
        packing.gzip(EVIL)[:-12],
        MALFORMED,
        DANGEROUS,
        UNKNOWN,
    )
    for label, content in (
        ("7z", SEVEN_ZIP),
        ("bz2", b"BZh91AY&SY" + bytes(24)),
        ("xz", b"\xfd7zXZ\0\0\4" + bytes(24)),
        ("zst", b"\x28\xb5\x2f\xfd" + bytes(24)),
        ("lz4", b"\x04\x22\x4d\x18" + bytes(24)),
        ("rar", b"Rar!\x1a\x07\x01\0" + bytes(24)),
    ):
        yield Case(
            f"containers/archive.{label}",
            f"A file of the kind {label}, which is not opened here.",
            content,
            (MALFORMED,),
            malicious=True,
            codes=("UNSUPPORTED",),
        )


def cases() -> Iterator[Case]:
    """Every container."""
    yield from _legacy()
    yield from _tar()
    yield from _script()
    yield from _numpy()
    yield from _joblib()
    yield from _compressed()
