"""Hostile files that are too large to be committed: each refused in under a second and 256 MiB."""

from __future__ import annotations

import gzip
import io
import json
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from running import assert_cheap, convert, left_in, scan

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "files"))

from pickles.recipes import torch
from pickles.recipes.archive import Member, tarred, zipped
from pickles.recipes.ops import (
    PAYLOAD,
    Code,
    build,
    call,
    name,
    pickle,
    proto,
    text,
    tuple_of,
    value,
)

MIB = 1 << 20


def entries(count: int) -> bytes:
    """A zip archive of empty members, put together fast."""
    local = struct.Struct("<IHHHHHIIIHH")
    central = struct.Struct("<IHHHHHHIIIHHHHHII")
    body, directory = bytearray(), bytearray()
    for number in range(count):
        name = b"%07d" % number
        directory += central.pack(
            0x02014B50, 20, 20, 0, 0, 0, 0x21, 0, 0, 0, 7, 0, 0, 0, 0, 0, len(body)
        )
        directory += name
        body += local.pack(0x04034B50, 20, 0, 0, 0, 0x21, 0, 0, 0, 7, 0) + name
    at = len(body)
    record = struct.pack(
        "<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, len(directory), at
    )
    locator = struct.pack("<IIQI", 0x07064B50, 0, at + len(directory), 1)
    end = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return bytes(body + directory) + record + locator + end


def deflated(size: int, block: bytes = bytes(MIB)) -> bytes:
    """A block of a mebibyte again and again, deflated a thousandfold."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    # What is flushed in full stands for itself: it may be repeated.
    packed = packer.compress(block) + packer.flush(zlib.Z_FULL_FLUSH)
    return packed * (size // MIB) + packer.flush()


def bomb_member(name: str, size: int, declared: int) -> bytes:
    """A checkpoint one of whose members unpacks to `size` zero bytes."""
    packed = deflated(size)
    member = Member(name, b"", method=8, packed=packed, size=declared, crc=0)
    if name.endswith("data.pkl"):
        return zipped(member)
    return zipped(Member("archive/data.pkl", pickle({"weight": torch.vector()})), member)


def bomb_of_opcodes(archive: bool) -> bytes:
    """A pickle of a GiB that does nothing, NONE and POP, packed to a mebibyte."""
    block = b"N0" * (MIB // 2)
    packed = deflated(1024 * MIB, block)
    if archive:
        size = 1024 * MIB
        return zipped(Member("archive/data.pkl", b"", method=8, packed=packed, size=size, crc=0))
    return gzip.compress(block * 8, mtime=0) * 128


def laughs(levels: int) -> bytes:
    """Dicts that share their parts, around one tensor."""
    stream = b"}(" + text("x") + torch.vector() + b"uq\x01"
    for level in range(1, levels + 1):
        part = b"h" + bytes((level,))
        stream += b"0}(" + text("l") + part + text("r") + part + b"uq" + bytes((level + 1,))
    return torch.torch_zip(Code(stream))


def gzip_bomb() -> bytes:
    """4 GiB in gzip of gzip."""
    once = gzip.compress(bytes(8 * MIB), mtime=0)
    return gzip.compress(once * 512, mtime=0)


def nested_zip() -> bytes:
    """Archives in archives, each with ten times the next."""
    inner = b"\0" * MIB
    for _ in range(6):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
            for number in range(10):
                archive.writestr(zipfile.ZipInfo(f"{number}"), inner, zipfile.ZIP_DEFLATED)
        inner = buffer.getvalue()
    return inner


def dotted_names() -> bytes:
    """A name of two thousand steps that is looked up again and again."""
    return proto(4) + text("a." * 2000) + b"q\x000" + b"h\0h\0\x930" * 150_000 + b"N."


def shared_fields(count: int) -> bytes:
    """Structured dtypes that share their many fields."""
    names = [f"f{number}" for number in range(256)]
    field = tuple_of(call(name("numpy", "dtype"), "f4", 0, 1), 0)
    stream = tuple_of(*names) + b"q\x010" + value(dict.fromkeys(names, field)) + b"q\x020"
    made = call(name("numpy", "dtype"), "V8", 0, 1)
    state = tuple_of(3, "|", None, Code(b"h\x01"), Code(b"h\x02"), 8, 1, 0)
    return proto(2) + stream + (build(made, state) + b"0") * count + b"N."


DEEP = 100_000

# Everything here is refused, or so harmless that it is clean; nothing takes long.
BOMBS: dict[str, Callable[[], bytes]] = {
    "million entries": lambda: entries(1_000_000),
    "more than a million entries": lambda: entries(1_000_001),
    "deflate bomb, data.pkl": lambda: bomb_member("archive/data.pkl", 1024 * MIB, 100),
    "deflate bomb, data.pkl, true size": lambda: bomb_member(
        "archive/data.pkl", 1024 * MIB, 1024 * MIB
    ),
    "deflate bomb, storage": lambda: bomb_member("archive/data/0", 1024 * MIB, 16),
    "deflate bomb, 2^40 claimed": lambda: bomb_member("archive/data/0", MIB, 1 << 40),
    "deflate bomb, opcodes": lambda: bomb_of_opcodes(True),
    "gzip bomb, opcodes": lambda: bomb_of_opcodes(False),
    "gzip of gzip": gzip_bomb,
    "zip of zips": nested_zip,
    "nested lists": lambda: proto(2) + b"]" * DEEP + b"a" * (DEEP - 1) + b".",
    "nested dicts": lambda: proto(2) + b"}K\x01" * DEEP + b"}" + b"s" * DEEP + b".",
    "nested tuples": lambda: proto(2) + b")" + b"\x85" * DEEP + b".",
    "nested marks": lambda: proto(2) + b"(" * DEEP + b"l" * (DEEP - 1) + b".",
    "nested calls": lambda: (
        proto(2) + b"cbuiltins\nlist\nq\x000" + b"h\0" * DEEP + b")R" + b"\x85R" * (DEEP - 1) + b"."
    ),
    "nested frames": lambda: proto(4) + b"\x95\0\0\0\0\0\0\0\0" * DEEP + b"}.",
    "billion laughs": lambda: laughs(200),
    "dotted names": dotted_names,
    "shared fields": lambda: shared_fields(10_000),
    "doubled stack": lambda: proto(2) + b"]" + b"2" * (4 * MIB) + b".",
    "one list, many times": lambda: proto(2) + b"](" + b"]q\x00" + b"h\0" * (2 * MIB) + b"e.",
    "many dicts": lambda: proto(2) + b"](" + b"}" * (4 * MIB) + b"e.",
    "many puts": lambda: (
        proto(2) + b"]" + b"".join(b"r" + struct.pack("<I", n) for n in range(500_000)) + b"."
    ),
    "puts with one hash": lambda: (
        proto(2) + b"]" + b"".join(b"r" + struct.pack("<I", n << 12) for n in range(1 << 19)) + b"."
    ),
    "equal keys": lambda: proto(2) + b"}(" + b"K\x01K\x01" * MIB + b"u.",
    "long text integer": lambda: b"L" + b"7" * (4 * MIB) + b"L\n.",
    "long decimal": lambda: b"F" + b"7" * (4 * MIB) + b"\n.",
    "long escaped text": lambda: b"V" + b"\\u0041" * (2 * MIB) + b"\n.",
    "long escaped string": lambda: b"S'" + b"\\x41" * (2 * MIB) + b"'\n.",
    "long name": lambda: b"c" + b"a" * (4 * MIB) + b"\n" + b"b." * MIB + b"\n.",
    "many names": lambda: (
        b"".join(b"cmodule%d\nname\n0" % number for number in range(100_000)) + b"N."
    ),
    "many payloads": lambda: proto(2) + (PAYLOAD + b"0") * 50_000 + b"N.",
    "many pickles": lambda: b"N." * 300_000,
    "many pop marks": lambda: proto(2) + b"(1" * MIB + b"N.",
    "many appends": lambda: proto(2) + b"]" + b"K\x01a" * MIB + b".",
    "many builds": lambda: proto(2) + b"cargparse\nNamespace\n)\x81" + b"}b" * MIB + b".",
    "deep keys": lambda: (
        proto(2) + b"}" + b"K\x01" + b"\x85" * 50_000 + b"q\0K\x01s" + b"h\0K\x01s" * 50_000 + b"."
    ),
    "sparse memo": lambda: proto(2) + b"}r\0\0\0\x80r\xff\xff\xff\xff.",
    "claimed 4 GiB": lambda: proto(4) + b"X\xff\xff\xff\xff" + bytes(MIB),
    "many claims": lambda: b"".join(
        proto(4) + b"B\xff\xff\x00\x00" + bytes(100) for _ in range(5000)
    ),
    "nearly many signatures": lambda: b"PK\x05\x06" * (2 * MIB),
    "nearly many local records": lambda: b"PK\x03\x04" * (2 * MIB),
    "many gzip members": lambda: gzip.compress(b"N.", mtime=0) * 50_000,
    "many tar members": lambda: tarred(*((f"{n}", b"N.") for n in range(3000))),
}


@pytest.mark.parametrize("name", BOMBS)
def test_bomb(name: str, tmp_path: Path) -> None:
    """Scanned and converted, or rather not, at once."""
    path, target = tmp_path / "bomb.pt", tmp_path / "out.safetensors"
    path.write_bytes(BOMBS[name]())
    ran, found = scan(path)
    print(name, path.stat().st_size, found["verdict"], f"{ran.seconds:.2f} s", ran.peak_kib)
    codes = {each["code"] for each in found["findings"]}
    print(codes)
    assert_cheap(ran, name)
    if name == "many payloads":
        assert found["verdict"] == "dangerous"
    # What is shown stays readable, however much there is to show.
    assert len(ran.out) < 4 * MIB
    assert all(len(each["detail"]) < 4096 for each in found["findings"])
    done = convert(path, target)
    print("convert", done.code, f"{done.seconds:.2f} s", done.peak_kib, done.err[:200])
    if done.code != 0:
        assert_cheap(done, f"convert: {name}")
    assert done.code in (0, 1, 2, 3)
    assert (done.code == 0) <= (found["verdict"] == "clean")
    assert left_in(tmp_path) == (["bomb.pt", "out.safetensors"] if done.code == 0 else ["bomb.pt"])
    if done.code == 0:
        target.unlink()


def test_expanded(tmp_path: Path) -> None:
    """2^40 elements of stride 0: no file of that size is begun."""
    path, target = tmp_path / "in.pt", tmp_path / "out.safetensors"
    for shape, strides in (
        ((1 << 40,), (0,)),
        ((1 << 20, 1 << 20), (0, 0)),
        ((2,) * 40, (0,) * 40),
    ):
        path.write_bytes(
            torch.torch_zip({"weight": torch.tensor(torch.storage(4), shape, strides)})
        )
        ran = convert(path, target)
        assert_cheap(ran, shape)
        assert ran.code == 3, ran.err
        assert left_in(tmp_path) == ["in.pt"]


def test_deep_archives(tmp_path: Path) -> None:
    """A hundred archives in each other: the walk ends at its limit, and says so."""
    path = tmp_path / "in.zip"
    inner = pickle(PAYLOAD)
    for _ in range(100):
        inner = zipped(Member("a", inner))
    path.write_bytes(inner)
    ran, found = scan(path)
    assert_cheap(ran, path)
    assert found["verdict"] != "clean"
    assert "LIMIT" in json.dumps(found)
