#!/usr/bin/env python3
"""Writes the corpus: files that a reader must open, and files that it must refuse.

    generate.py             rewrites good/, bad/, sharded/, expected.tsv and README.md
    generate.py --check     says whether what is committed is what would be written
    generate.py --large DIR writes the files that are too large to be committed

All of it comes from the tables in corpus/, so that the files, what is expected of
them and the sentence that explains them cannot drift apart.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

from corpus import fields, framing, large, layout, polyglot, sharded, syntax, text
from corpus.build import Case
from generated import Generated

HERE = Path(__file__).resolve().parent
FOLDERS = ("good", "bad", "sharded")

INTRODUCTION = """\
# The corpus

Files that a reader must open (`good`), files that it must refuse (`bad`), and models in several
files (`sharded`). `generate.py` writes all of them, this page and `expected.tsv`, which programs
read: path, status, offset of the byte to blame, number of tensors, `-` where there is none. The
rules are those of `docs/format.md`; a status is named as in `include/sft/base.h`.

Larger files (100,000 tensors, headers of millions of bytes) are made when the tests run:
`generate.py --large DIR`.
"""

TITLES = {
    "good": "Must open",
    "bad": "Must be refused",
    "sharded/good": "Models that must open",
    "sharded/bad": "Models that must be refused",
}

GENERATED = Generated(HERE, FOLDERS, frozenset({"expected.tsv", "README.md"}))


def small_cases() -> list[Case]:
    """Every case that is committed, sorted by path."""
    modules = (framing, text, syntax, fields, layout, polyglot, sharded)
    found = [case for module in modules for case in module.cases()]
    _unique(found)
    return sorted(found, key=lambda case: case.path)


def large_cases() -> Iterator[Case]:
    """Every case that is made when the tests run, one at a time for the sake of memory."""
    yield from large.cases()


def _unique(found: list[Case]) -> None:
    seen: set[str] = set()
    for case in found:
        if case.path in seen:
            raise ValueError(f"two cases are called {case.path}")
        seen.add(case.path)


def _cell(value: int | None) -> str:
    return "-" if value is None else str(value)


def row(case: Case) -> str:
    """A case as a line of expected.tsv."""
    return f"{case.path}\t{case.status}\t{_cell(case.byte)}\t{_cell(case.tensors)}\n"


def _section(path: str) -> str:
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "sharded" else parts[0]


def readme(found: list[Case]) -> str:
    """The page for people, a sentence a file."""
    lines = [INTRODUCTION]
    for section, title in TITLES.items():
        members = [case for case in found if _section(case.path) == section]
        lines.append(f"## {title}: `{section}` ({len(members)})\n")
        for case in members:
            name = case.path[len(section) + 1 :].removesuffix(".safetensors")
            verdict = ""
            if case.status != "OK":
                at = "" if case.byte is None else f" at byte {case.byte}"
                verdict = f" {case.status}{at}."
            lines.append(f"- `{name}`: {case.sentence}{verdict}")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def contents(found: list[Case]) -> dict[str, bytes]:
    """Everything that is committed, by path."""
    files = {path: data for case in found for path, data in case.files.items()}
    files["expected.tsv"] = "".join(row(case) for case in found).encode()
    files["README.md"] = readme(found).encode()
    return files


def write_large(folder: Path) -> None:
    """Writes the large cases and their expected.tsv into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "expected.tsv").open("w", encoding="utf-8") as table:
        for case in large_cases():
            for path, data in case.files.items():
                (folder / path).parent.mkdir(parents=True, exist_ok=True)
                (folder / path).write_bytes(data)
            table.write(row(case))


def main() -> int:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description="Writes the corpus of good and bad files.")
    parser.add_argument("--check", action="store_true", help="compare only, and write nothing")
    parser.add_argument("--large", metavar="DIR", type=Path, help="write the large files into DIR")
    options = parser.parse_args()
    if options.large:
        write_large(options.large)
        return 0
    files = contents(small_cases())
    if options.check:
        return GENERATED.check(files)
    GENERATED.write(files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
