"""Thousands of random attacks: a payload, somehow called, somewhere in a stream, in some container.

None may come out as anything but dangerous. Their harmless twins, with an allowed name in the place
of the payload, must be clean: who calls everything dangerous passes the first test.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import struct
import sys
import time
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from random import Random

from running import run

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "files"))

from pickles.recipes import arrays, torch
from pickles.recipes.archive import Member, tarred, zipped
from pickles.recipes.ops import (
    STACK_GLOBAL,
    Code,
    call,
    frame,
    name,
    pickle,
    proto,
    raw_bytes,
    short_text,
    text,
    value,
)

SEED = int(os.environ.get("SFT_SEED", str(time.time_ns() % 10**9)))
COUNT = int(os.environ.get("SFT_ATTACKS", "6000"))

# Each leaves one value; together they have nearly every opcode that does.
HARMLESS: tuple[bytes, ...] = (
    b"N",
    b"I1\n",
    b"I01\n",
    b"I0x1f\n",
    b"L12L\n",
    b"F1.5\n",
    b"S'a'\n",
    b'S"b\\n"\n',
    b"Va\\u0041\n",
    b"K\x01",
    b"M\x01\x02",
    b"J\x01\x02\x03\x04",
    b"\x8a\x01\x05",
    b"\x8b\x02\0\0\0\x01\x01",
    b"G" + bytes(8),
    b"U\x03c.R",
    b"T\x02\0\0\0ab",
    b"X\x02\0\0\0ab",
    b"\x8c\x02os",
    b"\x8d\x02" + bytes(7) + b"os",
    b"C\x02os",
    b"B\x02\0\0\0os",
    b"\x8e\x02" + bytes(7) + b"os",
    b"\x96\x02" + bytes(7) + b"os",
    b"]",
    b"}",
    b")",
    b"\x8f",
    b"\x88",
    b"\x89",
    b"(l",
    b"(d",
    b"(t",
    b"(K\x01K\x02t",
    b"(K\x01l",
    b"(K\x01K\x02d",
    b"K\x01\x85",
    b"K\x01K\x02\x86",
    b"K\x01K\x02K\x03\x87",
    b"](K\x01K\x02e",
    b"]K\x01a",
    b"}K\x01K\x02s",
    b"}(K\x01K\x02u",
    b"\x8f(K\x01\x90",
    b"(K\x01\x91",
    b"ccollections\nOrderedDict\n)R",
    b"c__builtin__\nset\n]\x85R",
    b"K\x012\x86",
)


# Numbers in the memo that MEMOIZE, which takes the memo's size, does not come to.
KEPT = 70_000


def put(number: int) -> bytes:
    """LONG_BINPUT."""
    return b"r" + struct.pack("<I", KEPT + number)


def get(number: int) -> bytes:
    """LONG_BINGET."""
    return b"j" + struct.pack("<I", KEPT + number)


def noise(rng: Random) -> bytes:
    """Harmless opcodes that leave the stack as it was, and put things into the memo."""
    found = b""
    for _ in range(rng.randrange(5)):
        found += rng.choice(HARMLESS)
        number = rng.randrange(5, 250)
        found += rng.choice(
            (b"", b"q" + bytes((number,)), b"\x94", b"r\0\0\x01\0", b"p%d\n" % number)
        )
        found += rng.choice((b"0", b"200", b"\x850"))
    return found + rng.choice((b"", b"", b"(1"))


def named(rng: Random, module: str, attribute: str) -> bytes:
    """A function on the stack, in one of many ways."""
    kind = rng.randrange(6)
    if kind == 0:
        return name(module, attribute)
    if kind == 1:
        return short_text(module) + noise(rng) + short_text(attribute) + noise(rng) + STACK_GLOBAL
    if kind == 2:
        both = short_text(module) + put(1) + b"0" + short_text(attribute) + put(2) + b"0"
        return both + noise(rng) + get(1) + noise(rng) + get(2) + STACK_GLOBAL
    if kind == 3:
        hidden = "".join(f"\\u{ord(letter):04x}" for letter in module).encode()
        return b"V" + hidden + b"\n" + text(attribute) + STACK_GLOBAL
    if kind == 4:
        return name(module, attribute) + put(3) + b"0" + noise(rng) + b"g%d\n" % (KEPT + 3)
    return b"X" + struct.pack("<I", len(module)) + module.encode() + text(attribute) + STACK_GLOBAL


def called(rng: Random, module: str, attribute: str, argument: bytes) -> bytes:
    """The call, whose result is left, in one of many ways; each works without protocol 4 too."""
    kind = rng.randrange(6)
    function = named(rng, module, attribute)
    if kind == 0:
        return function + argument + b"\x85R"
    if kind == 1:
        return function + b"(" + noise(rng) + argument + b"tR"
    if kind == 2:
        return b"(" + noise(rng) + argument + b"i" + f"{module}\n{attribute}\n".encode()
    if kind == 3:
        return b"(" + function + argument + b"o"
    if kind == 4:
        return argument + b"\x85" + put(4) + b"0" + function + noise(rng) + get(4) + b"R"
    return function + argument + b"\x85\x81"


def stream(rng: Random, payload: bytes) -> Code:
    """A value with the payload somewhere in it."""
    kind = rng.randrange(6)
    before = noise(rng)
    if kind == 0:
        return Code(before + payload)
    if kind == 1:
        return Code(before + payload + b"0" + rng.choice(HARMLESS))
    if kind == 2:
        return Code(before + b"]" + payload + b"a")
    if kind == 3:
        return Code(before + b"}" + text("k") + payload + b"s")
    if kind == 4:
        return Code(before + b"(" + text("a") + payload + text("b") + b"N" + b"d")
    return Code(before + b"(" + payload + rng.choice(HARMLESS) + b"t")


def plain(rng: Random, body: Code) -> bytes:
    """A pickle, with or without PROTO and frames."""
    kind = rng.randrange(4)
    if kind == 0:
        return bytes(body) + b"."
    if kind == 1:
        return proto(rng.randrange(6)) + body + b"."
    if kind == 2:
        return proto(4) + frame(body + b".")
    return proto(5) + frame(noise(rng)) + frame(body) + b"."


def in_zip(rng: Random, body: Code) -> bytes:
    """A member of a checkpoint: data.pkl as often as not."""
    inner = plain(rng, body)
    method = rng.choice((0, 8))
    if rng.random() < 0.5:
        data = Member("archive/data.pkl", inner, method=method)
        return zipped(data, Member("archive/version", b"3"))
    good = torch.members({"weight": torch.vector()}, {"0": torch.FOUR})
    other = Member(f"archive/{rng.choice(('x.pkl', 'notes', 'data/1', 'a/b.bin'))}", inner)
    return zipped(*good, other) if rng.random() < 0.5 else zipped(good[0], other, *good[1:])


def in_numpy_zip(rng: Random, body: Code) -> bytes:
    """An array of objects in an .npz that Python's zipfile wrote."""
    header = "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    buffer = io.BytesIO()
    method = rng.choice((zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr(zipfile.ZipInfo("a.npy"), arrays.npy(header, plain(rng, body)), method)
    return buffer.getvalue()


CONTAINERS: dict[str, Callable[[Random, Code], bytes]] = {
    "plain": plain,
    "second": lambda rng, body: pickle({}) + plain(rng, body),
    "zip": in_zip,
    "npz": in_numpy_zip,
    "npy": lambda rng, body: arrays.npy(
        "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }", plain(rng, body)
    ),
    "gzip": lambda rng, body: gzip.compress(plain(rng, body), mtime=0),
    "zlib": lambda rng, body: zlib.compress(plain(rng, body), rng.choice((1, 6, 9))),
    "legacy": lambda rng, body: torch.legacy(body, {}),
    "legacy info": lambda rng, body: torch.legacy({}, {}, info={"a": body}),
    "tar": lambda rng, body: tarred(("pickle", plain(rng, body)), ("storages", b"")),
    "nested": lambda rng, body: pickle(
        call(name("torch.storage", "_load_from_bytes"), torch.legacy(body, {})), 3
    ),
    "nested text": lambda rng, body: pickle(
        call(
            name("torch.storage", "_load_from_bytes"),
            call(name("_codecs", "encode"), torch.legacy(body, {}).decode("latin1"), "latin1"),
        ),
        2,
    ),
    "joblib": lambda rng, body: arrays.joblib("O8", (1,), plain(rng, body)),
    "joblib behind": lambda rng, body: arrays.joblib("f4", (4,), torch.FOUR, after=b"0" + body),
}
PAYLOADS = (
    ("os", "system", value("true")),
    ("posix", "system", value("true")),
    ("builtins", "eval", value("1+1")),
    ("builtins", "exec", value("pass")),
    ("subprocess", "getoutput", value("true")),
    ("importlib", "import_module", value("os")),
    ("runpy", "_run_code", value("pass")),
    ("pickle", "loads", raw_bytes(b"N.")),
)
TWINS = (
    ("collections", "OrderedDict", value([])),
    ("torch", "Size", value([1, 2])),
    ("torch", "device", value("cpu")),
)


def verdicts(folder: Path) -> dict[str, str]:
    """What is said of each file of a folder."""
    found = run("scan", "--json", folder, timeout=300).document()
    return {Path(each["file"]).name: each["verdict"] for each in found}


def test_attacks(fast_folder: Path) -> None:
    """Every one is dangerous."""
    rng = Random(SEED)
    kinds = list(CONTAINERS)
    for number in range(COUNT):
        kind = kinds[number % len(kinds)]
        payload = called(rng, *rng.choice(PAYLOADS))
        content = CONTAINERS[kind](rng, stream(rng, payload))
        (fast_folder / f"{number:05} {kind}").write_bytes(content)
    found = verdicts(fast_folder)
    assert len(found) == COUNT
    wrong = {file: verdict for file, verdict in found.items() if verdict != "dangerous"}
    print(f"{COUNT} attacks, SFT_SEED={SEED}: {COUNT - len(wrong)} found")
    keep(fast_folder, wrong)
    assert wrong == {}, f"SFT_SEED={SEED}"


def test_twins(fast_folder: Path) -> None:
    """The same with harmless names, as their own picklers write them: clean."""
    rng = Random(SEED)
    for number in range(COUNT // 4):
        module, attribute, argument = TWINS[number % len(TWINS)]
        body = name(module, attribute) + argument + b"\x85R"
        content = plain(rng, Code(body))
        (fast_folder / f"{number:05}").write_bytes(content)
    wrong = {file: each for file, each in verdicts(fast_folder).items() if each != "clean"}
    keep(fast_folder, wrong)
    assert wrong == {}, f"SFT_SEED={SEED}"


def test_every_beginning(fast_folder: Path) -> None:
    """Whatever opcode a stream begins with, it is known for a pickle."""
    payload = b"0cos\nsystem\n(S'true'\ntR."
    for number, first in enumerate(HARMLESS):
        (fast_folder / f"{number:05}").write_bytes(first + payload)
    wrong = {file: each for file, each in verdicts(fast_folder).items() if each != "dangerous"}
    assert {HARMLESS[int(file)] for file in wrong} == set()


def keep(folder: Path, wrong: dict[str, str]) -> None:
    """Leaves what failed where the environment says, for a look at it."""
    where = os.environ.get("SFT_KEEP")
    for file in list(wrong)[:20]:
        if where:
            Path(where, file).write_bytes((folder / file).read_bytes())


def test_special_files(tmp_path: Path) -> None:
    """A folder with a pipe, a broken link, a loop of links, a file that may not be read."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "broken").symlink_to("nowhere")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "up").symlink_to(tmp_path)
    (tmp_path / "folder" / "evil.bin").write_bytes(pickle(call(name("os", "system"), "true")))
    (tmp_path / "folder" / "good.bin").write_bytes(pickle({}))
    ran = run("scan", "--json", tmp_path, timeout=20)
    assert ran.code == 1, ran.err
    found = [each for each in json.loads(ran.out) if "verdict" in each]
    names = {Path(each["file"]).name: each["verdict"] for each in found}
    assert names["evil.bin"] == "dangerous" and names["good.bin"] == "clean"
