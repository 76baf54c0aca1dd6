"""Calls everything that the extension has with arguments at random; ends by itself or by a crash.

    python fuzzer.py SEED SECONDS FILE

Prints nothing but, before each call, what is about to be called, to FILE: after a crash its last
line names the call.
"""

from __future__ import annotations

import contextlib
import gc
import io
import mmap
import os
import pathlib
import sys
import tempfile
import time
from collections.abc import Callable
from random import Random
from typing import Any

from safetensors import _sft
from samples import DTYPES, encode, random_tensors

SPECIAL = ("__enter__", "__exit__", "__init__", "__eq__", "__hash__", "__repr__")


class Index:
    """An integer that does something when asked for."""

    def __init__(self, act: Callable[[], object], value: Any) -> None:
        self.act, self.value = act, value

    def __index__(self) -> Any:
        self.act()
        return self.value

    __fspath__ = __str__ = __index__

    def __repr__(self) -> str:
        return f"Index({self.value!r})"


class Chance:
    """Values and calls at random."""

    def __init__(self, rng: Random, folder: str) -> None:
        self.rng = rng
        self.folder = folder
        self.objects: list[Any] = [_sft]
        self.shared_list: list[Any] = [1, 2]
        self.shared_dict: dict[Any, Any] = {}

    def integer(self) -> int:
        edges = (0, 1, -1, 2, 3, 7, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**70)
        return self.rng.choice(edges) * self.rng.choice((1, 1, 1, -1))

    def text(self) -> str:
        known = ["np", "pt", "cpu", "a", "b", "", "U8", "F32", "float32", "uint8", "mmap", "pread"]
        known += [f"{self.folder}/x", f"{self.folder}/y", "\ud800", "a\0b", "漢", "__metadata__"]
        return self.rng.choice(known)

    def file(self) -> bytes:
        tensors = random_tensors(self.rng, DTYPES[-8:], self.rng.randint(0, 4))
        data = bytearray(encode(tensors, self.rng.choice([None, {}, {"k": "v"}])))
        for _ in range(self.rng.choice((0, 0, 1, 3))):
            data[self.rng.randrange(len(data))] = self.rng.randrange(256)
        return bytes(data)

    def mischief(self) -> object:
        """What runs in the middle of a call."""
        return self.rng.choice((
            self.shared_list.clear, self.shared_dict.clear, gc.collect, self.close_one,
            lambda: self.shared_list.extend([1] * 100), lambda: None, lambda: 1 // 0,
        ))()  # fmt: skip

    def close_one(self) -> None:
        thing = self.rng.choice(self.objects)
        for name in ("__exit__", "abort"):
            if hasattr(thing, name):
                with contextlib.suppress(Exception):
                    getattr(thing, name)(*(None,) * (3 if name == "__exit__" else 0))

    def value(self, depth: int = 0) -> Any:
        """Any argument."""
        pick = self.rng.randrange(26 if depth < 3 else 12)
        match pick:
            case 0 | 1:
                return self.integer()
            case 2 | 3 | 4:
                return self.text()
            case 5:
                return self.rng.choice((None, True, False, 1.5, ..., b"", b"a", object(), int))
            case 6:
                return self.file()
            case 7:
                return Index(self.mischief, self.rng.choice((0, 1, -1, 2**64, "x")))
            case 8:
                return self.rng.choice((bytearray, memoryview))(self.file())
            case 9:
                return self.rng.choice(self.objects)
            case 10:
                return self.rng.choice((self.shared_list, self.shared_dict))
            case 11:
                return pathlib.Path(self.text().replace("\0", ""))
            case 12 | 13 | 14:
                return [self.value(depth + 1) for _ in range(self.rng.randint(0, 3))]
            case 15 | 16:
                return tuple(self.value(depth + 1) for _ in range(self.rng.randint(0, 3)))
            case 17 | 18:
                return slice(*(self.value(3) for _ in range(3)))
            case 19 | 20:
                return {self.text(): self.value(depth + 1) for _ in range(self.rng.randint(0, 3))}
            case 21:
                return {
                    self.text(): {"dtype": self.text(), "shape": self.value(2), "data": b"1234"}
                }
            case 22:
                return [(self.text(), self.text(), self.value(3)) for _ in range(2)]
            case 23:
                return io.BytesIO(self.file())
            case 24:
                view = mmap.mmap(-1, 4096)
                view[:8] = bytes(8)
                return view
            case _:
                return {str(n): self.spec() for n in range(self.rng.randint(0, 3))}

    def spec(self) -> Any:
        """A TensorSpec whose address is good: a wrong one is the caller's own undoing."""
        memory = bytearray(64)
        view = memoryview(memory)
        import ctypes

        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        self.objects.append(view)
        shape = self.rng.choice(([64], [8, 8], [0], [2, 3], [], [2**63]))
        size = self.rng.choice((64, 64, 0, 6, 1))
        return _sft.TensorSpec(dtype="uint8", shape=shape, data_ptr=address, data_len=size)

    def good_call(self) -> Callable[[], Any]:
        """A call that makes an object that others may use."""
        path = f"{self.folder}/x"
        return self.rng.choice((
            lambda: _sft.safe_open(path, "np"),
            lambda: _sft.safe_open(path, "np", backend="mmap"),
            lambda: _sft._safe_open_handle(io.BytesIO(self.file()), "np"),
            lambda: _sft.open_bytes(self.file(), "np", copy=self.rng.random() < 0.5),
            lambda: _sft.safe_open(path, "np").get_slice("a"),
            lambda: _sft.StreamWriter(f"{self.folder}/y", [("a", "U8", [4])]),
            self.spec,
        ))  # fmt: skip

    def any_call(self) -> tuple[str, Callable[[], Any]]:
        """A call of anything with any arguments, and its name."""
        owner = self.rng.choice(self.objects)
        names = [name for name in dir(owner) if self.wanted(owner, name)]
        arguments = [self.value() for _ in range(self.rng.choice((0, 1, 1, 2, 3, 4)))]
        keywords = {}
        if self.rng.random() < 0.3:
            known = ("backend", "device", "metadata", "copy", "filename", "framework", "name")
            keywords = {self.rng.choice(known): self.value()}
        if self.rng.random() < 0.3 and hasattr(owner, "__getitem__") and owner is not _sft:
            index = self.value()
            return f"{owner!r}[...]", lambda: owner[index]
        if not names:
            return "nothing", lambda: None
        name = self.rng.choice(names)
        found = getattr(owner, name)
        if not callable(found):
            return f"{owner!r}.{name}", lambda: repr(found)
        return f"{owner!r}.{name} {arguments!r:.2000} {keywords!r:.500}", lambda: found(
            *arguments, **keywords
        )

    def wanted(self, owner: Any, name: str) -> bool:
        """Whether a name is called: what is ours, and not TensorSpec, whose addresses are free."""
        if owner is _sft:
            return name != "TensorSpec" and callable(getattr(_sft, name, None))
        ours = type(owner).__module__.startswith("safetensors") or "safe" in type(owner).__name__
        return ours and (not name.startswith("__") or name in SPECIAL)


def main() -> None:
    """Calls until the time is over."""
    seed, seconds, log = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    rng = Random(seed)
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, pathlib.Path(log).open("w") as out:
        os.chdir(folder)
        chance = Chance(rng, folder)
        calls = 0
        while time.monotonic() < end:
            pathlib.Path(f"{folder}/x").write_bytes(chance.file())
            for _ in range(50):
                calls += 1
                with contextlib.suppress(Exception):
                    if rng.random() < 0.2:
                        chance.objects.append(chance.good_call()())
                        continue
                    name, call = chance.any_call()
                    out.seek(0)
                    out.truncate()
                    out.write(f"{seed} {calls} {name}\n")
                    out.flush()
                    made = call()
                    if type(made).__module__.startswith("safetensors"):
                        chance.objects.append(made)
            del chance.objects[1 : max(1, len(chance.objects) - 30)]
            if not chance.shared_list:
                chance.shared_list += [1, 2]
        out.seek(0)
        out.truncate()
        out.write(f"done {calls}\n")


if __name__ == "__main__":
    main()
