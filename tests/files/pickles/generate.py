#!/usr/bin/env python3
"""Writes the corpus of pickles and checkpoints: attacks, evasions, bombs, and harmless files.

    generate.py             rewrites all folders here, expected.json and README.md
    generate.py --check     says whether what is committed is what would be written

Every file is put together byte by byte from the tables in recipes/, so that the files, what is
expected of them and the sentence that explains them cannot drift apart. Nothing is ever unpickled.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

from generated import Generated  # noqa: E402
from pickles.recipes import (  # noqa: E402
    benign,
    containers,
    endings,
    gadgets,
    harmless,
    limits,
    names,
    streams,
    tensors,
    zips,
)
from pickles.recipes.case import Case  # noqa: E402

INTRODUCTION = """\
# Pickles and checkpoints from strangers

Files to be scanned and converted, **never to be loaded**: most of them are made to do harm, though
all that they would run is harmless in itself. `generate.py` writes them, this page and
`expected.json`, which programs read:

| field | what |
| --- | --- |
| `file` | path in this folder |
| `verdicts` | what `sft scan` may say; several where each is right |
| `malicious` | whether it is made to do harm: nobody should call it clean |
| `convert` | what `sft convert` may exit with |
| `format` | what the file is, where that is tested |
| `codes` | one of these must be among the findings, if there are any in the list |
| `mentions` | texts that must stand in a finding |
| `tensors` | of what converts: dtype, shape and SHA-256 of the bytes of every tensor |

Files that must be large are made when the tests run, in `tests/checkpoints/`.
"""

TITLES = {
    "names": "Names that run code",
    "gadgets": "Allowed names that do harm together, and files that are two things",
    "streams": "Tricks with opcodes",
    "zips": "Archives that two readers see differently",
    "containers": "Payloads in every other container",
    "tensors": "Clean pickles with tensors that must be refused",
    "limits": "Small files that ask for much",
    "benign": "Harmless files, which must be clean and convert",
    "other": "Files of other kinds",
}

GENERATED = Generated(HERE, TITLES, frozenset({"expected.json", "README.md"}))


def all_cases() -> list[Case]:
    """Every case, sorted by path."""
    modules = (
        names,
        gadgets,
        streams,
        endings,
        zips,
        containers,
        tensors,
        limits,
        benign,
        harmless,
    )
    found = sorted((case for module in modules for case in module.cases()), key=lambda c: c.path)
    for one, other in itertools.pairwise(found):
        if one.path == other.path:
            raise ValueError(f"two cases are called {one.path}")
    return found


def readme(found: list[Case]) -> str:
    """The page for people, a sentence a file."""
    lines = [INTRODUCTION]
    for folder, title in TITLES.items():
        members = [case for case in found if case.path.startswith(folder + "/")]
        lines.append(f"## {title}: `{folder}` ({len(members)})\n")
        for case in members:
            name = case.path.removeprefix(folder + "/")
            lines.append(f"- `{name}`: {case.sentence} {' or '.join(case.verdicts).capitalize()}.")
        lines.append("")
    return "\n".join(lines).rstrip("\n") + "\n"


def contents() -> dict[str, bytes]:
    """Everything that is committed, by path."""
    found = all_cases()
    files = {case.path: case.content for case in found}
    rows = ",\n".join(json.dumps(case.expected()) for case in found)
    files["expected.json"] = f"[\n{rows}\n]\n".encode()
    files["README.md"] = readme(found).encode()
    return files


def main() -> int:
    """Does what the command line says."""
    parser = argparse.ArgumentParser(description="Writes the corpus of pickles and checkpoints.")
    parser.add_argument("--check", action="store_true", help="compare only, and write nothing")
    options = parser.parse_args()
    files = contents()
    if options.check:
        return GENERATED.check(files)
    GENERATED.write(files)
    return 0


if __name__ == "__main__":
    sys.exit(main())
