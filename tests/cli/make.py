"""Makes the input of the command's test cases: safetensors files, good and bad.

Cases call it as `fixture STATEMENT...`; each argument is run as Python with the
names below. Only the standard library is used, and nothing of the library under
test: the files are written from the format's description.
"""

import json
import os
import struct
import sys
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

BITS = {
    "BOOL": 8,
    "F4": 4,
    "F6_E2M3": 6,
    "F6_E3M2": 6,
    "U8": 8,
    "I8": 8,
    "F8_E5M2": 8,
    "F8_E4M3": 8,
    "F8_E8M0": 8,
    "F8_E4M3FNUZ": 8,
    "F8_E5M2FNUZ": 8,
    "I16": 16,
    "U16": 16,
    "F16": 16,
    "BF16": 16,
    "I32": 32,
    "U32": 32,
    "F32": 32,
    "C64": 64,
    "F64": 64,
    "I64": 64,
    "U64": 64,
}
CODES = {
    "BOOL": "?",
    "U8": "B",
    "I8": "b",
    "I16": "h",
    "U16": "H",
    "F16": "e",
    "I32": "i",
    "U32": "I",
    "F32": "f",
    "F64": "d",
    "I64": "q",
    "U64": "Q",
}
# dtype, shape, bytes
Tensor = tuple[str, list[int], bytes]

NAN = float("nan")
INF = float("inf")


def count(shape: Sequence[int]) -> int:
    product = 1
    for size in shape:
        product *= size
    return product


def t(dtype: str, shape: Sequence[int], values: bytes | Iterable[Any] | None = None) -> Tensor:
    """A tensor: values are numbers, or the bytes themselves; without them, zeros."""
    size = count(shape) * BITS[dtype] // 8
    if values is None:
        data = bytes(size)
    elif isinstance(values, (bytes, bytearray)):
        data = bytes(values)
    else:
        values = list(values)
        data = struct.pack(f"<{len(values)}{CODES[dtype]}", *values)
    assert len(data) == size, (dtype, shape, len(data), size)
    return dtype, list(shape), data


def counted(dtype: str, shape: Sequence[int]) -> Tensor:
    """A tensor of 0, 1, 2, ..."""
    return t(dtype, shape, range(count(shape)))


def small() -> dict[str, Tensor]:
    """The two tensors that most cases use."""
    return {"w": counted("F32", [2, 3]), "b": t("I64", [2], [-1, 7])}


def pack(tensors: Mapping[str, Tensor], metadata: Any = None) -> bytes:
    header: dict[str, Any] = {}
    if metadata is not None:
        header["__metadata__"] = metadata
    data = b""
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {
            "dtype": dtype,
            "shape": shape,
            "data_offsets": [len(data), len(data) + len(content)],
        }
        data += content
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def write(path: str, content: bytes) -> None:
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def save(path: str, tensors: Mapping[str, Tensor] | None = None, metadata: Any = None) -> None:
    write(path, pack(small() if tensors is None else tensors, metadata))


def raw(path: str, header: str | bytes, data: bytes = b"") -> None:
    """A file of exactly this header."""
    text = header if isinstance(header, bytes) else header.encode()
    write(path, struct.pack("<Q", len(text)) + text + data)


def sparse(path: str, dtype: str, shape: Sequence[int], name: str = "w") -> None:
    """A file whose data are zeros that take no room on the disk."""
    size = count(shape) * BITS[dtype] // 8
    text = json.dumps({name: {"dtype": dtype, "shape": shape, "data_offsets": [0, size]}}).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        file.truncate(8 + len(text) + size)


def index(path: str, weight_map: Mapping[str, str], total_size: int | None = None) -> None:
    content: dict[str, Any] = {"metadata": {}, "weight_map": weight_map}
    if total_size is not None:
        content["metadata"]["total_size"] = total_size
    write(path, json.dumps(content).encode())


def sharded(folder: str, metadata: Any = None) -> None:
    """Two shards of 24 and 16 bytes, and their index."""
    names = [f"model-{i:05}-of-00002.safetensors" for i in (1, 2)]
    parts = small()
    for name, tensor in zip(names, parts, strict=True):
        save(f"{folder}/{name}", {tensor: parts[tensor]}, metadata)
    index(folder + "/model.safetensors.index.json", {"w": names[0], "b": names[1]}, 40)


def pickled(value: Any) -> bytes:
    """A value as opcodes; a tuple (storage, elements, offset, shape, strides) is a tensor."""
    if isinstance(value, dict):
        members = b"".join(pickled(key) + pickled(item) for key, item in value.items())
        return b"}(" + members + b"u"
    if isinstance(value, tuple):
        storage, elements, *numbers = value
        key = pickled("storage") + b"ctorch\nFloatStorage\n" + pickled(storage) + pickled("cpu")
        view = b"".join(
            b"(" + b"".join(map(pickled, n)) + b"t" if isinstance(n, list) else pickled(n)
            for n in numbers
        )
        hooks = b"\x89ccollections\nOrderedDict\n)R"
        return b"ctorch._utils\n_rebuild_tensor_v2\n((" + (
            key + pickled(elements) + b"tQ" + view + hooks + b"tR"
        )
    if isinstance(value, int):
        return b"J" + struct.pack("<i", value)
    text = str(value).encode()
    return b"X" + struct.pack("<I", len(text)) + text


def torch(path: str, value: Any, *storages: Sequence[float], extra: bytes = b"") -> None:
    """A checkpoint as torch.save writes it; `extra` stands before the value, and is popped."""
    folder = os.path.dirname(path)
    if folder:
        os.makedirs(folder, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02" + extra + pickled(value) + b".")
        for number, numbers in enumerate(storages):
            data = struct.pack(f"<{len(numbers)}f", *numbers)
            archive.writestr(f"archive/data/{number}", data)
        archive.writestr("archive/version", b"3\n")


def npy(path: str, dtype: str, size: int) -> None:
    """An array of zeros that take no room on the disk."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({size},), }}".ljust(117) + "\n"
    if os.path.dirname(path):
        os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode())
        file.truncate(10 + len(text) + size * int(dtype[2:]))


if __name__ == "__main__":
    for statement in sys.argv[1:]:
        exec(statement)  # noqa: S102 - the cases' own statements
