"""Small files that ask for much. Each must be dealt with at once, in little memory."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from pickles.recipes import arrays, packing, torch
from pickles.recipes.archive import Member, zipped
from pickles.recipes.case import CLEAN, MALFORMED, UNKNOWN, Case
from pickles.recipes.ops import Code, build, call, name, pickle, proto, text, tuple_of


def _case(
    label: str, sentence: str, content: bytes, *verdicts: str, converts: tuple[int, ...] = ()
) -> Case:
    path = f"limits/{label}" if "." in label else f"limits/{label}.pkl"
    return Case(
        path,
        sentence,
        content,
        verdicts or (MALFORMED,),
        # What is clean where it is read with care does no harm.
        malicious=CLEAN not in verdicts,
        converts=converts,
    )


def _claims() -> Iterator[Case]:
    """Lengths beyond the end of the file."""
    full4, full8 = b"\xff" * 4, b"\xff" * 7 + b"\x7f"
    for label, opcode, what in (
        ("binunicode", b"X" + full4, "a text of 4 GiB"),
        ("binunicode8", b"\x8d" + full8, "a text of 2^63 bytes"),
        ("binunicode8-max", b"\x8d" + b"\xff" * 8, "a text of 2^64 - 1 bytes"),
        ("binbytes", b"B" + full4, "bytes, 4 GiB of them"),
        ("binbytes8", b"\x8e" + full8, "bytes, 2^63 of them"),
        ("bytearray8", b"\x96" + full8, "a bytearray of 2^63"),
        ("binstring", b"T\xff\xff\xff\x7f", "a string of 2 GiB"),
        ("binstring-negative", b"T\xff\xff\xff\xff", "a string of minus one byte"),
        ("long4", b"\x8b\xff\xff\xff\x7f", "an integer of 2 GiB"),
        ("long4-negative", b"\x8b\xff\xff\xff\xff", "an integer of minus one byte"),
        ("frame", b"\x95" + full8, "a frame of 2^63 bytes"),
    ):
        yield _case(f"claim-{label}", f"Claims {what}.", proto(5) + opcode + b"abc.")


def _memo() -> Iterator[Case]:
    yield _case(
        "memo-2-31",
        "LONG_BINPUT with the number 2^31: a memo that is an array would take 16 GiB.",
        proto(2) + b"}r" + struct.pack("<I", 1 << 31) + b".",
        MALFORMED,
    )
    yield _case(
        "memo-2-32",
        "LONG_BINPUT with the largest number.",
        proto(2) + b"}r\xff\xff\xff\xff.",
        MALFORMED,
    )
    yield _case(
        "memo-text", "PUT with a number of 30 digits.", b"}p" + b"9" * 30 + b"\n.", MALFORMED, CLEAN
    )
    yield _case("memo-negative", "PUT with a negative number.", b"}p-1\n.", MALFORMED)
    yield _case("memo-sparse", "A thousand numbers, far apart.", _sparse_memo(), MALFORMED)


def _sparse_memo() -> bytes:
    puts = b"".join(b"r" + struct.pack("<I", number * 4_000_037) for number in range(1000))
    return proto(2) + b"}" + puts + b"."


def _sharing() -> Iterator[Case]:
    """Billion laughs: a few values that are many when they are counted one by one."""
    lists = b"](K\x01K\x02eq\0"
    tuples = b"K\x01q\0"
    for level in range(60):
        lists += b"](" + (b"h" + bytes((level,))) * 10 + b"eq" + bytes((level + 1,))
        tuples += b"0h" + bytes((level,)) + b"2\x86q" + bytes((level + 1,))
    yield _case(
        "laughs-lists",
        "Lists of ten times the same list, sixty deep.",
        proto(2) + b"(" + lists + b"1h" + bytes((60,)) + b".",
        CLEAN,
        MALFORMED,
        converts=(0, 3),
    )
    yield _case(
        "laughs-tuples",
        "Pairs of the same pair, sixty deep.",
        proto(2) + tuples + b".",
        CLEAN,
        MALFORMED,
        converts=(0, 3),
    )
    yield _case(
        "laughs-key",
        "The same as a key, whose hash would take 2^60 steps.",
        proto(2) + tuples + b"q\x64" + b"0}h\x64K\x01s.",
        CLEAN,
        MALFORMED,
        UNKNOWN,
        converts=(0, 2, 3),
    )
    yield _case(
        "laughs-shown",
        "The same as an argument of a call: the finding must not grow with it.",
        proto(2) + tuples + b"q\x640cos\nsystem\nh\x64\x85R.",
        "dangerous",
    )


def _numbers() -> Iterator[Case]:
    big = (1 << 1600) - 1
    raw = big.to_bytes(201, "little", signed=True)
    yield _case(
        "integer-200-bytes",
        "An integer of 200 bytes, which nobody needs to know.",
        proto(2) + b"\x8a\xc9" + raw + b".",
        CLEAN,
        converts=(0, 3),
    )
    yield _case(
        "integer-10000-digits",
        "A text integer of 10,000 digits.",
        b"L" + b"7" * 10_000 + b"L\n.",
        CLEAN,
        MALFORMED,
        converts=(0, 3),
    )


def _copies() -> Iterator[Case]:
    """Calls that are allowed, and copy the same few bytes again and again."""
    shared = b"B" + struct.pack("<I", 4000) + bytes(4000) + b"q\x010"
    memo, dtype, source = Code(b"h\x01"), Code(b"h\x02"), Code(b"h\x03")
    wide = build(call(name("numpy", "dtype"), "V4000", 0, 1), _dtype_state("|", 4000, 1))
    swapped = build(call(name("numpy", "dtype"), "f4", 0, 1), _dtype_state(">", -1, -1))
    array = build(_empty_array(), tuple_of(1, (1000,), dtype, False, memo))
    moved = call(
        name("torch._utils", "_rebuild_device_tensor_from_numpy"),
        source,
        name("torch", "float64"),
        "cpu",
        False,
    )
    scalar = call(name("numpy.core.multiarray", "scalar"), dtype, memo)
    queue = call(name("collections", "deque"), call(name("builtins", "bytearray"), memo))
    for label, start, part, what in (
        ("deques", b"", queue, "deques of the same bytes"),
        ("scalars", wide + b"q\x020", scalar, "NumPy scalars of the same bytes"),
        ("arrays", swapped + b"q\x020", array, "big-endian arrays over the same bytes"),
        ("moved", swapped + b"q\x020" + array + b"q\x030", moved, "tensors of the same array"),
    ):
        yield _case(
            f"copies-{label}",
            f"A hundred {what}, each of which takes memory of its own.",
            proto(3) + b"](" + shared + start + part * 100 + b"e.",
            UNKNOWN,
            MALFORMED,
        )


def _empty_array() -> Code:
    rebuild = name("numpy.core.multiarray", "_reconstruct")
    return call(rebuild, name("numpy", "ndarray"), (0,), b"b")


def _dtype_state(order: str, size: int, alignment: int) -> Code:
    return tuple_of(3, order, None, None, None, size, alignment, 0)


def _growth() -> Iterator[Case]:
    """Tensors that make PyTorch take memory, before it finds them odd."""
    big = (1_000_000_000,)
    yield _case(
        "storage-grows.pt",
        "A tensor of a billion elements over a storage of four: PyTorch makes the storage larger.",
        torch.legacy({"w": torch.tensor(torch.legacy_storage(4), big, (1,))}, {"1": torch.FOUR}),
        MALFORMED,
        UNKNOWN,
    )
    made = call(name("torch", "FloatStorage"), 4)
    yield _case(
        "storage-made-grows",
        "The same over a storage that a call made.",
        pickle(torch.tensor(made, big, (1,))),
        MALFORMED,
        UNKNOWN,
    )
    rows = b"](" + b"K\x01" * 100 + b"eq\x01"
    for level in range(1, 6):
        rows += b"0](" + (b"h" + bytes((level,))) * 100 + b"eq" + bytes((level + 1,))
    yield _case(
        "storage-laughs",
        "A storage made of lists of a hundred times the same list, six deep.",
        proto(2) + name("torch", "FloatStorage") + rows + b"\x85R.",
        UNKNOWN,
        MALFORMED,
    )


def _depth() -> Iterator[Case]:
    yield _case(
        "deep-lists",
        "Ten thousand lists, one in the other.",
        proto(2) + b"]" * 10_000 + b"a" * 9_999 + b".",
        CLEAN,
        MALFORMED,
        converts=(0, 3),
    )
    yield _case(
        "deep-tuples",
        "Ten thousand tuples, one in the other.",
        proto(2) + b")" + b"\x85" * 10_000 + b".",
        CLEAN,
        MALFORMED,
        converts=(0, 3),
    )
    yield _case(
        "deep-marks",
        "Ten thousand marks, and no STOP.",
        proto(2) + b"(" * 10_000,
    )
    yield _case(
        "deep-calls",
        "Two thousand calls, each the argument of the next.",
        proto(2) + b"cbuiltins\nset\nq\x000" + b"h\0" * 2000 + b")" + b"R\x85" * 1999 + b"R.",
        CLEAN,
        UNKNOWN,
        MALFORMED,
        converts=(0, 2, 3),
    )


def _bombs() -> Iterator[Case]:
    count = 60_000
    packed, size = packing.zeros(count), packing.zeros_size(count)
    yield _case(
        "bomb-gzip.gz",
        f"A gzip file of {size:,} zero bytes.",
        packing.gzip(bytes(size), packed),
        MALFORMED,
        UNKNOWN,
    )
    yield _case(
        "bomb-zip.pt",
        f"A data.pkl that says it is four bytes, and unpacks to {size // 4:,}.",
        zipped(Member("archive/data.pkl", bytes(4), method=8, packed=packing.zeros(count // 4))),
        MALFORMED,
        UNKNOWN,
    )
    yield _case(
        "bomb-claim.pt",
        "A data.pkl that says it unpacks to a tebibyte.",
        zipped(Member("archive/data.pkl", pickle({}), method=8, size=1 << 40)),
        MALFORMED,
        UNKNOWN,
    )
    yield _case(
        "bomb-npz.npz",
        "An array of 2^40 elements in a deflated member that holds none of them.",
        zipped(Member("a.npy", arrays.npy(arrays.describe("<f4", (1 << 40,)), b""), method=8)),
        MALFORMED,
        UNKNOWN,
    )


def _counts() -> Iterator[Case]:
    yield _case(
        "entries-65535.zip",
        "An end record that counts 65,535 members, and one is there.",
        zipped(Member("a", b""), count=65_535),
        MALFORMED,
        UNKNOWN,
    )
    yield _case(
        "numpy-shape.pkl",
        "A NumPy array of 2^62 elements.",
        pickle(arrays.array("f4", (1 << 62,), torch.FOUR), 3),
        CLEAN,
        MALFORMED,
        UNKNOWN,
        converts=(2, 3),
    )
    yield _case(
        "joblib-shape.joblib",
        "A joblib array of 2^62 elements.",
        arrays.joblib("f4", (1 << 62,), torch.FOUR),
        MALFORMED,
        UNKNOWN,
    )
    yield _case(
        "persistent-many.pt",
        "Two hundred tensors of one storage of four elements, each expanded to a million.",
        torch.torch_zip(
            {f"t{i}": torch.tensor(torch.storage(4), (1_000_000,), (0,)) for i in range(200)}
        ),
        CLEAN,
        MALFORMED,
        converts=(3,),
    )
    yield _case(
        "counter-bomb.pkl",
        "`Counter` of a text is counted letter by letter, once.",
        pickle(call(name("collections", "Counter"), Code(text("ab" * 100)))),
        CLEAN,
        UNKNOWN,
        converts=(0, 2, 3),
    )


def cases() -> Iterator[Case]:
    """Every small file that asks for much."""
    yield from _claims()
    yield from _memo()
    yield from _sharing()
    yield from _numbers()
    yield from _copies()
    yield from _growth()
    yield from _depth()
    yield from _bombs()
    yield from _counts()
