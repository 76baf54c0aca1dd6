"""Checkpoints as torch.save writes them, of any size, without PyTorch: all their numbers are 0."""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

BLOCK = bytes(1 << 20)


class Tensor(NamedTuple):
    """A tensor of float32 that has a storage to itself."""

    name: str
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    @property
    def elements(self) -> int:
        return math.prod(self.shape)


def text(value: str) -> bytes:
    """BINUNICODE"""
    return b"X" + len(value).to_bytes(4, "little") + value.encode()


def number(value: int) -> bytes:
    """LONG1"""
    digits = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(digits)]) + digits


def numbers(values: Iterable[int]) -> bytes:
    """MARK, the numbers, TUPLE"""
    return b"(" + b"".join(map(number, values)) + b"t"


def pickle_of(tensors: list[Tensor]) -> bytes:
    """An OrderedDict of name to tensor, in the order of torch's reducers."""
    empty = b"ccollections\nOrderedDict\n)R"
    made = b"\x80\x02" + empty + b"("
    for key, tensor in enumerate(tensors):
        storage = text("storage") + b"ctorch\nFloatStorage\n" + text(str(key)) + text("cpu")
        storage = b"(" + storage + number(tensor.elements) + b"tQ"
        place = number(0) + numbers(tensor.shape) + numbers(tensor.strides)
        made += text(tensor.name) + b"ctorch._utils\n_rebuild_tensor_v2\n"
        made += b"(" + storage + place + b"\x89" + empty + b"tR"
    return made + b"u."


def write(path: Path, tensors: list[Tensor]) -> None:
    """Writes them, each storage a member of the archive."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model/data.pkl", pickle_of(tensors))
        archive.writestr("model/byteorder", "little")
        for key, tensor in enumerate(tensors):
            left = 4 * tensor.elements
            with archive.open(f"model/data/{key}", "w", force_zip64=True) as member:
                while left > 0:
                    left -= member.write(BLOCK[:left])
        archive.writestr("model/version", "3\n")
