"""Files that are something else, and files that would like to be two things at once."""

from __future__ import annotations

import gzip
import io
import pickle
import struct
import zipfile
from collections.abc import Iterator

from .build import Case, bad, bad_bytes, good, header_of, one, tensor

# Protocol 2, so that the bytes do not depend on the Python that runs this.
PICKLE = pickle.dumps({"weight": [1.0, 2.0]}, protocol=2)

LFS_POINTER = (
    b"version https://git-lfs.github.com/spec/v1\n"
    b"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
    b"size 12345\n"
)
HTML = b"<!DOCTYPE html>\n<html><head><title>404</title></head><body>Not found</body></html>\n"


def zip_archive() -> bytes:
    """A zip as torch.save writes one: stored, not deflated, with a pickle inside."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(zipfile.ZipInfo("archive/data.pkl", (1980, 1, 1, 0, 0, 0)), PICKLE)
    return buffer.getvalue()


def npy() -> bytes:
    """An array as numpy.save writes it."""
    text = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"
    padded = text.ljust(128 - 11) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(padded)) + padded.encode() + bytes(8)


def _foreign() -> Iterator[Case]:
    large = "HEADER_TOO_LARGE"
    beyond = "INVALID_HEADER_LENGTH"
    zipped = gzip.compress(one().encode(), mtime=0)
    for name, status, content, words in [
        ("zip", large, zip_archive(), "A zip: a PyTorch checkpoint under another name"),
        ("html", large, HTML, "An HTML page: a download that failed"),
        ("html-lower", large, HTML.lower(), "An HTML page in small letters"),
        ("lfs-pointer", large, LFS_POINTER, "A Git LFS pointer: the file itself was never fetched"),
        ("gguf", large, b"GGUF" + struct.pack("<IQQ", 3, 0, 0), "A GGUF file"),
        ("gzip", beyond, zipped[:4] + bytes(4) + zipped[8:], "A gzip stream"),
        ("pickle-2", large, PICKLE, "A pickle of protocol 2"),
        (
            "pickle-4",
            large,
            b"\x80\x04\x95" + struct.pack("<Q", 11) + b"}\x94\x8c\x01w\x94K\x01s.",
            "A pickle of protocol 4",
        ),
        ("npy", large, npy(), "A NumPy array"),
        ("hdf5", large, b"\x89HDF\r\n\x1a\n" + bytes(24), "An HDF5 file: a Keras model"),
        ("onnx", large, b"\x08\x07\x12\x07pytorch\x1a\x031.9:\x00", "An ONNX model"),
        ("png", large, b"\x89PNG\r\n\x1a\n" + bytes(16), "A PNG image"),
        ("pdf", large, b"%PDF-1.7\n%%EOF\n", "A PDF document"),
        ("elf", large, b"\x7fELF\x02\x01\x01" + bytes(9), "A program"),
        ("xz", large, b"\xfd7zXZ\x00\x00\x04" + bytes(8), "An xz stream"),
        ("zstd", large, b"\x28\xb5\x2f\xfd\x04\x58\x09\x00" + bytes(8), "A Zstandard stream"),
        ("json", large, one().encode(), "The JSON of a header without its length"),
        (
            "index-json",
            large,
            b'{"metadata": {}, "weight_map": {}}\n',
            "The index of a sharded model",
        ),
        ("text", large, b"Access denied\n", "A line of text"),
        (
            "xml",
            large,
            b'<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>',
            "An error of an object store",
        ),
        ("zeros", "HEADER_EMPTY", bytes(64), "Zeros: a file that was allocated and never written"),
        ("ones", large, b"\xff" * 64, "All bits set"),
    ]:
        yield bad_bytes(f"foreign-{name}", status, words + ".", content, 0)


def _both() -> Iterator[Case]:
    archive = zip_archive()
    size = len(archive)
    header = one()
    for name, tail, words in [
        ("zip", archive, "A zip, which is read from its end,"),
        ("html", HTML, "An HTML page"),
        ("pickle", PICKLE, "A pickle"),
        ("safetensors", struct.pack("<Q", 2) + b"{}", "A second safetensors file"),
    ]:
        yield bad(
            f"polyglot-{name}-behind",
            "TRAILING_DATA",
            f"{words} stands behind the last tensor.",
            header,
            b"\0" + tail,
            data_byte=1,
        )
    hole = header_of(tensor("a", "U8", [1], 0, 1), tensor("b", "U8", [1], 1 + size, 2 + size))
    yield bad(
        "polyglot-zip-between",
        "HOLE",
        "A zip stands between two tensors.",
        hole,
        b"\0" + archive + b"\0",
        data_byte=1,
    )
    yield bad(
        "polyglot-zip-before",
        "HOLE",
        "A zip stands before the first tensor.",
        header_of(tensor("a", "U8", [1], size, size + 1)),
        archive + b"\0",
        data_byte=0,
    )
    text = header.encode() + archive
    yield bad(
        "polyglot-zip-in-header",
        "INVALID_UTF8",
        "A zip stands in the header, behind the object.",
        text,
        1,
        byte=8 + next(at for at, byte in enumerate(text) if byte >= 0x80),
    )
    yield bad(
        "polyglot-html-in-header",
        "TRAILING_TEXT",
        "An HTML page stands in the header, behind the object.",
        header.encode() + "§".encode() + HTML,
        1,
    )
    yield bad(
        "polyglot-html-before",
        "INVALID_JSON",
        "An HTML page stands in the header, before the object.",
        "§".encode() + HTML + header.encode(),
        1,
    )
    inside = header_of(tensor("a", "U8", [size], 0, size))
    yield good(
        "data-zip",
        "The bytes of the last tensor are a zip, and a tensor may hold any bytes.",
        inside,
        archive,
    )
    yield good(
        "data-html",
        "The bytes of a tensor are an HTML page.",
        header_of(tensor("a", "U8", [len(HTML)], 0, len(HTML))),
        HTML,
    )
    nan = struct.pack("<4f", float("nan"), float("inf"), float("-inf"), -0.0)
    yield good(
        "data-nan",
        "NaN, infinities and minus zero.",
        header_of(tensor("a", "F32", [4], 0, 16)),
        nan,
    )
    yield good(
        "data-bool-7",
        "A BOOL whose byte is 7: the bytes are not judged.",
        one(dtype='"BOOL"'),
        b"\7",
    )


def cases() -> Iterator[Case]:
    """Every case of this subject."""
    yield from _foreign()
    yield from _both()
