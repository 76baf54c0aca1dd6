#!/usr/bin/env python3
"""Compares the library with the Rust safetensors: verdicts, bytes written, files read.

Runs in an environment with what tests/requirements-peer.txt lists. Exits with 1 at any
difference that is not one of the documented stricter rules; such files are saved.
"""

from __future__ import annotations

import argparse
import struct
import sys
import tempfile
import time
from pathlib import Path
from random import Random

import exchange
import safetensors
from library import Library
from mutate import Seed, mutants
from verdicts import Verdicts

FILES = Path(__file__).resolve().parent.parent / "files"
SMALL = 1500


def corpus(folder: str) -> list[bytes]:
    """The files of one folder of the corpus."""
    return [path.read_bytes() for path in sorted((FILES / folder).iterdir())]


def seeds_of(contents: list[bytes]) -> list[Seed]:
    """The small files that have a header, cut up for mutation."""
    seeds = []
    for content in contents:
        if 8 <= len(content) <= SMALL:
            end = 8 + struct.unpack("<Q", content[:8])[0]
            if end <= len(content):
                seeds.append(Seed(content[8:end], content[end:]))
    return seeds


def main() -> int:
    """Runs every comparison and prints the counts."""
    parser = argparse.ArgumentParser(description="Compares libsft with the Rust safetensors.")
    parser.add_argument("--library", required=True, help="the path of libsft.so")
    parser.add_argument("--command", help="the path of sft")
    parser.add_argument("--mutants", type=int, default=1_000_000, help="how many damaged files")
    parser.add_argument("--models", type=int, default=5000, help="how many models are written")
    parser.add_argument("--seed", type=int, default=1, help="of the random numbers")
    parser.add_argument("--save", type=Path, default=Path("differences"), help="where files go")
    parser.add_argument("--data", type=Path, default=Path("absent"), help="real checkpoints")
    options = parser.parse_args()

    library = Library(options.library)
    rng = Random(options.seed)
    start = time.monotonic()
    good, bad = corpus("good"), corpus("bad")
    # Good files three times: a change to a bad one seldom makes anything new of it.
    seeds = seeds_of(good * 3 + bad)
    differences: list[str] = []
    for what, files in [
        ("corpus", iter(good + bad)),
        ("mutants", mutants(seeds, options.mutants, rng)),
    ]:
        verdicts = Verdicts(library, options.save)
        verdicts.run(files)
        verdicts.report(what)
        differences += verdicts.unexplained
    with tempfile.TemporaryDirectory() as folder:
        differences += exchange.same_bytes(library, options.models, Path(folder), rng)
        differences += exchange.each_other(library, options.models, rng)
        if options.command:
            differences += exchange.by_command(options.command, Path(folder), rng)
    differences += exchange.real_files(library, options.command, options.data / "checkpoints")
    for difference in differences[:20]:
        print(f"DIFFERENCE: {difference}")
    seconds = time.monotonic() - start
    version = safetensors.__version__
    print(f"safetensors {version}: {len(differences)} differences, {seconds:.0f} s")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
