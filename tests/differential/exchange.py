"""Files that the two write: the same bytes, and each reads the other's."""

from __future__ import annotations

import ctypes
import json
import subprocess
from pathlib import Path
from random import Random
from typing import Any

from library import Library, Tensor
from safetensors import SafetensorError, TensorSpec, deserialize, serialize, serialize_file

# The peer's writer takes names of frameworks; it knows none for the types of 6 bits.
WRITABLE = {
    "BOOL": "bool",
    "F4": "float4_e2m1fn_x2",
    "U8": "uint8",
    "I8": "int8",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E8M0": "float8_e8m0fnu",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "I16": "int16",
    "U16": "uint16",
    "F16": "float16",
    "BF16": "bfloat16",
    "I32": "int32",
    "U32": "uint32",
    "F32": "float32",
    "C64": "complex64",
    "F64": "float64",
    "I64": "int64",
    "U64": "uint64",
}
BITS = {"F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "BOOL": 8, "BF16": 16}
LETTERS = (
    "ab.w0_ /\\\"'\t\n\x00\x01\x1f\x7f\u00e9\u07ff\u0800\u2028\ufeff\uffff\U0001f600\U0010ffff"
)


# A tensor as it was read: name, dtype, shape, bytes.
Read = tuple[str, str, list[int], bytes]


def bits_of(dtype: str) -> int:
    """Bits of an element."""
    if dtype in BITS:
        return BITS[dtype]
    digits = "".join(c for c in dtype.split("_")[0] if c.isdigit())
    return int(digits)


def text(rng: Random) -> str:
    """A name, or a value: often plain, sometimes with everything that must be escaped."""
    letters = LETTERS if rng.random() < 0.5 else "abcdefgh.0123"
    return "".join(rng.choice(letters) for _ in range(rng.randrange(8)))


def tensor(rng: Random, name: str, dtype: str) -> Tensor:
    """A tensor of a random shape and random bytes."""
    shape = [rng.randrange(5) for _ in range(rng.randrange(4))]
    if bits_of(dtype) < 8:
        shape.append(4 * rng.randrange(3))
    count = bits_of(dtype)
    for dimension in shape:
        count *= dimension
    return Tensor(name, dtype, shape, rng.randbytes(count // 8))


def model(rng: Random, dtypes: list[str]) -> list[Tensor]:
    """Up to seven tensors in no order, of names that differ."""
    names = list(dict.fromkeys(text(rng) for _ in range(rng.randrange(8))))
    return [tensor(rng, name, rng.choice(dtypes)) for name in names]


def specs(tensors: list[Tensor]) -> tuple[dict[str, TensorSpec], list[Any]]:
    """The tensors as the peer takes them, and what must live until it has written them."""
    keep: list[Any] = []
    found = {}
    for each in tensors:
        buffer = ctypes.create_string_buffer(each.data, max(len(each.data), 1))
        keep.append(buffer)
        shape = list(each.shape)
        if each.dtype == "F4":
            shape[-1] //= 2  # the framework counts bytes; the peer doubles it again
        found[each.name] = TensorSpec(
            dtype=WRITABLE[each.dtype],
            shape=shape,
            data_ptr=ctypes.addressof(buffer),
            data_len=len(each.data),
        )
    return found, keep


def as_read(tensors: list[Tensor]) -> list[Read]:
    """What a reader must find, in a fixed order."""
    return sorted((t.name, t.dtype, t.shape, t.data) for t in tensors)


def read_by_peer(content: bytes) -> list[Read]:
    """What the peer finds."""
    return sorted((n, v["dtype"], v["shape"], bytes(v["data"])) for n, v in deserialize(content))


def read_by_library(library: Library, content: bytes) -> list[Read]:
    """What the library finds."""
    status = library.verdict(content)
    if status != 0:
        raise ValueError(f"the library refuses it: {library.status_name(status)}")
    start = 8 + int.from_bytes(content[:8], "little")
    return sorted(
        (name, dtype, shape, content[start + begin : start + end])
        for name, (dtype, shape, begin, end) in library.tensors()
    )


def same_bytes(library: Library, rounds: int, folder: Path, rng: Random) -> list[str]:
    """Both write random models; without or with one key of metadata the bytes are the same."""
    differences = []
    on_disk = 0
    for number in range(rounds):
        tensors = model(rng, list(WRITABLE))
        metadata = {text(rng): text(rng)} if rng.random() < 0.5 else None
        theirs_specs, keep = specs(tensors)
        theirs = serialize(theirs_specs, metadata)
        ours = library.encode(tensors, metadata)
        if number % 20 == 0:
            on_disk += 1
            library.write(str(folder / "ours"), tensors, metadata)
            serialize_file(theirs_specs, str(folder / "theirs"), metadata)
            if (folder / "ours").read_bytes() != ours:
                differences.append(f"sft_write and sft_encode differ: {tensors} {metadata}")
            if (folder / "theirs").read_bytes() != (folder / "ours").read_bytes():
                differences.append(f"the files differ: {tensors} {metadata}")
        del keep
        if ours != theirs:
            differences.append(f"the bytes differ: {tensors} {metadata}")
    print(f"written by both: {rounds} models in memory, {on_disk} on disk, the same bytes")
    return differences


def each_other(library: Library, rounds: int, rng: Random) -> list[str]:
    """Each reads what the other wrote, here with any number of metadata keys and all dtypes."""
    differences = []
    for _ in range(rounds):
        metadata = {text(rng): text(rng) for _ in range(rng.randrange(1, 5))}
        tensors = model(rng, library.dtypes)
        if read_by_peer(library.encode(tensors, metadata)) != as_read(tensors):
            differences.append(f"the peer reads something else: {tensors} {metadata}")
        tensors = model(rng, list(WRITABLE))
        theirs_specs, keep = specs(tensors)
        content = serialize(theirs_specs, metadata)
        del keep
        if read_by_library(library, content) != as_read(tensors):
            differences.append(f"the library reads something else: {tensors} {metadata}")
    print(f"read by the other: {rounds} models each way, the same tensors")
    return differences


def printed_otherwise(command: str, path: Path, found: list[Read]) -> list[str]:
    """Whether the command lists and prints something else than was found in a file."""
    differences = []
    listed = subprocess.run([command, "ls", "--json", str(path)], capture_output=True, check=False)
    document = json.loads(listed.stdout)
    if sorted((t["name"], t["dtype"], t["shape"]) for t in document["tensors"]) != [
        (name, dtype, shape) for name, dtype, shape, _ in found
    ]:
        differences.append(f"{path}: sft ls --json lists {document}")
    for name, _, _, data in found:
        cat = subprocess.run([command, "cat", str(path), name], capture_output=True, check=False)
        if cat.stdout != data:
            differences.append(f"{path}: sft cat prints other bytes of {name}")
    return differences


def real_files(library: Library, command: str | None, folder: Path) -> list[str]:
    """Files of other people's making: both read the same from them, or both refuse them."""
    differences = []
    read, refused = 0, 0
    for path in sorted(folder.glob("*")):
        content = path.read_bytes()
        try:
            theirs = read_by_peer(content)
        except SafetensorError:
            refused += 1
            if library.verdict(content) == 0:
                differences.append(f"{path}: the library reads what the peer refuses")
            continue
        read += 1
        if read_by_library(library, content) != theirs:
            differences.append(f"{path}: the library reads something else")
        if command:
            differences += printed_otherwise(command, path, theirs)
    if read == 0:
        print(f"skipped: no real checkpoints in {folder}: set SFT_TEST_DATA")
    else:
        print(f"real checkpoints: {read} read alike, {refused} of other formats refused by both")
    return differences


def by_command(command: str, folder: Path, rng: Random) -> list[str]:
    """The command lists and prints a file of every dtype that the peer wrote."""
    tensors = [Tensor(f"t.{d}", d, [2, 4], rng.randbytes(bits_of(d))) for d in WRITABLE]
    theirs_specs, keep = specs(tensors)
    path = folder / "every-dtype.safetensors"
    metadata = {"made": "by the peer", "": "\0\n\u00e9", "\U0001f600": '"\\'}
    serialize_file(theirs_specs, str(path), metadata)
    del keep
    differences = printed_otherwise(command, path, as_read(tensors))
    listed = subprocess.run([command, "ls", "--json", str(path)], capture_output=True, check=False)
    told = json.loads(listed.stdout)["metadata"]
    if told != metadata:
        differences.append(f"sft ls --json tells the metadata {told}")
    print(f"sft ls --json and sft cat: {len(tensors)} dtypes as the peer wrote them")
    return differences
