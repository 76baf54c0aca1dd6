"""What torch.save writes: zip archives, the container before them, and the one before that."""

from __future__ import annotations

import struct
from collections.abc import Mapping

from pickles.recipes.archive import Member, tarred, zipped
from pickles.recipes.case import Tensor
from pickles.recipes.ops import BINPERSID, Code, build, call, name, pickle, tuple_of, value

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
SYS_INFO = {
    "protocol_version": PROTOCOL,
    "little_endian": True,
    "type_sizes": {"short": 2, "int": 4, "long": 4},
}

# An OrderedDict without entries, as every tensor has one for its hooks.
HOOKS = call(name("collections", "OrderedDict"))

FOUR = struct.pack("<4f", 1.0, 2.0, 3.0, 4.0)
VECTOR: Tensor = ("F32", (4,), FOUR)
WEIGHT = {"weight": VECTOR}
SIX = struct.pack("<6f", *range(6))


def storage(count: int, key: str = "0", kind: str = "FloatStorage", module: str = "torch") -> Code:
    """A storage by its persistent id, as the zip container has it."""
    parts = ("storage", name(module, kind), key, "cpu", count)
    return Code(tuple_of(*parts) + BINPERSID)


def tensor(
    source: bytes,
    sizes: tuple[int, ...],
    strides: tuple[int, ...],
    offset: int = 0,
    *more: object,
    function: str = "_rebuild_tensor_v2",
) -> Code:
    """A tensor over a storage."""
    rebuild = name("torch._utils", function)
    if function == "_rebuild_tensor":
        return call(rebuild, Code(source), offset, sizes, strides)
    return call(rebuild, Code(source), offset, sizes, strides, False, HOOKS, *more)


def vector(count: int = 4, key: str = "0") -> Code:
    """A vector of F32 that is a whole storage."""
    return tensor(storage(count, key), (count,), (1,))


def parameter(data: bytes) -> Code:
    """A torch.nn.Parameter."""
    return call(name("torch._utils", "_rebuild_parameter"), Code(data), True, HOOKS)


def ordered(items: Mapping[str, object]) -> Code:
    """An OrderedDict, as Module.state_dict() gives it."""
    filled = value(dict(items))[1:] if items else b""
    return Code(call(name("collections", "OrderedDict")) + filled)


def module_state(items: Mapping[str, object]) -> Code:
    """The same with the attribute _metadata that modules leave there."""
    return build(ordered(items), {"_metadata": ordered({"": {"version": 1}})})


def members(
    body: object,
    storages: dict[str, bytes],
    root: str = "archive",
    byteorder: str | None = "little",
) -> list[Member]:
    """The files of a zip checkpoint."""
    found = [Member(f"{root}/data.pkl", pickle(body), aligned=True)]
    if byteorder is not None:
        found.append(Member(f"{root}/byteorder", byteorder.encode(), aligned=True))
    found += [Member(f"{root}/data/{key}", data, aligned=True) for key, data in storages.items()]
    found.append(Member(f"{root}/version", b"3\n", aligned=True))
    found.append(Member(f"{root}/.data/serialization_id", b"0" * 40, aligned=True))
    return found


def torch_zip(body: object, storages: dict[str, bytes] | None = None) -> bytes:
    """A zip checkpoint; without storages one of four floats, named 0."""
    return zipped(*members(body, {"0": FOUR} if storages is None else storages))


def legacy_storage(count: int, key: str = "1", view: object = None) -> Code:
    """A storage by its persistent id, as the legacy container has it."""
    parts = ("storage", name("torch", "FloatStorage"), key, "cpu", count, view)
    return Code(tuple_of(*parts) + BINPERSID)


def legacy(
    body: object,
    storages: dict[str, bytes],
    magic: object = MAGIC,
    info: object = SYS_INFO,
    keys: object = None,
    counts: dict[str, int] | None = None,
) -> bytes:
    """A checkpoint as torch.save wrote it before 1.6."""
    found = pickle(magic) + pickle(PROTOCOL) + pickle(info) + pickle(body)
    found += pickle(sorted(storages) if keys is None else keys)
    for key in sorted(storages):
        count = len(storages[key]) // 4 if counts is None else counts[key]
        found += struct.pack("<q", count) + storages[key]
    return found


def tar(body: object, storages: dict[int, bytes], tensors: list[tuple[int, int, int]]) -> bytes:
    """A checkpoint as PyTorch 0.1 wrote it: `tensors` are (key, storage's key, count)."""
    stored = pickle(len(storages))
    for key, data in storages.items():
        stored += pickle(tuple_of(key, "cpu", name("torch", "FloatStorage")))
        stored += struct.pack("<q", len(data) // 4) + data
    stored += pickle([])  # views of storages
    listed = pickle(len(tensors))
    for key, source, count in tensors:
        listed += pickle(tuple_of(key, source, name("torch", "FloatTensor")))
        listed += struct.pack("<iiqqq", 1, 0, count, 1, 0)
    return tarred(
        ("sys_info", pickle(SYS_INFO)),
        ("pickle", pickle(body)),
        ("tensors", listed),
        ("storages", stored),
    )
