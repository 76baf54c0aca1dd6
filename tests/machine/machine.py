#!/usr/bin/env python3
"""The machine against CPython's C unpickler: no effect of a pickle may be missed.

machine.py MODULES [COUNT] [FIRST]    MODULES is the folder of the module sft_machine

For each of COUNT streams, CPython resolves globals to inert stubs, which write down what is done
to them; nothing is imported, and nothing runs. What they saw must be the beginning of what the
machine saw, and all of it where CPython came to STOP; then the values must be equal too. Where the
machine comes to STOP, it must also have seen all that happens under the unpickler that is written
in Python, which joblib uses. Stream number N is always the same, so that a finding is repeated by
`machine.py MODULES 1 N`.
"""

from __future__ import annotations

import _pickle
import collections
import copyreg
import gc
import importlib
import io
import os
import pickle
import resource
import struct
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

HERE = Path(__file__).resolve().parent
STUBS = 2000
# Beyond what the interpreter has: the memo is an array, which an index of 2^31 would fill.
MEMORY = 64 << 20
PREFETCH = 131072

NONE, BOOL, INT, BIG_INT, FLOAT, STR, OLD_STR, BYTES, BYTEARRAY = range(9)
LIST, TUPLE, DICT, SET, FROZENSET, GLOBAL, OBJECT, PERSISTENT, EXTENSION, BUFFER = range(9, 19)

# Errors of the stream rather than of its values: the machine must not go on either.
BROKEN = (
    "Ran out of input",
    "pickle data was truncated",
    "stack underflow",
    "unexpected MARK",
    "could not find MARK",
    "Memo value not found",
    "invalid load key",
    "odd number of items",
    "unsupported pickle protocol",
    "EXT specifies code",
    "negative byte count",
    "negative PUT argument",
    "too large to convert to C",
    "maximum",
    "must be quoted",
    "could not convert string",
    "invalid literal for int",
    "escape",
    "Trailing",
    "codec can't decode",
    "must be ASCII",
    "object is required, not 'NoneType'",
    "object is required, not 'int'",
    "object is required, not 'list'",
    "object is required, not 'tuple'",
    "object is required, not 'dict'",
)

Event = tuple[Any, ...]
seen: list[Event] = []
handed_out = 0
stops = 0


def see(event: Event) -> None:
    """Writes an event down; one that repeats the one before it says nothing."""
    if not seen or seen[-1] != event:
        seen.append(event)


class StubType(type):
    """The methods that unpickling may call on a stub."""

    number: int

    def __setstate__(cls, state: object) -> None:
        see(("S", cls.number))

    def append(cls, item: object) -> None:
        see(("A", cls.number))

    def add(cls, item: object) -> None:
        see(("A", cls.number))

    def extend(cls, items: list[object]) -> None:
        # Only the unpickler in Python comes here with nothing.
        if items:
            see(("A", cls.number))

    def __setitem__(cls, key: object, value: object) -> None:
        see(("I", cls.number))


def new_stub(kind: str, *content: Any) -> Any:
    """The next stub, written down."""
    global handed_out
    handed_out += 1
    seen.append((kind, handed_out, *content))
    return pool[handed_out]


class Stub(metaclass=StubType):
    """A class, so that all opcodes take it; calling it gives another one."""

    number = 0

    def __new__(cls, *arguments: object, **keywords: object) -> Any:
        return new_stub("C", cls.number, len(arguments))


pool: list[Any] = [StubType(f"Stub{i}", (Stub,), {"number": i}) for i in range(STUBS)]


class Buffers:
    """Out-of-band buffers without end."""

    def __iter__(self) -> Buffers:
        return self

    def __next__(self) -> bytes:
        see(("B",))
        return bytes(1)


class Inert:
    """Imports nothing."""

    def find_class(self, module: str, name: str) -> Any:
        return new_stub("G", module, name)

    def persistent_load(self, pid: object) -> Any:
        return new_stub("P", pid if type(pid) is str else None)


class Unpickler(Inert, _pickle.Unpickler):
    """The one in C."""


class SlowUnpickler(Inert, pickle._Unpickler):
    """The one in Python."""


class Outcome(NamedTuple):
    """How CPython read a stream."""

    error: str | None  # none: it came to STOP
    position: int
    result: object


def unpickle(data: bytes, peeks: bool, kind: Any = Unpickler) -> Outcome:
    """Lets CPython read it, from a file that can peek (as from memory), or from one that cannot."""
    global handed_out, stops
    handed_out = 0
    seen.clear()
    copyreg._extension_cache.clear()  # type: ignore[attr-defined]
    file: Any = io.BytesIO(data)
    if peeks:
        file = io.BufferedReader(file, len(data) + 1)
    try:
        result = kind(file, encoding="latin1", buffers=Buffers()).load()
    except Exception as error:  # whatever it is, the reading has ended
        return Outcome(f"{type(error).__name__}: {error}", 0, None)
    stops += 1
    return Outcome(None, file.tell(), result)


# ---- values ----


def key_of(kind: int, content: Any) -> Any:
    """What is hashed as itself, else NotImplemented."""
    if kind == NONE:
        return None
    if kind == BOOL:
        return bool(content)
    return content if kind in (INT, FLOAT, STR, OLD_STR, BYTES) else NotImplemented


def big_int_equal(content: bytes, value: int) -> bool:
    """Bytes as LONG1 has them; of a line with more than 128 bits, the text."""
    if int.from_bytes(content, "little", signed=True) == value:
        return True
    try:
        return len(content) > 17 and int(content.split(b"\0")[0], 0) == value
    except ValueError:
        return False


def plain_equal(kind: int, content: Any, value: object) -> bool:
    """Of values without items. Numbers by their bits, for NaN's sake."""
    if kind == FLOAT:
        return type(value) is float and struct.pack("d", value) == struct.pack("d", content)
    if kind == BIG_INT:
        return type(value) is int and big_int_equal(content, value)
    if kind == BYTEARRAY:
        return type(value) in (bytearray, memoryview) and bytes(value) == content  # type: ignore[call-overload]
    if kind == BUFFER:
        return value == bytes(1)
    expected = key_of(kind, content)
    return type(value) is type(expected) and value == expected


def keyed_pairs(nodes: list[Any], content: Any, value: Any) -> Iterator[Any]:
    """A dict's values beside ours, where all keys are plain; False where the keys differ."""
    keys = [key_of(*nodes[ref]) for ref in content[::2]]
    if any(key is NotImplemented or key != key for key in keys):
        return
    ours = dict(zip(keys, content[1::2], strict=True))
    if list(ours) != list(value):
        yield False
        return
    for key, ref in ours.items():
        yield ref, value[key]


def equal(nodes: list[Any], result: int, value: object) -> bool:
    """Whether the graph, from the result on, is what CPython built. It may be deep."""
    todo: list[tuple[int, Any]] = [(result, value)]
    done = set()
    while todo:
        ref, value = todo.pop()
        kind, content = nodes[ref]
        if kind in (GLOBAL, OBJECT, PERSISTENT, EXTENSION):
            if not isinstance(value, StubType):
                return False
            continue
        if kind < LIST or kind == BUFFER:
            if not plain_equal(kind, content, value):
                return False
            continue
        if (ref, id(value)) in done:
            continue
        done.add((ref, id(value)))
        if type(value) is not (list, tuple, dict, set, frozenset)[kind - LIST]:
            return False
        if kind in (LIST, TUPLE):
            if len(content) != len(value):
                return False
            todo.extend(zip(content, value, strict=True))
        elif kind == DICT:
            for pair in keyed_pairs(nodes, content, value):
                if pair is False:
                    return False
                todo.append(pair)
        else:
            keys = [key_of(*nodes[item]) for item in content]
            if not any(key is NotImplemented or key != key for key in keys) and set(keys) != value:
                return False
    return True


# ---- comparing ----


def disagreement(machine: Any, data: bytes, peeks: bool, with_values: bool) -> str | None:
    """What is wrong, or None."""
    stopped, position, straddled, ours = machine.read(data)
    outcome = unpickle(data, peeks)
    if straddled >= 0 and not peeks:
        # From here on it is another pickle for such a file, which is why it is recorded.
        if seen[:straddled] != ours[: min(straddled, len(seen))]:
            return f"before a straddled frame: CPython {seen}, the machine {ours}"
        return None
    if seen != ours[: len(seen)]:
        return f"CPython {seen}, the machine {ours}"
    if outcome.error is not None:
        if len(seen) == len(ours) and not stopped:
            return None
        goes_on = any(words in outcome.error for words in BROKEN)
        return f"the machine went on after {outcome.error}: {ours}" if goes_on else None
    if not stopped or len(seen) != len(ours):
        return f"CPython came to STOP; {len(seen)} of {len(ours)} events"
    if outcome.position != position:
        return f"CPython read up to {outcome.position}, the machine to {position}"
    if with_values:
        built = machine.values(data)
        if built is not None and not equal(built[1], built[0], outcome.result):
            return f"CPython built {outcome.result!r}, the machine {built}"
    return None


def missed_by_python(machine: Any, data: bytes) -> str | None:
    """The same of the unpickler in Python, which calls with arguments that are no tuple, too."""
    stopped, _, straddled, ours = machine.read(data)
    if not stopped or straddled >= 0:
        return None
    unpickle(data, False, SlowUnpickler)
    for theirs, event in zip(seen, ours, strict=False):
        if theirs != event and (event[0] != "C" or event[-1] >= 0 or theirs[:-1] != event[:-1]):
            return f"Python's own {seen}, the machine {ours}"
    return (
        f"Python's own {seen}, the machine no more than {ours}" if len(seen) > len(ours) else None
    )


class Point:
    """A class of the pickles that streams begin with."""

    def __init__(self) -> None:
        self.x = 1


class Slotted:
    """Its state has slots."""

    __slots__ = ("y",)

    def __init__(self) -> None:
        self.y = 2


class Keywords(int):
    """Made with keyword arguments."""

    def __new__(cls, *, z: int = 3) -> Keywords:
        return super().__new__(cls, z)

    def __getnewargs_ex__(self) -> tuple[tuple[()], dict[str, int]]:
        return (), {"z": 4}


class Listing(list[int]):
    """Items are appended to it."""


def seeds() -> list[bytes]:
    """Pickles by every protocol, and those that are committed for other tests."""
    shared = ["a", 1]
    values: list[Any] = [
        [
            1,
            -2,
            300,
            70000,
            2**31,
            2**63,
            -(2**80),
            1.5,
            "text",
            "\xe9\u20ac",
            b"bytes",
            None,
            True,
        ],
        {"a": shared, 2: (shared, ()), (1, 2): {3, 4}, "nested": {"list": [[[]]]}},
        (Point(), collections.OrderedDict(a=Point()), Listing([1, 2])),
        [complex(1, 2), bytearray(b"ab"), frozenset("abc"), range(3), Point, len],
        [f"key{i}" for i in range(40)],
    ]
    found = [pickle.dumps(value, protocol) for value in values for protocol in range(6)]
    newer = (Keywords(z=4), Slotted())
    found += [pickle.dumps(value, protocol) for value in newer for protocol in range(2, 6)]
    for folder in ("streams", "recipes", "names", "benign"):
        for path in sorted((HERE.parent / "files/pickles" / folder).glob("*.pkl")):
            if path.stat().st_size <= 4096:
                found.append(path.read_bytes())
    return found


def report(name: str, data: bytes, what: str) -> None:
    """A finding, for people."""
    print(f"{name}: {what}\n  {data!r}")


def check_seeds(machine: Any, known: list[bytes]) -> int:
    """What the streams begin with, as it stands."""
    failures = 0
    for index, data in enumerate(known):
        for peeks in (True, False):
            what = disagreement(machine, data, peeks, True)
            if what is not None:
                report(f"seed {index}", data, what)
                failures += 1
    return failures


def main() -> int:
    """Tries COUNT streams from FIRST on."""
    if len(sys.argv) < 2:
        print(__doc__, file=sys.stderr)
        return 64
    sys.path.insert(0, sys.argv[1])
    machine = importlib.import_module("sft_machine")

    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    for code in range(1, 256):
        copyreg._inverted_registry[code] = ("extension", str(code))  # type: ignore[attr-defined]
    known = seeds()
    warnings.simplefilter("ignore")
    # Stubs that are garbage in circles are few; looking for them often is what costs time.
    gc.set_threshold(100_000, 10, 10)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))

    # Where a bytearray gets no memory, some versions of CPython print an error of their own.
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    failures = check_seeds(machine, known)
    events = 0
    start = time.monotonic()
    for number in range(first, first + count):
        data = machine.make(known, number)
        what = disagreement(machine, data, number % 8 != 0, number % 4 == 1)
        events += len(seen)
        if what is None and number % 16 == 3:
            what = missed_by_python(machine, data)
        if what is not None:
            report(f"stream {number}", data, what)
            failures += 1
            if failures >= 20:
                break
    seconds = time.monotonic() - start
    print(
        f"{count} streams, {stops} read up to STOP, {events} effects, {failures} disagreements, "
        f"{seconds:.1f} s"
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
