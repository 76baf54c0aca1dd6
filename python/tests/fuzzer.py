"""Calls everything that the extension has with arguments at random; ends by itself or by a crash.

    python fuzzer.py SEED SECONDS THREADS FILE

Several threads call the same objects. Before each call FILE is told what is about to be called:
after a crash of a single thread it names the call. At the end it says how many calls there were,
and how many of them returned.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import io
import mmap
import os
import pathlib
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from random import Random
from typing import Any

from safetensors import _sft
from samples import DTYPE, PLAIN, encode, random_shape, random_tensor

Maker = Callable[[], Any]
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


class Reader(io.BytesIO):
    """A file in memory that does something when read."""

    act: Callable[[], object]

    def read(self, size: int | None = -1, /) -> bytes:
        self.act()
        return super().read(size)


class Chance:
    """Values and calls at random."""

    def __init__(self, rng: Random, folder: str, objects: list[Any]) -> None:
        self.rng = rng
        self.folder = folder
        self.objects = objects
        self.memory: list[Any] = []
        self.shared_list: list[Any] = [1, 2]
        self.shared_dict: dict[Any, Any] = {}

    # ---- values that a call expects ----

    def name(self) -> str:
        return self.rng.choice(("a", "b", "b", "b", "c", "absent"))

    def path(self) -> Any:
        path = f"{self.folder}/{self.rng.choice('xy')}"
        return self.rng.choice((path, pathlib.Path(path), path, f"{self.folder}/absent"))

    def framework(self) -> str:
        return self.rng.choice(("np", "np", "np", "numpy", "numpy", "absent"))

    def backend(self) -> Any:
        return self.rng.choice((None, "mmap", "pread"))

    def device(self) -> Any:
        return self.rng.choice(("cpu", "cpu", "cpu", None, "cuda"))

    def metadata(self) -> Any:
        return self.rng.choice((None, {}, {"k": "v"}, {"a": "1", "b": ""}))

    def file(self) -> bytes:
        """A file's bytes, sometimes damaged."""
        tensors = {
            name: random_tensor(self.rng, self.rng.choice(PLAIN), random_shape(self.rng))
            for name in ("a", "b", "c")[: self.rng.randint(1, 3)]
        }
        tensors["b"] = random_tensor(self.rng, DTYPE["F32"], (4, 5))
        data = bytearray(encode(tensors, self.metadata()))
        for _ in range(self.rng.choice((0, 0, 0, 0, 1, 3))):
            data[self.rng.randrange(len(data))] = self.rng.randrange(256)
        return bytes(data)

    def buffer(self) -> Any:
        data = self.file()
        kind = self.rng.randrange(5)
        if kind == 4:
            view = mmap.mmap(-1, len(data))
            view[:] = data
            return view
        return (data, data, bytearray(data), memoryview(data))[kind]

    def reader(self) -> Any:
        if self.rng.random() < 0.3:
            return pathlib.Path(f"{self.folder}/x").open("rb")
        reader = Reader(self.file())
        reader.act = self.mischief if self.rng.random() < 0.3 else lambda: None
        return reader

    def index(self) -> Any:
        """What a slice may be asked for."""
        bound = (None, 0, 1, 2, 3, 5, -1, 2**40)
        part: tuple[Any, ...] = (
            self.rng.randint(-5, 5),
            slice(*(self.rng.choice(bound) for _ in range(3))),
            ...,
            slice(self.rng.randint(0, 2), self.rng.randint(2, 4)),
            [],
            Index(self.mischief, 1),
        )
        parts = tuple(self.rng.choice(part) for _ in range(self.rng.randint(0, 3)))
        return parts if self.rng.random() < 0.5 else self.rng.choice(part)

    def spec(self) -> Any:
        """A TensorSpec whose address is good: a wrong one is the caller's own undoing."""
        memory = bytearray(64)
        self.memory.append(memory)
        address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        pairs: tuple[tuple[list[int], int], ...] = (
            ([64], 64),
            ([8, 8], 64),
            ([0], 0),
            ([2, 3], 6),
            ([], 1),
            ([2**63], 6),
            ([], 64),
        )
        shape, size = self.rng.choice(pairs)
        return _sft.TensorSpec(dtype="uint8", shape=shape, data_ptr=address, data_len=size)

    def mapping(self) -> Any:
        """A tensor as serialize() took it up to 0.7."""
        shapes: tuple[Any, ...] = ([4], [2, 2], [Index(self.mischief, 4)], [], self.shared_list)
        data = self.rng.choice((b"1234", b"1234", bytearray(4), b"1"))
        return {"dtype": "uint8", "shape": self.rng.choice(shapes), "data": data}

    def tensors(self) -> Any:
        make = self.rng.choice((self.spec, self.mapping))
        return {self.name(): make() for _ in range(self.rng.randint(0, 3))}

    def specs(self) -> Any:
        shapes: tuple[Any, ...] = ([4], [0], [2, 2], [Index(self.mischief, 2)])
        return [(name, "U8", self.rng.choice(shapes)) for name in "ab"[: self.rng.randint(0, 2)]]

    # ---- any values ----

    def mischief(self) -> object:
        """What runs in the middle of a call."""
        return self.rng.choice((
            self.shared_list.clear, self.shared_dict.clear, gc.collect, self.end_one,
            lambda: self.shared_list.extend([1] * 100), lambda: None, lambda: 1 // 0,
        ))()  # fmt: skip

    def end_one(self) -> None:
        """Closes a file, ends a writer, or forgets an object."""
        thing = self.rng.choice(list(self.objects) or [None])
        with contextlib.suppress(Exception):
            if hasattr(thing, "__exit__"):
                thing.__exit__(None, None, None)
            elif hasattr(thing, "abort"):
                thing.abort()
            else:
                self.objects.remove(thing)

    def anything(self, depth: int = 0) -> Any:
        """Any argument at all."""
        edges = (0, 1, -1, 2, 3, 7, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**70)
        texts = ("", "U8", "F32", "float32", "\ud800", "a\0b", "漢", "__metadata__", self.folder)
        plain: tuple[Maker, ...] = (
            lambda: self.rng.choice(edges) * self.rng.choice((1, 1, -1)),
            lambda: self.rng.choice(texts),
            lambda: self.rng.choice((None, True, 1.5, ..., b"", b"a", object(), int)),
            lambda: Index(self.mischief, self.rng.choice((0, 1, -1, 2**64, "x"))),
            lambda: self.rng.choice(list(self.objects) or [None]),
            lambda: self.rng.choice((self.shared_list, self.shared_dict)),
            self.buffer, self.reader, self.index, self.spec, self.tensors, self.specs, self.path,
        )  # fmt: skip
        if depth > 2 or self.rng.random() < 0.7:
            return self.rng.choice(plain)()
        some = [self.anything(depth + 1) for _ in range(self.rng.randint(0, 3))]
        return self.rng.choice((some, tuple(some), {self.name(): item for item in some}))

    # ---- calls ----

    def recipes(self) -> list[tuple[str, Callable[..., Any], tuple[Maker, ...]]]:
        """What can be called now, with what it expects."""
        opening = (self.framework, self.device)
        calls: list[tuple[str, Callable[..., Any], tuple[Maker, ...]]] = [
            ("safe_open", _sft.safe_open, (self.path, *opening)),
            ("safe_open", self.open_with_backend, (self.path, self.framework, self.backend)),
            ("_safe_open_handle", _sft._safe_open_handle, (self.reader, *opening)),
            ("open_bytes", _sft.open_bytes, (self.buffer, *opening)),
            ("open_bytes", self.open_views, (self.buffer, self.framework)),
            ("deserialize", _sft.deserialize, (self.buffer,)),
            ("serialize", _sft.serialize, (self.tensors, self.metadata)),
            ("serialize_file", _sft.serialize_file, (self.tensors, self.path, self.metadata)),
            ("StreamWriter", _sft.StreamWriter, (self.path, self.specs, self.metadata)),
        ]
        there = list(self.objects)  # Other threads may change it.
        for thing in self.rng.sample(there, min(4, len(there))):
            kind = type(thing).__name__
            for name in dir(thing):
                if self.rng.random() < self.share(name):
                    expected = self.expected(name)
                    calls.append((f"{kind}.{name}", self.method(thing, name), expected))
            if hasattr(thing, "__getitem__"):
                calls += [(f"{kind}[]", thing.__getitem__, (self.index,))] * 4
        return calls

    def share(self, name: str) -> float:
        """How often a method is tried: seldom what ends an object or does little."""
        if name in ("__exit__", "abort", "commit") or name in SPECIAL:
            return 0.05
        return 0 if name.startswith("__") else 1

    def open_with_backend(self, path: Any, framework: Any, backend: Any) -> Any:
        return _sft.safe_open(path, framework, backend=backend)

    def open_views(self, data: Any, framework: Any) -> Any:
        return _sft.open_bytes(data, framework, copy=False)

    def method(self, thing: Any, name: str) -> Callable[..., Any]:
        """A method; an attribute is read when it is called."""

        def call(*arguments: Any) -> Any:
            found = getattr(thing, name)
            return found(*arguments) if callable(found) else repr(found)

        return call

    def expected(self, name: str) -> tuple[Maker, ...]:
        """What a method expects."""
        none: Maker = lambda: None  # noqa: E731
        piece: Maker = lambda: self.rng.choice((b"1234", b"", bytearray(2), b"12"))  # noqa: E731
        known: dict[str, tuple[Maker, ...]] = {
            "get_tensor": (self.name,),
            "get_slice": (self.name,),
            "__exit__": (none, none, none),
            "__eq__": (none,),
            "put": (self.name, piece, lambda: self.rng.choice((0, 0, 0, 2, 9))),
        }
        return known.get(name, ())

    def call(self) -> tuple[str, Callable[[], Any]]:
        """One call and how to tell of it: mostly as expected, else with anything in its place."""
        label, function, makers = self.rng.choice(self.recipes())
        arguments = [make() if self.rng.random() < 0.85 else self.anything() for make in makers]
        if self.rng.random() < 0.05:
            arguments.append(self.anything())
        if arguments and self.rng.random() < 0.03:
            arguments.pop()
        return f"{label} {arguments!r:.3000}", lambda: function(*arguments)


def run(chance: Chance, out: Any, end: float, counts: list[tuple[int, int]]) -> None:
    """Calls until the time is over. Then adds the number of calls, and of those that returned."""
    calls = returned = 0
    while time.monotonic() < end:
        for name in "xy":
            path = pathlib.Path(f"{chance.folder}/{name}")
            path.unlink(missing_ok=True)
            path.write_bytes(chance.file())
        for _ in range(60):
            calls += 1
            label, call = chance.call()
            out.seek(0)
            out.truncate()
            out.write(f"{calls} {label}\n")
            out.flush()
            with contextlib.suppress(Exception):
                made = call()
                returned += 1
                if type(made).__module__.startswith("safetensors"):
                    chance.objects.append(made)
        del chance.objects[: max(0, len(chance.objects) - 30)]
        del chance.memory[: max(0, len(chance.memory) - 3000)]
        if not chance.shared_list:
            chance.shared_list += [1, 2]
    counts.append((calls, returned))


def main() -> None:
    """Calls as the command line says."""
    seed, seconds, count, log = int(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    objects: list[Any] = []
    counts: list[tuple[int, int]] = []
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder, pathlib.Path(log).open("w") as out:
        os.chdir(folder)
        threads = []
        for number in range(count):
            place = pathlib.Path(folder) / str(number)
            place.mkdir()
            chance = Chance(Random(f"{seed} {number}"), str(place), objects)
            told = out if number == 0 else io.StringIO()
            threads.append(threading.Thread(target=run, args=(chance, told, end, counts)))
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        out.seek(0)
        out.truncate()
        assert len(counts) == count, "a thread ended early"
        out.write(f"done {sum(c for c, _ in counts)} {sum(r for _, r in counts)}\n")


if __name__ == "__main__":
    main()
