"""Zip archives that two readers see differently."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import replace

from pickles.recipes import packing, torch
from pickles.recipes.archive import Member, zipped
from pickles.recipes.case import DANGEROUS, MALFORMED, UNKNOWN, Case, hostile
from pickles.recipes.ops import PAYLOAD, pickle

SYSTEM = ("os.system",)
EVIL = pickle(PAYLOAD)
GOOD = pickle({"weight": torch.vector()})
FOUR = {"0": torch.FOUR}


def _case(
    label: str, sentence: str, content: bytes, *verdicts: str, **more: tuple[str, ...]
) -> Case:
    name = label if "." in label else f"{label}.pt"
    return hostile(f"zips/{name}", sentence, content, *verdicts, **more)  # type: ignore[arg-type]


def _evil(**changes: object) -> Member:
    return replace(Member("archive/data.pkl", EVIL), **changes)  # type: ignore[arg-type]


def _good(**changes: object) -> Member:
    return replace(Member("archive/data.pkl", GOOD), **changes)  # type: ignore[arg-type]


STORAGE = Member("archive/data/0", torch.FOUR)
VERSION = Member("archive/version", b"3\n")


def _names() -> Iterator[Case]:
    yield _case(
        "CVE-2025-1944",
        "The local record calls the member otherwise: Python's zipfile gives up, torch loads it.",
        zipped(_evil(local_name="archive/data.txt"), VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "local-name-harmless",
        "A harmless member whose local record has another name.",
        zipped(_good(local_name="archive/evil.pkl"), STORAGE, VERSION),
        UNKNOWN,
        codes=("ZIP_NAME_MISMATCH",),
    )
    yield _case(
        "upper-case",
        "torch looks names up without regard to case: `DATA.PKL` is loaded.",
        zipped(Member("archive/DATA.PKL", EVIL), VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "two-cases",
        "`data.pkl` is harmless, `DATA.PKL` before it is not.",
        zipped(Member("archive/DATA.PKL", EVIL), _good(), STORAGE, VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "duplicate",
        "Two members are called data.pkl: readers take the first or the last.",
        zipped(_evil(), _good(), STORAGE, VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "duplicate-harmless",
        "Two harmless members of one name.",
        zipped(_good(), _good(), STORAGE, VERSION),
        UNKNOWN,
        codes=("ZIP_DUPLICATE",),
    )
    for label, name, what in (
        ("dot-dot", "archive/../../evil", "`..`"),
        ("absolute", "/evil", "a path from the root"),
        ("backslash", "archive\\..\\..\\evil", "`..` behind backslashes"),
        ("drive", "C:\\evil", "a drive"),
    ):
        yield _case(
            f"name-{label}",
            f"A member whose name has {what}.",
            zipped(_good(), STORAGE, VERSION, Member(name, b"text")),
            UNKNOWN,
        )
    yield _case(
        "name-nul",
        "A name with NUL in it, at which readers in C stop.",
        zipped(Member(b"archive/data.pkl\0.txt", EVIL), VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "name-nul-harmless",
        "The same with harmless bytes.",
        zipped(_good(), STORAGE, VERSION, Member(b"archive/a\0.txt", b"text")),
        UNKNOWN,
        codes=("ZIP_UNSAFE_NAME",),
    )
    yield _case(
        "other-member",
        "The payload is a member that torch never looks at, called notes.txt.",
        zipped(_good(), STORAGE, VERSION, Member("archive/notes.txt", EVIL)),
        mentions=SYSTEM,
    )
    yield _case(
        "folder-with-bytes",
        "A member whose name ends as a folder's does, with a payload.",
        zipped(_good(), STORAGE, VERSION, Member("archive/folder/", EVIL)),
        mentions=SYSTEM,
    )
    yield _case(
        "two-roots",
        "Two roots: torch takes that of the first member.",
        zipped(
            Member("one/data.pkl", EVIL),
            Member("two/data.pkl", GOOD),
            Member("two/data/0", torch.FOUR),
        ),
        mentions=SYSTEM,
    )
    yield _case(
        "storage-is-a-pickle",
        "A storage that is a whole pickle with the payload.",
        zipped(_good(), Member("archive/data/0", EVIL + bytes(-len(EVIL) % 4)), VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "storage-named-data.pkl",
        "A storage's key leads back to a pickle of another folder.",
        zipped(_good(), STORAGE, VERSION, Member("archive/data/data.pkl", EVIL)),
        mentions=SYSTEM,
    )


def _flags() -> Iterator[Case]:
    for flag, what in ((0x1, "encrypted"), (0x20, "a patch"), (0x40, "strongly encrypted")):
        yield _case(
            f"CVE-2025-1945-0x{flag:x}",
            f"The flags say {what}: scanners give up, torch loads it.",
            zipped(_evil(flags=flag), VERSION),
            mentions=SYSTEM,
        )
        yield _case(
            f"CVE-2025-1945-0x{flag:x}-central",
            f"Only the directory's flags say {what}.",
            zipped(_evil(flags=flag, local_flags=0), VERSION),
            mentions=SYSTEM,
        )
        yield _case(
            f"CVE-2025-1945-0x{flag:x}-local",
            f"Only the local record's flags say {what}.",
            zipped(_evil(local_flags=flag), VERSION),
            mentions=SYSTEM,
        )
        yield _case(
            f"flag-0x{flag:x}-harmless",
            f"Harmless bytes, and flags that say {what}.",
            zipped(_good(flags=flag), STORAGE, VERSION),
            UNKNOWN,
            codes=("ZIP_FLAGS", "ZIP_ENCRYPTED"),
        )
    yield _case(
        "flag-0x2000-harmless",
        "A flag for a directory that is masked.",
        zipped(_good(flags=0x2000), STORAGE, VERSION),
        UNKNOWN,
        codes=("ZIP_FLAGS", "ZIP_ENCRYPTED"),
    )
    yield _case(
        "CVE-2025-10156",
        "A wrong checksum: Python's zipfile gives up, torch loads it.",
        zipped(_evil(crc=0x12345678), VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "CVE-2025-10156-zero",
        "A checksum of zero, as torch can write it.",
        zipped(_evil(crc=0), VERSION),
        mentions=SYSTEM,
    )


def _packing() -> Iterator[Case]:
    yield _case(
        "deflated", "The payload is deflated.", zipped(_evil(method=8), VERSION), mentions=SYSTEM
    )
    yield _case(
        "method-lie-local",
        "The directory says stored, the local record says deflated.",
        zipped(_evil(local_method=8), VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "method-lie-central",
        "The directory says deflated, the bytes are stored.",
        zipped(_evil(packed=EVIL, method=8, local_method=0), VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "method-unknown",
        "A method that nobody has, and a payload that stands there as it is.",
        zipped(_evil(packed=EVIL, method=99), VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "size-lie-deflate",
        "The directory says that four bytes come out, and far more do.",
        zipped(_evil(method=8, size=4), VERSION),
        UNKNOWN,
        MALFORMED,
        DANGEROUS,
    )
    yield _case(
        "size-lie-stored",
        "The local record says another size than the directory.",
        zipped(_evil(local_size=4), VERSION),
        DANGEROUS,
    )
    yield _case(
        "deflate-damaged",
        "A deflate stream that breaks.",
        zipped(_good(method=8, packed=b"\x07\xff\xff"), STORAGE, VERSION),
        MALFORMED,
        UNKNOWN,
    )


def _layout() -> Iterator[Case]:
    good = (_good(), STORAGE, VERSION)
    yield _case(
        "prefix",
        "A pickle, then the archive: loaders of pickles see one, those of archives the other.",
        zipped(*good, prefix=EVIL),
        mentions=SYSTEM,
    )
    yield _case(
        "prefix-harmless",
        "Bytes before the first member.",
        zipped(*good, prefix=b"#!/bin/sh\n"),
        UNKNOWN,
        codes=("ZIP_PREFIX",),
    )
    yield _case(
        "prefix-unadjusted",
        "A prefix that the offsets of the directory do not count.",
        EVIL + zipped(*good),
        DANGEROUS,
        mentions=SYSTEM,
    )
    yield _case(
        "trailing",
        "A payload behind the archive.",
        zipped(*good, trailing=EVIL),
        DANGEROUS,
        UNKNOWN,
        MALFORMED,
    )
    yield _case(
        "trailing-harmless",
        "Bytes behind the archive.",
        zipped(*good, trailing=bytes(7)),
        UNKNOWN,
        MALFORMED,
    )
    yield _case(
        "comment",
        "A comment of the archive.",
        zipped(*good, comment=b"hello"),
        UNKNOWN,
        codes=("ZIP_COMMENT",),
    )
    yield _case(
        "comment-archive",
        "The comment holds the end record of another archive, whose directory lists the payload.",
        zipped(*good, comment=zipped(_evil(), VERSION)),
        UNKNOWN,
        MALFORMED,
        DANGEROUS,
    )
    yield _case(
        "hidden-member",
        "A member with the payload that the directory does not list.",
        zipped(_evil(listed=False), *good),
        UNKNOWN,
        MALFORMED,
        DANGEROUS,
    )
    yield _case(
        "gap",
        "A payload between the last member and the directory.",
        zipped(*good, gap=EVIL),
        UNKNOWN,
        MALFORMED,
        DANGEROUS,
    )
    yield _case(
        "shifted-directory",
        "The end record points to the directory of another archive, before it.",
        _two_directories(),
        UNKNOWN,
        MALFORMED,
        DANGEROUS,
    )
    yield _case(
        "overlap",
        "Two members share their bytes.",
        zipped(_good(), STORAGE, Member("archive/data/1", torch.FOUR, record=0), VERSION),
        UNKNOWN,
        MALFORMED,
    )
    yield _case(
        "count-lie",
        "The end record counts fewer members than the directory lists.",
        zipped(*good, _evil(), count=3),
        UNKNOWN,
        MALFORMED,
        DANGEROUS,
    )
    yield _case(
        "directory-outside",
        "The directory is said to lie behind the end.",
        zipped(*good, directory_at=0x7FFFFFFF),
        MALFORMED,
    )
    yield _case(
        "zip64-lie",
        "A zip64 end record that says other than the plain one.",
        _zip64(zipped(*good), count=1),
        UNKNOWN,
        MALFORMED,
    )
    yield _case(
        "cut",
        "An archive that is cut before its directory ends.",
        zipped(*good)[:-30],
        MALFORMED,
        UNKNOWN,
    )
    yield _case(
        "no-directory",
        "A local record with the payload, and no directory.",
        zipped(_evil())[: 30 + len("archive/data.pkl") + len(EVIL)],
        MALFORMED,
        UNKNOWN,
        DANGEROUS,
    )


def _two_directories() -> bytes:
    first = zipped(_evil(), VERSION)
    directory = first.index(b"PK\x01\x02")
    second = zipped(_good(), STORAGE, VERSION, prefix=first)
    end = bytearray(second[-22:])
    end[8:12] = struct.pack("<HH", 2, 2)
    end[12:20] = struct.pack("<II", len(first) - 22 - directory, directory)
    return second[:-22] + bytes(end)


def _zip64(plain: bytes, count: int) -> bytes:
    body, end = plain[:-22], plain[-22:]
    size, at = struct.unpack("<II", end[12:20])
    record = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, count, count, size, at)
    locator = struct.pack("<IIQI", 0x07064B50, 0, len(body), 1)
    return body + record + locator + end


def _nested() -> Iterator[Case]:
    inner = zipped(_evil(), VERSION)
    yield _case(
        "zip-in-zip.zip",
        "An archive within an archive, with the payload.",
        zipped(Member("inner.bin", inner)),
        mentions=SYSTEM,
    )
    yield _case(
        "zip-in-zip-deflated.zip",
        "The same, deflated.",
        zipped(Member("inner.bin", inner, method=8)),
        mentions=SYSTEM,
    )
    yield _case(
        "gzip-in-zip.zip",
        "A pickle in a gzip file in an archive.",
        zipped(Member("inner", packing.gzip(EVIL))),
        mentions=SYSTEM,
    )
    deep = EVIL
    for _ in range(7):
        deep = zipped(Member("inner", deep))
    yield _case(
        "zip-seven-deep.zip",
        "Archives within archives, deeper than four levels: a limit.",
        deep,
        MALFORMED,
        UNKNOWN,
        DANGEROUS,
    )
    yield _case("wrong-extension.txt", "An archive that is called .txt.", inner, mentions=SYSTEM)
    yield _case(
        "second-pickle",
        "data.pkl has a second pickle, with the payload.",
        zipped(Member("archive/data.pkl", GOOD + EVIL), STORAGE, VERSION),
        mentions=SYSTEM,
    )
    yield _case(
        "crc-of-other",
        "The checksum of the payload is that of a harmless pickle.",
        zipped(_evil(crc=zlib.crc32(GOOD)), VERSION),
        mentions=SYSTEM,
    )


def cases() -> Iterator[Case]:
    """Every archive."""
    yield from _names()
    yield from _flags()
    yield from _packing()
    yield from _layout()
    yield from _nested()
