#!/usr/bin/env python3
"""Runs every command on a file of 100 MB and one of 2 GB, and compares their peak memory.

The safetensors files are sparse: they take next to no room on the disk, but every byte of them is
read and written like any other. Exit status 77 says that the test was skipped.
"""

from __future__ import annotations

import json
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

from torch_zip import Tensor, write

SMALL = 100 << 20
LARGE = 2 << 30
MOST_GROWTH_KIB = 8 * 1024
MOST_KIB = 64 * 1024  # of the commands that read other formats
# A checkpoint, what it is converted to in one file and in shards, and room to breathe.
NEEDED = 4 * LARGE


def make(path: Path, size: int) -> None:
    """Writes a file of two tensors: a large matrix of F32 zeros, and a vector."""
    columns = 4096
    rows = size // (4 * columns)
    end = rows * columns * 4
    header = json.dumps(
        {
            "__metadata__": {"format": "pt"},
            "matrix": {"dtype": "F32", "shape": [rows, columns], "data_offsets": [0, end]},
            "vector": {"dtype": "I8", "shape": [100], "data_offsets": [end, end + 100]},
        }
    ).encode()
    with path.open("wb") as stream:
        stream.write(struct.pack("<Q", len(header)) + header)
        stream.truncate(8 + len(header) + end + 100)


def make_checkpoint(path: Path, size: int) -> None:
    """Writes a checkpoint of a large matrix, one that lies transposed, and small tensors."""
    columns = 4096
    rows = size // (4 * columns)
    dense, turned = rows * 7 // 8, rows // 8
    small = [Tensor(f"small.{i}", (100,), (1,)) for i in range(100)]
    matrix = Tensor("matrix", (dense, columns), (columns, 1))
    write(path, [matrix, Tensor("turned", (columns, turned), (1, columns)), *small])


def peak_kib(peak: str, command: list[str], result: Path) -> int:
    """Runs a command, which must succeed, and returns its largest resident set."""
    done = subprocess.run(
        [peak, str(result), *command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
        text=True,
    )
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}: exit {done.returncode}: {done.stderr}")
    return int(result.read_text())


def commands(sft: str, file: str, other: str) -> list[list[str]]:
    """Returns the command lines that take a safetensors file."""
    return [
        [sft, "ls", file],
        [sft, "info", file],
        [sft, "header", "--pretty", file],
        [sft, "check", "--finite", file],
        [sft, "cat", file, "matrix"],
        [sft, "cat", "--npy", file, "matrix[:, ::2]"],
        [sft, "hash", file],
        [sft, "diff", "--data", file, other],
        [sft, "meta", "set", file, "note=" + "x" * 2000],
    ]


def conversions(sft: str, checkpoint: str, made: str) -> list[list[str]]:
    """Returns those that take a checkpoint."""
    return [
        [sft, "scan", checkpoint],
        [sft, "convert", checkpoint, "-o", made],
        [sft, "convert", "-f", "--max-shard-size", "50MB", checkpoint, "-o", made + ".d"],
    ]


def measure(sft: str, peak: str, folder: Path, size: int) -> list[int]:
    """Returns the peaks of all lines on files of one size, in their order."""
    file, other = folder / "file.safetensors", folder / "other.safetensors"
    make(file, size)
    make(other, size)
    peaks = [peak_kib(peak, line, folder / "peak") for line in commands(sft, str(file), str(other))]
    file.unlink()
    checkpoint, made = folder / "file.pt", folder / "made.safetensors"
    make_checkpoint(checkpoint, size)
    for line in conversions(sft, str(checkpoint), str(made)):
        peaks.append(peak_kib(peak, line, folder / "peak"))
    made.unlink()
    return peaks


def main() -> int:
    """Compares the peaks; returns the exit status."""
    sft, peak = sys.argv[1:]
    peaks: list[list[int]] = []
    for size in (SMALL, LARGE):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            if shutil.disk_usage(folder).free < NEEDED:
                print(f"skipped: less than {NEEDED >> 30} GiB are free in {folder}")
                return 77
            peaks.append(measure(sft, peak, folder, size))
    failures = 0
    lines = commands("sft", "FILE", "OTHER")
    foreign = conversions("sft", "CHECKPOINT", "MADE")
    for line, small, large in zip(lines + foreign, *peaks, strict=True):
        wrong = large - small > MOST_GROWTH_KIB or (line in foreign and large > MOST_KIB)
        failures += wrong
        shown = " ".join(line)[:60]
        print(f"{'FAILED ' if wrong else ''}{shown}: {small} KiB at 100 MB, {large} KiB at 2 GB")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
