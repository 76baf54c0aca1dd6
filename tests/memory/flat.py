#!/usr/bin/env python3
"""Runs every command on a file of 100 MB and one of 2 GB, and compares their peak memory.

The files are sparse: they take next to no room on the disk, but every byte of them is
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

SMALL = 100 << 20
LARGE = 2 << 30
MOST_GROWTH_KIB = 8 * 1024
# The large file, the copy that `meta set` makes, and room to breathe, were they not sparse.
NEEDED = 3 * LARGE


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
    """Returns every command line that is compared."""
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


def main() -> int:
    """Compares the peaks; returns the exit status."""
    sft, peak = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if shutil.disk_usage(folder).free < NEEDED:
            print(f"skipped: less than {NEEDED >> 30} GiB are free in {folder}")
            return 77
        peaks: list[list[int]] = []
        for size in (SMALL, LARGE):
            file, other = folder / "file.safetensors", folder / "other.safetensors"
            make(file, size)
            make(other, size)
            lines = commands(sft, str(file), str(other))
            peaks.append([peak_kib(peak, line, folder / "peak") for line in lines])
    failures = 0
    for line, small, large in zip(commands("sft", "FILE", "OTHER"), *peaks, strict=True):
        grown = large - small > MOST_GROWTH_KIB
        failures += grown
        shown = " ".join(line)[:60]
        print(f"{'FAILED ' if grown else ''}{shown}: {small} KiB at 100 MB, {large} KiB at 2 GB")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
